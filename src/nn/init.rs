//! Initial weights, as a pure function of (seed, layer, unit, input).

use std::f64::consts::TAU;

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::Rng};
use serde::{Deserialize, Serialize};

use super::Layer;
use crate::{
    mask::{Domain, Streams},
    named::{names, text_is_name},
    rate::Keep,
};

/// How weights are initialised; biases are initialised to 0.
///
/// Each unit has its own random stream (domain initialisation, layer = the weight layer counted
/// from 0, row = the unit), which is read in the order of the unit's inputs.
///
/// ```
/// use thinnet::nn::{Initialisation, Loss, Mlp};
///
/// let network = |start| {
///     Mlp::builder(3).output(2, Loss::SquaredError).initialisation(start).seed(1).build()
/// };
/// assert_ne!(network(Initialisation::He)?, network(Initialisation::Glorot)?);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Initialisation {
    /// N(0, 2 / inputs): He et al. 2015, PyTorch's `kaiming_normal_`. The factor 2 is derived for
    /// ReLU. It is also the usual choice for SiLU, GELU, ELU and softplus, which approach a ReLU
    /// far from 0 and for which PyTorch's `calculate_gain` has no gain of their own.
    He,
    /// Uniform in ±sqrt(6 / (inputs + outputs)): Glorot and Bengio 2010,
    /// PyTorch's `xavier_uniform_`.
    Glorot,
    /// N(0, 1 / outputs) for the paper's weights, hence p times such a number in the engine's form:
    /// the default in the authors' published code.
    Paper,
}

names! {
    /// All initialisations.
    ALL of Initialisation;
    /// The name in files and on the command line.
    name;
    He => "he",
    Glorot => "glorot",
    Paper => "paper",
}
text_is_name!(Initialisation, "initialisation");

/// A uniform random number in [0, 1) with 53 bits.
fn uniform(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 * f64::EPSILON * 0.5
}

/// Two independent standard normal random numbers (Box and Muller 1958).
fn normals(rng: &mut Xoshiro256PlusPlus) -> [f64; 2] {
    let radius = (-2.0 * libm::log(1.0 - uniform(rng))).sqrt();
    let angle = TAU * uniform(rng);
    [radius * libm::cos(angle), radius * libm::sin(angle)]
}

impl Initialisation {
    /// Draws the weights of layer `index`; `keep` is the keep rate of its inputs.
    pub(super) fn fill(self, seed: u64, index: usize, keep: Keep, layer: &mut Layer) {
        let (inputs, outputs) = (layer.weights.inputs(), layer.weights.outputs());
        let streams = Streams::new(seed, Domain::Initialisation, index as u64, 0);
        let deviation = match self {
            Self::He => (2.0 / inputs as f64).sqrt(),
            Self::Glorot => (6.0 / (inputs + outputs) as f64).sqrt(),
            Self::Paper => keep.get() / (outputs as f64).sqrt(),
        };
        for output in 0..outputs {
            let mut rng = streams.rng(output as u64);
            let mut spare = None;
            for input in 0..inputs {
                let unit = match self {
                    Self::Glorot => 2.0 * uniform(&mut rng) - 1.0,
                    Self::He | Self::Paper => spare.take().unwrap_or_else(|| {
                        let [first, second] = normals(&mut rng);
                        spare = Some(second);
                        first
                    }),
                };
                layer.weights.set(output, input, (deviation * unit) as f32);
            }
        }
    }
}
