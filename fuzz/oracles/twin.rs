//! Plain backpropagation in f64 through the thinned networks of a batch, with
//! a bound on how far f32 arithmetic can be from each number.
//!
//! The bounds are those of running error analysis (Higham, Accuracy and
//! Stability of Numerical Algorithms, section 3.3): every operation adds its
//! own rounding to what its operands bring. So the tolerance fits the case,
//! cancellation and widths included, and no constant has to be guessed.

use thinnet::nn::{Activation, Mlp, Targets, ThinnedNetwork};

/// Half a unit in the last place of f32, relative.
const ROUND: f64 = f64::EPSILON * (1u64 << 28) as f64;
/// The errors of the engine's exp (2), tanh and logistic (3 units in the last
/// place, two roundings each), and one unit to spare.
const TRANSCENDENTAL: f64 = 8.0 * ROUND;
/// Below normal numbers the errors are absolute.
const TINY: f64 = f32::MIN_POSITIVE as f64;
/// Above it f32 is near to overflow: such cases are not compared.
const MOST: f64 = 1e36;

/// A number, and how far the engine's can be from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Near {
    pub value: f64,
    pub error: f64,
}

impl Near {
    fn exact(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    /// Between two numbers.
    fn between(low: f64, high: f64) -> Self {
        Self { value: (low + high) / 2.0, error: (high - low) / 2.0 }
    }

    /// After so many roundings.
    fn rounded(self, times: f64) -> Self {
        let error = self.error + times * ROUND * 1.01 * self.size() + TINY * ROUND;
        Self { error, ..self }
    }

    /// The largest that the engine's can be.
    fn size(self) -> f64 {
        self.value.abs() + self.error
    }

    fn times(self, by: Self) -> Self {
        if self.size() == 0.0 || by.size() == 0.0 {
            return Self::default();
        }
        let error = self.value.abs() * by.error + self.error * by.size();
        Self { value: self.value * by.value, error }.rounded(1.0)
    }

    fn minus(self, by: f64) -> Self {
        Self { value: self.value - by, ..self }.rounded(1.0)
    }

    fn is_moderate(self) -> bool {
        self.size() < MOST
    }

    /// Whether a number of the engine's is within the bound.
    pub fn allows(self, got: f32) -> bool {
        (f64::from(got) - self.value).abs() <= 1.01 * self.error + TINY
    }
}

/// A sum of products on its way.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    error: f64,
    size: f64,
    terms: f64,
}

impl Sum {
    fn add(&mut self, a: Near, b: Near) {
        if a.size() > 0.0 && b.size() > 0.0 {
            self.value += a.value * b.value;
            self.error += a.value.abs() * b.error + a.error * b.size();
            self.size += a.size() * b.size();
            self.terms += 1.0;
        }
    }

    /// Each product is rounded once, and at most once for each addition; `None`
    /// where f32 can overflow on the way.
    fn end(self) -> Option<Near> {
        let error =
            self.error + (self.terms + 2.0) * ROUND * 1.01 * self.size + self.terms * TINY * ROUND;
        (self.size < MOST).then_some(Near { value: self.value, error })
    }
}

/// f over an interval, where f is increasing, and the engine's error in f.
fn increasing(f: impl Fn(f64) -> f64, z: Near) -> Near {
    let (low, high) = (f(z.value - z.error), f(z.value + z.error));
    let near = Near::between(low, high);
    Near { error: near.error + TRANSCENDENTAL * near.size() + TINY, ..near }
}

/// y = f(z) and f'(z); y as the engine has it back from y / p.
fn activate(activation: Activation, z: Near, scale: f64) -> (Near, Near) {
    let y = match activation {
        Activation::Relu => {
            // An uncertain sign makes the slope 0 or 1.
            let slope = match () {
                () if z.value > z.error => Near::exact(1.0),
                () if z.value < -z.error || z.size() == 0.0 => Near::default(),
                () => Near::between(0.0, 1.0),
            };
            let y = Near::between((z.value - z.error).max(0.0), (z.value + z.error).max(0.0));
            return (y, slope);
        }
        Activation::LeakyRelu(slope) => {
            let low = f64::from(slope.get());
            // An uncertain sign makes the slope either; so does one that rounds to 0.
            let slope = match () {
                () if z.value > z.error + TINY => Near::exact(1.0),
                () if z.value < -z.error => Near::exact(low),
                () => Near::between(low.min(1.0), low.max(1.0)),
            };
            let f = |z| activation.value(z);
            let y = Near::between(f(z.value - z.error), f(z.value + z.error));
            return (y.rounded(1.0), slope);
        }
        Activation::Identity => return (z, Near::exact(1.0)),
        f => increasing(|z| f.value(z), z),
    };
    // In the list stands y / p, times p in backward; p = k / 65536 is exact.
    let back = y.times(Near::exact(scale)).times(Near::exact(1.0 / scale)).rounded(1.0);
    let one_minus = |x: Near| Near { value: 1.0 - x.value, ..x }.rounded(1.0);
    let slope = match activation {
        Activation::Logistic => back.times(one_minus(back)),
        _ => one_minus(back.times(back)),
    };
    (y, slope)
}

/// The loss of a row and its gradient in z; `None` where numbers are extreme.
fn loss(z: &[Near], targets: Targets<'_>, row: usize, rows: usize) -> Option<(Near, Vec<Near>)> {
    let n = z.len() as f64;
    let per_row = Near::exact(f64::from((1.0 / rows as f64) as f32));
    let per_output = Near::exact(f64::from((1.0 / (rows as f64 * n)) as f32));
    let mut total = Near::default();
    let mut dz = Vec::with_capacity(z.len());
    match targets {
        Targets::Classes(classes) => {
            let class = classes[row] as usize;
            let top = z.iter().map(|z| z.value).fold(f64::NEG_INFINITY, f64::max);
            let max_error = z.iter().map(|z| z.error).fold(0.0, f64::max);
            if max_error > 1.0 {
                return None;
            }
            // The engine's own top cancels, but for the subtraction's rounding.
            let powers: Vec<(f64, f64)> = z
                .iter()
                .map(|z| {
                    let below = z.value - top;
                    let error = z.error + 1.01 * ROUND * (below.abs() + 2.0 * max_error);
                    ((below - error).exp(), (below + error).exp())
                })
                .collect();
            let low: f64 = powers.iter().map(|p| p.0).sum();
            let high: f64 = powers.iter().map(|p| p.1).sum();
            let sum_error = (n + 2.0) * ROUND + TRANSCENDENTAL;
            for (i, &(l, h)) in powers.iter().enumerate() {
                let p = Near::between(l / (l + (high - h)), h / (h + (low - l).max(0.0)));
                let error = p.error + (sum_error + TRANSCENDENTAL) * p.size() + TINY;
                let p = Near { error, ..p };
                let p = if i == class { p.minus(1.0) } else { p };
                dz.push(p.times(per_row));
            }
            let ln = Near::between(low.ln(), high.ln());
            let at = z[class];
            let size = (top - at.value).abs() + at.error + max_error;
            let error = ln.error + sum_error + at.error + ROUND * (size + ln.size());
            total = Near { value: ln.value + top - at.value, error };
        }
        Targets::Values(t) => {
            for (z, &t) in z.iter().zip(t.row(row).ok()?) {
                let d = z.minus(f64::from(t));
                total.value += d.value * d.value;
                total.error += (2.0 * d.value.abs() + d.error) * d.error;
                dz.push(d.times(Near::exact(2.0)).times(per_output));
            }
        }
        Targets::Binary(t) => {
            for (z, &t) in z.iter().zip(t.row(row).ok()?) {
                let t = f64::from(t);
                let value = z.value;
                total.value += value.max(0.0) - value * t + (-value.abs()).exp().ln_1p();
                // The loss changes at most as fast as z.
                total.error += z.error;
                let y = increasing(|z| Activation::Logistic.value(z), *z);
                dz.push(y.minus(t).times(per_output));
            }
        }
        _ => return None,
    }
    if !matches!(targets, Targets::Classes(_)) {
        total = Near { value: total.value / n, error: total.error / n };
    }
    Some((total.rounded(1.0), dz))
}

/// The mean loss of the batch's thinned networks, and for each layer its
/// gradient in the weights `[outputs][inputs]` and in the biases.
pub struct Gradients {
    pub loss: Near,
    pub layers: Vec<(Vec<Near>, Vec<Near>)>,
}

/// Plain backpropagation; `None` where a number is so large that f32 can
/// overflow, or the loss so uncertain that nothing is to be learnt.
pub fn gradients(
    mlp: &Mlp,
    thinned: &[ThinnedNetwork],
    x: &[&[f32]],
    targets: Targets<'_>,
) -> Option<Gradients> {
    let (widths, keeps, rows) = (mlp.widths(), mlp.keeps(), x.len());
    let depth = mlp.depth();
    let near = |x: Vec<f32>| x.into_iter().map(|x| Near::exact(x.into())).collect::<Vec<_>>();
    let weights: Vec<Vec<Near>> = (0..depth).map(|l| near(mlp.weights(l).unwrap())).collect();
    let biases: Vec<Vec<Near>> = (0..depth).map(|l| near(mlp.bias(l).unwrap().to_vec())).collect();
    let mut sums: Vec<(Vec<Sum>, Vec<Sum>)> = (0..depth)
        .map(|l| {
            let of = |n: usize| vec![Sum::default(); n];
            (of(widths[l] * widths[l + 1]), of(widths[l + 1]))
        })
        .collect();
    let one = Near::exact(1.0);
    let mut losses = Near::default();
    for (row, x) in x.iter().enumerate() {
        // r x / p of each site, and f' r / p of each hidden one.
        let factor = |site: usize, unit: usize| {
            let kept = thinned[row].masks()[site].get(0, unit);
            Near::exact(if kept { f64::from(keeps[site].scale()) } else { 0.0 })
        };
        let scaled = |site: usize, y: &[Near]| -> Vec<Near> {
            let of = |(unit, y): (usize, &Near)| match keeps[site].drops() {
                true => y.times(factor(site, unit)),
                false => *y,
            };
            y.iter().enumerate().map(of).collect()
        };
        let x: Vec<Near> = x.iter().map(|&x| Near::exact(x.into())).collect();
        let mut inputs = vec![scaled(0, &x)];
        let mut slopes = Vec::new();
        let mut logits = Vec::new();
        for layer in 0..depth {
            let x = &inputs[layer];
            let z: Option<Vec<Near>> = weights[layer]
                .chunks_exact(widths[layer])
                .zip(&biases[layer])
                .map(|(w, &b)| {
                    let mut sum = Sum::default();
                    w.iter().zip(x).for_each(|(&w, &x)| sum.add(w, x));
                    sum.add(b, one);
                    sum.end()
                })
                .collect();
            let z = z?;
            if layer + 1 == depth {
                logits = z;
            } else {
                let scale = f64::from(keeps[layer + 1].scale());
                let activation = mlp.activations()[layer];
                let (y, slope): (Vec<_>, Vec<_>) =
                    z.into_iter().map(|z| activate(activation, z, scale)).unzip();
                inputs.push(scaled(layer + 1, &y));
                slopes.push(slope);
            }
        }
        if !inputs.iter().flatten().all(|x| x.is_moderate()) {
            return None;
        }
        let (loss, mut dz) = loss(&logits, targets, row, rows)?;
        losses.value += loss.value / rows as f64;
        losses.error += loss.error / rows as f64;
        for layer in (0..depth).rev() {
            if !dz.iter().all(|dz| dz.is_moderate()) {
                return None;
            }
            let (in_weights, in_bias) = &mut sums[layer];
            let gradients = in_weights.chunks_exact_mut(widths[layer]).zip(in_bias);
            for ((in_weights, in_bias), &dz) in gradients.zip(&dz) {
                in_bias.add(dz, one);
                in_weights.iter_mut().zip(&inputs[layer]).for_each(|(sum, &x)| sum.add(dz, x));
            }
            if layer > 0 {
                let mut below = vec![Sum::default(); widths[layer]];
                for (w, &dz) in weights[layer].chunks_exact(widths[layer]).zip(&dz) {
                    below.iter_mut().zip(w).for_each(|(sum, &w)| sum.add(w, dz));
                }
                let sums: Option<Vec<Near>> = below.into_iter().map(Sum::end).collect();
                let slopes = &slopes[layer - 1];
                dz = scaled(layer, &sums?).iter().zip(slopes).map(|(d, &f)| d.times(f)).collect();
            }
        }
    }
    let ends = |sums: Vec<Sum>| sums.into_iter().map(Sum::end).collect::<Option<Vec<_>>>();
    let layers = sums.into_iter().map(|(w, b)| Some((ends(w)?, ends(b)?)));
    let layers = layers.collect::<Option<Vec<_>>>()?;
    let loss = losses.rounded(1.0);
    loss.is_moderate().then_some(Gradients { loss, layers })
}
