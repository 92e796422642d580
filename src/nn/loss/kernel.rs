//! The vectorised losses, each with its gradient and link side by side.

use super::bit_loss;
use crate::{
    mask::valid_bits,
    simd::{Kernel, LANES, Lanes, math},
    tensor::MatrixView,
    thin::{self, PANEL, Panels, VECTORS},
};

/// A loss for the B rows of z, with N outputs (`width`) each.
pub(super) trait LossUnit: Copy {
    /// The targets of a batch, already checked.
    type Targets<'t>: Copy;

    /// Returns the loss of row `row`, and overwrites z with the gradient of the mean over the B
    /// rows.
    fn gradient<L: Lanes>(
        self,
        l: L,
        targets: Self::Targets<'_>,
        width: usize,
        z: &mut Panels,
        row: usize,
    ) -> f32;

    /// Overwrites z with the predictions for row `row`; by default the link is the identity.
    #[inline(always)]
    fn link<L: Lanes>(self, _: L, _width: usize, _z: &mut Panels, _row: usize) {}
}

/// Computes the losses of the rows, and overwrites z with the gradient of their mean.
pub(super) struct Gradient<'a, U: LossUnit> {
    pub loss: U,
    pub targets: U::Targets<'a>,
    pub width: usize,
    pub z: &'a mut Panels,
    pub losses: &'a mut [f32],
}

impl<U: LossUnit> Kernel for Gradient<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { loss: unit, targets, width, z, losses } = self;
        for (row, loss) in losses.iter_mut().enumerate().take(z.rows()) {
            *loss = unit.gradient(l, targets, width, z, row);
        }
    }
}

/// Overwrites z with the predictions.
pub(super) struct Link<'a, U> {
    pub loss: U,
    pub width: usize,
    pub z: &'a mut Panels,
}

impl<U: LossUnit> Kernel for Link<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { loss, width, z } = self;
        for row in 0..z.rows() {
            loss.link(l, width, z, row);
        }
    }
}

/// [`super::Loss::SoftmaxCrossEntropy`]
#[derive(Clone, Copy)]
pub(super) struct SoftmaxCrossEntropy;
/// [`super::Loss::SquaredError`]
#[derive(Clone, Copy)]
pub(super) struct SquaredError;
/// [`super::Loss::BinaryCrossEntropy`]
#[derive(Clone, Copy)]
pub(super) struct BinaryCrossEntropy;

impl LossUnit for SoftmaxCrossEntropy {
    type Targets<'t> = &'t [u32];

    /// ln(sum e^(z - top)) + top - z_t; (softmax(z) - onehot(t)) / B
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        l: L,
        classes: &[u32],
        width: usize,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let per_row = (1.0 / z.rows() as f64) as f32;
        let class = classes[row] as usize;
        let at = z.get(row, class);
        let (top, sum) = softmax(l, width, z, row);
        z.at_mut(class / PANEL, row)[class % PANEL] -= 1.0;
        for n in 0..z.panels() {
            for dz in z.at_mut(n, row) {
                *dz *= per_row;
            }
        }
        let ln = libm::log(f64::from(sum));
        (ln + (f64::from(top) - f64::from(at))) as f32
    }

    /// softmax(z)
    #[inline(always)]
    fn link<L: Lanes>(self, l: L, width: usize, z: &mut Panels, row: usize) {
        softmax(l, width, z, row);
    }
}

impl LossUnit for SquaredError {
    type Targets<'t> = MatrixView<'t>;

    /// sum (z - t)² / N; 2 (z - t) / (B N)
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        _: L,
        values: MatrixView<'_>,
        width: usize,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let per_output = per_output(z, width);
        let mut sum = 0.0;
        for (n, t) in values.at(row).chunks(PANEL).enumerate() {
            for (z, &t) in z.at_mut(n, row).iter_mut().zip(t) {
                let d = *z - t;
                sum += f64::from(d) * f64::from(d);
                *z = 2.0 * d * per_output;
            }
        }
        (sum / width as f64) as f32
    }
}

impl LossUnit for BinaryCrossEntropy {
    type Targets<'t> = MatrixView<'t>;

    /// sum (max(z, 0) - z t + ln(1 + e^-|z|)) / N; (logistic(z) - t) / (B N)
    #[inline(always)]
    fn gradient<L: Lanes>(
        self,
        l: L,
        bits: MatrixView<'_>,
        width: usize,
        z: &mut Panels,
        row: usize,
    ) -> f32 {
        let per_output = per_output(z, width);
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
        (sum / width as f64) as f32
    }

    /// logistic(z)
    #[inline(always)]
    fn link<L: Lanes>(self, l: L, _: usize, z: &mut Panels, row: usize) {
        for n in 0..z.panels() {
            let y = logistic(l, z.at(n, row));
            thin::store::<L, VECTORS>(l, y, z.at_mut(n, row));
        }
    }
}

/// 1 / (B N)
#[inline(always)]
fn per_output(z: &Panels, width: usize) -> f32 {
    (1.0 / (z.rows() as f64 * width as f64)) as f32
}

/// Computes the softmax of one row in place; returns its largest z and the sum of
/// e^(z - largest). Outputs beyond the width become 0.
#[inline(always)]
fn softmax<L: Lanes>(l: L, width: usize, z: &mut Panels, row: usize) -> (f32, f32) {
    let mut most = l.splat(f32::NEG_INFINITY);
    let nothing = most;
    for n in 0..z.panels() {
        for (c, z) in thin::load::<L, VECTORS>(l, z.at(n, row)).into_iter().enumerate() {
            let valid = (valid_bits(width, n) >> (c * LANES)) as u16;
            // A comparison with NaN is false, so NaN is selected explicitly.
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
