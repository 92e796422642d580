//! The forward pass of a small network for predictions of few rows, as one kernel: the rows go
//! through all layers one by one.

use super::{Layer, Link, Mlp, activation::UnitVisitor};
use crate::{
    simd::{Kernel, Lanes, Supported},
    tensor::{Matrix, MatrixView},
    thin::{
        Panels, Unit,
        forward::{Scale, Weights},
        row::{Outputs, Row, Watch, logits},
        rows::Chosen,
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
    /// The memory for a network, if it is small: if this path is the fastest for at least one row. It
    /// has no maxout units.
    pub fn new(mlp: &Mlp) -> Option<Box<Self>> {
        if mlp.layers.iter().any(|layer| layer.pieces > 1) {
            return None;
        }
        let widest =
            mlp.layers.iter().map(|layer| layer.weights.inputs().max(layer.weights.outputs()));
        let rows = rows_one_by_one(widest.max().unwrap_or(0), mlp.parameters());
        (rows > 0).then(|| Box::new(Self { outputs: [Outputs::NONE; 2], rows }))
    }

    /// Whether this path is the fastest for `rows` rows.
    pub fn suits(&self, rows: usize) -> bool {
        rows <= self.rows
    }

    /// Computes the logits of rows whose width is the network's, with the bits of
    /// [`Flow::forward_whole`](super::Flow::forward_whole), and applies `link` to them. Returns
    /// whether all inputs, sums and logits are finite.
    pub fn predict(
        &mut self,
        isa: Supported,
        mlp: &Mlp,
        rows: Chosen<'_, MatrixView<'_>>,
        link: Link,
        z: &mut Panels,
        out: &mut Matrix,
    ) -> bool {
        z.set_rows(rows.rows());
        isa.dispatch(Predict { mlp, rows, outputs: &mut self.outputs, link, z, out })
    }
}

struct Predict<'a> {
    mlp: &'a Mlp,
    rows: Chosen<'a, MatrixView<'a>>,
    outputs: &'a mut [Outputs; 2],
    link: Link,
    /// Memory for the logits.
    z: &'a mut Panels,
    out: &'a mut Matrix,
}

impl Kernel for Predict<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> bool {
        let Self { mlp, rows, outputs: [below, above], link, z, out } = self;
        let (mut below, mut above) = (below, above);
        let Some((output, hidden)) = mlp.layers.split_last() else { return false };
        let (mut watch, output) = (Watch::new(l), parameters(output));
        for row in 0..rows.rows() {
            let x = Row::new(l, rows.at(row), &mut watch);
            let Some((first, hidden)) = hidden.split_first() else {
                logits(l, output, x, z, row, &mut watch);
                continue;
            };
            below.sum(l, parameters(first), x, &mut watch);
            Activate::layer(l, first, below);
            for layer in hidden {
                above.sum(l, parameters(layer), &*below, &mut watch);
                Activate::layer(l, layer, above);
                std::mem::swap(&mut below, &mut above);
            }
            logits(l, output, &*below, z, row, &mut watch);
        }
        link.apply(l, z, out);
        watch.all_finite(l)
    }
}

#[inline(always)]
fn parameters(layer: &Layer) -> Weights<'_> {
    Weights { w: &layer.weights, scale: Scale { bias: layer.bias_panels(), pending: None } }
}

/// [`Outputs::activate`] as a visitor of the unit.
struct Activate<'a, L> {
    l: L,
    scale: Scale<'a>,
    width: usize,
    outputs: &'a mut Outputs,
}

impl<'a, L: Lanes> Activate<'a, L> {
    /// Turns the sums of a layer into its outputs.
    #[inline(always)]
    fn layer(l: L, layer: &'a Layer, outputs: &'a mut Outputs) {
        let Weights { w, scale } = parameters(layer);
        layer.activation.dispatch(Self { l, scale, width: w.outputs(), outputs });
    }
}

impl<L: Lanes> UnitVisitor for Activate<'_, L> {
    type Output = ();

    #[inline(always)]
    fn visit<U: Unit>(self, unit: U) {
        let Self { l, scale, width, outputs } = self;
        outputs.activate(l, unit, scale, width);
    }
}
