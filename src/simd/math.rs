//! Exponential functions on vectors. Results are the same on every machine, except that
//! the portable backend may round products.

use super::Lanes;

/// Maximum error of [`exp`], in units in the last place of the true result.
#[cfg(test)]
pub(crate) const EXP_ULP: f64 = 2.0;
/// Maximum error of [`tanh`].
#[cfg(test)]
pub(crate) const TANH_ULP: f64 = 3.0;
/// Maximum error of [`logistic`] if its value is a normal number.
#[cfg(test)]
pub(crate) const LOGISTIC_ULP: f64 = 3.0;
/// The largest value of [`logistic`] below x = -87.3, where it is not a normal number.
#[cfg(test)]
pub(crate) const LOGISTIC_TAIL: f32 = 1.3e-38;

/// Maximum error of [`logistics`], which also holds for denormal values.
#[cfg(test)]
pub(crate) const LOGISTICS_ULP: f64 = 4.0;

/// Maximum error of [`exp_m1`] for x up to 0.
#[cfg(test)]
pub(crate) const EXP_M1_ULP: f64 = 5.0;
/// Maximum error of [`ln_1p`].
#[cfg(test)]
pub(crate) const LN_1P_ULP: f64 = 4.0;
/// Maximum error of the integral in [`normal`], for denormal values too; x²/2 more on a backend
/// that does not fuse products and sums.
#[cfg(test)]
pub(crate) const NORMAL_ULP: f64 = 8.0;
/// Beyond this on either side, the density of [`normal`] and the smaller tail are 0.
pub(crate) const NORMAL_FAR: f32 = 14.5;

/// Maximum relative error of [`normal_tail`] for x up to 8.
#[cfg(test)]
pub(crate) const NORMAL_TAIL: f64 = 1e-5;

/// e^x. Overflow gives infinity, underflow goes through the denormals to 0, and NaN
/// stays NaN.
///
/// With x = n ln 2 + r and |r| <= ln 2 / 2, e^r is the polynomial from Cephes' `expf`.
/// It is multiplied by 2^n in two steps, so that n may exceed the range of exponents.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(l: L, x: L::F) -> L::F {
    let (y, n) = exp_reduced(l, x);
    exp2_times(l, l.add(y, l.splat(1.0)), n)
}

/// e^x - 1, without cancellation near 0.
#[inline(always)]
pub(crate) fn exp_m1<L: Lanes>(l: L, x: L::F) -> L::F {
    let (y, n) = exp_reduced(l, x);
    let one = l.splat(1.0);
    let far = l.sub(exp2_times(l, l.add(y, one), n), one);
    // n is a whole number.
    l.select(l.less(l.mul(n, n), one), y, far)
}

/// e^r - 1 and n, with x = n ln 2 + r.
#[inline(always)]
fn exp_reduced<L: Lanes>(l: L, x: L::F) -> (L::F, L::F) {
    let x = at_most(l, at_least(l, x, -105.0), 90.0);
    let n = l.round(l.mul(x, l.splat(std::f32::consts::LOG2_E)));
    let r = l.mul_add(n, l.splat(-0.693_359_4), x);
    let r = l.mul_add(n, l.splat(2.121_944_4e-4), r);
    let mut y = l.splat(1.987_569_1e-4);
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5] {
        y = l.mul_add(y, r, l.splat(c));
    }
    // NaN has no exponent: use 0 instead, and the result stays NaN.
    let n = l.select(l.is_nan(x), l.splat(0.0), n);
    (l.mul_add(y, l.mul(r, r), r), n)
}

/// 2^n y, in two steps.
#[inline(always)]
fn exp2_times<L: Lanes>(l: L, y: L::F, n: L::F) -> L::F {
    let half = l.round(l.mul(n, l.splat(0.5)));
    l.mul(l.mul(y, l.exp2_whole(half)), l.exp2_whole(l.sub(n, half)))
}

/// ln(1 + x) for x from 0 to 1: with s = x / (x + 2) it is 2 artanh s, as s times a polynomial
/// in s² with a relative error of 4e-9.
#[inline(always)]
pub(crate) fn ln_1p<L: Lanes>(l: L, x: L::F) -> L::F {
    let s = l.div(x, l.add(x, l.splat(2.0)));
    let square = l.mul(s, s);
    let mut y = l.splat(0.140_891_67);
    for c in [0.139_803, 0.200_124_55, 0.333_331_58] {
        y = l.mul_add(y, square, l.splat(c));
    }
    let y = l.mul_add(l.mul(y, square), s, s);
    l.add(y, y)
}

/// 1 / (1 + e^-x)
#[inline(always)]
pub(crate) fn logistic<L: Lanes>(l: L, x: L::F) -> L::F {
    let e = exp(l, l.sub(l.splat(0.0), x));
    l.div(l.splat(1.0), l.add(l.splat(1.0), e))
}

/// The logistic of x and of -x, both with a small relative error: neither is a difference,
/// and nothing overflows.
#[inline(always)]
pub(crate) fn logistics<L: Lanes>(l: L, x: L::F) -> (L::F, L::F) {
    let zero = l.splat(0.0);
    let negative = l.less(x, zero);
    let e = exp(l, l.select(negative, x, l.sub(zero, x)));
    let large = l.div(l.splat(1.0), l.add(l.splat(1.0), e));
    let small = l.mul(e, large);
    (l.select(negative, small, large), l.select(negative, large, small))
}

/// The larger of x and `low`; NaN stays NaN.
#[inline(always)]
pub(crate) fn at_least<L: Lanes>(l: L, x: L::F, low: f32) -> L::F {
    l.at_least(x, l.splat(low))
}

/// The smaller of x and `high`; NaN stays NaN.
#[inline(always)]
pub(crate) fn at_most<L: Lanes>(l: L, x: L::F, high: f32) -> L::F {
    l.at_most(x, l.splat(high))
}

/// tanh x: Cephes' odd polynomial for |x| < 0.625, otherwise
/// sign(x) (1 - 2 / (e^(2|x|) + 1)).
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(l: L, x: L::F) -> L::F {
    let zero = l.splat(0.0);
    let negative = l.less(x, zero);
    let size = l.select(negative, l.sub(zero, x), x);
    let e = exp(l, l.add(size, size));
    let far = l.sub(l.splat(1.0), l.div(l.splat(2.0), l.add(e, l.splat(1.0))));
    let far = l.select(negative, l.sub(zero, far), far);
    let square = l.mul(x, x);
    let mut y = l.splat(-5.704_988_7e-3);
    for c in [2.063_909e-2, -5.373_971_5e-2, 0.133_314_42, -0.333_332_8] {
        y = l.mul_add(y, square, l.splat(c));
    }
    let near = l.mul_add(l.mul(y, square), x, x);
    l.select(l.less(size, l.splat(0.625)), near, far)
}

/// The probability that a standard normal variable exceeds x, for x >= 0: half of
/// erfc(x / sqrt 2), using the Chebyshev fit from Numerical Recipes (section 6.2).
#[inline(always)]
pub(crate) fn normal_tail<L: Lanes>(l: L, x: L::F) -> L::F {
    let z = l.mul(x, l.splat(std::f32::consts::FRAC_1_SQRT_2));
    let t = l.div(l.splat(1.0), l.mul_add(z, l.splat(0.5), l.splat(1.0)));
    let mut y = l.splat(0.170_872_77);
    for c in [
        -0.822_152_2,
        1.488_515_9,
        -1.135_204,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_7,
        -1.265_512_2,
    ] {
        y = l.mul_add(y, t, l.splat(c));
    }
    let square = l.mul(z, z);
    l.mul(l.mul(t, l.splat(0.5)), exp(l, l.sub(y, square)))
}

/// The standard normal density at x, and its integral Φ(x) up to there, which is
/// (1 + erf(x / sqrt 2)) / 2, with a small relative error in both tails.
///
/// With t = 1 / (1 + 0.35 |x|), the smaller of Φ(x) and Φ(-x) is e^(-x²/2) t times a polynomial
/// in t with a relative error of 3e-8 (by Remez's algorithm). The rounding error of x² is
/// corrected for where the backend fuses products and sums; otherwise the correction is 0.
#[inline(always)]
pub(crate) fn normal<L: Lanes>(l: L, x: L::F) -> (L::F, L::F) {
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let negative = l.less(x, zero);
    let size = at_most(l, l.select(negative, l.sub(zero, x), x), NORMAL_FAR);
    let square = l.mul(size, size);
    let lost = l.mul_add(size, size, l.sub(zero, square));
    let half = l.splat(-0.5);
    let e = exp(l, l.mul(square, half));
    let e = l.mul_add(l.mul(lost, half), e, e);
    let t = l.div(one, l.mul_add(size, l.splat(0.35), one));
    let mut y = l.splat(-0.029_157_871);
    for c in [
        0.144_030_85,
        -0.255_838_87,
        0.159_319_53,
        -0.023_212_247,
        0.105_552_46,
        0.119_821_295,
        0.139_863_52,
        0.139_621_3,
    ] {
        y = l.mul_add(y, t, l.splat(c));
    }
    let tail = l.mul(e, l.mul(t, y));
    let density = l.mul(e, l.splat(0.398_942_3));
    (density, l.select(negative, tail, l.sub(one, tail)))
}
