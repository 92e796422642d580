//! Mean and standard deviation of the activation f(z) of a normally distributed z.
//!
//! z is given by its mean m and standard deviation s. Neither is ever squared, so values near
//! either end of the range of f32 give finite results.

use crate::{
    simd::{LANES, Lanes, Supported, math},
    thin::moments::{Moments, NODES, Values},
};

/// φ(0), the standard normal density at 0.
const DENSITY_AT_0: f32 = 0.398_942_3;

/// The moments of max(0, z) for normal z.
pub(super) struct Rectified<F> {
    /// The mean.
    pub mean: F,
    /// The variance divided by the variance of z.
    pub part: F,
    /// The probability of z > 0.
    pub above: F,
}

/// With a = m / s, φ the standard normal density and Φ its integral, the mean is
/// m Φ(a) + s φ(a), and the variance is
/// s² (Φ(a) + a² Φ(a) Φ(-a) - a φ(a) (Φ(a) - Φ(-a)) - φ(a)²). This form of the variance does
/// not suffer from cancellation for large a.
#[inline(always)]
pub(super) fn rectified<L: Lanes>(l: L, mean: L::F, deviation: L::F) -> Rectified<L::F> {
    /// Beyond this many deviations from 0, on either side, the opposite tail vanishes.
    const FAR: f32 = 20.0;
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let negative = l.less(mean, zero);
    let size = l.select(negative, l.sub(zero, mean), mean);
    // This covers a deviation of 0 too: the quotient is infinite, or NaN for 0 / 0.
    let a = l.div(size, deviation);
    let a = l.select(l.less(a, l.splat(FAR)), a, l.splat(FAR));
    let tail = math::normal_tail(l, a);
    let rest = l.sub(one, tail);
    let density = l.mul(math::exp(l, l.mul(l.mul(a, a), l.splat(-0.5))), l.splat(DENSITY_AT_0));
    // Φ(a) and Φ(-a), then a with its sign restored.
    let (above, below) = (l.select(negative, tail, rest), l.select(negative, rest, tail));
    let a = l.select(negative, l.sub(zero, a), a);
    let y = l.mul_add(mean, above, l.mul(deviation, density));
    let both = l.mul(l.mul(a, a), l.mul(above, below));
    let odd = l.mul(l.mul(a, density), l.sub(above, below));
    let part = l.sub(l.sub(l.add(above, both), odd), l.mul(density, density));
    // Neither is ever negative, but rounding can make them so.
    let y = l.select(l.less(y, zero), zero, y);
    let part = l.select(l.less(part, zero), zero, part);
    Rectified { mean: y, part, above }
}

/// The largest error of the mean of the logistic of a normal z over all m and s; the error for
/// tanh is twice as large.
#[cfg(test)]
pub(super) const SQUASHED_MEAN: f64 = 7e-5;
/// The largest error of its standard deviation, reached when z is far to one side and the
/// deviation itself is almost zero.
#[cfg(test)]
pub(super) const SQUASHED_DEVIATION: f64 = 2.5e-3;

/// If the argument of the logistic has at least this deviation, probits are more accurate than
/// quadrature; below it, their variance, which is a difference, suffers from cancellation.
const WIDE: f32 = 1.5;

/// The mean and deviation of the logistic (`slope` 1) or of tanh (`slope` 2), which is
/// 2 logistic(2 z) - 1.
#[derive(Clone, Copy)]
pub(super) struct Squashed {
    pub slope: f32,
}

impl Squashed {
    /// The lanes in which the argument of the logistic is wide.
    #[inline(always)]
    fn wide<L: Lanes>(self, l: L, deviation: L::F) -> u16 {
        l.less(l.splat(WIDE / self.slope), deviation)
    }
}

impl Moments for Squashed {
    #[inline(always)]
    fn by_quadrature<L: Lanes>(self, l: L, deviation: L::F) -> u16 {
        !self.wide(l, deviation)
    }

    #[inline(always)]
    fn of<L: Lanes>(
        self,
        l: L,
        (mean, deviation): (L::F, L::F),
        near: (L::F, L::F),
    ) -> (L::F, L::F) {
        let wide = self.wide(l, deviation);
        if wide == 0 {
            return near;
        }
        let factor = l.splat(self.slope);
        let (y, spread) = probits(l, l.mul(factor, mean), l.mul(factor, deviation));
        // For tanh: 2 y - 1.
        let y = l.mul_add(factor, y, l.splat(1.0 - self.slope));
        let spread = l.mul(factor, spread);
        (l.select(wide, y, near.0), l.select(wide, spread, near.1))
    }
}

/// Approximates the logistic by a mixture of four probits, sum c Φ(l z), to within 1.1e-5. With
/// k = 1 / sqrt(1 + l² s²), its mean is sum c Φ(l m k), the mean of its derivative d = y - y² is
/// sum c l k φ(l m k), and its variance is E y - E d - (E y)². They are computed on the side on
/// which the mean is small.
#[inline(always)]
fn probits<L: Lanes>(l: L, mean: L::F, deviation: L::F) -> (L::F, L::F) {
    const MIXTURE: [(f32, f32); 4] = [
        (0.333_777, 0.082_972),
        (0.496_492, 0.411_205),
        (0.726_487, 0.422_106),
        (1.052_636, 0.083_718),
    ];
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let positive = l.less(zero, mean);
    let size = l.select(positive, mean, l.sub(zero, mean));
    // 1 / s; its square may underflow, and the square of s may overflow.
    let inverse = l.div(one, deviation);
    let ratio = l.div(size, deviation);
    let (mut y, mut slope) = (zero, zero);
    for (scale, weight) in MIXTURE {
        // l k = 1 / sqrt(1 / l² + s²) = (1 / s) / sqrt((1 / (l s))² + 1)
        let part = l.mul(inverse, l.splat(1.0 / scale));
        let norm = l.sqrt(l.mul_add(part, part, one));
        let at = l.div(ratio, norm);
        let density = math::exp(l, l.mul(l.mul(at, at), l.splat(-0.5)));
        y = l.mul_add(l.splat(weight), math::normal_tail(l, at), y);
        let factor = l.div(l.mul(inverse, l.splat(weight * DENSITY_AT_0)), norm);
        slope = l.mul_add(factor, density, slope);
    }
    let variance = l.sub(l.sub(y, slope), l.mul(y, y));
    let variance = l.select(l.less(variance, zero), zero, variance);
    (l.select(positive, l.sub(one, y), y), l.sqrt(variance))
}

/// The largest error of the mean of a unit like a rectifier without kinks, over all m and s.
#[cfg(test)]
pub(super) const RECTIFIER_MEAN: f64 = 1.5e-4;
/// The largest error of its standard deviation.
#[cfg(test)]
pub(super) const RECTIFIER_DEVIATION: f64 = 7e-4;

/// The largest error of the mean of ELU, divided by the larger of alpha and 1.
#[cfg(test)]
pub(super) const ELU_MEAN: f64 = 1e-3;
/// The largest error of its standard deviation with alpha up to 2, divided likewise.
#[cfg(test)]
pub(super) const ELU_DEVIATION: f64 = 4.5e-3;
/// The same with any larger alpha; measured: 4.9e-3 for 3, 7.8e-3 from 1,000 on.
#[cfg(test)]
pub(super) const STEEP_ELU_DEVIATION: f64 = 8.5e-3;

/// How a unit differs from max(0, z). f(z) approaches z for large z and `floor` for large -z,
/// and is within 1e-5 of them beyond ±16.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The limit of f(z) for large -z.
    pub floor: f32,
    /// f'(0+) - f'(0-) and f''(0+) - f''(0-). If they are not 0, then f(0) = 0 and f'(0+) = 1.
    pub kinks: [f32; 2],
}

impl Shape {
    /// A smooth unit that approaches 0.
    pub const SMOOTH: Self = Self { floor: 0.0, kinks: [0.0; 2] };
}

/// Half of the nodes of Gauss-Legendre quadrature over [-16, 16]: 8 each on [0, 4] and on [4, 16].
#[rustfmt::skip]
const REST_NODES: [f32; LANES] = [
    0.079_420_28, 0.406_667_05, 0.948_935_15, 1.633_130_7,
    2.366_869_2, 3.051_064_7, 3.593_333, 3.920_579_7,
    4.238_260_7, 5.220_001, 6.846_805_6, 8.899_392,
    11.100_608, 13.153_194, 14.779_999, 15.761_739,
];
#[rustfmt::skip]
const REST_WEIGHTS: [f32; LANES] = [
    0.202_457_07, 0.444_762_08, 0.627_413_3, 0.725_367_55,
    0.725_367_55, 0.627_413_3, 0.444_762_08, 0.202_457_07,
    0.607_371_2, 1.334_286_2, 1.882_239_8, 2.176_102_6,
    2.176_102_6, 1.882_239_8, 1.334_286_2, 0.607_371_2,
];

/// The mean and deviation of a unit of this shape.
///
/// For narrow distributions this is quadrature over z, corrected for the kinks. For wide ones,
/// f(z) is the sum of r = max(0, z), whose moments are known, and of a rest h, which is integrated
/// over |z| <= 16 except for the part `floor`: Var f = Var r + 2 Cov(r, h) + Var h.
#[derive(Clone, Copy)]
pub(super) struct RectifierLike {
    shape: Shape,
    /// h at the nodes, and at the nodes with their signs reversed less the floor.
    rests: [[f32; LANES]; 2],
}

impl RectifierLike {
    /// The moments of the unit f, which is computed with this instruction set.
    pub fn new(isa: Supported, f: &dyn Values, shape: Shape) -> Self {
        let mut rests = [REST_NODES, REST_NODES.map(|node| -node)];
        f.apply(isa, &mut rests);
        let [above, below] = &mut rests;
        for ((above, below), node) in above.iter_mut().zip(below).zip(REST_NODES) {
            *above -= node;
            *below -= shape.floor;
        }
        Self { shape, rests }
    }

    /// The lanes in which the distribution is wide: the nodes of the rest are close enough to each
    /// other there.
    #[inline(always)]
    fn wide<L: Lanes>(l: L, deviation: L::F) -> u16 {
        l.less(l.splat(1.0), deviation)
    }
}

/// A narrow distribution so far from 0 that f(z) is z or constant around its mean is first moved
/// towards 0, so that no difference of large numbers is squared.
impl Moments for RectifierLike {
    #[inline(always)]
    fn by_quadrature<L: Lanes>(self, l: L, deviation: L::F) -> u16 {
        !Self::wide(l, deviation)
    }

    #[inline(always)]
    fn center<L: Lanes>(self, l: L, mean: L::F) -> L::F {
        const FAR: f32 = 22.0;
        math::at_most(l, math::at_least(l, mean, -FAR), FAR)
    }

    #[inline(always)]
    fn of<L: Lanes>(
        self,
        l: L,
        (mean, deviation): (L::F, L::F),
        mut near: (L::F, L::F),
    ) -> (L::F, L::F) {
        let wide = Self::wide(l, deviation);
        if wide != u16::MAX {
            let center = self.center(l, mean);
            if self.shape.kinks != [0.0; 2] {
                near = with_kinks(l, self.shape.kinks, center, deviation, near);
            }
            near.0 = l.add(near.0, math::at_least(l, l.sub(mean, center), 0.0));
        }
        if wide == 0 {
            return near;
        }
        let (y, spread) = rectified_and_rest(l, self, mean, deviation);
        (l.select(wide, y, near.0), l.select(wide, spread, near.1))
    }
}

/// Corrects a mean and a deviation from quadrature, which takes f for a polynomial. What it lacks
/// of E g for a g with kinks a and b in its first and second derivative at 0 is a d1 + b d2 / 2,
/// where d1 and d2 are what it lacks of E r and E r² for r = max(0, z). With a and b the kinks of
/// f, those of f² are 0 and 2 a (2 - a).
#[inline(always)]
fn with_kinks<L: Lanes>(
    l: L,
    [a, b]: [f32; 2],
    mean: L::F,
    deviation: L::F,
    (y, spread): (L::F, L::F),
) -> (L::F, L::F) {
    let zero = l.splat(0.0);
    let (mut first, mut second) = (zero, zero);
    for (node, weight) in NODES {
        let r = math::at_least(l, l.mul_add(deviation, l.splat(node), mean), 0.0);
        let part = l.mul(r, l.splat(weight));
        first = l.add(first, part);
        second = l.mul_add(part, r, second);
    }
    let r = rectified(l, mean, deviation);
    let square = l.mul_add(l.mul(deviation, deviation), r.part, l.mul(r.mean, r.mean));
    // All nodes are on one side of 0 if the mean is further from it.
    let reach = l.mul(deviation, l.splat(5.0));
    let near = l.less(mean, reach) & l.less(l.sub(zero, mean), reach);
    let d1 = l.keep(near, l.sub(r.mean, first));
    let d2 = l.keep(near, l.sub(square, second));
    let lacks = l.mul_add(d1, l.splat(a), l.mul(d2, l.splat(b / 2.0)));
    // E f² - (E f)², where quadrature has found spread² + y² and y.
    let lacks_square = l.mul(d2, l.splat(a * (2.0 - a)));
    let both = l.mul(l.add(y, y), lacks);
    let variance = l.mul_add(spread, spread, l.sub(lacks_square, l.mul_add(lacks, lacks, both)));
    (l.add(y, lacks), l.sqrt(math::at_least(l, variance, 0.0)))
}

/// [`RectifierLike`] for wide distributions.
#[inline(always)]
fn rectified_and_rest<L: Lanes>(
    l: L,
    RectifierLike { shape: Shape { floor, .. }, rests }: RectifierLike,
    mean: L::F,
    deviation: L::F,
) -> (L::F, L::F) {
    let (zero, one) = (l.splat(0.0), l.splat(1.0));
    let r = rectified(l, mean, deviation);
    let inverse = l.div(one, deviation);
    // E h and E h², without the floor for the time being, and Cov(r, h).
    let (mut first, mut second, mut both) = (zero, zero, zero);
    for (rests, (sign, floor)) in rests.iter().zip([(1.0, 0.0), (-1.0, floor)]) {
        for ((&rest, node), weight) in rests.iter().zip(REST_NODES).zip(REST_WEIGHTS) {
            let z = sign * node;
            let x = l.mul(l.sub(l.splat(z), mean), inverse);
            let density = math::exp(l, l.mul(l.mul(x, x), l.splat(-0.5)));
            let part = l.mul(l.mul(density, l.splat(weight * DENSITY_AT_0 * rest)), inverse);
            first = l.add(first, part);
            second = l.mul_add(part, l.splat(rest + 2.0 * floor), second);
            both = l.mul_add(part, l.sub(l.splat(z.max(0.0)), r.mean), both);
        }
    }
    let floored = l.mul(l.splat(floor), l.sub(one, r.above));
    first = l.add(first, floored);
    second = l.mul_add(floored, l.splat(floor), second);
    both = l.sub(both, l.mul(floored, r.mean));
    let variance = l.sub(second, l.mul(first, first));
    // Divided by the variance of z, which may overflow.
    let rest = l.mul(l.add(l.add(both, both), variance), inverse);
    let part = math::at_least(l, l.mul_add(rest, inverse, r.part), 0.0);
    (l.add(r.mean, first), l.mul(deviation, l.sqrt(part)))
}

#[cfg(test)]
mod tests;
