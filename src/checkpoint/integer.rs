//! Model files of networks with 8-bit weights.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    architecture::{Architecture, Versions, names},
    elements::ElementType,
    notes::texts,
    reader::{Reader, Verify},
    tensor::{Allowed, ReadInto, Tensor, WriteFrom},
    training,
    writer::Writer,
};
use crate::{
    error::Error,
    memory::reserve,
    nn::{IntegerLayer, IntegerMlp, MAX_INPUTS, WITH_8_BITS},
};

/// The metadata key.
pub(crate) const KEY: &str = "thinnet.integer";

/// The version number of what such a network computes.
const DEFINITION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    architecture: Architecture,
    definition: u32,
}

/// The part of the metadata that is read first.
#[derive(Deserialize)]
struct OfVersions {
    architecture: Versions,
    definition: u32,
}

impl IntegerMlp {
    /// The model file's bytes.
    ///
    /// # Errors
    /// There is not enough memory, or the file would be too large to be read again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        writer(self)?.into_bytes()
    }

    /// Reads a model from a file's bytes and verifies their digest.
    ///
    /// # Errors
    /// The bytes are not a model file of this version with 8-bit weights, do not match their digest,
    /// or have tensors that do not fit their architecture; or there is not enough memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        network(Reader::of_bytes(bytes)?, Verify::Digest)
    }

    /// Saves the model, in the way of [`Mlp::save`](crate::nn::Mlp::save).
    ///
    /// # Errors
    /// As for [`Self::to_bytes`], or an error of the system.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        writer(self)?.save(path.as_ref())
    }

    /// Loads a model that [`Self::save`] wrote. The file's digest is verified;
    /// [`Model::load_unverified`](super::Model::load_unverified) skips that.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`MAX_BYTES`](crate::files::MAX_BYTES), or as for
    /// [`Self::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        network(Reader::open(path.as_ref())?, Verify::Digest)
    }
}

/// The name of the scales of a layer's weights.
fn scale(layer: usize) -> String {
    format!("layers.{layer}.scale")
}

/// The name of the order of a hidden layer's units.
fn order(layer: usize) -> String {
    format!("layers.{layer}.order")
}

fn writer(integer: &IntegerMlp) -> Result<Writer<'_>, Error> {
    let mlp = integer.network();
    let mut tensors = Vec::new();
    for (index, (layer, of_mlp)) in integer.layers().iter().zip(&mlp.layers).enumerate() {
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let [weight, bias] = names("", index);
        let bias_from = WriteFrom::Values(&of_mlp.bias[..outputs]);
        tensors.extend([
            Tensor::new(weight, vec![outputs, inputs], WriteFrom::EightBits(&layer.weights)),
            Tensor::new(scale(index), vec![outputs], WriteFrom::Values(&layer.scales)),
            Tensor::new(bias, vec![outputs], bias_from),
        ]);
        if index + 1 < mlp.depth() {
            let from = WriteFrom::Indices(&layer.order);
            tensors.push(Tensor::new(order(index), vec![outputs], from));
        }
    }
    let metadata = Metadata { architecture: mlp.into(), definition: DEFINITION };
    Writer::new(tensors, KEY, &metadata, &texts(mlp))
}

/// The network in a model file.
pub(super) fn network(file: Reader<'_>, verify: Verify) -> Result<IntegerMlp, Error> {
    if !file.has(KEY) && file.has(super::MODEL_KEY) {
        return Err(file.refuse(
            "a model with f32 weights: expected one with 8-bit weights (`thinnet quantize` makes one \
             from it)"
                .to_owned(),
        ));
    }
    training::refuse(&file)?;
    let expected = "a model with 8-bit weights that thinnet saved";
    let versions: OfVersions = file.metadata(KEY, expected)?;
    versions.architecture.check(|reason| file.refuse(reason))?;
    if versions.definition != DEFINITION {
        let got = versions.definition;
        return Err(file.refuse(format!(
            "definition {got} of 8-bit networks: this version of thinnet reads only {DEFINITION}"
        )));
    }
    let Metadata { architecture, .. } = file.metadata(KEY, expected)?;
    check_tensors(&architecture, &file)?;
    let (depth, widths) = (architecture.depth(), architecture.widths());
    let mut mlp = architecture.zeroed()?;
    mlp.set_notes(file.notes()?)?;
    mlp.set_preprocessor(file.preprocessor()?)?;
    let mut layers = reserve("layers", depth)?;
    for pair in widths.windows(2) {
        layers.push(IntegerLayer::zeroed(pair[0], pair[1])?);
    }
    let mut tensors = Vec::new();
    for (index, (layer, of_mlp)) in layers.iter_mut().zip(&mut mlp.layers).enumerate() {
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        let IntegerLayer { weights, scales, order: units } = layer;
        let [weight, bias] = names("", index);
        tensors.extend([
            Tensor::new(weight, vec![outputs, inputs], ReadInto::EightBits(weights))
                .allowing(Allowed::EightBits),
            Tensor::new(scale(index), vec![outputs], ReadInto::Values(scales))
                .allowing(Allowed::Scales),
            Tensor::new(bias, vec![outputs], ReadInto::Values(&mut of_mlp.bias[..outputs])),
        ]);
        if index + 1 < depth {
            tensors.push(Tensor::new(order(index), vec![outputs], ReadInto::Indices(units)));
        }
    }
    let path = file.path().map(Path::to_owned);
    file.load(tensors, &[ElementType::F32, ElementType::I8, ElementType::U32], verify)?;
    for (index, layer) in layers.iter().enumerate() {
        if let Some(reason) = layer.fault_of_order()? {
            return Err(Error::format(path.as_deref(), format!("{}: {reason}", order(index))));
        }
    }
    IntegerMlp::assembled(mlp, layers)
}

/// Checks, before memory is allocated, that the file has all tensors of such a network and no others.
fn check_tensors(architecture: &Architecture, file: &Reader<'_>) -> Result<(), Error> {
    architecture.check_form(file)?;
    architecture.ensure_no_maxout(WITH_8_BITS).map_err(|error| file.refuse(error.to_string()))?;
    // Weights, scales, biases, and for all but the output layer the order.
    let depth = architecture.depth();
    file.check_count(4 * depth - 1)?;
    for (index, pair) in architecture.widths().windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], &pair[1..]);
        if inputs > MAX_INPUTS {
            return Err(file.refuse(format!(
                "layer {index} has {inputs} inputs: expected at most {MAX_INPUTS}, with which a sum of \
                 8-bit products fits into 32 bits"
            )));
        }
        let [weight, bias] = names("", index);
        file.find(&weight, &[pair[1], inputs], &[ElementType::I8])?;
        file.find(&scale(index), outputs, &[ElementType::F32])?;
        file.find(&bias, outputs, &[ElementType::F32])?;
        if index + 1 < depth {
            file.find(&order(index), outputs, &[ElementType::U32])?;
        }
    }
    Ok(())
}
