//! How a batch passes the layers: on which instruction set, and divided or not.

use crate::simd::Isa;

/// What every product of a pass is told. It moves speed, never bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// The instruction set of its kernels.
    pub isa: Isa,
    /// Whether its work is divided over the pool that the caller is in.
    pub parallel: bool,
}
