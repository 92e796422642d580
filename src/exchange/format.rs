//! Which kind of file it is.

use std::{fmt, path::Path};

use super::{onnx, torch};
use crate::{
    checkpoint::{CHECKPOINT_KEY, MODEL_KEY, Reader, ensure_begins, header_begins, looks_whole},
    error::Error,
    files::{self, foreign},
};

/// What a file is, as its first bytes and its name say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A model file or a checkpoint of thinnet.
    Thinnet,
    /// A state dict for PyTorch that thinnet wrote: it says its architecture.
    Exported,
    /// Other tensors in safetensors: a state dict of PyTorch's.
    StateDict,
    /// An ONNX graph.
    Onnx,
}

impl FileKind {
    /// The kind of a file with these bytes.
    ///
    /// # Errors
    /// Bytes that are neither safetensors nor, by the first one, ONNX; the error says what
    /// else they are, where that is known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::by(bytes, bytes.len() as u64, None, || Reader::of_bytes(bytes))
    }

    /// As [`Self::from_bytes`], of a file, of which the first bytes or the header are read.
    /// It may also be ONNX by its name, which ends in `.onnx`. Of a pipe nothing is left to
    /// be read again.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Self::from_bytes`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let (start, size) = files::start(path)?;
        Self::by(&start, size, Some(path), || Reader::open(path))
    }

    /// As [`Self::read`], with the bytes of the file, of at most [`files::MAX_BYTES`]: for a pipe,
    /// which can be read once. What can be no such file is refused by its first bytes, before the
    /// others are read.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_whole(path: impl AsRef<Path>) -> Result<(Self, Vec<u8>), Error> {
        let path = path.as_ref();
        let bytes = files::read_if(path, files::MAX_BYTES, |first| {
            // As long as can be: how long it is nobody knows.
            if is_onnx(first, u64::MAX, Some(path)) {
                return onnx::begins(first);
            }
            ensure_begins(first, Some(path))
        })?;
        let reader = || Reader::of_bytes(&bytes[..]).map_err(|error| error.in_file(path));
        Ok((Self::by(&bytes, bytes.len() as u64, Some(path), reader)?, bytes))
    }

    /// The kind of a file of `size` bytes that starts with `bytes`, and whose header
    /// `reader` reads.
    fn by<'a>(
        bytes: &[u8],
        size: u64,
        path: Option<&Path>,
        reader: impl FnOnce() -> Result<Reader<'a>, Error>,
    ) -> Result<Self, Error> {
        if is_onnx(bytes, size, path) {
            return Ok(Self::Onnx);
        }
        let file = reader()?;
        Ok(if [MODEL_KEY, CHECKPOINT_KEY].into_iter().any(|key| file.has(key)) {
            Self::Thinnet
        } else if file.has(torch::KEY) {
            Self::Exported
        } else {
            Self::StateDict
        })
    }
}

/// Whether a file of `size` bytes that starts with `bytes` is to be read as ONNX.
fn is_onnx(bytes: &[u8], size: u64, path: Option<&Path>) -> bool {
    /// The tag of the format's version, with which every writer begins.
    const IR_VERSION: u8 = 8;
    let ending = path.and_then(Path::extension);
    let named = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"));
    let begins = bytes.first() == Some(&IR_VERSION) && !header_begins(bytes);
    let known = looks_whole(bytes, size) || foreign(bytes, path).is_some();
    !known && (named || begins)
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thinnet => "a thinnet model or checkpoint",
            Self::Exported => "a state dict that thinnet wrote",
            Self::StateDict => "a state dict",
            Self::Onnx => "an ONNX graph",
        })
    }
}
