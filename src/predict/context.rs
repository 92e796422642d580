//! What every way to predict is told.

use std::ops::Range;

use crate::{
    error::Error,
    nn::{Flow, NetworkView},
    parallel::worth_it,
    pass::Pass,
    simd::Isa,
};

/// A predictor's network and settings.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub network: NetworkView<'a>,
    pub isa: Isa,
    /// Whether all work stays on the calling thread.
    pub serial: bool,
    /// Whether what is not finite is refused.
    pub finite: bool,
}

impl Context<'_> {
    /// How the products of so many rows run.
    pub fn pass(self, rows: usize) -> Pass {
        let products = rows.saturating_mul(self.network.mlp.parameters());
        Pass { isa: self.isa, parallel: !self.serial && worth_it(products) }
    }

    /// The gate that every answer passes: whether the sums of the layers `layers`,
    /// which were computed, are finite. `number(row)` is the row's number in the batch.
    /// All are let pass where non-finite inputs are allowed.
    ///
    /// # Errors
    /// The first row that has a sum which is not.
    pub fn gate(
        self,
        flow: &Flow,
        layers: Range<usize>,
        number: impl Fn(usize) -> usize,
    ) -> Result<(), Error> {
        if self.finite { flow.check_finite(self.isa, layers, number) } else { Ok(()) }
    }
}
