//! The tensors of a graph whose elements are in other files.

use super::External;
use crate::{
    exchange::onnx::proto::{Model, Tensor, short},
    files, memory,
};

/// A tensor whose elements are in another file.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchange::onnx) struct ExternalTensor<'a> {
    pub(super) name: &'a str,
    pub(super) external: External<'a>,
    /// The bytes that its shape and kind take.
    pub(super) size: u64,
}

impl<'a> ExternalTensor<'a> {
    /// All of them in a graph: among its initialisers and the attributes of its nodes.
    pub fn all(model: &Model<'a>) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        let mut add = |name, tensor: &Tensor<'a>| match Self::of(name, tensor)? {
            Some(wanted) => {
                memory::push("tensors", &mut all, wanted).map_err(|error| error.to_string())
            }
            None => Ok(()),
        };
        for tensor in &model.initialisers {
            add(tensor.name, tensor)?;
        }
        for node in &model.nodes {
            for tensor in node.external()? {
                // The tensor of an attribute has no name.
                let name = node.outputs()?.first().copied().unwrap_or(node.name);
                add(name, &tensor)?;
            }
        }
        Ok(all)
    }

    /// The tensor that errors call `name`; `None` if its elements are in the graph.
    pub(super) fn of(name: &'a str, tensor: &Tensor<'a>) -> Result<Option<Self>, String> {
        let Some(external) = tensor.external else { return Ok(None) };
        let size = tensor.size().map_err(|reason| format!("{} {reason}", short(name)))?;
        Ok(Some(Self { name, external, size }))
    }

    /// The error of this tensor.
    pub(super) fn refuse(&self, reason: impl std::fmt::Display) -> String {
        let (name, location) = (short(self.name), short(self.external.location));
        format!("{name} is stored in another file, {location}: {reason}")
    }

    /// The first byte, and the one after the last, in a file of `len` bytes.
    pub(super) fn range(&self, len: u64) -> Result<(u64, u64), String> {
        let (start, size) = (self.external.offset, self.size);
        if let Some(length) = self.external.length.filter(|&length| length != size) {
            return Err(format!("a length of {length} bytes: expected {size}, for its shape"));
        }
        match start.checked_add(size) {
            Some(end) if end <= len => Ok((start, end)),
            _ => Err(format!("needs {size} bytes from byte {start}, but the file has only {len}")),
        }
    }
}

/// The maximum number of bytes in all ranges, as in a file.
const MAX_BYTES: u64 = files::MAX_BYTES;

/// The bytes of all tensors.
pub(super) fn total(wanted: &[ExternalTensor<'_>]) -> Result<usize, String> {
    let bytes = wanted.iter().fold(0_u64, |sum, tensor| sum.saturating_add(tensor.size));
    usize::try_from(bytes).ok().filter(|_| bytes <= MAX_BYTES).ok_or_else(|| {
        format!("tensors of {bytes} bytes in other files: expected at most {MAX_BYTES}")
    })
}
