//! Writing files: safetensors with a description, notes and a digest in the metadata.

use std::{
    io::{Cursor, Seek, SeekFrom, Write},
    path::Path,
};

use serde::Serialize;
use serde_json::Value;

use super::{
    digest::{BLANK, PLACE, Running, START},
    header::{LONGEST, MAX_TENSORS},
    tensor::{Tensor, WriteFrom},
};
use crate::{
    error::Error,
    files::{MAX_BYTES, write_atomically_with},
    memory::{ensure_room, reserve},
};

/// A file to be written, whose tensors are borrowed from where they are.
pub(crate) struct Writer<'m> {
    tensors: Vec<Tensor<WriteFrom<'m>>>,
    header: String,
    size: u64,
}

impl<'m> Writer<'m> {
    /// A file with these tensors, metadata under this key, and texts under theirs, those that are empty
    /// left out.
    pub fn new(
        mut tensors: Vec<Tensor<WriteFrom<'m>>>,
        key: &str,
        metadata: &impl Serialize,
        texts: &[(&str, &str)],
    ) -> Result<Self, Error> {
        if tensors.len() > MAX_TENSORS {
            let n = tensors.len();
            return Err(Error::TooMany { what: "tensors of a file", most: MAX_TENSORS, got: n });
        }
        // As the format's own writer does: large elements first, so that all of them are aligned.
        tensors.sort_by(|a, b| {
            b.element().size().cmp(&a.element().size()).then_with(|| a.name.cmp(&b.name))
        });
        let metadata = sorted_json(metadata)?;
        let of_texts: usize = texts.iter().map(|(_, text)| 2 * text.len()).sum();
        let room = metadata.len().saturating_add(of_texts);
        ensure_room("the header", room.saturating_mul(4))?;
        let (key, metadata) = (text(&key)?, text(&metadata)?);
        let mut header = format!("{START}{BLANK}\",{key}:{metadata}");
        for (key, value) in texts.iter().filter(|(_, value)| !value.is_empty()) {
            header += &format!(",{}:{}", text(key)?, text(value)?);
        }
        header.push('}');
        let mut end = 0;
        for tensor in &tensors {
            let from = end;
            end += tensor.size();
            let (name, shape) = (text(&tensor.name)?, text(&tensor.shape)?);
            let dtype = tensor.element().name();
            header += &format!(
                ",{name}:{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{from},{end}]}}"
            );
        }
        header.push('}');
        // As the format's own writer does, so that the data is aligned.
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        if header.len() > LONGEST {
            let n = header.len();
            return Err(Error::TooMany { what: "bytes of a file's header", most: LONGEST, got: n });
        }
        let size = (size_of::<u64>() + header.len()) as u64 + end;
        if size > MAX_BYTES {
            let (what, why) = ("the file", "the largest that can be read back");
            return Err(Error::FileTooLarge { what, size, most: MAX_BYTES, why });
        }
        Ok(Self { tensors, header, size })
    }

    /// The file's bytes.
    pub fn into_bytes(self) -> Result<Vec<u8>, Error> {
        let too_large = || Error::TooLarge { what: "the bytes of a file", shape: [1, usize::MAX] };
        let size = usize::try_from(self.size).map_err(|_| too_large())?;
        let mut to = Cursor::new(reserve("the bytes of a file", size)?);
        self.write(&mut to, None)?;
        Ok(to.into_inner())
    }

    /// Writes the file, whole or not at all.
    pub fn save(self, path: &Path) -> Result<(), Error> {
        write_atomically_with(path, |file| self.write(file, Some(path)))
    }

    /// Writes header and tensors, and then the digits of the digest.
    fn write(self, to: &mut (impl Write + Seek), path: Option<&Path>) -> Result<(), Error> {
        let io = |source| Error::transfer(path, source);
        let header = self.header.as_bytes();
        to.write_all(&(header.len() as u64).to_le_bytes()).map_err(io)?;
        to.write_all(header).map_err(io)?;
        let mut digest = Running::new(header);
        for tensor in &self.tensors {
            tensor.write(|bytes| {
                if let Some(digest) = &mut digest {
                    digest.update(bytes);
                }
                to.write_all(bytes).map_err(io)
            })?;
        }
        if let Some(digest) = digest {
            to.seek(SeekFrom::Start(PLACE)).map_err(io)?;
            to.write_all(digest.finish().as_bytes()).map_err(io)?;
        }
        Ok(())
    }
}

/// Metadata as JSON; the same metadata always gives the same bytes.
pub(crate) fn sorted_json(metadata: &impl Serialize) -> Result<String, Error> {
    text(&sorted(serde_json::to_value(metadata).map_err(unwritable)?))
}

fn text(of: &(impl Serialize + ?Sized)) -> Result<String, Error> {
    serde_json::to_string(of).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::Metadata { reason: error.to_string() }
}

/// The same with the keys of all objects sorted, in whichever order other crates make serde_json
/// keep them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}
