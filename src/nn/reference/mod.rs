//! Textbook backpropagation in the simplest possible loops, which the kernels, the trainer and
//! the fuzz targets are compared with.
//!
//! A layer l computes z = W h + b from its input h. The input of the first layer is h = m x, and
//! that of every other is h = m f(z) with z of the layer below, where m = r / p in {0, 1 / p}
//! are the dropout factors, or any other numbers. From the last layer down, with W' and h' for the transposes,
//!
//! ```text
//! dz of the last = dloss/dz
//! dW             = sum over rows of dz h'
//! db             = sum over rows of dz
//! dz below       = (W' dz) m f'(z)
//! ```
//!
//! Numbers are f64, each with a bound on the error of f32 arithmetic ([`Near`]). The fuzz package
//! includes this file too, so its imports go through its parent module.

mod drawn;
mod near;

pub use drawn::drawn;
pub use near::Near;

use super::{Activation, Loss, PlainLayer, PlainNetwork, Targets};

/// A matrix as a list of rows.
pub type Rows = Vec<Vec<Near>>;

/// The numbers as exact values.
pub fn exact(numbers: &[f32]) -> Vec<Near> {
    numbers.iter().map(|&x| Near::exact(x.into())).collect()
}

/// z = W h + b.
pub fn affine(layer: &PlainLayer, h: &[Near]) -> Vec<Near> {
    let unit = |(w, &b): (&Vec<f64>, &f64)| {
        let products = w.iter().zip(h).map(|(&w, &h)| Near::exact(w) * h);
        Near::sum(products.chain([Near::exact(b)]))
    };
    layer.weights.iter().zip(&layer.bias).map(unit).collect()
}

/// W' dz, with W' the transpose of W.
pub fn transposed(layer: &PlainLayer, dz: &[Near]) -> Vec<Near> {
    let inputs = layer.weights[0].len();
    let input =
        |k: usize| Near::sum(layer.weights.iter().zip(dz).map(|(w, &dz)| Near::exact(w[k]) * dz));
    (0..inputs).map(input).collect()
}

/// dW `[output][input]`: the sum over rows of dz h'.
pub fn weight_gradient(dz: &Rows, h: &Rows) -> Rows {
    let weight = |n: usize, k: usize| Near::sum(dz.iter().zip(h).map(|(dz, h)| dz[n] * h[k]));
    (0..dz[0].len()).map(|n| (0..h[0].len()).map(|k| weight(n, k)).collect()).collect()
}

/// db: the sum over rows of dz.
pub fn bias_gradient(dz: &Rows) -> Vec<Near> {
    (0..dz[0].len()).map(|n| Near::sum(dz.iter().map(|dz| dz[n]))).collect()
}

/// f(z).
pub fn value(f: Activation, z: Near) -> Near {
    let increasing = z.increasing(|z| f.value(z));
    match f {
        Activation::Relu | Activation::Identity => increasing,
        Activation::LeakyRelu(_) => increasing.rounded(1.0),
        Activation::Logistic | Activation::Tanh => increasing.approximated(),
        // The engine's last factor can be a few units more off.
        _ => z.curved(|z| f.value(z)).approximated_as_if(1.0),
    }
}

/// f'(z), computed from y = f(z) if the engine does so.
pub fn derivative(f: Activation, z: Near, y: Near) -> Near {
    // The engine recovers y from y / p, with rounding.
    let y = y.rounded(3.0);
    let one = Near::exact(1.0);
    match f {
        Activation::Relu => step(z, 0.0),
        Activation::LeakyRelu(slope) => step(z, slope.get().into()),
        Activation::Logistic => y * (one - y),
        Activation::Tanh => one - y * y,
        Activation::Identity => one,
        // Up to two terms near 1, which may cancel.
        _ => z.curved(|z| f.derivative(z)).approximated_as_if(2.0),
    }
}

/// The largest of the `pieces` z of each unit, and the derivative of it with respect to each z: 1, 0, or
/// the range between them if in the engine another piece can have the largest z.
fn maxout(z: &[Near], pieces: usize) -> (Vec<Near>, Vec<Near>) {
    let units = z.len() / pieces;
    let of_unit = |n: usize| z.iter().skip(n % units).step_by(units);
    let maximum = |unit: usize| {
        let ends = of_unit(unit).map(|z| z.ends());
        let most = |a: (f64, f64), b: (f64, f64)| (a.0.max(b.0), a.1.max(b.1));
        let (low, high) = ends.reduce(most).expect("at least one piece");
        let known = of_unit(unit).all(|z| z.is_known());
        if known { Near::between(low, high) } else { Near::UNKNOWN }
    };
    let derivative = |n: usize| {
        let (low, high) = z[n].ends();
        let rivals = || of_unit(n).enumerate().filter(|&(j, _)| j != n / units);
        if rivals().any(|(_, rival)| rival.ends().0 > high) {
            Near::ZERO
        } else if rivals().all(|(_, rival)| rival.ends().1 < low) {
            Near::exact(1.0)
        } else {
            Near::between(0.0, 1.0)
        }
    };
    ((0..units).map(maximum).collect(), (0..z.len()).map(derivative).collect())
}

/// 1 if z > 0, else `below`; the range between them if the engine's z can have either sign or be
/// rounded to 0.
fn step(z: Near, below: f64) -> Near {
    let (low, high) = z.ends();
    if low > near::TINY {
        Near::exact(1.0)
    } else if high < 0.0 || z == Near::ZERO {
        Near::exact(below)
    } else {
        Near::between(below.min(1.0), below.max(1.0))
    }
}

/// The loss of a row's z, and its gradient with respect to z.
pub fn loss(loss: Loss, z: &[Near], targets: Targets<'_>, row: usize) -> (Near, Vec<Near>) {
    let over_outputs = Near::exact(1.0 / z.len() as f64).rounded(1.0);
    if let Targets::Classes(classes) = targets {
        // -ln softmax(z)_t, and softmax(z) - onehot(t).
        let class = classes[row] as usize;
        let (mut p, ln_sum) = Near::softmax(z);
        p[class] = p[class] - Near::exact(1.0);
        return (ln_sum - z[class], p);
    }
    if let Targets::Values(t) = targets {
        // sum (z - t)² / N, and 2 (z - t) / N.
        let t = exact(t.row(row).expect("a row of targets"));
        if loss == Loss::Poisson {
            // sum (e^z - t z) / N, and (e^z - t) / N.
            let rates: Vec<Near> = z.iter().map(|z| z.increasing(f64::exp)).collect();
            let of = |(&rate, (&z, &t)): (&Near, (&Near, &Near))| rate - z * t;
            let sum = Near::sum(rates.iter().zip(z.iter().zip(&t)).map(of));
            let dz = rates.iter().zip(&t).map(|(&rate, &t)| (rate - t) * over_outputs);
            return (sum * over_outputs, dz.collect());
        }
        if let Loss::GaussianNll(beta) = loss {
            return gaussian(z, &t, beta.get().into());
        }
        if let Loss::Quantile(levels) = loss {
            return quantile(z, &t, levels.as_slice());
        }
        let d: Vec<Near> = z.iter().zip(t).map(|(&z, t)| z - t).collect();
        if let Loss::Huber(delta) = loss {
            // sum h(z - t) / N, and z - t, but within delta of 0, / N.
            let delta = f64::from(delta.get());
            let dz = |d: &Near| d.increasing(|d| d.clamp(-delta, delta)) * over_outputs;
            let sum = Near::sum(d.iter().map(|&d| huber(d, delta)));
            return (sum * over_outputs, d.iter().map(dz).collect());
        }
        let dz = d.iter().map(|&d| Near::exact(2.0) * d * over_outputs).collect();
        return (Near::sum(d.iter().map(|&d| d * d)) * over_outputs, dz);
    }
    let Targets::Binary(t) = targets else { panic!("{targets:?} have no formula here") };
    // sum (ln(1 + e^z) - z t) / N, and (logistic(z) - t) / N.
    let t = exact(t.row(row).expect("a row of targets"));
    let softplus = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
    let bit = |(&z, &t): (&Near, &Near)| z.increasing(softplus).approximated() - z * t;
    let dz = |(&z, &t): (&Near, &Near)| (value(Activation::Logistic, z) - t) * over_outputs;
    let losses = Near::sum(z.iter().zip(&t).map(bit)) * over_outputs;
    (losses, z.iter().zip(&t).map(dz).collect())
}

/// For each target, `w (l + d² / v) / 2`, `w d / v` and `w (1 - d² / v) / 2`, with d = m - t, v = e^l
/// and w = v^beta, over the number of targets.
fn gaussian(z: &[Near], t: &[Near], beta: f64) -> (Near, Vec<Near>) {
    let (means, log_variances) = z.split_at(t.len());
    let half = Near::exact(0.5);
    let over_targets = Near::exact(1.0 / t.len() as f64).rounded(1.0);
    let (mut losses, mut by_mean, mut by_log_variance) = (Vec::new(), Vec::new(), Vec::new());
    for ((&m, &l), &t) in means.iter().zip(log_variances).zip(t) {
        let (d, precision) = (m - t, (Near::ZERO - l).increasing(f64::exp));
        let weight = l.increasing(|l| (beta * l).exp());
        let square = d * d * precision;
        losses.push(weight * half * Near::sum([l, square].into_iter()));
        by_mean.push(weight * d * precision * over_targets);
        by_log_variance.push(weight * half * (Near::exact(1.0) - square) * over_targets);
    }
    by_mean.append(&mut by_log_variance);
    (Near::sum(losses.into_iter()) * over_targets, by_mean)
}

/// For each level q and target, q d if d > 0, else (q - 1) d, with d = t - z, and the derivative with
/// respect to z, over the number of outputs.
fn quantile(z: &[Near], t: &[Near], levels: &[f32]) -> (Near, Vec<Near>) {
    let over_outputs = Near::exact(1.0 / z.len() as f64).rounded(1.0);
    let (mut losses, mut dz) = (Vec::new(), Vec::new());
    for (&level, z) in levels.iter().zip(z.chunks(t.len())) {
        let level = f64::from(level);
        for (&z, &t) in z.iter().zip(t) {
            let d = t - z;
            let above = d.increasing(|d| level * d.max(0.0));
            let below = (z - t).increasing(|d| (1.0 - level) * d.max(0.0));
            losses.push(Near::sum([above, below].into_iter()));
            let (low, high) = d.ends();
            let slope = if low > 0.0 {
                Near::exact(-level)
            } else if high < 0.0 {
                Near::exact(1.0 - level)
            } else {
                Near::between(-level, 1.0 - level)
            };
            dz.push((slope * over_outputs).rounded(1.0));
        }
    }
    (Near::sum(losses.into_iter()) * over_outputs, dz)
}

/// d² / 2 if |d| <= delta, else delta (|d| - delta / 2).
fn huber(d: Near, delta: f64) -> Near {
    let h = |d: f64| if d <= delta { d * d / 2.0 } else { delta * (d - delta / 2.0) };
    let (low, high) = d.ends();
    // Of the size of d, with which h grows.
    let size = Near::between(0.0_f64.max(low).max(-high), high.max(-low));
    if d.is_known() { size.increasing(h).rounded(1.0) } else { Near::UNKNOWN }
}

/// The mean loss of a batch, and the gradients dW and db of each layer.
pub struct Gradients {
    pub loss: Near,
    pub layers: Vec<(Rows, Vec<Near>)>,
}

impl Gradients {
    /// Whether f32 arithmetic cannot overflow along the way, nor have an unbounded error.
    pub fn are_known(&self) -> bool {
        let known = |x: &[Near]| x.iter().all(|x| x.is_known());
        let layer = |(dw, db): &(Rows, Vec<Near>)| dw.iter().all(|dw| known(dw)) && known(db);
        self.loss.is_known() && self.layers.iter().all(layer)
    }
}

/// The dropout factors as `[row][layer][input]`, from `factor(row, layer, input)`.
pub fn factors(
    network: &PlainNetwork,
    rows: usize,
    factor: impl Fn(usize, usize, usize) -> f64,
) -> Vec<Rows> {
    let row = |row: usize| {
        let layer = |(l, layer): (usize, &PlainLayer)| {
            let inputs = 0..layer.weights[0].len();
            inputs.map(|k| Near::exact(factor(row, l, k))).collect()
        };
        network.layers.iter().enumerate().map(layer).collect()
    };
    (0..rows).map(row).collect()
}

/// Backpropagation for the rows of `x`, with factors as returned by [`factors`].
pub fn gradients(
    network: &PlainNetwork,
    factors: &[Rows],
    x: &[&[f32]],
    targets: Targets<'_>,
) -> Gradients {
    let depth = network.layers.len();
    let over_rows = Near::exact(1.0 / x.len() as f64).rounded(1.0);
    let mut losses = Vec::new();
    // For each layer, one entry per row of the batch.
    let mut h: Vec<Rows> = vec![Vec::new(); depth];
    let mut dz: Vec<Rows> = vec![Vec::new(); depth];
    for (row, &x) in x.iter().enumerate() {
        // The forward pass.
        let mut z: Rows = Vec::new();
        let mut y = exact(x);
        let mut slopes: Rows = Vec::new();
        for (l, layer) in network.layers.iter().enumerate() {
            h[l].push(y.iter().zip(&factors[row][l]).map(|(&y, &m)| y * m).collect());
            z.push(affine(layer, &h[l][row]));
            let f = layer.activation;
            if layer.pieces > 1 {
                let (maxima, winners) = maxout(&z[l], layer.pieces);
                y = maxima;
                slopes.push(winners);
                continue;
            }
            y = z[l].iter().map(|&z| value(f, z)).collect();
            slopes.push(z[l].iter().zip(&y).map(|(&z, &y)| derivative(f, z, y)).collect());
        }
        // The backward pass.
        let (row_loss, dloss) = loss(network.loss, &z[depth - 1], targets, row);
        losses.push(row_loss);
        dz[depth - 1].push(dloss.iter().map(|&d| d * over_rows).collect());
        for l in (1..depth).rev() {
            let dh = transposed(&network.layers[l], &dz[l][row]);
            let dy: Vec<_> = dh.iter().zip(&factors[row][l]).map(|(&dh, &m)| dh * m).collect();
            // Each piece of a unit has the gradient of the unit, times its own slope.
            let dy = dy.iter().cycle().zip(&slopes[l - 1]);
            dz[l - 1].push(dy.map(|(&dy, &slope)| dy * slope).collect());
        }
    }
    let layer = |(dz, h): (&Rows, &Rows)| (weight_gradient(dz, h), bias_gradient(dz));
    Gradients {
        loss: Near::sum(losses.into_iter()) * over_rows,
        layers: dz.iter().zip(&h).map(layer).collect(),
    }
}
