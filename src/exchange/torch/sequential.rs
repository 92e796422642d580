//! A network as PyTorch's `nn.Sequential`.

use std::fmt;

use crate::{
    nn::{Activation, EluAlpha, Mlp, NegativeSlope},
    rate::Keep,
};

/// The `nn.Sequential` with the layers of a network: `nn.Dropout` where units are dropped,
/// `nn.Linear`, and the activations that are not the identity. It prints as the Python
/// expression. The positions of its linear modules are the numbers in the names of the state
/// dict. Gaussian noise, for which PyTorch has no module, is left out.
///
/// ```
/// use thinnet::{Keep, exchange::torch::Sequential, nn::{Activation, Loss, Mlp}};
///
/// let mlp = Mlp::builder(4).hidden(8, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// assert_eq!(
///     Sequential::from(&mlp).to_string(),
///     "nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))"
/// );
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sequential {
    modules: Vec<Module>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Module {
    Dropout(Keep),
    Linear(usize, usize),
    Activation(&'static str),
    LeakyRelu(NegativeSlope),
    GeluTanh,
    Elu(EluAlpha),
    /// The three modules of a maxout layer: `[rows][pieces * units]` becomes `[rows][pieces][units]`,
    /// then `[rows][1][units]`, then `[rows][units]`.
    Unflatten(usize, usize),
    MaxPool(usize),
    Flatten,
}

impl From<&Mlp> for Sequential {
    fn from(mlp: &Mlp) -> Self {
        let widths = mlp.widths();
        Self::new(&widths, &mlp.keeps(), &mlp.activations(), &mlp.pieces())
    }
}

impl Sequential {
    /// The modules of a network with these widths, keep rates of each layer's inputs, and
    /// activations and numbers of pieces of the hidden layers.
    pub(super) fn new(
        widths: &[usize],
        keeps: &[Keep],
        activations: &[Activation],
        pieces: &[usize],
    ) -> Self {
        let mut modules = Vec::new();
        for (layer, (pair, keep)) in widths.windows(2).zip(keeps).enumerate() {
            if keep.drops() {
                modules.push(Module::Dropout(*keep));
            }
            let (units, pieces) = (pair[1], pieces.get(layer).copied().unwrap_or(1));
            modules.push(Module::Linear(pair[0], units.saturating_mul(pieces)));
            if pieces > 1 {
                modules.extend([
                    Module::Unflatten(pieces, units),
                    Module::MaxPool(pieces),
                    Module::Flatten,
                ]);
            }
            modules.extend(activations.get(layer).copied().and_then(module));
        }
        Self { modules }
    }

    /// The prefix of `weight` and `bias` in the names of each layer.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.modules
            .iter()
            .enumerate()
            .filter(|(_, module)| matches!(module, Module::Linear(..)))
            .map(|(index, _)| format!("{index}."))
    }
}

/// The module of an activation, if it needs one.
fn module(activation: Activation) -> Option<Module> {
    match activation {
        Activation::Relu => Some(Module::Activation("ReLU")),
        Activation::LeakyRelu(slope) => Some(Module::LeakyRelu(slope)),
        Activation::Logistic => Some(Module::Activation("Sigmoid")),
        Activation::Tanh => Some(Module::Activation("Tanh")),
        Activation::Identity => None,
        Activation::Silu => Some(Module::Activation("SiLU")),
        Activation::Gelu => Some(Module::Activation("GELU")),
        Activation::GeluTanh => Some(Module::GeluTanh),
        Activation::Elu(alpha) => Some(Module::Elu(alpha)),
        Activation::Softplus => Some(Module::Activation("Softplus")),
    }
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nn.Sequential(")?;
        for (index, module) in self.modules.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match module {
                Module::Dropout(keep) => write!(f, "nn.Dropout({})", keep.drop_decimal())?,
                Module::Linear(inputs, outputs) => write!(f, "nn.Linear({inputs}, {outputs})")?,
                Module::Activation(name) => write!(f, "nn.{name}()")?,
                Module::LeakyRelu(slope) => write!(f, "nn.LeakyReLU({})", slope.get())?,
                Module::GeluTanh => f.write_str("nn.GELU(approximate='tanh')")?,
                Module::Elu(alpha) => write!(f, "nn.ELU({})", alpha.get())?,
                Module::Unflatten(pieces, units) => {
                    write!(f, "nn.Unflatten(1, ({pieces}, {units}))")?;
                }
                Module::MaxPool(pieces) => write!(f, "nn.MaxPool2d(({pieces}, 1))")?,
                Module::Flatten => f.write_str("nn.Flatten()")?,
            }
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_rates_are_short() {
        for (drop, text) in [(0.2, "0.2"), (0.5, "0.5"), (0.37, "0.37"), (1.0 / 3.0, "0.33333")] {
            let dropout = Module::Dropout(Keep::from_drop(drop).unwrap());
            let shown = Sequential { modules: vec![dropout] }.to_string();
            assert_eq!(shown, format!("nn.Sequential(nn.Dropout({text}))"));
        }
    }

    #[test]
    fn modules_are_counted_as_pytorch_does() {
        let keeps = [Keep::new(0.8).unwrap(), Keep::ONE, Keep::HALF];
        let activations = [Activation::Tanh, Activation::Identity];
        let sequential = Sequential::new(&[3, 5, 7, 2], &keeps, &activations, &[1, 1]);
        assert_eq!(
            sequential.to_string(),
            "nn.Sequential(nn.Dropout(0.2), nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 7), \
             nn.Dropout(0.5), nn.Linear(7, 2))"
        );
        assert_eq!(sequential.names().collect::<Vec<_>>(), ["1.", "3.", "5."]);
    }
}
