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
    /// Uniform in ±1 / sqrt(inputs): the usual heuristic in equation 1 of Glorot and Bengio 2010, and
    /// PyTorch's default for the weights of `nn.Linear`. These weights are smaller: their variance is
    /// 1 / (3 inputs).
    #[serde(rename = "fan_in")]
    FanIn,
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
    FanIn => "fan_in",
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
            Self::FanIn => 1.0 / (inputs as f64).sqrt(),
            Self::Paper => keep.get() / (outputs as f64).sqrt(),
        };
        for output in 0..outputs {
            let mut rng = streams.rng(output as u64);
            let mut spare = None;
            for input in 0..inputs {
                let unit = match self {
                    Self::Glorot | Self::FanIn => 2.0 * uniform(&mut rng) - 1.0,
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

#[cfg(test)]
mod tests {
    use super::Initialisation;
    use crate::{
        nn::{Activation, Loss, Mlp},
        rate::Keep,
    };

    const INPUTS: usize = 100;
    const OUTPUTS: usize = 500;
    const KEEP: f64 = 0.75;

    /// Standard errors that a mean or a variance may be off: by chance with probability 2e-9.
    const SIGMAS: f64 = 6.0;

    /// Mean 0, the variance of the formula, and for uniform numbers the bounds of the formula.
    #[test]
    fn weights_have_the_distribution_of_their_formula() {
        let (inputs, outputs) = (INPUTS as f64, OUTPUTS as f64);
        for &initialisation in Initialisation::ALL {
            let (variance, bound) = match initialisation {
                Initialisation::He => (2.0 / inputs, None),
                Initialisation::Glorot => {
                    (2.0 / (inputs + outputs), Some(6.0 / (inputs + outputs)))
                }
                Initialisation::FanIn => (1.0 / (3.0 * inputs), Some(1.0 / inputs)),
                Initialisation::Paper => (KEEP * KEEP / outputs, None),
            };
            let mlp = Mlp::builder(INPUTS)
                .input_noise(Keep::new(KEEP).unwrap())
                .hidden(OUTPUTS, Activation::Relu, Keep::HALF)
                .output(2, Loss::SoftmaxCrossEntropy)
                .initialisation(initialisation)
                .seed(7)
                .build()
                .unwrap();
            let weights: Vec<f64> = mlp.weights(0).unwrap().into_iter().map(f64::from).collect();
            let count = weights.len() as f64;
            let mean = weights.iter().sum::<f64>() / count;
            let found = weights.iter().map(|w| w * w).sum::<f64>() / count;
            // The fourth moment is 3 variance² for normal numbers, and 9/5 variance² for uniform ones.
            let excess: f64 = if bound.is_some() { 0.8 } else { 2.0 };
            let allowed = SIGMAS * variance * (excess / count).sqrt();
            assert!((found - variance).abs() < allowed, "{initialisation}: {found} {variance}");
            assert!(mean.abs() < SIGMAS * (variance / count).sqrt(), "{initialisation}: {mean}");
            if let Some(square) = bound {
                let largest = weights.iter().fold(0.0, |largest: f64, w| largest.max(w.abs()));
                let limit = square.sqrt();
                // Of 50,000 uniform numbers, none comes within 0.1 % of the bound with probability e^-50.
                assert!(largest <= limit * (1.0 + 1e-7) && largest > 0.999 * limit, "{largest}");
            }
        }
    }
}
