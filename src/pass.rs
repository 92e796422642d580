//! How a batch passes the layers: on which instruction set, and divided or not.

use crate::{
    parallel::{self, Divide},
    simd::{Isa, Kernel},
};

/// What every product of a pass is told. It moves speed, never bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// The instruction set of its kernels.
    pub isa: Isa,
    /// Whether its work is divided over the pool that the caller is in.
    pub parallel: bool,
}

impl Pass {
    /// Runs `leaf(number, item)` on every item of `work`.
    pub(crate) fn each<D: Divide>(self, work: D, leaf: &(impl Fn(usize, D) + Sync)) {
        parallel::each(self.parallel, work, leaf);
    }

    /// Runs a kernel on the pass's instruction set.
    #[inline]
    pub(crate) fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
        self.isa.dispatch(kernel)
    }
}
