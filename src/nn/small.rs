//! The forward pass of a small network for predictions of few rows, as one kernel: the rows go
//! through all layers one by one.

use super::{Layer, Mlp, activation::UnitVisitor};
use crate::{
    data::Batch,
    simd::{Kernel, Lanes, Supported},
    thin::{
        Panels, Unit,
        forward::Scale,
        row::{Inputs, Outputs, Parameters, Watch, logits},
        rows_one_by_one,
    },
};

/// The memory for a small network.
#[derive(Clone, Debug)]
pub(crate) struct Small {
    /// The outputs of a layer, and those of the one above.
    outputs: [Outputs; 2],
    /// The most rows that it is used for.
    rows: usize,
}

impl Small {
    /// The memory for a network, if it is small: if this path is the fastest for at least one row.
    pub fn new(mlp: &Mlp) -> Option<Box<Self>> {
        let widest =
            mlp.layers.iter().map(|layer| layer.weights.inputs().max(layer.weights.outputs()));
        let rows = rows_one_by_one(widest.max().unwrap_or(0), mlp.parameters());
        (rows > 0).then(|| Box::new(Self { outputs: [Outputs::NONE; 2], rows }))
    }

    /// Whether this path is the fastest for `rows` rows.
    pub fn suits(&self, rows: usize) -> bool {
        rows <= self.rows
    }

    /// Computes the logits of a batch whose width is the network's, with the bits of
    /// [`Flow::forward_whole`](super::Flow::forward_whole). Returns whether all inputs, sums and
    /// logits are finite.
    pub fn forward(
        &mut self,
        isa: Supported,
        mlp: &Mlp,
        batch: &Batch<'_>,
        z: &mut Panels,
    ) -> bool {
        z.set_rows(batch.rows());
        isa.dispatch(Forward { mlp, batch, outputs: &mut self.outputs, z })
    }
}

struct Forward<'a> {
    mlp: &'a Mlp,
    batch: &'a Batch<'a>,
    outputs: &'a mut [Outputs; 2],
    z: &'a mut Panels,
}

impl Kernel for Forward<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> bool {
        let Self { mlp, batch, outputs: [below, above], z } = self;
        let (mut below, mut above) = (below, above);
        let (mut watch, mut bits) = (Watch::new(l), Default::default());
        let Some((output, hidden)) = mlp.layers.split_last() else { return false };
        for row in 0..batch.rows() {
            let mut x = Inputs::of_row(l, batch.at(row), &mut bits, &mut watch);
            for layer in hidden {
                let parameters = parameters(layer);
                let (scale, width) = (parameters.scale, parameters.w.outputs());
                above.sum(l, parameters, x, &mut watch);
                layer.activation.dispatch(Activate { l, scale, width, outputs: &mut *above });
                std::mem::swap(&mut below, &mut above);
                x = below.inputs(width);
            }
            logits(l, parameters(output), x, z, row, &mut watch);
        }
        watch.all_finite(l)
    }
}

#[inline(always)]
fn parameters(layer: &Layer) -> Parameters<'_> {
    Parameters { w: &layer.weights, scale: Scale { bias: layer.bias_panels(), pending: None } }
}

/// [`Outputs::activate`] as a visitor of the unit.
struct Activate<'a, L> {
    l: L,
    scale: Scale<'a>,
    width: usize,
    outputs: &'a mut Outputs,
}

impl<L: Lanes> UnitVisitor for Activate<'_, L> {
    type Output = ();

    #[inline(always)]
    fn visit<U: Unit>(self, unit: U) {
        let Self { l, scale, width, outputs } = self;
        outputs.activate(l, unit, scale, width);
    }
}
