//! The paper's form and the engine's form of the same network.
//!
//! The paper (section 4) drops units without scaling during training, and multiplies outgoing
//! weights by p at test time. The engine divides kept units by p during training (section 10)
//! and leaves the weights alone. With p the keep rate of a layer's *inputs* (1 if they are not
//! dropped), the two are equivalent under
//!
//! | quantity | engine's form |
//! |---|---|
//! | weights | W = p W_paper |
//! | gradients of weights | g = g_paper / p |
//! | max-norm | c = p c_paper |
//!
//! The settings of optimisers are converted by
//! [`paper_rates`](crate::train::TrainerBuilder::paper_rates).

use serde::{Deserialize, Serialize};

use super::{Mlp, PlainNetwork};
use crate::{
    error::Error,
    named::{names, text_is_name},
    rate::Keep,
};

/// The form of the weights.
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
    /// The engine's and PyTorch's form, in which kept units are divided by p during training.
    #[default]
    Inverted,
    /// The paper's form, in which weights are multiplied by p at test time.
    Paper,
}

names! {
    /// All forms.
    ALL of Scaling;
    /// The name in files and on the command line.
    name;
    Inverted => "inverted",
    Paper => "paper",
}
text_is_name!(Scaling, "scaling");

impl Scaling {
    /// The factor that converts a weight of this form to the engine's; `keep` is the keep rate of
    /// its input.
    pub(crate) fn to_inverted(self, keep: Keep) -> f64 {
        match self {
            Self::Inverted => 1.0,
            Self::Paper => keep.get(),
        }
    }
}

/// The engine's max-norm bound, from the bound `c` on the paper's weights.
pub(crate) fn max_norm_from_paper(c: f64, keep_of_inputs: Keep) -> f64 {
    c * keep_of_inputs.get()
}

/// A network in the paper's form: its weights are trained without 1/p, and multiplied by p at
/// test time.
///
/// ```
/// use thinnet::{Keep, nn::{Loss, Mlp}};
///
/// let mut mlp = Mlp::builder(2).input_noise(Keep::HALF).output(1, Loss::SquaredError).build()?;
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
    /// Interprets the parameters of `mlp` as the paper's, without conversion.
    pub fn from_paper_weights(mlp: Mlp) -> Self {
        Self { mlp }
    }

    /// The network that holds the paper's weights, without conversion.
    pub fn paper_weights(&self) -> &Mlp {
        &self.mlp
    }

    /// The same network in the engine's form, W = p W_paper. The weights are converted in place.
    pub fn into_inverted(self) -> Mlp {
        scaled(self.mlp, Keep::get)
    }

    /// The prediction at test time as in the paper, in f64: each unit's value is multiplied by its
    /// keep rate before it is multiplied by its outgoing weights.
    ///
    /// # Errors
    /// The length of `x` is not the network's number of inputs.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let keeps = self.mlp.keeps();
        let network = PlainNetwork::from(&self.mlp);
        Ok(network.predictions(&network.logits_scaled(x, |site, _| keeps[site].get())?))
    }
}

impl Mlp {
    /// The same network in the paper's form, W_paper = W / p. The weights are converted in place;
    /// to keep the original, use [`Self::try_clone`] first.
    pub fn into_paper(self) -> PaperMlp {
        PaperMlp { mlp: scaled(self, |keep| 1.0 / keep.get()) }
    }
}

/// The network with each layer's weights multiplied by a function of the keep rate of the
/// layer's inputs.
fn scaled(mut mlp: Mlp, factor: impl Fn(Keep) -> f64) -> Mlp {
    for index in 0..mlp.depth() {
        let factor = factor(mlp.keep_below(index));
        for w in mlp.layers[index].weights.values_mut() {
            *w = (f64::from(*w) * factor) as f32;
        }
    }
    mlp
}
