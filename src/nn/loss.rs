//! Losses: each one's formula, its gradient and its link, side by side.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    abridged::Few,
    error::{Error, same_size},
    mask::valid_bits,
    named::{names, text_is_name},
    simd::{Isa, Kernel, LANES, Lanes, math},
    tensor::{Matrix, MatrixView},
    thin::{self, PANEL, Panels, VECTORS},
};

/// The loss of the output layer's z, averaged over the B rows of a batch; with
/// N outputs and targets t:
///
/// | | loss of a row | gradient in z | link to predictions |
/// |---|---|---|---|
/// | `SoftmaxCrossEntropy` | -ln softmax(z)_t | (softmax(z) - onehot(t)) / B | softmax |
/// | `SquaredError` | sum (z - t)² / N | 2 (z - t) / (B N) | identity |
/// | `BinaryCrossEntropy` | sum (max(z, 0) - z t + ln(1 + e^-abs(z))) / N | (logistic(z) - t) / (B N) | logistic |
///
/// These are PyTorch's `cross_entropy`, `mse_loss` and
/// `binary_cross_entropy_with_logits` with their default mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Loss {
    /// One class of N, at least two.
    SoftmaxCrossEntropy,
    /// N real values.
    SquaredError,
    /// N independent bits, from logits.
    BinaryCrossEntropy,
}

/// What a batch is trained towards, a row each.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Targets<'a> {
    /// For [`Loss::SoftmaxCrossEntropy`]: a class below N.
    Classes(&'a [u32]),
    /// For [`Loss::SquaredError`]: N finite values.
    Values(MatrixView<'a>),
    /// For [`Loss::BinaryCrossEntropy`]: N numbers from 0 to 1, usually 0 or 1.
    Bits(MatrixView<'a>),
}

names! {
    /// All of them.
    ALL of Loss;
    /// The name in files.
    name;
    SoftmaxCrossEntropy => "softmax_cross_entropy",
    SquaredError => "squared_error",
    BinaryCrossEntropy => "binary_cross_entropy",
}
text_is_name!(Loss, "loss");

impl Loss {
    /// Whether an output layer of so many units can have this loss.
    pub(crate) fn check_outputs(self, outputs: usize) -> Result<(), Error> {
        if self == Self::SoftmaxCrossEntropy && outputs == 1 {
            return Err(Error::OneClass);
        }
        Ok(())
    }

    const fn target_kind(self) -> &'static str {
        match self {
            Self::SoftmaxCrossEntropy => "classes",
            Self::SquaredError => "values",
            Self::BinaryCrossEntropy => "bits",
        }
    }

    /// The predictions of the rows of `z` into `out`.
    pub(crate) fn predictions(self, isa: Isa, z: &mut Panels, out: &mut Matrix) {
        isa.dispatch(Link { loss: self, z, out });
    }

    /// The predictions of one row's z, in f64.
    pub fn link(self, z: &[f64]) -> Vec<f64> {
        match self {
            Self::SoftmaxCrossEntropy => {
                let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let e: Vec<f64> = z.iter().map(|z| libm::exp(z - most)).collect();
                let sum: f64 = e.iter().sum();
                e.iter().map(|e| e / sum).collect()
            }
            Self::SquaredError => z.to_vec(),
            Self::BinaryCrossEntropy => z.iter().map(|z| 1.0 / (1.0 + libm::exp(-z))).collect(),
        }
    }

    /// The entropy in nats of the probabilities `p` of classes, or the sum of the
    /// entropies of bits with these probabilities; none for squared error.
    pub(crate) fn entropy(self, p: impl Iterator<Item = f64>) -> Option<f64> {
        // lim p ln p = 0
        let term = |p: f64| if p == 0.0 { 0.0 } else { -p * libm::log(p) };
        match self {
            Self::SoftmaxCrossEntropy => Some(p.map(term).sum()),
            Self::SquaredError => None,
            Self::BinaryCrossEntropy => Some(p.map(|p| term(p) + term(1.0 - p)).sum()),
        }
    }

    /// The loss of one row in the plainest form, in f64.
    pub(super) fn plain(self, z: &[f64], targets: Targets<'_>, row: usize) -> Result<f64, Error> {
        targets.check_row(self, z.len(), row)?;
        let n = z.len() as f64;
        Ok(match targets {
            Targets::Classes(classes) => {
                let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = z.iter().map(|z| libm::exp(z - most)).sum();
                libm::log(sum) + most - z[classes[row] as usize]
            }
            Targets::Values(values) => {
                let t = values.at(row).iter().map(|&t| f64::from(t));
                z.iter().zip(t).map(|(z, t)| (z - t) * (z - t)).sum::<f64>() / n
            }
            Targets::Bits(bits) => {
                let t = bits.at(row).iter().map(|&t| f64::from(t));
                z.iter().zip(t).map(|(z, t)| bit_loss(*z, t)).sum::<f64>() / n
            }
        })
    }
}

/// max(z, 0) - z t + ln(1 + e^-|z|)
fn bit_loss(z: f64, t: f64) -> f64 {
    z.max(0.0) - z * t + libm::log1p(libm::exp(-z.abs()))
}

impl fmt::Debug for Targets<'_> {
    /// The first few.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classes(classes) => f.debug_tuple("Classes").field(&Few(classes.iter())).finish(),
            Self::Values(values) => f.debug_tuple("Values").field(values).finish(),
            Self::Bits(bits) => f.debug_tuple("Bits").field(bits).finish(),
        }
    }
}

impl Targets<'_> {
    /// The losses of the rows into `losses`, and the gradient of their mean in
    /// the place of `z`. The targets were checked.
    pub(crate) fn gradient(self, isa: Isa, width: usize, z: &mut Panels, losses: &mut [f32]) {
        isa.dispatch(Gradient { width, targets: self, z, losses });
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Classes(_) => "classes",
            Self::Values(_) => "values",
            Self::Bits(_) => "bits",
        }
    }

    /// How many rows.
    pub fn rows(self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(t) | Self::Bits(t) => t.rows(),
        }
    }

    /// Whether they are what `loss` takes for `rows` rows of `outputs` outputs.
    ///
    /// # Errors
    /// Targets of another kind, number or width; a class that there is not; a
    /// value that is not finite; a bit outside [0, 1].
    pub fn check(self, loss: Loss, outputs: usize, rows: usize) -> Result<(), Error> {
        same_size("rows of the targets", rows, self.rows())?;
        (0..rows).try_for_each(|row| self.check_row(loss, outputs, row))
    }

    fn check_row(self, loss: Loss, outputs: usize, row: usize) -> Result<(), Error> {
        if self.kind() != loss.target_kind() {
            return Err(Error::TargetKind { expected: loss.target_kind(), got: self.kind() });
        }
        crate::error::below("row of the targets", self.rows(), row)?;
        match self {
            Self::Classes(classes) => {
                let class = classes[row];
                if class as usize >= outputs {
                    return Err(Error::Class { row, class, classes: outputs });
                }
            }
            Self::Values(t) => {
                same_size("columns of the targets", outputs, t.columns())?;
                if let Some(column) = t.at(row).iter().position(|t| !t.is_finite()) {
                    let value = t.at(row)[column];
                    return Err(Error::NonFinite { what: "target", row, column, value });
                }
            }
            Self::Bits(t) => {
                same_size("columns of the targets", outputs, t.columns())?;
                let bad = |t: &f32| !(0.0..=1.0).contains(t);
                if let Some(column) = t.at(row).iter().position(bad) {
                    return Err(Error::Target { row, column, value: t.at(row)[column] });
                }
            }
        }
        Ok(())
    }
}

/// Softmax of one row in place; returns its largest z and the sum of
/// e^(z - largest). Outputs beyond the width become 0.
#[inline(always)]
fn softmax<L: Lanes>(l: L, width: usize, z: &mut Panels, row: usize) -> (f32, f32) {
    let mut most = l.splat(f32::NEG_INFINITY);
    let nothing = most;
    for n in 0..z.panels() {
        for (c, z) in thin::load::<L, VECTORS>(l, z.at(n, row)).into_iter().enumerate() {
            let valid = (valid_bits(width, n) >> (c * LANES)) as u16;
            // A comparison with NaN is false, so NaN is taken on purpose.
            let larger = (l.less(most, z) | l.is_nan(z)) & valid;
            most = l.select(larger, z, most);
        }
    }
    let mut lanes = [0.0; LANES];
    l.store(most, &mut lanes);
    let top =
        lanes.into_iter().fold(f32::NEG_INFINITY, |a, b| if a < b || b.is_nan() { b } else { a });
    let mut sum = l.splat(0.0);
    for n in 0..z.panels() {
        let mut e = thin::load::<L, VECTORS>(l, z.at(n, row));
        for (c, e) in e.iter_mut().enumerate() {
            let valid = (valid_bits(width, n) >> (c * LANES)) as u16;
            *e = math::exp(l, l.select(valid, l.sub(*e, l.splat(top)), nothing));
            sum = l.add(sum, *e);
        }
        thin::store::<L, VECTORS>(l, e, z.at_mut(n, row));
    }
    let sum = l.sum(sum);
    for n in 0..z.panels() {
        let mut e = thin::load::<L, VECTORS>(l, z.at(n, row));
        for e in &mut e {
            *e = l.div(*e, l.splat(sum));
        }
        thin::store::<L, VECTORS>(l, e, z.at_mut(n, row));
    }
    (top, sum)
}

/// The logistic function of a panel of one row.
#[inline(always)]
fn logistic<L: Lanes>(l: L, z: &thin::Panel) -> [L::F; VECTORS] {
    let mut y = thin::load(l, z);
    for y in &mut y {
        *y = math::logistic(l, *y);
    }
    y
}

struct Gradient<'a> {
    width: usize,
    targets: Targets<'a>,
    z: &'a mut Panels,
    losses: &'a mut [f32],
}

impl Kernel for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { width, targets, z, losses } = self;
        let rows = z.rows() as f64;
        let per_row = (1.0 / rows) as f32;
        let per_output = (1.0 / (rows * width as f64)) as f32;
        for (row, loss) in losses.iter_mut().enumerate().take(z.rows()) {
            match targets {
                Targets::Classes(classes) => {
                    let class = classes[row] as usize;
                    let at = z.get(row, class);
                    let (top, sum) = softmax(l, width, z, row);
                    let ln = libm::log(f64::from(sum));
                    *loss = (ln + (f64::from(top) - f64::from(at))) as f32;
                    z.at_mut(class / PANEL, row)[class % PANEL] -= 1.0;
                    for n in 0..z.panels() {
                        for dz in z.at_mut(n, row) {
                            *dz *= per_row;
                        }
                    }
                }
                Targets::Values(values) => {
                    let mut sum = 0.0;
                    for (n, t) in values.at(row).chunks(PANEL).enumerate() {
                        for (z, &t) in z.at_mut(n, row).iter_mut().zip(t) {
                            let d = *z - t;
                            sum += f64::from(d) * f64::from(d);
                            *z = 2.0 * d * per_output;
                        }
                    }
                    *loss = (sum / width as f64) as f32;
                }
                Targets::Bits(bits) => {
                    let mut sum = 0.0;
                    for (n, t) in bits.at(row).chunks(PANEL).enumerate() {
                        let y = logistic(l, z.at(n, row));
                        let mut linked = [0.0; PANEL];
                        thin::store::<L, VECTORS>(l, y, &mut linked);
                        for ((z, &t), y) in z.at_mut(n, row).iter_mut().zip(t).zip(linked) {
                            sum += bit_loss(f64::from(*z), f64::from(t));
                            *z = (y - t) * per_output;
                        }
                    }
                    *loss = (sum / width as f64) as f32;
                }
            }
        }
    }
}

struct Link<'a> {
    loss: Loss,
    z: &'a mut Panels,
    out: &'a mut Matrix,
}

impl Kernel for Link<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { loss, z, out } = self;
        for row in 0..z.rows() {
            match loss {
                Loss::SoftmaxCrossEntropy => {
                    softmax(l, out.columns(), z, row);
                }
                Loss::SquaredError => {}
                Loss::BinaryCrossEntropy => {
                    for n in 0..z.panels() {
                        let y = logistic(l, z.at(n, row));
                        thin::store::<L, VECTORS>(l, y, z.at_mut(n, row));
                    }
                }
            }
            for (n, to) in out.at_mut(row).chunks_mut(PANEL).enumerate() {
                to.copy_from_slice(&z.at(n, row)[..to.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
