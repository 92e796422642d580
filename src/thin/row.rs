//! Product 1 of a single row without lists, for networks so small that filling lists and the calls
//! between kernels take longer than the products. Units stay in their places, with a bit for each
//! active one, and the caller's kernel runs all layers.
//!
//! The sums are those of [`forward`](super::forward), added up in the same order.

use super::{
    PANEL, Panel, Panels, Tiles, Unit, VECTORS, add_scaled,
    forward::{Scale, Weights},
    load, load_from, path, store, store_to, vectors,
};
use crate::{
    mask::valid_bits,
    simd::{LANES, Lanes},
};

/// The largest number of blocks of a layer's inputs.
const BLOCKS: usize = path::ROW_WIDTH.div_ceil(PANEL);

/// The inputs of a layer for one row.
pub(crate) trait Inputs: Copy {
    /// Computes `sum_k x[k] w[k][n]` for the first `V` vectors of panel `n`, starting from 0 and
    /// adding over ascending active units.
    fn product<L: Lanes, const V: usize>(self, l: L, w: &Tiles, n: usize) -> [L::F; V];
}

/// Which units of a layer are active, block by block.
type Bits = [u64; BLOCKS];

/// A data row, whose elements that are not zero are active.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    x: &'a [f32],
    bits: Bits,
    /// Whether all are active.
    dense: bool,
}

impl<'a> Row<'a> {
    /// Finds the elements that are not zero.
    #[inline(always)]
    pub(crate) fn new<L: Lanes>(l: L, x: &'a [f32], watch: &mut Watch<L>) -> Self {
        let (zero, mut bits, mut dense) = (l.splat(0.0), [0; BLOCKS], true);
        for (x, bits) in x.chunks(PANEL).zip(&mut bits) {
            for (c, x) in x.chunks(LANES).enumerate() {
                let x = match x.first_chunk() {
                    Some(x) => l.load(x),
                    None => l.load_first(x),
                };
                watch.look(l, [x]);
                let present = l.less(x, zero) | l.less(zero, x) | l.is_nan(x);
                *bits |= u64::from(present) << (c * LANES);
            }
            dense &= *bits == valid_bits(x.len(), 0);
        }
        Self { x, bits, dense }
    }
}

impl Inputs for Row<'_> {
    #[inline(always)]
    fn product<L: Lanes, const V: usize>(self, l: L, w: &Tiles, n: usize) -> [L::F; V] {
        let (tiles, panels) = (w.tiles(), w.panels());
        let (mut sums, mut at) = ([l.splat(0.0); V], n);
        for (x, bits) in self.x.chunks(PANEL).zip(self.bits) {
            let tile = &tiles[at];
            if self.dense {
                for (&x, w) in x.iter().zip(tile) {
                    sums = add_scaled(l, l.splat(x), load(l, w), sums);
                }
            } else {
                let mut left = bits;
                while left != 0 {
                    let k = left.trailing_zeros() as usize;
                    sums = add_scaled(l, l.splat(x[k]), load(l, &tile[k]), sums);
                    left &= left - 1;
                }
            }
            at += panels;
        }
        sums
    }
}

/// The outputs of a hidden layer for one row.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Outputs {
    values: [Panel; BLOCKS],
    bits: Bits,
}

impl Outputs {
    /// No active units.
    pub(crate) const NONE: Self = Self { values: [[0.0; PANEL]; BLOCKS], bits: [0; BLOCKS] };

    /// Computes the layer's sums, which have to go through [`Self::activate`].
    #[inline(always)]
    pub(crate) fn sum<L: Lanes>(
        &mut self,
        l: L,
        layer: Weights<'_>,
        x: impl Inputs,
        watch: &mut Watch<L>,
    ) {
        let w = layer.w;
        for (n, to) in self.values.iter_mut().enumerate().take(w.panels()) {
            if vectors(w.outputs(), n) == 1 {
                let sums = x.product::<L, 1>(l, w, n);
                watch.look(l, sums);
                store(l, sums, to);
            } else {
                let sums = x.product::<L, VECTORS>(l, w, n);
                watch.look(l, sums);
                store(l, sums, to);
            }
        }
    }

    /// Turns the sums of a layer of `width` units into its outputs.
    #[inline(always)]
    pub(crate) fn activate<L: Lanes>(
        &mut self,
        l: L,
        unit: impl Unit,
        scale: Scale<'_>,
        width: usize,
    ) {
        let panels = self.values.iter_mut().zip(&mut self.bits).enumerate();
        for (n, (values, bits)) in panels.take(width.div_ceil(PANEL)) {
            let mut active = 0;
            for c in 0..vectors(width, n) {
                let [sums] = load_from(l, values, c);
                let z = scale.apply(l, n, c, sums);
                active |= u64::from(unit.active(l, z)) << (c * LANES);
                store_to(l, [unit.value(l, z)], values, c);
            }
            *bits = active & valid_bits(width, n);
        }
    }
}

impl Inputs for &Outputs {
    #[inline(always)]
    fn product<L: Lanes, const V: usize>(self, l: L, w: &Tiles, n: usize) -> [L::F; V] {
        let (tiles, panels) = (w.tiles(), w.panels());
        let (mut sums, mut at) = ([l.splat(0.0); V], n);
        for (values, &bits) in self.values.iter().zip(&self.bits) {
            let Some(tile) = tiles.get(at) else { break };
            let mut left = bits;
            while left != 0 {
                let k = left.trailing_zeros() as usize;
                sums = add_scaled(l, l.splat(values[k]), load(l, &tile[k]), sums);
                left &= left - 1;
            }
            at += panels;
        }
        sums
    }
}

/// Computes the logits of row `row`, from the inputs of the output layer.
#[inline(always)]
pub(crate) fn logits<L: Lanes>(
    l: L,
    layer: Weights<'_>,
    x: impl Inputs,
    z: &mut Panels,
    row: usize,
    watch: &mut Watch<L>,
) {
    let w = layer.w;
    for n in 0..w.panels() {
        let z = z.at_mut(n, row);
        if vectors(w.outputs(), n) == 1 {
            let sums = x.product::<L, 1>(l, w, n);
            finish(l, layer.scale, n, sums, z, watch);
        } else {
            let sums = x.product::<L, VECTORS>(l, w, n);
            finish(l, layer.scale, n, sums, z, watch);
        }
    }
}

/// Applies bias and scale to the sums of an output layer.
#[inline(always)]
fn finish<L: Lanes, const V: usize>(
    l: L,
    scale: Scale<'_>,
    n: usize,
    mut sums: [L::F; V],
    z: &mut Panel,
    watch: &mut Watch<L>,
) {
    for (c, z) in sums.iter_mut().enumerate() {
        *z = scale.apply(l, n, c, *z);
    }
    watch.look(l, sums);
    store(l, sums, z);
}

/// Looks for numbers that are not finite.
#[derive(Clone, Copy)]
pub(crate) struct Watch<L: Lanes> {
    /// NaN in a lane that had one.
    seen: L::F,
}

impl<L: Lanes> Watch<L> {
    #[inline(always)]
    pub(crate) fn new(l: L) -> Self {
        Self { seen: l.splat(0.0) }
    }

    /// 0 times a number that is not finite is NaN, which a sum propagates.
    #[inline(always)]
    fn look<const V: usize>(&mut self, l: L, x: [L::F; V]) {
        for x in x {
            self.seen = l.mul_add(x, l.splat(0.0), self.seen);
        }
    }

    #[inline(always)]
    pub(crate) fn all_finite(self, l: L) -> bool {
        l.is_nan(self.seen) == 0
    }
}
