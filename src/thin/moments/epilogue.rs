//! From the mean and standard deviation of z to those of the outputs f(z) after noise.
//!
//! Most formulas use f only through its values at some nodes. These come from one call of a trait
//! object per row ([`Values`]), so that everything else is compiled once for each implementation
//! of [`Moments`], which several units share.

use crate::{
    mask::valid_bits,
    noise::Noise,
    pass::Pass,
    simd::{Kernel, LANES, Lanes, Supported},
    thin::{
        Panel, Unit, VECTORS,
        forward::Weights,
        lists::{ListRuns, ListWriter},
        load,
    },
};

/// Nodes and weights of Gauss-Hermite quadrature: SciPy's `roots_hermitenorm(9)`, with the weights
/// divided by sqrt(2 pi). It is exact for polynomials up to degree 17.
pub(crate) const NODES: [(f32, f32); 9] = [
    (-4.512_746, 2.234_584_4e-5),
    (-3.205_429, 2.789_141_3e-3),
    (-2.076_848, 0.049_916_407),
    (-1.023_255_7, 0.244_097_5),
    (0.0, 0.406_349_2),
    (1.023_255_7, 0.244_097_5),
    (2.076_848, 0.049_916_407),
    (3.205_429, 2.789_141_3e-3),
    (4.512_746, 2.234_584_4e-5),
];

/// A number per node, for each lane.
type AtNodes = [[f32; LANES]; NODES.len()];

/// How mean and standard deviation of f(z) are computed for a normally distributed z, for one unit
/// or for several. They are given by quadrature unless a method is overridden.
pub(crate) trait Moments: Copy + Send + Sync {
    /// The lanes in which [`Self::of`] uses the result of quadrature: all of them by default, and
    /// none for a closed form.
    #[inline(always)]
    fn by_quadrature<L: Lanes>(self, _: L, _deviation: L::F) -> u16 {
        u16::MAX
    }

    /// The mean around which quadrature puts its nodes: that of z by default.
    #[inline(always)]
    fn center<L: Lanes>(self, _: L, mean: L::F) -> L::F {
        mean
    }

    /// Mean and standard deviation of f(z), from those of z. `quadrature` gives both by quadrature
    /// around [`Self::center`], in the lanes of [`Self::by_quadrature`].
    #[inline(always)]
    fn of<L: Lanes>(self, _: L, _z: (L::F, L::F), quadrature: (L::F, L::F)) -> (L::F, L::F) {
        quadrature
    }
}

/// A [`Unit`] as a trait object, called for several vectors at once.
pub(crate) trait Values: Sync {
    /// Overwrites each z with [`Unit::value`], which is f(z) if the unit is active everywhere.
    fn apply(&self, isa: Supported, z: &mut [[f32; LANES]]);
}

impl<U: Unit> Values for U {
    fn apply(&self, isa: Supported, z: &mut [[f32; LANES]]) {
        isa.dispatch(Apply { unit: *self, z });
    }
}

struct Apply<'a, U> {
    unit: U,
    z: &'a mut [[f32; LANES]],
}

impl<U: Unit> Kernel for Apply<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        for z in self.z {
            l.store(self.unit.value(l, l.load(z)), z);
        }
    }
}

/// Writes the nodes of a normal z.
#[inline(always)]
fn spread<L: Lanes>(l: L, mean: L::F, deviation: L::F, to: &mut AtNodes) {
    for (to, (node, _)) in to.iter_mut().zip(NODES) {
        l.store(l.mul_add(deviation, l.splat(node), mean), to);
    }
}

/// Mean and standard deviation of f(z), from its values at the nodes.
#[inline(always)]
fn quadrature<L: Lanes>(l: L, values: &AtNodes) -> (L::F, L::F) {
    let (mut mean, mut variance) = (l.splat(0.0), l.splat(0.0));
    for (y, (_, weight)) in values.iter().zip(NODES) {
        mean = l.mul_add(l.splat(weight), l.load(y), mean);
    }
    for (y, (_, weight)) in values.iter().zip(NODES) {
        let distance = l.sub(l.load(y), mean);
        variance = l.mul_add(l.mul(distance, distance), l.splat(weight), variance);
    }
    (mean, l.sqrt(variance))
}

/// sqrt(x² + y²) for x >= 0, without squaring either.
#[inline(always)]
fn hypotenuse<L: Lanes>(l: L, x: L::F, y: L::F) -> L::F {
    let zero = l.splat(0.0);
    let y = l.select(l.less(y, zero), l.sub(zero, y), y);
    let below = l.less(x, y);
    let (large, small) = (l.select(below, y, x), l.select(below, x, y));
    let ratio = l.div(small, large);
    let both = l.mul(large, l.sqrt(l.mul_add(ratio, ratio, l.splat(1.0))));
    // If one is 0, the result is the other; NaN in either propagates.
    l.select(l.less(zero, small), both, l.add(large, small))
}

/// Applies bias, activation and noise, writing directly to the next layer's lists.
pub(crate) struct Epilogue<'a, M> {
    /// The non-linearity f.
    pub values: &'a dyn Values,
    /// How the moments of f(z) are computed.
    pub moments: M,
    /// The noise on the layer's outputs.
    pub noise: Noise,
}

/// A panel for an epilogue.
pub(crate) struct FinishPanel<'a> {
    pub weights: Weights<'a>,
    pub n: usize,
    /// The sums, one panel per row.
    pub means: &'a [Panel],
    /// The roots of the sums of squares, likewise.
    pub deviations: &'a [Panel],
    pub out: ListRuns<'a>,
    pub out_deviations: &'a mut [f32],
}

/// An [`Epilogue`] as a trait object, called once per panel.
pub(crate) trait Finish: Sync {
    /// Turns the moments of z into those of the outputs.
    fn finish(&self, pass: Pass, panel: FinishPanel<'_>);
}

impl<M: Moments> Finish for Epilogue<'_, M> {
    fn finish(&self, pass: Pass, panel: FinishPanel<'_>) {
        pass.dispatch(Activate { epilogue: self, isa: pass.isa, panel });
    }
}

struct Activate<'a, M> {
    epilogue: &'a Epilogue<'a, M>,
    isa: Supported,
    panel: FinishPanel<'a>,
}

impl<M: Moments> Kernel for Activate<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { epilogue: &Epilogue { values, moments, noise }, isa, panel } = self;
        let FinishPanel { weights, n, means, deviations, out, out_deviations } = panel;
        let bias: [L::F; VECTORS] = load(l, &weights.scale.bias[n]);
        let valid = valid_bits(weights.w.outputs(), n);
        let (v, zero) = (noise.variance(), l.splat(0.0));
        // s² (1 + v) + y² v = (1 + v) (s² + y² v / (1 + v))
        let scale = l.splat((1.0 + v).sqrt() as f32);
        let of_mean = l.splat((v / (1.0 + v)).sqrt() as f32);
        let mut to = ListWriter::new(out);
        let mut nodes = [[[0.0; LANES]; NODES.len()]; VECTORS];
        for (row, (mean, deviation)) in means.iter().zip(deviations).enumerate() {
            let mean: [L::F; VECTORS] = load(l, mean);
            let deviation: [L::F; VECTORS] = load(l, deviation);
            // The vectors that need quadrature, in order, and the values of f at their nodes.
            let mut count = 0;
            for c in 0..VECTORS {
                if moments.by_quadrature(l, deviation[c]) != 0 {
                    let center = moments.center(l, l.add(mean[c], bias[c]));
                    spread(l, center, deviation[c], &mut nodes[count]);
                    count += 1;
                }
            }
            if count > 0 {
                values.apply(isa, nodes[..count].as_flattened_mut());
            }
            let mut found = nodes.iter();
            for c in 0..VECTORS {
                let z = (l.add(mean[c], bias[c]), deviation[c]);
                let near = match moments.by_quadrature(l, deviation[c]) {
                    0 => None,
                    _ => found.next(),
                };
                let near = if let Some(values) = near { quadrature(l, values) } else { z };
                let (y, s) = moments.of(l, z, near);
                let s = l.mul(scale, hypotenuse(l, s, l.mul(of_mean, y)));
                // Everything but 0 ± 0 is active, including NaN.
                let known = l.less(y, zero) | l.less(zero, y) | l.is_nan(y);
                let active =
                    (known | l.less(zero, s) | l.is_nan(s)) & (valid >> (c * LANES)) as u16;
                to.push_with(l, c, active, [y, s], out_deviations);
            }
            to.end_of_row(row);
        }
    }
}

/// One vector's means and standard deviations of f(z), for tests of the formulas.
#[cfg(test)]
pub(crate) fn of_line<U: Unit>(
    isa: Supported,
    unit: U,
    z: [&[f32; LANES]; 2],
) -> [[f32; LANES]; 2] {
    struct Line<'a, M>(Supported, &'a dyn Values, M, [&'a [f32; LANES]; 2]);

    impl<M: Moments> Kernel for Line<'_, M> {
        type Output = [[f32; LANES]; 2];

        #[inline(always)]
        fn run<L: Lanes>(self, l: L) -> Self::Output {
            let Self(isa, values, moments, [mean, deviation]) = self;
            let z = (l.load(mean), l.load(deviation));
            let mut near = z;
            if moments.by_quadrature(l, z.1) != 0 {
                let mut nodes = [[0.0; LANES]; NODES.len()];
                spread(l, moments.center(l, z.0), z.1, &mut nodes);
                values.apply(isa, &mut nodes);
                near = quadrature(l, &nodes);
            }
            let (mean, deviation) = moments.of(l, z, near);
            let mut out = [[0.0; LANES]; 2];
            l.store(mean, &mut out[0]);
            l.store(deviation, &mut out[1]);
            out
        }
    }

    isa.dispatch(Line(isa, &unit, unit.moments(isa), z))
}
