//! A network without its parameters, as metadata says it.

use serde::{Deserialize, Serialize};

use super::tensors::{Reader, Writer};
use crate::{
    error::Error,
    mask,
    nn::{Activation, Loss, Mlp, MlpBuilder, Scaling},
    rate::Keep,
    thin::Tiles,
};

/// What the metadata says; the fields stand in the order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Architecture {
    format: u32,
    hidden: Vec<Hidden>,
    input_keep_k: Keep,
    inputs: usize,
    loss: Loss,
    mask_format: u32,
    outputs: usize,
    scaling: Scaling,
    sparse_input: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hidden {
    activation: Activation,
    keep_k: Keep,
    width: usize,
}

impl From<&Mlp> for Architecture {
    fn from(mlp: &Mlp) -> Self {
        let hidden = mlp.layers[..mlp.depth() - 1].iter().map(|layer| Hidden {
            activation: layer.activation,
            keep_k: layer.keep,
            width: layer.weights.outputs(),
        });
        Self {
            format: super::FORMAT,
            hidden: hidden.collect(),
            input_keep_k: mlp.input_keep,
            inputs: mlp.inputs(),
            loss: mlp.loss,
            mask_format: mask::FORMAT,
            outputs: mlp.outputs(),
            scaling: Scaling::Inverted,
            sparse_input: mlp.sparse_input,
        }
    }
}

/// The numbers that say who can read a file: looked at before the rest, which
/// another version may have made otherwise.
#[derive(Deserialize)]
pub(crate) struct Versions {
    format: u32,
    mask_format: u32,
}

impl Versions {
    /// Whether this version reads such a file.
    pub fn check(&self, file: &Reader<'_>) -> Result<(), Error> {
        file.check_version("format", self.format, super::FORMAT)?;
        file.check_version("mask format", self.mask_format, mask::FORMAT)
    }
}

impl Architecture {
    /// Layers with weights.
    pub fn depth(&self) -> usize {
        self.hidden.len() + 1
    }

    /// The tensors of a set of parameters: for each layer its number, the names
    /// of weight and bias, and inputs and outputs.
    pub fn tensors(&self, prefix: &str) -> Vec<(usize, [String; 2], usize, usize)> {
        let mut inputs = self.inputs;
        let widths = self.hidden.iter().map(|hidden| hidden.width).chain([self.outputs]);
        widths
            .enumerate()
            .map(|(layer, outputs)| {
                let names = ["weight", "bias"].map(|what| format!("{prefix}layers.{layer}.{what}"));
                let of_layer = (layer, names, inputs, outputs);
                inputs = outputs;
                of_layer
            })
            .collect()
    }

    /// Units of the input, of each hidden layer and of the output.
    pub fn widths(&self) -> Vec<usize> {
        let hidden = self.hidden.iter().map(|hidden| hidden.width);
        [self.inputs].into_iter().chain(hidden).chain([self.outputs]).collect()
    }

    /// The keep rate of each layer's inputs.
    pub fn keeps(&self) -> Vec<Keep> {
        let hidden = self.hidden.iter().map(|hidden| hidden.keep_k);
        [self.input_keep_k].into_iter().chain(hidden).collect()
    }

    /// The activations of the hidden layers.
    pub fn activations(&self) -> Vec<Activation> {
        self.hidden.iter().map(|hidden| hidden.activation).collect()
    }

    /// Puts a set of parameters, or of velocities, into a file: each layer's
    /// weights and biases, whose padding is left out.
    pub fn push<'a>(
        &self,
        file: &mut Writer,
        prefix: &str,
        of_layer: impl Fn(usize) -> (&'a Tiles, &'a [f32]),
    ) -> Result<(), Error> {
        for (layer, [weight, bias], inputs, outputs) in self.tensors(prefix) {
            let (weights, biases) = of_layer(layer);
            file.push(weight, vec![outputs, inputs], &weights.to_rows())?;
            file.push(bias, vec![outputs], &biases[..outputs])?;
        }
        Ok(())
    }

    /// The form of the weights.
    pub fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// As it is for weights of another form.
    pub fn with_scaling(self, scaling: Scaling) -> Self {
        Self { scaling, ..self }
    }

    /// Puts the network's parameters into a file.
    pub fn push_network(&self, file: &mut Writer, mlp: &Mlp) -> Result<(), Error> {
        self.push(file, "", |layer| (&mlp.layers[layer].weights, &mlp.layers[layer].bias))
    }

    /// The network with the file's parameters. Sizes are held against the
    /// file's tensors before anything is made.
    pub fn network(&self, file: &Reader<'_>) -> Result<Mlp, Error> {
        if self.scaling != Scaling::Inverted {
            let name = self.scaling.name();
            return Err(file.refuse(format!("scaling {name}: expected inverted")));
        }
        self.loss.check_outputs(self.outputs).map_err(|error| file.refuse(error.to_string()))?;
        let mut parameters = Vec::with_capacity(self.depth());
        for (_, [weight, bias], inputs, outputs) in self.tensors("") {
            parameters
                .push((file.read(&weight, &[outputs, inputs])?, file.read(&bias, &[outputs])?));
        }
        let mut mlp = self.builder().build_zeroed()?;
        for (layer, (weights, bias)) in parameters.iter().enumerate() {
            mlp.set_weights(layer, weights)?;
            mlp.set_bias(layer, bias)?;
        }
        Ok(mlp)
    }

    /// The network as its builder takes it.
    pub fn builder(&self) -> MlpBuilder {
        let mut builder = Mlp::builder(self.inputs).input_keep(self.input_keep_k);
        if self.sparse_input {
            builder = builder.sparse_input();
        }
        for hidden in &self.hidden {
            builder = builder.hidden(hidden.width, hidden.activation, hidden.keep_k);
        }
        builder.output(self.outputs, self.loss)
    }
}
