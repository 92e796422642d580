//! ONNX graphs of multilayer perceptrons.
//!
//! On the way in, the file is read where it lies (`wire`, `proto`); the chain of nodes
//! from the output back to the input is followed (`graph`); each node says what it
//! does to a row (`steps`); and layers are made of what follows on each other
//! (`network`). On the way out, a network says which nodes it is (`export`), and
//! their bytes are written with the tensors straight from the network (`message`).

mod export;
#[cfg_attr(not(test), expect(dead_code, reason = "the graph asks for it in a later step"))]
mod external;
mod graph;
mod message;
mod network;
mod proto;
mod steps;
mod wire;

pub use export::{Export, OPSET, save, to_bytes};

use std::path::Path;

use crate::{
    error::Error,
    files,
    nn::{Loss, Mlp},
};

/// The largest ONNX file that is read: 2 GiB, the most that Protocol Buffers take.
pub const MOST_ONNX_BYTES: u64 = 1 << 31;

/// The network that an ONNX graph is; `path` names the bytes in errors.
///
/// The way from the graph's input to its output, the only one of floats, has to
/// be a chain of `Gemm` (without transA), `MatMul`, `Add`, `Relu`, `Sigmoid`,
/// `Tanh`, `LeakyRelu`, `BatchNormalization`, `Dropout`,
/// `Flatten`, `Reshape` to two dimensions, `Identity`, and `Cast` between kinds
/// of floats. Weights are f32, f16 or bfloat16 in this file, initialisers or
/// `Constant`s, perhaps behind a `Transpose`.
///
/// - `Dropout` becomes a keep rate, 1 - ratio, in exports for training as well
///   as for inference (PyTorch's for inference have none left). So Monte-Carlo
///   works on the network.
/// - `BatchNormalization` is folded, with the statistics that it holds, into the
///   layer right before it.
/// - At the end, `Softmax` or `LogSoftmax` means softmax cross-entropy, and
///   `Sigmoid` the logistic loss. Else the loss is `loss`, or where that is
///   `None` softmax cross-entropy of two outputs or more, and squared error of
///   one.
///
/// # Errors
/// Bytes that are no such graph: the node is named with its operator and what
/// was expected of it. A `loss` that is not the one that the graph ends as.
pub fn from_onnx(bytes: &[u8], path: &Path, loss: Option<Loss>) -> Result<Mlp, Error> {
    network::read(&graph(bytes, path)?, loss, path, bytes.len())
}

/// The loss that the end of an ONNX graph says, `None` where it ends in a layer:
/// what [`from_onnx`] asks for then. `path` names the bytes in errors.
///
/// # Errors
/// As [`from_onnx`].
pub fn onnx_loss(bytes: &[u8], path: &Path) -> Result<Option<Loss>, Error> {
    network::stated_loss(&graph(bytes, path)?, bytes.len())
        .map_err(|reason| Error::Format { path: path.to_owned(), reason })
}

fn graph<'a>(bytes: &'a [u8], path: &Path) -> Result<graph::Graph<'a>, Error> {
    let refuse = |reason: String| Error::Format { path: path.to_owned(), reason };
    let model = proto::Model::read(bytes)
        .map_err(|reason| refuse(format!("not an ONNX model: {reason}")))?;
    graph::Graph::new(model).map_err(refuse)
}

/// As [`from_onnx`], from a file: see [`read_onnx`].
///
/// # Errors
/// As [`read_onnx`], or as [`from_onnx`].
pub fn load_onnx(path: &Path, loss: Option<Loss>) -> Result<Mlp, Error> {
    from_onnx(&read_onnx(path)?, path, loss)
}

/// The bytes of an ONNX file. Its first byte is looked at before the others are read.
///
/// # Errors
/// The file cannot be read, cannot be ONNX by its first byte, or is larger than
/// [`MOST_ONNX_BYTES`].
pub fn read_onnx(path: &Path) -> Result<Vec<u8>, Error> {
    files::read_if(path, MOST_ONNX_BYTES, begins)
}

/// Whether an ONNX file can begin like this: with the tag of a field that a model has.
pub(super) fn begins(first: &[u8]) -> Result<(), String> {
    /// The first bytes of the tags, of the fields 1 to 8, 14, 20, 25 and 26.
    const TAGS: [u8; 12] = [0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca, 0xd2];
    match first.first() {
        Some(tag) if TAGS.contains(tag) => Ok(()),
        Some(byte) => Err(format!("not an ONNX model: its first byte is {byte}, expected 8")),
        None => Err("empty: expected an ONNX model".to_owned()),
    }
}
