//! The kinds of files.

use std::{fmt, path::Path};

use super::{onnx, torch};
use crate::{
    checkpoint::{CHECKPOINT_KEY, INTEGER_KEY, MODEL_KEY, Reader, header_begins, looks_whole},
    error::Error,
    files::{self, foreign},
};

/// The kind of a file, by its first bytes and its name.
///
/// ```
/// use thinnet::{exchange::{FileKind, torch}, nn::{Loss, Mlp, Scaling}};
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let bytes = torch::to_bytes(&mlp, Scaling::Inverted)?;
/// assert_eq!(FileKind::from_bytes(&bytes)?, FileKind::DescribedStateDict);
/// assert_eq!(FileKind::from_bytes(&mlp.to_bytes()?)?, FileKind::Thinnet);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A model file or a checkpoint of thinnet.
    Thinnet,
    /// A state dict that thinnet wrote, with a description of its network in the metadata.
    DescribedStateDict,
    /// Other tensors in safetensors: a PyTorch state dict.
    StateDict,
    /// An ONNX graph.
    Onnx,
}

impl FileKind {
    /// The kind of a file with these bytes.
    ///
    /// # Errors
    /// The bytes are neither safetensors nor ONNX. The error says what they are, if that is known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::by(bytes, bytes.len() as u64, None, || Reader::of_bytes(bytes))
    }

    /// The kind of a file, of which only the beginning is read. A name that ends in `.onnx` also
    /// makes it ONNX. This uses up a pipe; see [`Self::read_whole`].
    ///
    /// # Errors
    /// The file cannot be read, or as [`Self::from_bytes`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let (start, size) = files::start(path)?;
        Self::by(&start, size, Some(path), || Reader::open(path))
    }

    /// The kind and the bytes of a file of at most [`files::MAX_BYTES`], for a pipe, which can
    /// only be read once. Other files are refused by their first bytes, before the rest is read.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_whole(path: impl AsRef<Path>) -> Result<(Self, Vec<u8>), Error> {
        let path = path.as_ref();
        let bytes = files::read_if(path, files::MAX_BYTES, |first| {
            // The length is unknown, so it may be any.
            if is_onnx(first, u64::MAX, Some(path)) {
                return onnx::begins(first);
            }
            ensure_known(first, Some(path))
        })?;
        let reader = || Reader::of_bytes(&bytes[..]).map_err(|error| error.in_file(path));
        Ok((Self::by(&bytes, bytes.len() as u64, Some(path), reader)?, bytes))
    }

    /// The kind of a file of `size` bytes that begins with `bytes`. `reader` reads its header.
    fn by<'a>(
        bytes: &[u8],
        size: u64,
        path: Option<&Path>,
        reader: impl FnOnce() -> Result<Reader<'a>, Error>,
    ) -> Result<Self, Error> {
        if is_onnx(bytes, size, path) {
            return Ok(Self::Onnx);
        }
        ensure_known(bytes, path).map_err(|reason| Error::format(path, reason))?;
        let file = reader()?;
        let keys = [MODEL_KEY, INTEGER_KEY, CHECKPOINT_KEY];
        Ok(if keys.into_iter().any(|key| file.has(key)) {
            Self::Thinnet
        } else if file.has(torch::KEY) {
            Self::DescribedStateDict
        } else {
            Self::StateDict
        })
    }
}

/// Refuses bytes that cannot be the beginning of a safetensors file, if they are not ONNX either.
fn ensure_known(bytes: &[u8], path: Option<&Path>) -> Result<(), String> {
    const KINDS: &str =
        "a thinnet model or checkpoint, a state dict in safetensors, or an ONNX graph";
    if header_begins(bytes) {
        return Ok(());
    }
    Err(match foreign(bytes, path) {
        Some(found) => format!("expected {KINDS}; this is {found}"),
        None => format!("a file of unknown format: expected {KINDS}"),
    })
}

/// Whether a file of `size` bytes that begins with `bytes` is ONNX.
fn is_onnx(bytes: &[u8], size: u64, path: Option<&Path>) -> bool {
    /// The tag of the field `ir_version`, with which every writer begins.
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
            Self::DescribedStateDict => "a state dict that thinnet wrote",
            Self::StateDict => "a state dict",
            Self::Onnx => "an ONNX graph",
        })
    }
}
