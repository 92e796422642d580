//! A file that contains a network in one of several formats.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::bail;
use thinnet::{
    Error,
    checkpoint::Contents,
    exchange::{self, FileKind, Layers, TensorInfo, onnx},
    nn::{Loss, Mlp, Scaling},
};

/// A file and its kind.
pub struct Given<'a> {
    path: &'a Path,
    kind: FileKind,
    content: Content,
    size: u64,
}

/// Where the contents of a file are.
enum Content {
    /// On disk, to be read when needed.
    OnDisk,
    /// In memory, because a pipe can only be read once.
    Bytes(Vec<u8>),
    /// In memory, as an ONNX graph.
    Graph(onnx::Model<'static>),
}

impl<'a> Given<'a> {
    /// Opens a file and finds out its kind.
    ///
    /// # Errors
    /// The file cannot be read, or is of no known kind.
    pub fn open(path: &'a Path) -> Result<Self, Error> {
        let of = |source| Error::io(path, source);
        let about = fs::metadata(path).map_err(of)?;
        let (kind, content) = if about.is_file() {
            let kind = FileKind::read(path)?;
            if kind == FileKind::Onnx {
                (kind, Content::Graph(onnx::Model::read(path)?))
            } else {
                (kind, Content::OnDisk)
            }
        } else {
            let (kind, bytes) = FileKind::read_whole(path)?;
            if kind == FileKind::Onnx {
                (kind, Content::Graph(onnx::Model::from_bytes(bytes, path)))
            } else {
                (kind, Content::Bytes(bytes))
            }
        };
        let size = match &content {
            Content::OnDisk => about.len(),
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Graph(model) => model.size(),
        };
        Ok(Self { path, kind, content, size })
    }

    /// Returns the kind of the file.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Returns the size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads a model or a checkpoint.
    ///
    /// # Errors
    /// Those of [`Contents::read`].
    pub fn contents(&self) -> Result<Contents, Error> {
        match &self.content {
            Content::Bytes(bytes) => Contents::from_bytes(bytes, self.path),
            _ => Contents::read(self.path),
        }
    }

    /// Reads the network in a state dict.
    ///
    /// # Errors
    /// Those of [`exchange::from_torch`].
    pub fn state_dict(&self, layers: Option<&Layers>) -> Result<Mlp, Error> {
        match &self.content {
            Content::Bytes(bytes) => exchange::from_torch(bytes, self.path, layers),
            _ => exchange::load_torch(self.path, layers),
        }
    }

    /// Returns the form of the weights in a state dict, if the file states it.
    ///
    /// # Errors
    /// Those of [`exchange::torch_scaling`].
    pub fn scaling(&self) -> Result<Option<Scaling>, Error> {
        match &self.content {
            Content::Bytes(bytes) => exchange::torch_scaling(bytes, self.path),
            _ => exchange::load_torch_scaling(self.path),
        }
    }

    /// Lists the tensors of a state dict.
    ///
    /// # Errors
    /// Those of [`exchange::torch_tensors`].
    pub fn tensors(&self) -> Result<Vec<TensorInfo>, Error> {
        match &self.content {
            Content::Bytes(bytes) => exchange::torch_tensors(bytes, self.path),
            _ => exchange::load_torch_tensors(self.path),
        }
    }

    /// Imports an ONNX graph: its network, and a report on its nodes.
    ///
    /// # Errors
    /// Those of [`onnx::Model::import`].
    pub fn graph(&self, loss: Option<Loss>) -> anyhow::Result<onnx::Import> {
        Ok(self.model()?.import(loss)?)
    }

    /// Returns the files in which an ONNX graph stores tensors.
    ///
    /// # Errors
    /// Those of [`onnx::Model::files`].
    pub fn beside_graph(&self) -> anyhow::Result<Vec<PathBuf>> {
        Ok(self.model()?.files()?)
    }

    /// Returns the loss that an ONNX graph states, if any.
    ///
    /// # Errors
    /// Those of [`onnx::Model::loss`].
    pub fn loss_of_graph(&self) -> anyhow::Result<Option<Loss>> {
        Ok(self.model()?.loss()?)
    }

    fn model(&self) -> anyhow::Result<&onnx::Model<'static>> {
        match &self.content {
            Content::Graph(model) => Ok(model),
            _ => bail!("{}: {}: expected an ONNX graph", self.path.display(), self.kind),
        }
    }
}
