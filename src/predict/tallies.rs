//! Running statistics of each row's samples.

use super::uncertainty::Estimates;
use crate::{
    error::Error,
    nn::{Loss, Mlp, PredictionKind},
};

/// Imaginary samples, at the largest possible distance, that are added to the real ones:
/// a few equal samples do not show that the next ones will be equal too.
const UNSEEN: f64 = 2.0;

/// The minimum number of samples of values, whose scale is not known beforehand, before
/// an early stop: an event with probability 5 % has then been seen in all but 4 % of
/// rows.
const FEWEST_VALUES: usize = 64;

/// The statistics of each row's samples so far.
#[derive(Clone, Debug)]
pub(super) struct Tallies {
    pub loss: Loss,
    /// The network's decision threshold.
    pub threshold: Option<f64>,
    pub outputs: usize,
    /// The number of samples per row.
    pub counts: Vec<usize>,
    /// `[rows][outputs]`
    pub mean: Vec<f64>,
    /// `[rows][outputs]`: sums of squared distances from the mean; finally variances.
    pub squares: Vec<f64>,
    /// The mean entropy of a sample, per row.
    pub entropies: Vec<f64>,
    /// `[rows][each][outputs]` samples, if they are kept.
    pub kept: Vec<f32>,
    /// The same as `[rows][outputs][samples]`, ascending.
    pub sorted: Vec<f32>,
    pub each: usize,
    /// `[rows][outputs]`: the smallest and the largest sample, if values may stop early.
    pub ranges: Vec<[f32; 2]>,
    /// Whether variances and entropies are known.
    pub spread: bool,
}

impl Tallies {
    pub fn new(mlp: &Mlp) -> Self {
        Self {
            loss: mlp.loss(),
            threshold: mlp.threshold(),
            outputs: mlp.outputs(),
            counts: Vec::new(),
            mean: Vec::new(),
            squares: Vec::new(),
            entropies: Vec::new(),
            kept: Vec::new(),
            sorted: Vec::new(),
            each: 0,
            ranges: Vec::new(),
            spread: true,
        }
    }

    /// Resets to no samples for `rows` rows, of which `each` are to be kept; memory is
    /// allocated for `max_rows` rows.
    pub fn clear(
        &mut self,
        mlp: &Mlp,
        rows: usize,
        max_rows: usize,
        each: usize,
    ) -> Result<(), Error> {
        (self.loss, self.threshold) = (mlp.loss(), mlp.threshold());
        (self.each, self.spread) = (each, true);
        self.ranges.clear();
        let outputs = self.outputs;
        zeros(&mut self.counts, 0, [rows, 1], max_rows)?;
        zeros(&mut self.mean, 0.0, [rows, outputs], max_rows)?;
        zeros(&mut self.squares, 0.0, [rows, outputs], max_rows)?;
        zeros(&mut self.entropies, 0.0, [rows, 1], max_rows)?;
        let size = outputs.checked_mul(each);
        let size = size.ok_or(Error::TooLarge { what: "samples", shape: [outputs, each] })?;
        let max_rows = if each == 0 { 0 } else { max_rows };
        zeros(&mut self.kept, 0.0, [rows, size], max_rows)?;
        zeros(&mut self.sorted, 0.0, [rows, size], max_rows)
    }

    /// How many of a row's predictions are means, or probabilities: all but variances.
    pub fn means(&self) -> usize {
        match self.loss.prediction_kind() {
            PredictionKind::Normals => self.outputs / self.loss.outputs_per_target(),
            _ => self.outputs,
        }
    }

    /// The mean and the variance of each of a row's predictions.
    pub fn moments(&self, row: usize) -> [&[f64]; 2] {
        [&self.mean, &self.squares].map(|all| &all[row * self.outputs..][..self.outputs])
    }

    pub fn samples(&self, row: usize) -> usize {
        self.counts[row]
    }

    /// Adds the row's next sample, by Welford's recurrence.
    pub fn add(&mut self, row: usize, y: &[f32]) {
        let (outputs, number) = (self.outputs, self.counts[row]);
        let n = (number + 1) as f64;
        self.counts[row] += 1;
        let mean = &mut self.mean[row * outputs..][..outputs];
        let squares = &mut self.squares[row * outputs..][..outputs];
        for ((mean, squares), &y) in mean.iter_mut().zip(squares).zip(y) {
            let before = f64::from(y) - *mean;
            *mean += before / n;
            *squares += before * (f64::from(y) - *mean);
        }
        if let Some(entropy) = self.loss.link_function().entropy(y.iter().map(|&y| f64::from(y))) {
            self.entropies[row] += (entropy - self.entropies[row]) / n;
        }
        if let Some(ranges) = self.ranges.get_mut(row * outputs..) {
            for ([low, high], &y) in ranges.iter_mut().zip(y) {
                // A NaN shows up in the sums of squares.
                (*low, *high) = (low.min(y), high.max(y));
            }
        }
        if number < self.each {
            self.kept[(row * self.each + number) * outputs..][..outputs].copy_from_slice(y);
        }
    }

    /// Mixes moments of the row, mean and variance of each output and the mean entropy,
    /// into those already there; the new ones' share of the total so far is `share`, 1
    /// for the first.
    pub fn mix(&mut self, row: usize, share: f64, [means, variances]: [&[f64]; 2], entropy: f64) {
        let range = row * self.outputs..(row + 1) * self.outputs;
        let to = self.mean[range.clone()].iter_mut().zip(&mut self.squares[range]);
        for ((mean, variance), (&m, &v)) in to.zip(means.iter().zip(variances)) {
            let distance = m - *mean;
            *mean += share * distance;
            *variance = (1.0 - share) * (*variance + share * distance * distance) + share * v;
        }
        self.entropies[row] += share * (entropy - self.entropies[row]);
    }

    /// Tracks the range of each output, which [`Self::error_bound`] needs for values.
    pub fn with_ranges(&mut self, max_rows: usize) -> Result<(), Error> {
        let empty = [f32::INFINITY, f32::NEG_INFINITY];
        zeros(&mut self.ranges, empty, [self.counts.len(), self.outputs], max_rows)
    }

    /// Marks variances and mean entropies as unknown.
    pub fn without_spread(&mut self) {
        self.spread = false;
    }

    /// Sets the row's means.
    pub fn set_mean(&mut self, row: usize, y: &[f32]) {
        let mean = &mut self.mean[row * self.outputs..][..self.outputs];
        for (mean, &y) in mean.iter_mut().zip(y) {
            *mean = y.into();
        }
    }

    /// The bound that an early stop compares with its tolerance, the maximum over the
    /// row's outputs of sqrt(sum (y - mean)² + 2 d²) / n (see
    /// [`super::MonteCarlo::tolerance`]).
    pub fn error_bound(&self, row: usize) -> f64 {
        let n = self.counts[row];
        let values = !self.loss.link_function().gives_probabilities();
        if n == 0 || values && n < FEWEST_VALUES {
            return f64::INFINITY;
        }
        let outputs = row * self.outputs..row * self.outputs + self.means();
        let mut most = 0.0;
        for output in outputs {
            let distance = if values {
                let [low, high] = self.ranges[output];
                f64::from(high) - f64::from(low)
            } else {
                1.0
            };
            if distance == 0.0 {
                // If all values are equal, nothing is known about how far another one may
                // be.
                return f64::INFINITY;
            }
            let sum = self.squares[output] + UNSEEN * distance * distance;
            // NaN is kept, so the row never converges.
            most = if sum > most || sum.is_nan() { sum } else { most };
        }
        most.sqrt() / n as f64
    }

    /// Finishes the statistics once all samples are in.
    pub fn finish(&mut self) -> Estimates<'_> {
        let (outputs, each) = (self.outputs, self.each);
        for (row, &count) in self.counts.iter().enumerate() {
            let degrees = count.saturating_sub(1).max(1) as f64;
            for squares in &mut self.squares[row * outputs..][..outputs] {
                *squares /= degrees;
            }
            if each > 0 {
                let (kept, sorted) = (&self.kept[row * outputs * each..], &mut self.sorted);
                let sorted = sorted[row * outputs * each..].chunks_mut(count).take(outputs);
                for (output, sorted) in sorted.enumerate() {
                    let samples = kept.iter().skip(output).step_by(outputs);
                    sorted.iter_mut().zip(samples).for_each(|(to, &y)| *to = y);
                    sorted.sort_unstable_by(f32::total_cmp);
                }
            }
        }
        self.estimates()
    }

    /// The estimates that were set.
    pub fn estimates(&self) -> Estimates<'_> {
        Estimates { tallies: self }
    }
}

/// Sets `memory` to `shape` elements `zero` per row, with capacity for `max_rows` rows.
fn zeros<T: Clone>(
    memory: &mut Vec<T>,
    zero: T,
    shape: [usize; 2],
    max_rows: usize,
) -> Result<(), Error> {
    let [rows, each] = shape;
    let too_large = || Error::TooLarge { what: "estimates", shape: [max_rows, each] };
    let size = max_rows.max(rows).checked_mul(each).ok_or_else(too_large)?;
    memory.clear();
    memory.try_reserve_exact(size).map_err(|_| too_large())?;
    memory.resize(rows * each, zero);
    Ok(())
}
