//! The weights of a network with fewer bits, arranged for the products.

use super::{IntegerLayer, IntegerMlp};
use crate::{
    error::Error,
    memory::reserve,
    simd::{Isa, dots::Dotter},
    thin::{
        Bf16, Tiles,
        integer::{Orders, Parameters, QuadTiles},
    },
};

/// Weights with fewer bits, to be used instead of a network's own, layer by layer.
#[derive(Clone, Debug)]
pub(crate) enum Rounded {
    Bf16(Vec<Tiles<Bf16>>),
    Integers(Vec<QuadTiles>),
}

impl Rounded {
    /// The weights of `integers`, arranged for an instruction set.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn integers(integers: &IntegerMlp, isa: Isa) -> Result<Self, Error> {
        let dotter = Dotter::of(isa);
        let mut layers = reserve("layers", integers.layers().len())?;
        let mut inputs = None;
        for (layer, of_mlp) in integers.layers().iter().zip(&integers.network().layers) {
            let IntegerLayer { weights, scales, order } = layer;
            let bias = &of_mlp.bias;
            let orders = Orders { inputs, outputs: Some(order) };
            layers.push(QuadTiles::new(Parameters { weights, scales, bias }, orders, dotter)?);
            inputs = orders.outputs;
        }
        Ok(Self::Integers(layers))
    }

    /// Arranges the weights for another instruction set.
    pub fn arrange(&mut self, isa: Isa) {
        match self {
            Self::Bf16(_) => {}
            Self::Integers(layers) => {
                for layer in layers {
                    layer.arrange(Dotter::of(isa));
                }
            }
        }
    }

    /// The name of the numbers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bf16(_) => "bf16",
            Self::Integers(_) => "integers",
        }
    }
}
