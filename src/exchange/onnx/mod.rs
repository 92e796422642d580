//! ONNX graphs of multilayer perceptrons.
//!
//! [`Model::read`] reads a file, and [`Model::network`] makes a network of it: of the chains of
//! dense layers that the exporters of PyTorch and Keras and scikit-learn's converter write. A
//! graph that is anything else is refused, and the error names the node. [`Model::import`]
//! reports what became of each node. [`to_bytes`] and [`save`] write a network as a graph, which
//! is read again as the same network, bit for bit.
//!
//! ```no_run
//! use thinnet::exchange::onnx;
//!
//! let model = onnx::Model::read("network.onnx")?;
//! let network = model.network(None)?;
//! # Ok::<(), thinnet::Error>(())
//! ```
//!
//! # Supported graphs
//!
//! The reader starts at the graph's only output, the only one of floats, or the one of
//! scikit-learn's `ZipMap`, and follows it back to a single input. On this path it supports
//!
//! - **layers**: `Gemm` (without transA) and `MatMul` with a constant matrix, `Add`
//!   of a bias;
//! - **activations**: `Relu` (also as `Clip` from 0 and `Max` with 0), `LeakyRelu`,
//!   `Sigmoid`, `Tanh`, `Gelu`, `Elu`, `Softplus`; SiLU, GELU, ELU and softplus also as the
//!   products, powers and exponentials (`Mul`, `Sigmoid`, `Erf`, `Pow`, `Where` and others) as
//!   which exporters write them;
//! - **dropout**: `Dropout` becomes a keep rate, 1 - ratio, whether or not the graph
//!   itself drops units, so that Monte-Carlo prediction works on the network. PyTorch's exports
//!   in eval mode contain no `Dropout`; `docs/FROM_PYTORCH.md` shows how to export it;
//! - **scales and shifts**: `Add`, `Sub`, `Mul`, `Div` with constants, `Neg`,
//!   `BatchNormalization` with the statistics in the graph, scikit-learn's `Scaler`.
//!   They are folded in f64, and each number is rounded to f32 once: into the layer before
//!   them or, after an activation or on the inputs, into the layer after them. If neither is
//!   exact (a shift before dropout, an activation of the inputs or of another activation), an
//!   extra layer is added, whose weights are 0 off the diagonal; [`Report::notes`] says so;
//! - **shapes**: `Flatten`, `Reshape`, `Slice`, `Gather`, `Squeeze`, `Unsqueeze` and
//!   `Transpose`, if they keep the rows first and the elements of a row in their order, and the
//!   nodes that compute their shapes (`Shape`, `Size`, `Gather`, `Slice`, `Concat`,
//!   `ReduceProd`, arithmetic), where the number of rows may be unknown; `Identity`, and `Cast`
//!   to floats.
//!
//! A final `Softmax` or `LogSoftmax` (or `Log` after a `Softmax`) means softmax cross-entropy,
//! a final `Sigmoid` binary cross-entropy, and a final `Exp` Poisson's loss; a `Where` that takes the
//! first half of the last layer's outputs z and the second half of `Exp` of z means the negative
//! log-likelihood of normal distributions. scikit-learn's converter ends with p and 1 - p if
//! there are two classes: that is a softmax over 0 and the logit of p. Otherwise the loss is the
//! one that the caller asks for; by default it is softmax cross-entropy for two outputs or more,
//! and squared error for one.
//!
//! Weights are f32, f64 (rounded, see [`Report::notes`]), f16 or bfloat16.
//!
//! Tensors may be stored in other files, as PyTorch's exporter does by default, if the graph was
//! [read from its file](Model::read). These must be regular files in the graph's folder or below
//! it, at most 200, on a path without symbolic links. The reader refuses a range that is not in
//! its file, does not have the size of the tensor, or overlaps another one, and a file that
//! changes while it is read.
//!
//! # Implementation
//!
//! The messages are read without copies (`wire`, `proto`). The nodes that the output depends on
//! are sorted (`graph`) and visited in order (`walk`): values known before the graph runs are
//! computed (`values`, `sizes`), nodes that together make an activation are recognised
//! (`functions`), and each other node that takes the row becomes a step (`steps`), of
//! which layers are made (`network`, `layer`). To write a network, its nodes are listed
//! (`export`) and encoded, with the tensors straight from the network (`message`).

mod constant;
mod elementwise;
mod export;
mod external;
mod functions;
mod graph;
mod inputs;
mod layer;
mod message;
mod network;
mod proto;
mod report;
mod row;
mod sizes;
mod steps;
mod values;
mod walk;
mod wire;

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

use self::{
    export::KEY,
    external::{DataFolder, ExternalTensor, Store},
    graph::Graph,
    walk::Walk,
};
use crate::{
    abridged::Few,
    checkpoint::{Architecture, Versions, checked_notes},
    error::Error,
    files,
    memory::ensure_room,
    nn::{Loss, Mlp},
};

pub use export::{Export, OPSET, save, to_bytes};
pub use report::{NodeReport, Report, Role};

/// The size of the largest ONNX file that is read: 2 GiB, the limit of protocol buffers.
pub const MAX_BYTES: u64 = 1 << 31;

/// An ONNX file in memory.
///
/// ```
/// use thinnet::{exchange::onnx, nn::{Loss, Mlp}};
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let bytes = onnx::to_bytes(&mlp, &onnx::Export::new())?;
/// let model = onnx::Model::from_bytes(bytes);
/// assert_eq!(model.network(None)?, mlp);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone)]
pub struct Model<'a> {
    bytes: Cow<'a, [u8]>,
    /// For errors; `None` for bytes.
    path: Option<PathBuf>,
    folder: DataFolder,
}

impl fmt::Debug for Model<'_> {
    /// Its first few bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, path, folder } = self;
        f.debug_struct("Model")
            .field("bytes", &Few(bytes.iter()))
            .field("path", path)
            .field("folder", folder)
            .finish()
    }
}

/// The result of reading a graph; see [`Model::import`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Import {
    /// The network, or the node that was refused and why.
    pub network: Result<Mlp, Error>,
    /// The loss that the graph states, by its last node or in the metadata that thinnet writes;
    /// `None` if it states none, or is refused.
    pub loss: Option<Loss>,
    /// What became of each node.
    pub report: Report,
}

impl Model<'static> {
    /// Reads a file. The first byte is checked before the others are read. Tensors in other
    /// files are read each time that the network is asked for.
    ///
    /// # Errors
    /// The file cannot be read, does not begin like ONNX, or is larger than [`MAX_BYTES`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = files::read_if(path, MAX_BYTES, begins)?;
        let (path, folder) = (Some(path.to_owned()), DataFolder::of(path));
        Ok(Self { bytes: bytes.into(), path, folder })
    }
}

impl<'a> Model<'a> {
    /// Takes the bytes of a file. A graph with tensors in other files is refused.
    pub fn from_bytes(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { bytes: bytes.into(), path: None, folder: DataFolder::none() }
    }

    /// The size of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The files in which the graph stores tensors; none if it was made of bytes. The files
    /// themselves are not checked.
    ///
    /// # Errors
    /// The bytes are not an ONNX graph, or a file would be outside the graph's folder.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let wanted = ExternalTensor::all(&self.parse()?);
        wanted.and_then(|wanted| self.folder.files(&wanted)).map_err(|reason| self.refuse(reason))
    }

    /// The network in the graph. `loss` is the loss if the graph states none.
    ///
    /// # Errors
    /// The graph is not supported: the error names the node with its operator and says what was
    /// expected. `loss` is not the one that the graph states.
    pub fn network(&self, loss: Option<Loss>) -> Result<Mlp, Error> {
        self.import(loss)?.network
    }

    /// Reads the graph as [`Self::network`] does, and reports what became of each node, also if
    /// the graph is refused.
    ///
    /// ```
    /// use thinnet::{Keep, exchange::onnx::{self, Role}, nn::{Activation, Loss, Mlp}};
    ///
    /// let mlp = Mlp::builder(4).hidden(8, Activation::Relu, Keep::ONE);
    /// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// let bytes = onnx::to_bytes(&mlp, &onnx::Export::new())?;
    ///
    /// let import = onnx::Model::from_bytes(bytes).import(None)?;
    /// assert_eq!(import.network?, mlp);
    /// assert_eq!(import.loss, Some(Loss::SoftmaxCrossEntropy));
    /// let relu = &import.report.nodes[1];
    /// assert_eq!((&relu.operator[..], relu.role), ("Relu", Role::Network));
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The bytes are not an ONNX graph.
    pub fn import(&self, loss: Option<Loss>) -> Result<Import, Error> {
        let model = self.parse()?;
        let store = self.store(&model)?;
        let graph = self.graph(model, &store)?;
        let mut walk = Walk::new(&graph, self.bytes.len().saturating_add(store.size()))?;
        let walked = walk.run().map_err(|reason| self.refuse(reason));
        let (network, stated) = match walked.and_then(|()| self.said(&graph)) {
            Err(error) => (Err(error), None),
            Ok(said) => {
                let stated = said.as_ref().map(Architecture::loss).or(walk.draft.stated_loss());
                let refuse = |reason| self.refuse(reason);
                let built = walk.draft.build(loss, said.as_ref(), &mut walk.report, refuse);
                (built.and_then(|mlp| self.with_notes(mlp, graph.notes)), stated)
            }
        };
        Ok(Import { network, loss: stated, report: walk.report })
    }

    fn refuse(&self, reason: String) -> Error {
        Error::format(self.path.as_deref(), reason)
    }

    fn parse(&self) -> Result<proto::Model<'_>, Error> {
        proto::Model::read(&self.bytes)
            .map_err(|reason| self.refuse(format!("not a valid ONNX model: {reason}")))
    }

    /// The tensors in other files, which are opened and checked.
    fn store<'m>(&self, model: &proto::Model<'m>) -> Result<Store<'m>, Error> {
        let wanted = ExternalTensor::all(model).map_err(|reason| self.refuse(reason))?;
        self.folder.open(&wanted).map_err(|reason| self.refuse(reason))
    }

    fn graph<'m>(&self, model: proto::Model<'m>, store: &'m Store<'m>) -> Result<Graph<'m>, Error> {
        Graph::new(model, store).map_err(|reason| self.refuse(reason))
    }

    /// The network with the notes in the file.
    fn with_notes(&self, mut mlp: Mlp, notes: Option<&str>) -> Result<Mlp, Error> {
        mlp.set_notes(checked_notes(notes).map_err(|reason| self.refuse(reason))?)?;
        Ok(mlp)
    }

    /// The description of the network that thinnet wrote.
    fn said(&self, graph: &Graph<'_>) -> Result<Option<Architecture>, Error> {
        let Some(text) = graph.metadata else { return Ok(None) };
        let refuse = |reason: &dyn std::fmt::Display| {
            self.refuse(format!(
                "metadata `{KEY}`: {reason}: expected the description that thinnet writes into an ONNX \
                 file"
            ))
        };
        ensure_room("metadata", text.len().saturating_mul(4))?;
        let versions: Versions = serde_json::from_str(text).map_err(|error| refuse(&error))?;
        versions.check(|reason| refuse(&reason))?;
        serde_json::from_str(text).map(Some).map_err(|error| refuse(&error))
    }
}

/// Refuses bytes that an ONNX file cannot begin with: its first one is the tag of a field.
pub(super) fn begins(first: &[u8]) -> Result<(), String> {
    /// The first bytes of the tags of the fields 1 to 8, 14, 20, 25 and 26.
    const TAGS: [u8; 12] = [0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca, 0xd2];
    match first.first() {
        Some(tag) if TAGS.contains(tag) => Ok(()),
        Some(byte) => Err(format!("not an ONNX model: its first byte is {byte}, expected 8")),
        None => Err("empty: expected an ONNX model".to_owned()),
    }
}
