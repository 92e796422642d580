//! How a batch runs through the layers: on which instruction set, and divided or not.

use crate::{
    parallel::{self, Divide},
    simd::{Kernel, Supported},
};

/// The settings that every product of a pass receives. They affect speed, never results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// The instruction set of its kernels.
    pub isa: Supported,
    /// Whether its work is divided over the caller's thread pool.
    pub parallel: bool,
}

impl Pass {
    /// How `rows` rows run through a network of this many parameters: their product is the number
    /// of multiply-adds of a forward pass, which says whether the work is worth dividing.
    #[inline]
    pub(crate) fn of(isa: Supported, parameters: usize, rows: usize) -> Self {
        Self { isa, parallel: parallel::worth_it(rows.saturating_mul(parameters)) }
    }

    /// The same pass with all work on the calling thread.
    pub(crate) fn serial(self) -> Self {
        Self { parallel: false, ..self }
    }

    /// Runs `leaf(number, item)` on every item of `work`.
    #[inline]
    pub(crate) fn each<D: Divide>(self, work: D, leaf: &(impl Fn(usize, D) + Sync)) {
        parallel::each(self.parallel, work, leaf);
    }

    /// Runs `leaf(number, items)` on every `several` items of `work`, of which the last may be fewer;
    /// `number` is that of the first.
    #[inline]
    pub(crate) fn each_of<D: Divide>(
        self,
        several: usize,
        work: D,
        leaf: &(impl Fn(usize, D) + Sync),
    ) {
        parallel::each_of(self.parallel, several, work, leaf);
    }

    /// Runs a kernel with the instruction set of this pass.
    #[inline]
    pub(crate) fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
        self.isa.dispatch(kernel)
    }
}
