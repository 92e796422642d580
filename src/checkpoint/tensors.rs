//! Named tensors and one metadata key, on top of safetensors.

use std::{collections::HashMap, path::Path};

use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::{Serialize, de::DeserializeOwned};

use super::{floats::Kind, header};
use crate::{bytes::little_endian, error::Error};

/// Tensors on their way into a file.
#[derive(Default)]
pub(crate) struct Writer {
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl Writer {
    /// Adds a tensor, all of whose elements have to be finite.
    pub fn push(&mut self, name: String, shape: Vec<usize>, values: &[f32]) -> Result<(), Error> {
        if let Some(bad) = values.iter().find(|x| !x.is_finite()) {
            let value = format!("{name} holds {bad}");
            return Err(Error::setting("parameters", value, "finite numbers to be saved"));
        }
        self.tensors.push((name, shape, little_endian(values)));
        Ok(())
    }

    /// The file's bytes.
    pub fn finish(self, key: &str, metadata: &impl Serialize) -> Result<Vec<u8>, Error> {
        let unwritable =
            |reason: String| Error::setting("file", reason, "tensors that safetensors can hold");
        let json = serde_json::to_string(metadata).map_err(|e| unwritable(e.to_string()))?;
        let views = self
            .tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, SafeTensorError>>();
        let metadata = HashMap::from([(key.to_owned(), json)]);
        views
            .and_then(|views| safetensors::serialize(views, Some(metadata)))
            .map_err(|e| unwritable(e.to_string()))
    }
}

/// A reason that may hold a text of the file, which may be as long as it.
fn cut(mut reason: String) -> String {
    const MOST: usize = 500;
    if let Some((end, _)) = reason.char_indices().nth(MOST) {
        reason.truncate(end);
        reason.push_str("...");
    }
    reason
}

/// A file's tensors, and its name for errors.
pub(crate) struct Reader<'a> {
    tensors: SafeTensors<'a>,
    metadata: HashMap<String, String>,
    path: &'a Path,
}

impl<'a> Reader<'a> {
    /// Checks the header: sizes, overlaps and ends are the crate's to check.
    pub fn new(bytes: &'a [u8], path: &'a Path) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Format {
            path: path.to_owned(),
            reason: format!("not a safetensors file: {}", cut(reason)),
        };
        let metadata = header::metadata(bytes).map_err(refuse)?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| refuse(e.to_string()))?;
        Ok(Self { tensors, metadata, path })
    }

    /// The error of this file.
    pub fn refuse(&self, reason: String) -> Error {
        Error::Format { path: self.path.to_owned(), reason }
    }

    /// Whether there is such a metadata key.
    pub fn has(&self, key: &str) -> bool {
        self.metadata.contains_key(key)
    }

    /// The metadata of a key; `expected` says what file has it.
    pub fn metadata<T: DeserializeOwned>(&self, key: &str, expected: &str) -> Result<T, Error> {
        let json = self
            .metadata
            .get(key)
            .ok_or_else(|| self.refuse(format!("no metadata key `{key}`: expected {expected}")))?;
        serde_json::from_str(json)
            .map_err(|e| self.refuse(format!("metadata `{key}`: {}", cut(e.to_string()))))
    }

    /// Whether a format number is the one that this version reads.
    pub fn check_version(&self, what: &str, got: u32, expected: u32) -> Result<(), Error> {
        if got == expected {
            return Ok(());
        }
        Err(self.refuse(format!("{what} {got}: expected {expected}")))
    }

    /// Whether the file has as many tensors as it should.
    pub fn check_count(&self, expected: usize) -> Result<(), Error> {
        let got = self.tensors.len();
        if got == expected {
            return Ok(());
        }
        Err(self.refuse(format!("{got} tensors: expected {expected}")))
    }

    /// Whether there is such a tensor.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// Name, element kind and shape of all tensors, in the order of their names.
    pub fn tensors(&self) -> Vec<(&str, Dtype, Vec<usize>)> {
        let mut tensors: Vec<_> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name, tensor.dtype(), tensor.shape().to_vec()))
            .collect();
        tensors.sort_unstable();
        tensors
    }

    /// The elements of a tensor of this shape, of any of the kinds that networks
    /// are kept in.
    pub fn floats(
        &self,
        name: &str,
        shape: &[usize],
    ) -> Result<impl Iterator<Item = f32> + use<'a>, Error> {
        let tensor = self.tensors.tensor(name).map_err(|e| self.refuse(format!("{name}: {e}")))?;
        let kind = match tensor.dtype() {
            Dtype::F32 => Some(Kind::F32),
            Dtype::F16 => Some(Kind::F16),
            Dtype::BF16 => Some(Kind::Bf16),
            _ => None,
        };
        match kind {
            Some(kind) if tensor.shape() == shape => Ok(kind.read(tensor.data())),
            _ => {
                let (dtype, got) = (tensor.dtype(), tensor.shape());
                Err(self.refuse(format!(
                    "{name} is {dtype:?} {got:?}: expected F32, F16 or BF16 {shape:?}"
                )))
            }
        }
    }

    /// A tensor of this shape, all of whose elements are finite.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let tensor = self.tensors.tensor(name).map_err(|e| self.refuse(format!("{name}: {e}")))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            let (dtype, got) = (tensor.dtype(), tensor.shape());
            return Err(self.refuse(format!("{name} is {dtype:?} {got:?}: expected F32 {shape:?}")));
        }
        let (words, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        values.iter().try_for_each(|&x| self.check_finite(name, x))?;
        Ok(values)
    }

    /// Whether an element of a tensor is finite.
    pub fn check_finite(&self, name: &str, x: f32) -> Result<(), Error> {
        if x.is_finite() {
            return Ok(());
        }
        Err(self.refuse(format!("{name} holds {x}: expected finite numbers")))
    }
}
