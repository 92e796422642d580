//! The paper's form and the engine's form of the same network.
//!
//! The paper (section 4) drops units without scaling while training, and
//! multiplies outgoing weights by p at test time. The engine divides kept units
//! by p while training (section 10) and leaves the weights alone. With p the
//! keep rate of a layer's *inputs*, the two are equivalent under
//!
//! | quantity | engine's form |
//! |---|---|
//! | weights | W = p W_paper |
//! | velocities of weights (sums of gradients) | v = v_paper / p |
//! | max-norm | c = p c_paper |
//! | learning rate of W | η = p² η_paper (biases: the same) |
//! | weight decay | λ = λ_paper / p² |

use serde::{Deserialize, Serialize};

use super::{Mlp, PlainNetwork};
use crate::{
    error::Error,
    named::{names, text_is_name},
    rate::Keep,
};

/// The form that weights are in.
///
/// ```
/// use thinnet::nn::Scaling;
///
/// assert_eq!("paper".parse::<Scaling>()?, Scaling::Paper);
/// assert_eq!(Scaling::default().name(), "inverted");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scaling {
    /// The engine's and PyTorch's: kept units are divided by p while training.
    #[default]
    Inverted,
    /// The paper's: weights are to be multiplied by p at test time.
    Paper,
}

names! {
    /// All of them.
    ALL of Scaling;
    /// The name in files and at the command line.
    name;
    Inverted => "inverted",
    Paper => "paper",
}
text_is_name!(Scaling, "scaling");

impl Scaling {
    /// What a weight of this form, whose input is kept with `keep`, is
    /// multiplied by to be the engine's.
    pub(crate) fn to_inverted(self, keep: Keep) -> f64 {
        match self {
            Self::Inverted => 1.0,
            Self::Paper => keep.get(),
        }
    }
}

/// The engine's bound for max-norm `c`, given for the paper's weights.
pub(crate) fn max_norm_from_paper(c: f64, keep_of_inputs: Keep) -> f64 {
    c * keep_of_inputs.get()
}

/// The engine's learning rate of weights, given for the paper's weights.
pub(crate) fn learning_rate_from_paper(learning_rate: f64, keep_of_inputs: Keep) -> f64 {
    learning_rate * keep_of_inputs.get() * keep_of_inputs.get()
}

/// The engine's weight decay, given for the paper's weights.
pub(crate) fn decay_from_paper(decay: f64, keep_of_inputs: Keep) -> f64 {
    decay / (keep_of_inputs.get() * keep_of_inputs.get())
}

/// A network whose weights are the paper's: trained without 1/p, to be
/// multiplied by p at test time.
///
/// ```
/// use thinnet::{Keep, nn::{Loss, Mlp}};
///
/// let mut mlp = Mlp::builder(2).input_keep(Keep::HALF).output(1, Loss::SquaredError).build()?;
/// mlp.set_weights(0, &[0.5, -1.0])?;
/// let paper = mlp.into_paper();
/// assert_eq!(paper.paper_weights().weights(0)?, [1.0, -2.0]);
/// assert_eq!(paper.into_inverted().weights(0)?, [0.5, -1.0]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PaperMlp {
    mlp: Mlp,
}

impl PaperMlp {
    /// Takes the parameters of `mlp` as the paper's: nothing is converted.
    pub fn from_paper_weights(mlp: Mlp) -> Self {
        Self { mlp }
    }

    /// The network with the paper's weights in it: nothing is converted.
    pub fn paper_weights(&self) -> &Mlp {
        &self.mlp
    }

    /// The same network in the engine's form: W = p W_paper. The weights are changed in
    /// place.
    pub fn into_inverted(self) -> Mlp {
        scaled(self.mlp, Keep::get)
    }

    /// Test time as the paper writes it, in f64: each unit's value is
    /// multiplied by its keep rate before the weights above it.
    ///
    /// # Errors
    /// `x` has another length than the network's inputs.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let keeps = self.mlp.keeps();
        let network = PlainNetwork::from(&self.mlp);
        Ok(self.mlp.loss.link(&network.logits_scaled(x, |site, _| keeps[site].get())?))
    }
}

impl Mlp {
    /// The same network in the paper's form: W_paper = W / p. The weights are changed in
    /// place: [`Self::try_clone`] keeps the network besides.
    pub fn into_paper(self) -> PaperMlp {
        PaperMlp { mlp: scaled(self, |keep| 1.0 / keep.get()) }
    }
}

/// The network with each layer's weights multiplied by a function of the keep
/// rate of its inputs.
fn scaled(mut mlp: Mlp, factor: impl Fn(Keep) -> f64) -> Mlp {
    for index in 0..mlp.depth() {
        let factor = factor(mlp.keep_below(index));
        for w in mlp.layers[index].weights.values_mut() {
            *w = (f64::from(*w) * factor) as f32;
        }
    }
    mlp
}
