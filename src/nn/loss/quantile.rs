//! The quantile loss, or pinball loss, for several quantiles of each target.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use super::{predictions::PredictionKind, targets::Values, unit::LossUnit};
use crate::{
    error::Error,
    simd::Lanes,
    tensor::MatrixView,
    thin::{PANEL, Panels},
};

/// The levels of [`Loss::Quantile`](super::Loss::Quantile): 1 to [`MAX`](Self::MAX) numbers above 0
/// and below 1 in single precision, ascending. The quantile of level q is the number that a fraction
/// q of the targets is at most; 0.5 is the median.
///
/// As text, the levels are separated by commas.
///
/// ```
/// use thinnet::nn::{Loss, QuantileLevels};
///
/// let loss = Loss::Quantile(QuantileLevels::new(&[0.05, 0.5, 0.95])?);
/// assert_eq!(loss.to_string(), "quantile(0.05,0.5,0.95)");
/// assert_eq!("quantile(0.05, 0.5, 0.95)".parse::<Loss>()?, loss);
/// assert_eq!(loss.outputs_per_target(), 3);
/// assert!(QuantileLevels::new(&[0.5, 0.05]).is_err());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct QuantileLevels {
    count: u8,
    /// Those after `count` are 0.
    levels: [f32; Self::MAX],
}

// No level is NaN.
impl Eq for QuantileLevels {}

impl Hash for QuantileLevels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().iter().for_each(|level| level.to_bits().hash(state));
    }
}

impl QuantileLevels {
    /// The largest number of levels.
    pub const MAX: usize = 16;

    /// An interval that contains 80 % of the targets, and the median: 0.1, 0.5 and 0.9.
    pub const DEFAULT: Self = {
        let mut levels = [0.0; Self::MAX];
        [levels[0], levels[1], levels[2]] = [0.1, 0.5, 0.9];
        Self { count: 3, levels }
    };

    /// Checks levels.
    ///
    /// # Errors
    /// There is no level or more than [`MAX`](Self::MAX); one is not above 0 and below 1; one is not
    /// larger than the one before.
    pub fn new(levels: &[f32]) -> Result<Self, Error> {
        Self::checked(levels, "a number above 0 and below 1", |place| levels[place].to_string())
    }

    /// Checks levels that were written as `text`; `None` if they are not numbers.
    pub(in crate::nn) fn written(text: &str) -> Option<Result<Self, Error>> {
        let texts = || text.split(',').map(str::trim);
        let count = texts().count();
        let mut levels = [0.0; Self::MAX];
        for (to, level) in levels.iter_mut().zip(texts()) {
            *to = level.parse().ok()?;
        }
        let levels = match levels.get(..count) {
            Some(levels) => levels,
            None => return Some(Err(wrong_number(count))),
        };
        let expected = "a number above 0 and below 1 in single precision";
        // The error quotes the text: as an f32, 1e-50 is 0.
        let quoted = |place| texts().nth(place).unwrap_or_default().to_owned();
        Some(Self::checked(levels, expected, quoted))
    }

    fn checked(
        given: &[f32],
        expected: &'static str,
        text: impl Fn(usize) -> String,
    ) -> Result<Self, Error> {
        let mut levels = [0.0; Self::MAX];
        let count = given.len();
        let to = levels.get_mut(..count).filter(|to| !to.is_empty());
        to.ok_or_else(|| wrong_number(count))?.copy_from_slice(given);
        if let Some(place) = given.iter().position(|&level| !(level > 0.0 && level < 1.0)) {
            return Err(Error::Parameter {
                parameter: "quantile level",
                value: text(place),
                expected,
            });
        }
        if let Some(place) = given.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(Error::Parameter {
                parameter: "quantile levels",
                value: format!("{}, {}", text(place), text(place + 1)),
                expected: "each larger than the one before",
            });
        }
        Ok(Self { count: count as u8, levels })
    }

    /// The levels, ascending.
    pub const fn as_slice(&self) -> &[f32] {
        self.levels.split_at(self.count as usize).0
    }

    /// The place of the median, level 0.5, if it is one of them.
    pub(crate) const fn median(&self) -> Option<usize> {
        let mut place = 0;
        while place < self.count as usize {
            if self.levels[place] == 0.5 {
                return Some(place);
            }
            place += 1;
        }
        None
    }
}

fn wrong_number(count: usize) -> Error {
    let expected = "1 to 16 levels";
    Error::Parameter { parameter: "number of quantile levels", value: count.to_string(), expected }
}

impl fmt::Display for QuantileLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, level) in self.as_slice().iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{level}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for QuantileLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QuantileLevels").field(&self.as_slice()).finish()
    }
}

/// max(q d, (q - 1) d) of the target's distance d = t - z above the quantile. NaN stays.
#[inline(always)]
pub(crate) fn pinball(level: f64, d: f64) -> f64 {
    if d < 0.0 { (level - 1.0) * d } else { level * d }
}

/// [`Loss::Quantile`](super::Loss::Quantile)
#[derive(Clone, Copy)]
pub(super) struct Quantile {
    pub levels: QuantileLevels,
}

impl LossUnit for Quantile {
    type Targets = Values;
    const PREDICTIONS: PredictionKind = PredictionKind::Quantiles;

    fn outputs_per_target(self) -> usize {
        self.levels.as_slice().len()
    }

    fn plain(self, z: &[f64], values: MatrixView<'_>, row: usize) -> f64 {
        let (targets, mut sum) = (values.at(row), 0.0);
        for (&level, z) in self.levels.as_slice().iter().zip(z.chunks(targets.len())) {
            for (&z, &t) in z.iter().zip(targets) {
                sum += pinball(level.into(), f64::from(t) - z);
            }
        }
        sum / z.len() as f64
    }

    /// The mean over the row's N outputs; -q / (B N) below the target, (1 - q) / (B N) above it, and 0
    /// where they are equal.
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        _: L,
        values: MatrixView<'_>,
        width: usize,
        rows: f64,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let (targets, mut sum) = (values.at(row), 0.0);
        let per_output = 1.0 / (rows * width as f64);
        for (place, &level) in self.levels.as_slice().iter().enumerate() {
            let level = f64::from(level);
            let below = (-level * per_output) as f32;
            let above = ((1.0 - level) * per_output) as f32;
            for (target, &t) in targets.iter().enumerate() {
                let output = place * targets.len() + target;
                let z = &mut z.at_mut(output / PANEL, row)[output % PANEL];
                let d = f64::from(t) - f64::from(*z);
                sum += pinball(level, d);
                // NaN is neither, and stays.
                *z = if d > 0.0 {
                    below
                } else if d < 0.0 {
                    above
                } else {
                    d as f32
                };
            }
        }
        (sum / width as f64) as f32
    }
}
