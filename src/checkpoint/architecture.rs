//! A network without its parameters, as described in the metadata.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    elements::ElementType,
    reader::Reader,
    tensor::{ReadInto, Tensor, WriteFrom},
};
use crate::{
    error::Error,
    mask,
    nn::{Activation, Loss, Mlp, MlpBuilder, Scaling, Temperature, check_pieces, check_threshold},
    noise::Noise,
    rate::Keep,
    sigma::Sigma,
    thin::Tiles,
};

/// The metadata in the form in which it is written, for any network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format: u32,
    input: Input,
    /// The layers with weights, the output layer last.
    layers: Vec<Layer>,
    loss: Loss,
    mask_format: u32,
    scaling: Scaling,
    /// Absent if it is 1. It is exactly an f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    noise: SavedNoise,
    sparse: bool,
    width: usize,
}

/// A layer with weights, and the noise on its outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Layer {
    Dense {
        activation: Activation,
        noise: SavedNoise,
        width: usize,
    },
    /// A hidden layer of `width` units, each the maximum of `pieces` outputs, from 2 to 256. Output
    /// j `width` + i is piece j of unit i.
    Maxout {
        noise: SavedNoise,
        pieces: usize,
        width: usize,
    },
}

/// What a dropout site does to its units in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum SavedNoise {
    /// Nothing. Not a unit variant: serde accepts unknown fields for those.
    None {},
    /// Keeps each unit with probability k / 65536, k < 65536, and drops it otherwise.
    Bernoulli { keep_k: u32 },
    /// Multiplies each unit by a number from N(1, sigma²), sigma > 0. It is exactly an f32.
    Gaussian { sigma: f64 },
}

impl From<Noise> for SavedNoise {
    fn from(noise: Noise) -> Self {
        match noise {
            Noise::None => Self::None {},
            Noise::Bernoulli(keep) => Self::Bernoulli { keep_k: keep.k() },
            Noise::Gaussian(sigma) => Self::Gaussian { sigma: sigma.get().into() },
        }
    }
}

impl TryFrom<SavedNoise> for Noise {
    type Error = Error;

    fn try_from(saved: SavedNoise) -> Result<Self, Error> {
        match saved {
            SavedNoise::None {} => Ok(Self::None),
            // Only one spelling, so that the same model gives the same bytes.
            SavedNoise::Bernoulli { keep_k: keep_k @ Keep::ONE_K } => {
                Err(Error::BernoulliKeepsAll { keep_k })
            }
            SavedNoise::Bernoulli { keep_k } => Keep::from_k(keep_k).map(Self::from),
            SavedNoise::Gaussian { sigma: saved } => {
                let sigma = Sigma::new(saved)?;
                if sigma == Sigma::ZERO || f64::from(sigma.get()) != saved {
                    return Err(Error::SavedSigma { sigma: saved });
                }
                Ok(sigma.into())
            }
        }
    }
}

/// The temperature in a file, of which each has only one spelling, so that the same model gives the
/// same bytes.
fn temperature(saved: Option<f64>) -> Result<Temperature, Error> {
    let Some(saved) = saved else { return Ok(Temperature::ONE) };
    let temperature = Temperature::new(saved)?;
    if temperature == Temperature::ONE || f64::from(temperature.get()) != saved {
        return Err(Error::SavedTemperature { temperature: saved });
    }
    Ok(temperature)
}

/// A hidden layer without its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hidden {
    width: usize,
    unit: HiddenUnit,
    noise: Noise,
}

/// What a unit of a hidden layer computes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum HiddenUnit {
    Activation(Activation),
    /// The maximum of so many pieces.
    Maxout(usize),
}

impl Hidden {
    /// The number of pieces of each unit.
    fn pieces(self) -> usize {
        match self.unit {
            HiddenUnit::Activation(_) => 1,
            HiddenUnit::Maxout(pieces) => pieces,
        }
    }
}

/// A multilayer perceptron without its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Metadata", into = "Metadata")]
pub(crate) struct Architecture {
    inputs: usize,
    input_noise: Noise,
    sparse_input: bool,
    hidden: Vec<Hidden>,
    outputs: usize,
    loss: Loss,
    scaling: Scaling,
    temperature: Temperature,
    threshold: Option<f64>,
}

/// For example, `relu` or `maxout(5)`.
impl fmt::Display for HiddenUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activation(activation) => activation.fmt(f),
            Self::Maxout(pieces) => write!(f, "maxout({pieces})"),
        }
    }
}

impl From<&Mlp> for Architecture {
    fn from(mlp: &Mlp) -> Self {
        let hidden = mlp.layers[..mlp.depth() - 1].iter().map(|layer| Hidden {
            width: layer.units(),
            unit: match layer.pieces {
                1 => HiddenUnit::Activation(layer.activation),
                pieces => HiddenUnit::Maxout(pieces),
            },
            noise: layer.noise,
        });
        Self {
            inputs: mlp.inputs(),
            input_noise: mlp.input_noise,
            sparse_input: mlp.sparse_input,
            hidden: hidden.collect(),
            outputs: mlp.outputs(),
            loss: mlp.loss,
            scaling: Scaling::Inverted,
            temperature: mlp.temperature(),
            // One spelling of 0.
            threshold: mlp.threshold().map(|threshold| threshold + 0.0),
        }
    }
}

impl From<Architecture> for Metadata {
    fn from(said: Architecture) -> Self {
        let Architecture { inputs, input_noise, sparse_input, hidden, outputs, loss, .. } = said;
        let Architecture { scaling, temperature, threshold, .. } = said;
        let unit = HiddenUnit::Activation(Activation::Identity);
        let output = Hidden { width: outputs, unit, noise: Noise::None };
        let layer = |Hidden { width, unit, noise }: Hidden| {
            let noise = noise.into();
            match unit {
                HiddenUnit::Activation(activation) => Layer::Dense { activation, noise, width },
                HiddenUnit::Maxout(pieces) => Layer::Maxout { noise, pieces, width },
            }
        };
        Self {
            format: super::FORMAT,
            input: Input { noise: input_noise.into(), sparse: sparse_input, width: inputs },
            layers: hidden.into_iter().chain([output]).map(layer).collect(),
            loss,
            mask_format: mask::FORMAT,
            scaling,
            temperature: (temperature != Temperature::ONE).then(|| temperature.get().into()),
            threshold,
        }
    }
}

impl TryFrom<Metadata> for Architecture {
    type Error = Error;

    fn try_from(metadata: Metadata) -> Result<Self, Error> {
        let Metadata { input, layers, loss, scaling, temperature: saved, threshold, .. } = metadata;
        let layer = |layer| {
            let (width, unit, noise) = match layer {
                Layer::Dense { activation, noise, width } => {
                    (width, HiddenUnit::Activation(activation), noise)
                }
                Layer::Maxout { noise, pieces, width } => {
                    check_pieces(pieces)?;
                    (width, HiddenUnit::Maxout(pieces), noise)
                }
            };
            Ok(Hidden { width, unit, noise: noise.try_into()? })
        };
        let mut hidden = layers.into_iter().map(layer).collect::<Result<Vec<_>, Error>>()?;
        let Hidden { width: outputs, unit, noise } = hidden.pop().ok_or(Error::NoLayers)?;
        if unit != HiddenUnit::Activation(Activation::Identity) || noise != Noise::None {
            return Err(Error::OutputLayer { activation: unit.to_string(), noise });
        }
        let (input_noise, sparse_input) = (Noise::try_from(input.noise)?, input.sparse);
        let (inputs, temperature) = (input.width, temperature(saved)?);
        temperature.check(loss)?;
        threshold.map_or(Ok(()), |threshold| check_threshold(loss, outputs, threshold))?;
        Ok(Self {
            inputs,
            input_noise,
            sparse_input,
            hidden,
            outputs,
            loss,
            scaling,
            temperature,
            threshold,
        })
    }
}

/// The version numbers of a file: checked before the rest, whose form depends on them.
#[derive(Deserialize)]
pub(crate) struct Versions {
    format: u32,
    mask_format: u32,
}

impl Versions {
    /// Checks that this version can read the file.
    pub fn check(&self, refuse: impl Fn(String) -> Error) -> Result<(), Error> {
        for (what, got, expected) in [
            ("file format", self.format, super::FORMAT),
            ("mask format", self.mask_format, mask::FORMAT),
        ] {
            if got != expected {
                return Err(refuse(format!(
                    "{what} {got}: this version of thinnet reads only {expected}"
                )));
            }
        }
        Ok(())
    }
}

/// The noise of a site, as a summary shows it.
fn described(noise: Noise) -> String {
    match noise {
        Noise::None | Noise::Bernoulli(_) => format!("keep {}", noise.keep().decimal()),
        Noise::Gaussian(_) => noise.to_string(),
    }
}

/// The names of a layer's weight and bias.
pub(super) fn names(prefix: &str, layer: usize) -> [String; 2] {
    ["weight", "bias"].map(|what| format!("{prefix}layers.{layer}.{what}"))
}

impl Architecture {
    /// The number of layers with weights.
    pub fn depth(&self) -> usize {
        self.hidden.len() + 1
    }

    /// The number of units in the input, each hidden layer and the output.
    pub fn widths(&self) -> Vec<usize> {
        let hidden = self.hidden.iter().map(|layer| layer.width);
        [self.inputs].into_iter().chain(hidden).chain([self.outputs]).collect()
    }

    /// The keep rate of each layer's inputs.
    pub fn keeps(&self) -> Vec<Keep> {
        self.noises().map(Noise::keep).collect()
    }

    /// The noise on each layer's inputs.
    pub fn noises(&self) -> impl Iterator<Item = Noise> {
        [self.input_noise].into_iter().chain(self.hidden.iter().map(|layer| layer.noise))
    }

    /// The activations of the hidden layers; in a maxout layer, the identity.
    pub fn activations(&self) -> Vec<Activation> {
        let activation = |layer: &Hidden| match layer.unit {
            HiddenUnit::Activation(activation) => activation,
            HiddenUnit::Maxout(_) => Activation::Identity,
        };
        self.hidden.iter().map(activation).collect()
    }

    /// The numbers of pieces of the units of the hidden layers.
    pub fn pieces(&self) -> Vec<usize> {
        self.hidden.iter().map(|layer| layer.pieces()).collect()
    }

    /// The shape of each layer's weights, `[outputs, inputs]`. A number that is too large for any
    /// memory is the largest one.
    pub fn shapes(&self) -> Vec<[usize; 2]> {
        let pieces = self.pieces().into_iter().chain([1]);
        let of_layer =
            |(pair, pieces): (&[usize], usize)| [pair[1].saturating_mul(pieces), pair[0]];
        self.widths().windows(2).zip(pieces).map(of_layer).collect()
    }

    /// Refuses maxout units, which `what` does not support.
    pub fn ensure_no_maxout(&self, what: &'static str) -> Result<(), Error> {
        match self.pieces().into_iter().enumerate().find(|(_, pieces)| *pieces > 1) {
            Some((layer, pieces)) => Err(Error::Maxout { what, layer, pieces }),
            None => Ok(()),
        }
    }

    /// A one-line summary.
    pub fn describe(&self) -> String {
        let sparse = if self.sparse_input { ", sparse" } else { "" };
        let mut text = format!("{} ({}{sparse})", self.inputs, described(self.input_noise));
        for Hidden { width, unit, noise } in &self.hidden {
            text += &format!("-{width} {unit} ({})", described(*noise));
        }
        text += &format!("-{} {}", self.outputs, self.loss);
        if self.temperature != Temperature::ONE {
            text += &format!(", temperature {}", self.temperature);
        }
        if let Some(threshold) = self.threshold {
            text += &format!(", threshold {threshold}");
        }
        text
    }

    /// The loss.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// How the weights are scaled.
    pub fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// The same architecture without noise, temperature and threshold, and so with the same
    /// parameters.
    pub fn of_parameters(&self) -> Self {
        let hidden = self.hidden.iter();
        Self {
            input_noise: Noise::None,
            sparse_input: false,
            hidden: hidden.map(|&layer| Hidden { noise: Noise::None, ..layer }).collect(),
            temperature: Temperature::ONE,
            threshold: None,
            ..self.clone()
        }
    }

    /// The temperature of the predictions.
    pub fn temperature(&self) -> Temperature {
        self.temperature
    }

    /// The decision threshold.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// The same architecture without the temperature, which the parameters include.
    pub fn without_temperature(self) -> Self {
        Self { temperature: Temperature::ONE, ..self }
    }

    /// Refuses a temperature in a kind of file that saving does not give any.
    pub fn check_no_temperature(&self, file: &Reader<'_>, why: &str) -> Result<(), Error> {
        if self.temperature == Temperature::ONE {
            return Ok(());
        }
        Err(file.refuse(format!("temperature {}: expected none, because {why}", self.temperature)))
    }

    /// The same architecture with weights scaled in another way.
    pub fn with_scaling(self, scaling: Scaling) -> Self {
        Self { scaling, ..self }
    }

    /// Checks, before memory is allocated, that the file has parameters of this shape, or optimiser
    /// state of this shape, under names that start with `prefix`.
    pub fn check_tensors(&self, file: &Reader<'_>, prefix: &str) -> Result<(), Error> {
        for (layer, shape) in self.shapes().iter().enumerate() {
            let [weight, bias] = names(prefix, layer);
            file.find(&weight, shape, &[ElementType::F32])?;
            file.find(&bias, &shape[..1], &[ElementType::F32])?;
        }
        Ok(())
    }

    /// Checks what a model or checkpoint says about its network, before its tensors.
    pub fn check_form(&self, file: &Reader<'_>) -> Result<(), Error> {
        if self.scaling != Scaling::Inverted {
            let name = self.scaling.name();
            return Err(file.refuse(format!("scaling `{name}`: expected `inverted`")));
        }
        self.loss.check_outputs(self.outputs).map_err(|error| file.refuse(error.to_string()))
    }

    /// Checks that the file has f32 weights, in the form of a model or checkpoint.
    pub fn check_network(&self, file: &Reader<'_>) -> Result<(), Error> {
        self.check_form(file)?;
        self.check_tensors(file, "")
    }

    /// The network with all parameters 0.
    pub fn zeroed(&self) -> Result<Mlp, Error> {
        let mut mlp = self.builder().build_zeroed()?;
        mlp.set_temperature(self.temperature)?;
        mlp.set_threshold(self.threshold)?;
        Ok(mlp)
    }

    /// A builder for the network, which does not have its temperature and its threshold.
    pub fn builder(&self) -> MlpBuilder {
        let mut builder = Mlp::builder(self.inputs).input_noise(self.input_noise);
        if self.sparse_input {
            builder = builder.sparse_input();
        }
        for &Hidden { width, unit, noise } in &self.hidden {
            builder = match unit {
                HiddenUnit::Activation(activation) => builder.hidden(width, activation, noise),
                HiddenUnit::Maxout(pieces) => builder.hidden_maxout(width, pieces, noise),
            };
        }
        builder.output(self.outputs, self.loss)
    }
}

/// A layer's weights and biases, or the optimiser's state for them, to be written to a file; `bias`
/// may be padded.
pub(super) fn saved<'m>(
    prefix: &str,
    layer: usize,
    weights: &'m Tiles,
    bias: &'m [f32],
) -> [Tensor<WriteFrom<'m>>; 2] {
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    let [of_weights, of_bias] = names(prefix, layer);
    [
        Tensor::new(of_weights, vec![outputs, inputs], WriteFrom::Weights(weights)),
        Tensor::new(of_bias, vec![outputs], WriteFrom::Values(&bias[..outputs])),
    ]
}

/// The same, to be read from a file.
pub(super) fn loaded<'m>(
    prefix: &str,
    layer: usize,
    weights: &'m mut Tiles,
    bias: &'m mut [f32],
) -> [Tensor<ReadInto<'m>>; 2] {
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    let [of_weights, of_bias] = names(prefix, layer);
    [
        Tensor::new(of_weights, vec![outputs, inputs], ReadInto::Weights(weights)),
        Tensor::new(of_bias, vec![outputs], ReadInto::Values(&mut bias[..outputs])),
    ]
}

/// All parameters of a network, to be written to a file.
pub(crate) fn saved_network(mlp: &Mlp) -> Vec<Tensor<WriteFrom<'_>>> {
    let layers = mlp.layers.iter().enumerate();
    layers.flat_map(|(index, layer)| saved("", index, &layer.weights, &layer.bias)).collect()
}

/// All parameters of a network, to be read from a file.
pub(super) fn loaded_network(mlp: &mut Mlp) -> Vec<Tensor<ReadInto<'_>>> {
    let layers = mlp.layers.iter_mut().enumerate();
    layers
        .flat_map(|(index, layer)| loaded("", index, &mut layer.weights, &mut layer.bias))
        .collect()
}
