//! The context shared by all prediction methods.

use std::ops::Range;

use crate::{
    error::Error,
    nn::{Flow, LinkFunction, NetworkView},
    pass::Pass,
    simd::Supported,
};

/// A predictor's network and settings.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub network: NetworkView<'a>,
    pub isa: Supported,
    /// Whether all work stays on the calling thread.
    pub serial: bool,
    /// Whether non-finite numbers are refused.
    pub finite: bool,
}

impl Context<'_> {
    /// How the products of `rows` rows run.
    #[inline]
    pub fn pass(self, rows: usize) -> Pass {
        let parameters = self.network.mlp.parameters() / self.network.relative_speed();
        let pass = Pass::of(self.isa, parameters, rows);
        if self.serial { pass.serial() } else { pass }
    }

    /// Checks that the sums of the computed layers `layers` are finite; every prediction
    /// passes through here, except for those of small networks, whose kernel checks them
    /// ([`Small`](crate::nn::Small)). `number(row)` is the row's number in the batch. If non-finite
    /// inputs are allowed, everything passes.
    ///
    /// # Errors
    /// Names the first row that has a non-finite sum.
    #[inline]
    pub fn gate(
        self,
        flow: &Flow,
        layers: Range<usize>,
        number: impl Fn(usize) -> usize,
    ) -> Result<(), Error> {
        if self.finite { flow.check_finite(self.isa, layers, number) } else { Ok(()) }
    }

    /// Checks that row `row` of the batch has finite predictions, if the link can make infinite ones
    /// of finite logits. If non-finite inputs are allowed, everything passes.
    ///
    /// # Errors
    /// Names the row and the first prediction that is not finite.
    #[inline]
    pub fn gate_predictions<T: Copy + Into<f64>>(
        self,
        link: LinkFunction,
        row: usize,
        predictions: &[T],
    ) -> Result<(), Error> {
        if !self.finite || !link.overflows() {
            return Ok(());
        }
        let all = predictions.iter().map(|&y| y.into());
        match all.enumerate().find(|(_, y)| !y.is_finite()) {
            Some((column, y)) => {
                let value = y as f32;
                Err(Error::NonFinite { what: "prediction", row, column, value })
            }
            None => Ok(()),
        }
    }
}
