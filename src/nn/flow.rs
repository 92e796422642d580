//! The data that flows through a network in a forward pass.

use std::ops::Range;

use super::{Drawn, Mlp, NetworkView, view::LayerInputs};
use crate::{
    error::{Error, at_most},
    pass::Pass,
    rate::Keep,
    simd::Supported,
    thin::{Gaps, InputBits, Lists, Panels, integer::QuadLists},
};

/// The input lists and the pre-activations of each layer, for a maximum number of rows that is
/// fixed on construction.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// The input lists of each layer.
    pub lists: Vec<Lists>,
    /// The same, rounded to integers, if [`Self::prepare`] found that it is needed.
    quads: Vec<QuadLists>,
    /// z of each layer; for the output layer these are the logits.
    pub z: Vec<Panels>,
    capacity: usize,
    /// The number of units of the input and of each layer.
    widths: Vec<usize>,
}

impl Flow {
    pub fn with_capacity(mlp: &Mlp, rows: usize) -> Result<Self, Error> {
        let widths = mlp.widths();
        let lists = widths[..mlp.depth()].iter().map(|&width| Lists::with_capacity(rows, width));
        let z = widths[1..].iter().map(|&width| Panels::with_capacity(rows, width));
        let quads = widths[..mlp.depth()].iter().map(|&width| QuadLists::with_capacity(0, width));
        Ok(Self {
            lists: lists.collect::<Result<_, _>>()?,
            z: z.collect::<Result<_, _>>()?,
            quads: quads.collect::<Result<_, _>>()?,
            capacity: rows,
            widths,
        })
    }

    /// Allocates what a pass through this network needs besides, if it has integer weights.
    ///
    /// # Errors
    /// There is not enough memory.
    #[inline]
    pub fn prepare(&mut self, network: NetworkView<'_>) -> Result<(), Error> {
        if network.has_integers() {
            for (quads, &width) in self.quads.iter_mut().zip(&self.widths) {
                if quads.capacity() < self.capacity {
                    *quads = QuadLists::with_capacity(self.capacity, width)?;
                }
            }
        }
        Ok(())
    }

    /// The same for predictions, which are refused if sums are not finite.
    pub fn watched(self) -> Self {
        Self { z: self.z.into_iter().map(Panels::watched).collect(), ..self }
    }

    /// Checks that the network matches and that `rows` rows fit.
    #[inline]
    pub fn check(&self, mlp: &Mlp, rows: usize) -> Result<(), Error> {
        let same = |what, made_for, got| {
            if made_for == got {
                return Ok(());
            }
            Err(Error::OtherWorkspace { what, made_for, got })
        };
        same("layers", self.z.len(), mlp.depth())?;
        same("inputs", self.widths[0], mlp.inputs())?;
        for (&width, layer) in self.widths[1..].iter().zip(&mlp.layers) {
            same("units in one of the layers", width, layer.weights.outputs())?;
        }
        at_most("rows of a batch", self.capacity, rows)
    }

    /// Checks that all sums of the given layers, which must have been computed, are finite. An
    /// activation can hide one that is not: ReLU turns minus infinity into 0, and the logistic
    /// turns a sum that overflowed into 1. `number(row)` is the row number to give in the error.
    ///
    /// # Errors
    /// A sum is NaN or infinite; the error gives the first such row.
    #[inline]
    pub fn check_finite(
        &self,
        isa: Supported,
        layers: Range<usize>,
        number: impl Fn(usize) -> usize,
    ) -> Result<(), Error> {
        let last = self.z.len() - 1;
        for layer in layers {
            self.z[layer].check_finite(isa, |row, unit, value| {
                let row = number(row);
                if layer == last {
                    Error::NonFinite { what: "logit", row, column: unit, value }
                } else {
                    Error::NonFiniteSum { what: "sum", row, layer, unit, value }
                }
            })?;
        }
        Ok(())
    }

    /// Fills the first layer's lists with the rows of the batch.
    #[inline]
    pub fn enter<'a>(
        &mut self,
        pass: Pass,
        mlp: &Mlp,
        rows: usize,
        bits: InputBits<'_>,
        gaps: Gaps,
        row: &(impl Fn(usize) -> &'a [f32] + Sync),
    ) {
        let keep = match bits {
            InputBits::All => Keep::ONE,
            InputBits::Mask(_) | InputBits::Sparse { .. } => mlp.keep_below(0),
        };
        if let Some(lists) = self.lists.first_mut() {
            lists.set_rows(rows);
            lists.fill(pass, keep, bits, gaps, row);
        }
    }

    /// Runs the forward pass through the given layers, starting from the input lists of the first.
    /// `drawn(site)` is what was drawn for a hidden site; if it is nothing, the site's units are
    /// neither dropped nor scaled. `done(layer)` is called after each layer.
    pub fn forward<'d>(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        layers: Range<usize>,
        drawn: impl Fn(usize) -> &'d Drawn,
        mut done: impl FnMut(usize),
    ) {
        let last = network.mlp.depth() - 1;
        for index in layers {
            let (layer, z) = (network.layer(index), &mut self.z[index]);
            let (below, above) = self.lists.split_at_mut(index + 1);
            let x = LayerInputs { lists: &below[index], quads: &mut self.quads[index] };
            if index == last {
                layer.output(pass, x, z);
            } else {
                layer.forward(pass, x, drawn(index + 1), z, &mut above[0]);
            }
            done(index);
        }
    }

    /// Runs the forward pass through the given layers without noise.
    pub fn forward_whole(&mut self, pass: Pass, network: NetworkView<'_>, layers: Range<usize>) {
        self.forward(pass, network, layers, |_| &Drawn::Nothing, |_| ());
    }
}
