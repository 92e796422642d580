//! ONNX graphs of multilayer perceptrons.
//!
//! [`Model::read`] takes in a file, and [`Model::network`] makes a network of it:
//! what PyTorch's exporters, Keras and scikit-learn's converter write of a chain of
//! dense layers, in the ways that people write them. What cannot be right is
//! refused by its node; [`Model::import`] says node by node what became of it.
//! [`to_bytes`] and [`save`] write a network as a graph, which is read again as the
//! same network, bit for bit.
//!
//! ```no_run
//! use thinnet::exchange::onnx;
//!
//! let model = onnx::Model::read("network.onnx")?;
//! let network = model.network(None)?;
//! # Ok::<(), thinnet::Error>(())
//! ```
//!
//! # What is read
//!
//! The graph's only output, the only one of floats, or the one that scikit-learn's
//! `ZipMap` makes, is followed back to one input. On the way stand
//!
//! - **layers**: `Gemm` (without transA) and `MatMul` with a constant matrix, `Add`
//!   of a bias;
//! - **activations**: `Relu` (also as `Clip` from 0 and `Max` with 0), `LeakyRelu`,
//!   `Sigmoid`, `Tanh`;
//! - **dropout**: `Dropout` becomes a keep rate, 1 - ratio, whether or not the graph
//!   itself drops. PyTorch's exports in eval mode have none left; see
//!   `docs/FROM_PYTORCH.md` for one that has. So Monte-Carlo works on the network;
//! - **scales and shifts**: `Add`, `Sub`, `Mul`, `Div` with constants, `Neg`,
//!   `BatchNormalization` by the statistics that it holds, scikit-learn's `Scaler`.
//!   They are folded into the layer before them, or, behind an activation or on the
//!   inputs, into the one behind them, in f64, each number rounded to f32 once. Where
//!   there is none to fold them into exactly (a shift before dropout, an activation of
//!   the inputs or of another activation), a layer of its own is made, whose weights
//!   are 0 beside the diagonal; [`Report::notes`] say so;
//! - **shapes**: `Flatten`, `Reshape`, `Squeeze`, `Unsqueeze`, `Transpose` that leave
//!   the rows first and a row's elements in their order, with what computes their
//!   shapes (`Shape`, `Size`, `Gather`, `Slice`, `Concat`, `ReduceProd`, arithmetic),
//!   in which the number of rows may be unknown; `Identity`, and `Cast` to floats.
//!
//! At the end, `Softmax` or `LogSoftmax` (or `Log` behind a `Softmax`) means softmax cross-entropy, and `Sigmoid`
//! the logistic loss; 1 - p beside p, as scikit-learn's converter ends with two
//! classes, is a softmax over 0 and the logit of p. Else the loss is the one that is
//! asked for, or softmax cross-entropy of two outputs or more, and squared error of
//! one.
//!
//! Weights are f32, f64 (rounded, which [`Report::notes`] say), f16 or bfloat16.
//!
//! Tensors may be kept in files beside the graph, as PyTorch's exporter does by default,
//! where the graph was [read from its file](Model::read). These are regular files in its
//! folder or below it, at most 200, and reached through no symbolic link. A range that is
//! not in its file, that is not what the tensor's shape takes, or that overlaps another's
//! is refused, and so is a file that changes while it is read.
//!
//! # The way of a file
//!
//! The bytes are read where they lie (`wire`, `proto`); the nodes that the output
//! comes from are put in order (`graph`) and gone through (`walk`): what is known
//! before the graph runs is computed (`values`, `sizes`), and each node on the way of
//! the row says what it does to it (`steps`), of which layers are made (`network`, `layer`). On
//! the way out, a network says which nodes it is (`export`), and their bytes are written
//! with the tensors straight from the network (`message`).

mod constant;
mod elementwise;
mod export;
mod external;
mod graph;
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
    external::{Beside, Store, Wanted},
    graph::Graph,
    walk::Walk,
};
use crate::{
    abridged::Few,
    checkpoint::{Architecture, Versions},
    error::Error,
    files,
    memory::ensure_room,
    nn::{Loss, Mlp},
};

pub use export::{Export, OPSET, save, to_bytes};
pub use report::{NodeReport, Report, Role};

/// The largest ONNX file that is read: 2 GiB, the most that Protocol Buffers take.
pub const MAX_BYTES: u64 = 1 << 31;

/// An ONNX file in memory.
#[derive(Clone)]
pub struct Model<'a> {
    bytes: Cow<'a, [u8]>,
    /// For errors; `None` of bytes.
    path: Option<PathBuf>,
    beside: Beside,
}

impl fmt::Debug for Model<'_> {
    /// Its first few bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, path, beside } = self;
        f.debug_struct("Model")
            .field("bytes", &Few(bytes.iter()))
            .field("path", path)
            .field("beside", beside)
            .finish()
    }
}

/// What a graph was read as.
#[derive(Debug)]
#[non_exhaustive]
pub struct Import {
    /// The network; or the node that stands in the way, and what was expected of it.
    pub network: Result<Mlp, Error>,
    /// What became of each node.
    pub report: Report,
}

impl Model<'static> {
    /// Reads a file. Its first byte is looked at before the others are read. Tensors that
    /// it keeps in other files are read from its folder each time that they are asked for.
    ///
    /// # Errors
    /// The file cannot be read, cannot be ONNX by its first byte, or is larger than
    /// [`MAX_BYTES`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = files::read_if(path, MAX_BYTES, begins)?;
        let (path, beside) = (Some(path.to_owned()), Beside::of(path));
        Ok(Self { bytes: bytes.into(), path, beside })
    }
}

impl<'a> Model<'a> {
    /// A file's bytes. A graph that keeps tensors in other files is refused.
    pub fn from_bytes(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { bytes: bytes.into(), path: None, beside: Beside::none() }
    }

    /// The size of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The files in which the graph keeps tensors; none of bytes without a folder. They are
    /// not looked at.
    ///
    /// # Errors
    /// Bytes that are no ONNX graph, or a file that would not be in its folder.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let wanted = Wanted::all(&self.parse()?);
        wanted.and_then(|wanted| self.beside.files(&wanted)).map_err(|reason| self.refuse(reason))
    }

    /// The network that the graph is. `loss` is that of one that does not say it.
    ///
    /// # Errors
    /// Bytes that are no such graph: the node is named with its operator and what
    /// was expected of it. A `loss` that is not the one that the graph ends as.
    pub fn network(&self, loss: Option<Loss>) -> Result<Mlp, Error> {
        self.import(loss)?.network
    }

    /// The loss that the graph says, by its end or in what thinnet wrote of it;
    /// `None` where it does not.
    ///
    /// # Errors
    /// As [`Self::network`].
    pub fn loss(&self) -> Result<Option<Loss>, Error> {
        let model = self.parse()?;
        let store = self.store(&model)?;
        let graph = self.graph(model, &store)?;
        let said = self.said(&graph)?;
        let mut walk = Walk::new(&graph, self.bytes.len().saturating_add(store.size()))?;
        walk.run().map_err(|reason| self.refuse(reason))?;
        Ok(said.map(|said| said.loss()).or(walk.draft.stated_loss()))
    }

    /// As [`Self::network`], with what became of each node, also where the graph is
    /// refused.
    ///
    /// # Errors
    /// Bytes that are no ONNX graph at all.
    pub fn import(&self, loss: Option<Loss>) -> Result<Import, Error> {
        let model = self.parse()?;
        let store = self.store(&model)?;
        let graph = self.graph(model, &store)?;
        let mut walk = Walk::new(&graph, self.bytes.len().saturating_add(store.size()))?;
        let network = match walk.run() {
            Err(reason) => Err(self.refuse(reason)),
            Ok(()) => self.said(&graph).and_then(|said| {
                let refuse = |reason| self.refuse(reason);
                walk.draft.build(loss, said.as_ref(), &mut walk.report, refuse)
            }),
        };
        Ok(Import { network, report: walk.report })
    }

    fn refuse(&self, reason: String) -> Error {
        Error::format(self.path.as_deref(), reason)
    }

    fn parse(&self) -> Result<proto::Model<'_>, Error> {
        proto::Model::read(&self.bytes)
            .map_err(|reason| self.refuse(format!("not an ONNX model: {reason}")))
    }

    /// What the model keeps in other files, which are opened and checked.
    fn store<'m>(&self, model: &proto::Model<'m>) -> Result<Store<'m>, Error> {
        let wanted = Wanted::all(model).map_err(|reason| self.refuse(reason))?;
        self.beside.open(&wanted).map_err(|reason| self.refuse(reason))
    }

    fn graph<'m>(&self, model: proto::Model<'m>, store: &'m Store<'m>) -> Result<Graph<'m>, Error> {
        Graph::new(model, store).map_err(|reason| self.refuse(reason))
    }

    /// What thinnet wrote of the network.
    fn said(&self, graph: &Graph<'_>) -> Result<Option<Architecture>, Error> {
        let Some(text) = graph.metadata else { return Ok(None) };
        let refuse = |reason: &dyn std::fmt::Display| {
            self.refuse(format!(
                "metadata `{KEY}`: {reason}: expected what thinnet writes into ONNX"
            ))
        };
        ensure_room("metadata", text.len().saturating_mul(4))?;
        let versions: Versions = serde_json::from_str(text).map_err(|error| refuse(&error))?;
        versions.check(|reason| refuse(&reason))?;
        serde_json::from_str(text).map(Some).map_err(|error| refuse(&error))
    }
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
