//! The average of softmax over draws of its logits.
//!
//! Plain f64 in loops of eight, which the compiler vectorises for the instruction set at
//! hand: nothing is fused and the order of sums is fixed, so the bits are the same on all
//! of them.

use std::ops::Range;

use super::draws::Draws;
use crate::simd::{Kernel, Lanes};

/// The number of partial sums.
const WIDTH: usize = 8;

/// The softmax of independent normal logits, averaged over the draws `range`.
pub(super) struct Average<'a> {
    pub draws: &'a Draws,
    pub range: Range<usize>,
    /// Means of the logits.
    pub z: &'a [f64],
    /// Their standard deviations.
    pub s: &'a [f64],
    /// Scratch memory, one number per class each.
    pub drawn: [&'a mut [f64]; 2],
    pub mean: &'a mut [f64],
    pub variance: &'a mut [f64],
}

impl Kernel for Average<'_> {
    /// The mean entropy.
    type Output = f64;

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) -> f64 {
        let Self { draws, range, z, s, drawn: [drawn, e], mean, variance } = self;
        mean.fill(0.0);
        variance.fill(0.0);
        let (count, mut entropy) = (range.len() as f64, 0.0);
        for (number, draw) in range.enumerate() {
            for ((x, normal), (&z, &s)) in drawn.iter_mut().zip(draws.of(draw)).zip(z.iter().zip(s))
            {
                *x = z + s * normal;
            }
            let top = largest(drawn);
            let [sum, products] = exponentials(drawn, e, top);
            entropy += libm::log(sum) - products / sum;
            // Welford's recurrence.
            let (part, inverse) = (1.0 / (number + 1) as f64, 1.0 / sum);
            for ((mean, squares), e) in mean.iter_mut().zip(&mut *variance).zip(&*e) {
                let p = e * inverse;
                let before = p - *mean;
                *mean += part * before;
                *squares += before * (p - *mean);
            }
        }
        for squares in variance {
            *squares /= count;
        }
        entropy / count
    }
}

/// The largest of x, or NaN if there is one.
#[inline(always)]
fn largest(x: &[f64]) -> f64 {
    let mut tops = [f64::NEG_INFINITY; WIDTH];
    let (chunks, rest) = x.as_chunks::<WIDTH>();
    for chunk in chunks {
        for (top, &x) in tops.iter_mut().zip(chunk) {
            *top = larger(*top, x);
        }
    }
    let rest = rest.iter().fold(f64::NEG_INFINITY, |top, &x| larger(top, x));
    tops.into_iter().fold(rest, larger)
}

/// The larger number; unlike `f64::max`, propagates NaN.
#[inline(always)]
fn larger(top: f64, x: f64) -> f64 {
    if x > top || x.is_nan() { x } else { top }
}

/// Writes e^(x - top) to `e` and replaces x by x - top; returns the sum of e and the sum
/// of e (x - top).
#[inline(always)]
fn exponentials(x: &mut [f64], e: &mut [f64], top: f64) -> [f64; 2] {
    for (x, e) in x.iter_mut().zip(&mut *e) {
        *x -= top;
        *e = exp(*x);
    }
    let (mut sums, mut products) = ([0.0; WIDTH], [0.0; WIDTH]);
    let ((x, x_rest), (e, e_rest)) = (x.as_chunks::<WIDTH>(), e.as_chunks::<WIDTH>());
    for (x, e) in x.iter().zip(e) {
        for i in 0..WIDTH {
            sums[i] += e[i];
            products[i] += weighed(e[i], x[i]);
        }
    }
    for (i, (&x, &e)) in x_rest.iter().zip(e_rest).enumerate() {
        sums[i] += e;
        products[i] += weighed(e, x);
    }
    [sums.iter().sum(), products.iter().sum()]
}

/// e x, of which the limit is 0 where e = e^x is.
#[inline(always)]
fn weighed(e: f64, x: f64) -> f64 {
    if e == 0.0 { 0.0 } else { e * x }
}

/// e^x for x <= 0, without a call or a branch: 0 where it is below f64's smallest normal
/// number; NaN stays.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, and e^r by 14 terms of its series, whose rest is
/// below 1e-17.
#[inline(always)]
fn exp(x: f64) -> f64 {
    /// Added to a number below 2^51 it leaves the nearest whole one in the low bits.
    const ROUND: f64 = 1.5 * (1u64 << 52) as f64;
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    const LEAST: f64 = -708.0;
    let at = if x < LEAST { LEAST } else { x };
    let shifted = at * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (at - n * LN_2[0]) - n * LN_2[1];
    let mut y = 1.0 / 6_227_020_800.0;
    for c in [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        y = y * r + c;
    }
    // 2^n: the low bits of `shifted` are n, and what is above them is shifted out.
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    if x < LEAST { 0.0 } else { y * power }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;

    /// Two roundings of the series' last steps.
    const RELATIVE: f64 = 4e-16;

    #[test]
    fn exp_has_the_stated_error() {
        for i in 0..2_000_000 {
            let x = f64::from(i) * -0.000_353_7;
            let (got, want) = (exp(x), libm::exp(x));
            assert!((got / want - 1.0).abs() <= RELATIVE, "{x}: {got:e}, not {want:e}");
        }
        assert_eq!([exp(0.0), exp(-0.0), exp(-1e3), exp(f64::NEG_INFINITY)], [1.0, 1.0, 0.0, 0.0]);
        assert!(exp(f64::NAN).is_nan() && exp(-708.1) == 0.0 && exp(-1e300) == 0.0);
    }

    #[test]
    fn every_instruction_set_has_the_same_bits() {
        for classes in [3, 8, 21, 64] {
            let draws = Draws::new(classes).unwrap();
            let z: Vec<f64> = (0..classes).map(|i| (i as f64 * 1.7).sin() * 3.0).collect();
            let s: Vec<f64> = (0..classes).map(|i| 0.1 + (i as f64).cos().abs()).collect();
            let run = |isa: Isa| {
                let [mut x, mut e, mut mean, mut variance] = [(); 4].map(|()| vec![0.0; classes]);
                let entropy = isa.dispatch(Average {
                    draws: &draws,
                    range: Draws::all(),
                    z: &z,
                    s: &s,
                    drawn: [&mut x, &mut e],
                    mean: &mut mean,
                    variance: &mut variance,
                });
                let all = mean.into_iter().chain(variance).chain([entropy]);
                all.map(f64::to_bits).collect::<Vec<_>>()
            };
            for isa in Isa::available() {
                assert_eq!(run(isa), run(Isa::Portable), "{isa}");
            }
        }
    }

    #[test]
    fn nan_is_the_largest_wherever_it_stands() {
        for len in 1..20 {
            let x: Vec<f64> = (0..len).map(|i| f64::from(i * 7 % 11)).collect();
            let want = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(largest(&x), want);
            for i in 0..x.len() {
                let mut x = x.clone();
                x[i] = f64::NAN;
                assert!(largest(&x).is_nan());
            }
        }
    }
}
