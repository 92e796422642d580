//! The moving average of a layer's parameters.
//!
//! A step averages the weights that it is about to change: those that the last step left, with
//! max-norm's factors multiplied in, which are known only now. This is a pass over a block of
//! weights just before products 2 and 3, which then find them in the cache. The kernels of the
//! update rules do not know of it.

use super::{
    LayerState, Panel, Tile, Tiles, VECTORS,
    backward::with_pending,
    load, store,
    update::{OptimiserState, StateInit},
};
use crate::{
    error::Error,
    simd::{Kernel, Lanes, Supported},
    tensor::AlignedBuffer,
};

/// The average as a number that a layer remembers for each parameter.
pub(crate) fn init() -> StateInit {
    StateInit::zero("average")
}

/// e <- e + rate (w - e), for V vectors.
#[inline(always)]
fn approach<L: Lanes>(l: L, rate: L::F, w: [L::F; VECTORS], e: &mut Panel) {
    let mut new: [L::F; VECTORS] = load(l, e);
    for (e, w) in new.iter_mut().zip(w) {
        *e = l.mul_add(rate, l.sub(w, *e), *e);
    }
    store(l, new, e);
}

/// Moves the average of a block's weights towards them, by the fraction `rate` of the way.
pub(super) struct Weights<'a> {
    pub rate: f32,
    pub w: &'a [Tile],
    /// The pending factors of each panel.
    pub s: &'a [Panel],
    pub average: &'a mut [Tile],
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let rate = l.splat(self.rate);
        for ((w, s), average) in self.w.iter().zip(self.s).zip(self.average) {
            for (w, e) in w.iter().zip(average) {
                approach(l, rate, with_pending(l, w, s), e);
            }
        }
    }
}

/// The same for biases.
pub(super) struct Biases<'a> {
    pub rate: f32,
    pub b: &'a [Panel],
    pub average: &'a mut [Panel],
}

impl Kernel for Biases<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let rate = l.splat(self.rate);
        for (b, e) in self.b.iter().zip(self.average) {
            approach(l, rate, load(l, b), e);
        }
    }
}

/// The average of a layer's parameters after it has also moved towards the present ones, whose
/// weights are w times the pending factors. `None` if no average is kept.
///
/// # Errors
/// There is not enough memory.
pub(crate) fn caught_up(
    isa: Supported,
    rate: f32,
    (w, b): (&Tiles, &[Panel]),
    state: &LayerState,
) -> Result<Option<(Tiles, AlignedBuffer<f32>)>, Error> {
    let Some(OptimiserState { weights, bias, .. }) = &state.average else { return Ok(None) };
    let (mut weights, mut bias) = (weights.try_clone()?, bias.try_clone()?);
    let (s, panels) = (state.pending.as_chunks().0, w.panels().max(1));
    for (w, average) in w.tiles().chunks(panels).zip(weights.runs_mut().data.chunks_mut(panels)) {
        isa.dispatch(Weights { rate, w, s, average });
    }
    isa.dispatch(Biases { rate, b, average: bias.as_chunks_mut().0 });
    Ok(Some((weights, bias)))
}
