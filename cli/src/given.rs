//! A file that contains a network in one of several formats.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::bail;
use thinnet::{
    Error,
    checkpoint::Contents,
    exchange::{
        FileKind, onnx,
        torch::{StateDict, StateDictSpec, TensorInfo},
    },
    nn::{Loss, Mlp, Scaling},
};

/// What the file can be.
pub const EXPECTED: &str = "a model, a checkpoint, a state dict in safetensors or an ONNX graph";

/// Returns how the weights of a state dict are scaled, in words.
pub fn scaled(scaling: Scaling) -> &'static str {
    match scaling {
        Scaling::Paper => "scaled as in the paper",
        _ => "scaled for inverted dropout",
    }
}

/// A file and its kind.
pub struct Given<'a> {
    path: &'a Path,
    kind: FileKind,
    content: Content,
    size: u64,
}

/// The contents of a file, opened as its kind.
enum Content {
    /// A model or a checkpoint, on disk, to be read when needed.
    Thinnet,
    /// The same in memory, because a pipe can only be read once.
    ThinnetBytes(Vec<u8>),
    StateDict(StateDict<'static>),
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
            let content = match kind {
                FileKind::Onnx => Content::Graph(onnx::Model::read(path)?),
                FileKind::Thinnet => Content::Thinnet,
                _ => Content::StateDict(StateDict::read(path)?),
            };
            (kind, content)
        } else {
            let (kind, bytes) = FileKind::read_whole(path)?;
            let content = match kind {
                FileKind::Onnx => Content::Graph(onnx::Model::from_bytes(bytes)),
                FileKind::Thinnet => Content::ThinnetBytes(bytes),
                _ => Content::StateDict(
                    StateDict::from_bytes(bytes).map_err(|error| error.in_file(path))?,
                ),
            };
            (kind, content)
        };
        let size = match &content {
            Content::Thinnet => about.len(),
            Content::ThinnetBytes(bytes) => bytes.len() as u64,
            Content::StateDict(state_dict) => state_dict.size(),
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
            Content::ThinnetBytes(bytes) => {
                Contents::from_bytes(bytes).map_err(|error| error.in_file(self.path))
            }
            _ => Contents::read(self.path),
        }
    }

    /// Reads the network in a state dict.
    ///
    /// # Errors
    /// Those of [`StateDict::network`].
    pub fn network(self, spec: Option<&StateDictSpec>) -> anyhow::Result<Mlp> {
        let path = self.path;
        match self.content {
            Content::StateDict(state_dict) => {
                Ok(state_dict.network(spec).map_err(|error| error.in_file(path))?)
            }
            _ => bail!("{}: {}: expected a state dict", path.display(), self.kind),
        }
    }

    /// Returns the form of the weights in a state dict, if the file states it.
    ///
    /// # Errors
    /// Those of [`StateDict::scaling`].
    pub fn scaling(&self) -> anyhow::Result<Option<Scaling>> {
        Ok(self.state_dict()?.scaling().map_err(|error| error.in_file(self.path))?)
    }

    /// Lists the tensors of a state dict.
    ///
    /// # Errors
    /// The file is not a state dict.
    pub fn tensors(&self) -> anyhow::Result<Vec<TensorInfo>> {
        Ok(self.state_dict()?.tensors())
    }

    /// Imports an ONNX graph: its network, and a report on its nodes.
    ///
    /// # Errors
    /// Those of [`onnx::Model::import`].
    pub fn graph(&self, loss: Option<Loss>) -> anyhow::Result<onnx::Import> {
        let named = |error: Error| error.in_file(self.path);
        let mut import = self.model()?.import(loss).map_err(named)?;
        import.network = import.network.map_err(named);
        Ok(import)
    }

    /// Returns the files in which an ONNX graph stores tensors.
    ///
    /// # Errors
    /// Those of [`onnx::Model::files`].
    pub fn data_files_of_graph(&self) -> anyhow::Result<Vec<PathBuf>> {
        Ok(self.model()?.files().map_err(|error| error.in_file(self.path))?)
    }

    fn state_dict(&self) -> anyhow::Result<&StateDict<'static>> {
        match &self.content {
            Content::StateDict(state_dict) => Ok(state_dict),
            _ => bail!("{}: {}: expected a state dict", self.path.display(), self.kind),
        }
    }

    fn model(&self) -> anyhow::Result<&onnx::Model<'static>> {
        match &self.content {
            Content::Graph(model) => Ok(model),
            _ => bail!("{}: {}: expected an ONNX graph", self.path.display(), self.kind),
        }
    }
}
