//! Writes a network as a state dict.

use std::path::Path;

use super::sequential::Sequential;
use crate::{
    checkpoint::{Architecture, NOTES, Tensor, WriteFrom, Writer},
    error::Error,
    nn::{Mlp, Scaling},
};

/// The metadata key of the description that [`to_bytes`] writes.
pub(in crate::exchange) const KEY: &str = "thinnet.torch";

/// Returns the state dict of the network's [`Sequential`] in f32, which PyTorch reads with
/// `model.load_state_dict(safetensors.torch.load_file(path))`. The metadata contains the rest,
/// for [`StateDict::network`](super::StateDict::network). Weights in the paper's form (W / p) are
/// rounded once, and do not fit `nn.Dropout`.
///
/// A module has no [`Temperature`](crate::nn::Temperature) T. The weights and biases of the last layer
/// are therefore divided by T, and rounded: the module's outputs are z / T, and their softmax or
/// sigmoid is what the network predicts. Read again, the network has a temperature of 1.
///
/// # Errors
/// A parameter is NaN or infinite, the memory cannot be allocated, or the file would be too large
/// to be read again.
pub fn to_bytes(mlp: &Mlp, scaling: Scaling) -> Result<Vec<u8>, Error> {
    writer(mlp, scaling)?.into_bytes()
}

/// Writes the same to a file, which appears complete or not at all.
///
/// # Errors
/// As [`to_bytes`], or the file cannot be written.
pub fn save(mlp: &Mlp, scaling: Scaling, path: impl AsRef<Path>) -> Result<(), Error> {
    writer(mlp, scaling)?.save(path.as_ref())
}

fn writer(mlp: &Mlp, scaling: Scaling) -> Result<Writer<'_>, Error> {
    let mut tensors = Vec::with_capacity(2 * mlp.depth());
    for (index, name) in Sequential::from(mlp).names().enumerate() {
        let layer = &mlp.layers[index];
        let (inputs, outputs) = (layer.weights.inputs(), layer.weights.outputs());
        let [weight, bias] = ["weight", "bias"].map(|what| format!("{name}{what}"));
        let weights = WriteFrom::Weights(&layer.weights);
        let factor = match scaling {
            Scaling::Paper => 1.0 / mlp.keep_below(index).get(),
            Scaling::Inverted => 1.0,
        };
        let is_last = index + 1 == mlp.depth();
        let temperature = if is_last { mlp.temperature().get().into() } else { 1.0 };
        let biases = WriteFrom::Values(&layer.bias[..outputs]);
        tensors.extend([
            Tensor::new(weight, vec![outputs, inputs], weights).times(factor / temperature),
            Tensor::new(bias, vec![outputs], biases).times(1.0 / temperature),
        ]);
    }
    let architecture = Architecture::from(mlp).with_scaling(scaling).without_temperature();
    Writer::new(tensors, KEY, &architecture, &[(NOTES, mlp.notes())])
}
