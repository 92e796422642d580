//! A file that holds a network in one of several formats.

use std::{fs, path::Path};

use thinnet::{
    Error,
    checkpoint::Contents,
    exchange::{self, FileKind, Layers, TensorInfo},
    nn::{Loss, Mlp, Scaling},
};

/// A file and what it is. What it holds is read straight from it; a pipe, which can
/// be read once, and an ONNX graph lie in memory.
pub struct Given<'a> {
    path: &'a Path,
    kind: FileKind,
    bytes: Option<Vec<u8>>,
    size: u64,
}

impl<'a> Given<'a> {
    /// Looks what the file is.
    ///
    /// # Errors
    /// It cannot be read, or is none of the kinds.
    pub fn open(path: &'a Path) -> Result<Self, Error> {
        let of = |source| Error::Io { path: path.to_owned(), source };
        let about = fs::metadata(path).map_err(of)?;
        let (kind, bytes) = if about.is_file() {
            let kind = FileKind::read(path)?;
            let is_onnx = kind == FileKind::Onnx;
            (kind, if is_onnx { Some(exchange::read_onnx(path)?) } else { None })
        } else {
            let (kind, bytes) = FileKind::read_whole(path)?;
            (kind, Some(bytes))
        };
        let size = bytes.as_ref().map_or(about.len(), |bytes| bytes.len() as u64);
        Ok(Self { path, kind, bytes, size })
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
        match &self.bytes {
            Some(bytes) => Contents::from_bytes(bytes, self.path),
            None => Contents::read(self.path),
        }
    }

    /// The network of a state dict.
    ///
    /// # Errors
    /// As [`exchange::from_torch`].
    pub fn state_dict(&self, layers: Option<&Layers>) -> Result<Mlp, Error> {
        match &self.bytes {
            Some(bytes) => exchange::from_torch(bytes, self.path, layers),
            None => exchange::load_torch(self.path, layers),
        }
    }

    /// The form of a state dict's weights, where it says it.
    ///
    /// # Errors
    /// As [`exchange::torch_scaling`].
    pub fn scaling(&self) -> Result<Option<Scaling>, Error> {
        match &self.bytes {
            Some(bytes) => exchange::torch_scaling(bytes, self.path),
            None => exchange::load_torch_scaling(self.path),
        }
    }

    /// The tensors of a state dict.
    ///
    /// # Errors
    /// As [`exchange::torch_tensors`].
    pub fn tensors(&self) -> Result<Vec<TensorInfo>, Error> {
        match &self.bytes {
            Some(bytes) => exchange::torch_tensors(bytes, self.path),
            None => exchange::load_torch_tensors(self.path),
        }
    }

    /// The network of an ONNX graph.
    ///
    /// # Errors
    /// As [`exchange::from_onnx`].
    pub fn graph(&self, loss: Option<Loss>) -> Result<Mlp, Error> {
        match &self.bytes {
            Some(bytes) => exchange::from_onnx(bytes, self.path, loss),
            None => exchange::load_onnx(self.path, loss),
        }
    }

    /// The loss that an ONNX graph says.
    ///
    /// # Errors
    /// As [`exchange::onnx_loss`].
    pub fn loss_of_graph(&self) -> Result<Option<Loss>, Error> {
        exchange::onnx_loss(self.bytes.as_deref().unwrap_or_default(), self.path)
    }
}
