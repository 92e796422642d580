//! A file that holds a network in one of several formats.

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

/// A file and what it is.
pub struct Given<'a> {
    path: &'a Path,
    kind: FileKind,
    content: Content,
    size: u64,
}

/// Where the content of a file is.
enum Content {
    /// In the file, to be read straight from it.
    OnDisk,
    /// Here: of a pipe, which can be read once.
    Bytes(Vec<u8>),
    /// Here, as an ONNX graph.
    Graph(onnx::Model<'static>),
}

impl<'a> Given<'a> {
    /// Looks what the file is.
    ///
    /// # Errors
    /// It cannot be read, or is none of the kinds.
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

    /// What it is.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What a model or a checkpoint holds.
    ///
    /// # Errors
    /// As [`Contents::read`].
    pub fn contents(&self) -> Result<Contents, Error> {
        match &self.content {
            Content::Bytes(bytes) => Contents::from_bytes(bytes, self.path),
            _ => Contents::read(self.path),
        }
    }

    /// The network of a state dict.
    ///
    /// # Errors
    /// As [`exchange::from_torch`].
    pub fn state_dict(&self, layers: Option<&Layers>) -> Result<Mlp, Error> {
        match &self.content {
            Content::Bytes(bytes) => exchange::from_torch(bytes, self.path, layers),
            _ => exchange::load_torch(self.path, layers),
        }
    }

    /// The form of a state dict's weights, where it says it.
    ///
    /// # Errors
    /// As [`exchange::torch_scaling`].
    pub fn scaling(&self) -> Result<Option<Scaling>, Error> {
        match &self.content {
            Content::Bytes(bytes) => exchange::torch_scaling(bytes, self.path),
            _ => exchange::load_torch_scaling(self.path),
        }
    }

    /// The tensors of a state dict.
    ///
    /// # Errors
    /// As [`exchange::torch_tensors`].
    pub fn tensors(&self) -> Result<Vec<TensorInfo>, Error> {
        match &self.content {
            Content::Bytes(bytes) => exchange::torch_tensors(bytes, self.path),
            _ => exchange::load_torch_tensors(self.path),
        }
    }

    /// The network of an ONNX graph, and what became of its nodes.
    ///
    /// # Errors
    /// As [`onnx::Model::import`].
    pub fn graph(&self, loss: Option<Loss>) -> anyhow::Result<onnx::Import> {
        Ok(self.model()?.import(loss)?)
    }

    /// The files in which an ONNX graph keeps tensors.
    ///
    /// # Errors
    /// As [`onnx::Model::files`].
    pub fn beside_graph(&self) -> anyhow::Result<Vec<PathBuf>> {
        Ok(self.model()?.files()?)
    }

    /// The loss that an ONNX graph says.
    ///
    /// # Errors
    /// As [`onnx::Model::loss`].
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
