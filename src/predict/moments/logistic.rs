//! The logistic of a normal z: mean, variance and mean entropy of a bit.
//!
//! The integrals use the trapezoid rule, which converges exponentially for functions that
//! are analytic in a strip around the real line: here up to ± i pi. If z has a small
//! spread, its nodes are spaced in standard deviations; if it is large, they lie on a
//! fixed grid on which the functions are tabulated where they are not constant: y (1 - y)
//! and the entropy fall off on both sides as e^-|z|, and so does y minus the probit Φ(l
//! z), whose mean Φ(l m / sqrt(1 + l² s²)) is known.

use super::draws::{density, normal_tail};

/// The distance between nodes, in standard deviations or in z, whichever is less.
const STEP: f64 = 0.75;

/// Nodes on each side for a small spread: up to 7.5 standard deviations, where the weight
/// is 1e-12 of the largest.
const NEAR: usize = 10;

/// Nodes on each side of the fixed grid: up to e^-40.
const FAR: usize = 54;

/// The constant l for which the probit has the logistic's slope at 0.
const PROBIT: f64 = 0.626_657_068_657_750_1;

/// The moments of a bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bit {
    /// The mean of its probability y.
    pub mean: f64,
    /// 1 - mean, without cancellation.
    pub rest: f64,
    /// The variance of y.
    pub variance: f64,
    /// The mean entropy.
    pub entropy: f64,
}

/// y, its derivative y (1 - y) and the entropy at one z.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    y: f64,
    slope: f64,
    entropy: f64,
}

impl Point {
    fn at(z: f64) -> Self {
        let size = z.abs();
        let e = libm::exp(-size);
        let small = e / (1.0 + e);
        Self {
            y: if z < 0.0 { small } else { 1.0 / (1.0 + e) },
            slope: small / (1.0 + e),
            entropy: libm::log1p(e) + size * small,
        }
    }
}

/// The rule's tables.
#[derive(Clone, Debug)]
pub(super) struct Logistic {
    /// The weights of the nodes for a small spread, which sum to 1.
    near: [f64; 2 * NEAR + 1],
    /// y minus the probit, on the fixed grid.
    far: [Point; 2 * FAR + 1],
}

/// The distance from the middle of node `i`, with `each` nodes on each side.
fn node(i: usize, each: usize) -> f64 {
    STEP * (i as f64 - each as f64)
}

impl Logistic {
    pub fn new() -> Self {
        let near: [f64; 2 * NEAR + 1] = std::array::from_fn(|i| density(node(i, NEAR)));
        let sum: f64 = near.iter().sum();
        let far = std::array::from_fn(|i| {
            let z = node(i, FAR);
            let point = Point::at(z);
            // Subtract the smaller tails, on either side.
            let y = Point::at(-z.abs()).y - normal_tail(PROBIT * z.abs());
            Point { y: if z < 0.0 { y } else { -y }, ..point }
        });
        Self { near: near.map(|weight| weight / sum), far }
    }

    /// Computes the moments for z with this mean and standard deviation. All are NaN if
    /// either is not finite.
    pub fn bit(&self, mean: f64, deviation: f64) -> Bit {
        if !(mean.is_finite() && deviation.is_finite()) {
            return Bit { mean: f64::NAN, rest: f64::NAN, variance: f64::NAN, entropy: f64::NAN };
        }
        // Work on the side where y is small; on the other 1 - y is.
        let bit = match deviation {
            0.0 => {
                let Point { y, entropy, .. } = Point::at(-mean.abs());
                Bit { mean: y, rest: 1.0 - y, variance: 0.0, entropy }
            }
            _ if deviation <= 1.0 => self.near(-mean.abs(), deviation),
            _ => self.far(-mean.abs(), deviation),
        };
        if mean > 0.0 { Bit { mean: bit.rest, rest: bit.mean, ..bit } } else { bit }
    }

    fn near(&self, mean: f64, deviation: f64) -> Bit {
        let mut y = [0.0; 2 * NEAR + 1];
        let (mut first, mut entropy) = (0.0, 0.0);
        for (i, (y, weight)) in y.iter_mut().zip(self.near).enumerate() {
            let point = Point::at(mean + deviation * node(i, NEAR));
            *y = point.y;
            first += weight * point.y;
            entropy += weight * point.entropy;
        }
        let squares = y.iter().zip(self.near).map(|(y, weight)| weight * (y - first) * (y - first));
        Bit { mean: first, rest: 1.0 - first, variance: squares.sum(), entropy }
    }

    fn far(&self, mean: f64, deviation: f64) -> Bit {
        let (mut rest, mut slope, mut entropy) = (0.0, 0.0, 0.0);
        for (i, point) in self.far.iter().enumerate() {
            let weight = STEP / deviation * density((node(i, FAR) - mean) / deviation);
            rest += weight * point.y;
            slope += weight * point.slope;
            entropy += weight * point.entropy;
        }
        let spread = libm::hypot(1.0, PROBIT * deviation);
        let first = normal_tail(-PROBIT * mean / spread) + rest;
        // In the tails, rounding can make the difference of tiny numbers negative.
        let variance = first - slope - first * first;
        let floor = |x: f64| if x < 0.0 { 0.0 } else { x };
        let first = floor(first);
        Bit { mean: first, rest: 1.0 - first, variance: floor(variance), entropy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error of mean, variance and entropy.
    const ERROR: f64 = 3e-8;

    /// Simpson's rule over 12 deviations to both sides, and over ± 60 where y is not
    /// constant, with 20 points in each unit of either.
    fn reference(m: f64, s: f64) -> [f64; 3] {
        let (from, to) = (m - 12.0 * s, m + 12.0 * s);
        let n = (2.0 * ((to - from) * 20.0 / s.min(1.0)).ceil()) as usize;
        let h = (to - from) / n as f64;
        let mut sums = [0.0; 4];
        for i in 0..=n {
            let ends = if i == 0 || i == n { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
            let z = from + h * i as f64;
            let weight = ends * h / 3.0 / s * density((z - m) / s);
            let y = 1.0 / (1.0 + (-z).exp());
            let term = |p: f64| if p == 0.0 { 0.0 } else { -p * p.ln() };
            for (sum, f) in sums.iter_mut().zip([1.0, y, y * y, term(y) + term(1.0 - y)]) {
                *sum += weight * f;
            }
        }
        assert!((sums[0] - 1.0).abs() < 1e-11, "{m} {s}: {}", sums[0]);
        [sums[1], sums[2] - sums[1] * sums[1], sums[3]]
    }

    #[test]
    fn every_deviation_has_the_stated_error() {
        let logistic = Logistic::new();
        let mut worst = 0.0f64;
        for s in [1e-3, 0.1, 0.3, 0.8, 1.0, 1.0001, 1.3, 2.0, 4.0, 10.0, 100.0] {
            for m in [0.0, 0.1, 1.0, 2.4, 3.0, 5.5, 10.0, 20.0, 45.0, 300.0] {
                for m in [m, -m] {
                    let [mean, variance, entropy] = reference(m, s);
                    let bit = logistic.bit(m, s);
                    assert!((bit.mean + bit.rest - 1.0).abs() < 1e-15);
                    assert!(bit.variance >= 0.0 && (0.0..=1.0).contains(&bit.mean));
                    let errors = [bit.mean - mean, bit.variance - variance, bit.entropy - entropy];
                    let error = errors.iter().fold(0.0f64, |a, e| a.max(e.abs()));
                    assert!(error < ERROR, "{m} {s}: {bit:?}, not {mean} {variance} {entropy}");
                    worst = worst.max(error);
                }
            }
        }
        eprintln!("largest error {worst:e}");
    }

    /// With small deviations the variance is (s y')², and its relative error small too.
    #[test]
    fn little_spread_is_linear() {
        let logistic = Logistic::new();
        for m in [-30.0, -2.0, 0.0, 0.7, 6.0] {
            for s in [1e-10, 1e-6, 1e-3] {
                let y = 1.0 / (1.0 + libm::exp(-m));
                let want = s * s * y * y * (1.0 - y) * (1.0 - y);
                let got = logistic.bit(m, s).variance;
                // Rounding of y beside its spread, and the next term of the series.
                let error = 1e-15 / s + s;
                if m <= 0.0 {
                    assert!((got / want - 1.0).abs() < error, "{m} {s}: {got}, not {want}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_not_known() {
        let logistic = Logistic::new();
        for (m, s) in [(f64::NAN, 1.0), (f64::INFINITY, 0.0), (0.0, f64::NAN), (0.0, f64::INFINITY)]
        {
            let bit = logistic.bit(m, s);
            let all = [bit.mean, bit.rest, bit.variance, bit.entropy];
            assert!(all.iter().all(|x| x.is_nan()), "{bit:?}");
        }
        // The farthest finite numbers.
        for (m, s) in [(1e38, 1.0), (-1e38, 1e-38), (0.0, 1e38), (1e38, 1e38), (3.0, 1e300)] {
            let bit = logistic.bit(m, s);
            assert!((0.0..=1.0).contains(&bit.mean) && (0.0..=0.25).contains(&bit.variance));
            assert!((0.0..=0.7).contains(&bit.entropy), "{bit:?}");
        }
    }
}
