//! Reading files: the header first, then the tensors straight into their final memory.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{Cursor, ErrorKind, Read},
    path::{Path, PathBuf},
};

use safetensors::Dtype;
use serde::de::DeserializeOwned;

use super::{
    digest::{self, Running},
    elements::ElementType,
    header::{Entry, Header, LONGEST, begins},
    notes::{NOTES, PREPROCESSOR, checked_notes, checked_preprocessor},
    tensor::{AT_ONCE, ReadInto, Tensor},
};
use crate::{
    error::Error,
    files::{self, MAX_BYTES},
    memory::{ensure_room, reserve, zeros},
};

/// The number of bytes examined before the header.
const FIRST: u64 = 64;

/// Whether a file's digest is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// The file must have a digest, and it must match.
    Digest,
    /// If the file has a digest, it must match.
    WherePresent,
    /// It is not verified.
    Nothing,
}

/// A file whose header was read and checked against the file's size, and whose tensors are still to
/// be read.
pub(crate) struct Reader<'a> {
    header: Header,
    /// The indices of the tensors, in the order of their names.
    by_name: Vec<usize>,
    /// The rest of the file, after the header.
    data: Box<dyn Read + Send + Sync + 'a>,
    size: u64,
    /// `None` if the header has no digest in its place.
    digest: Option<Running>,
    /// The path that errors name; `None` for bytes.
    path: Option<PathBuf>,
}

/// Checks that a safetensors file can begin like this; if not, returns the reason.
fn ensure_begins(first: &[u8], path: Option<&Path>) -> Result<(), String> {
    if begins(first) {
        return Ok(());
    }
    let reason = files::foreign(first, path).unwrap_or_else(|| {
        "expected a header at the start: its length in 8 bytes (below 4 GiB), then `{`".to_owned()
    });
    Err(format!("not a safetensors file: {reason}"))
}

impl Reader<'static> {
    /// Opens a file. One without a known size, such as a pipe, is read completely first.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::io(path, source);
        let found = fs::metadata(path).map_err(io)?;
        if !found.is_file() {
            let bytes = files::read_if(path, MAX_BYTES, |first| ensure_begins(first, Some(path)))?;
            let size = bytes.len() as u64;
            return Self::new(Cursor::new(bytes), size, Some(path));
        }
        let file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        if size > MAX_BYTES {
            return Err(Error::format(path, format!("larger than {MAX_BYTES} bytes, the maximum")));
        }
        Self::new(file, size, Some(path))
    }
}

impl<'a> Reader<'a> {
    /// Opens a file's bytes.
    pub fn of_bytes(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        Self::new(Cursor::new(bytes), size, None)
    }

    fn new(
        mut data: impl Read + Send + Sync + 'a,
        size: u64,
        path: Option<&Path>,
    ) -> Result<Self, Error> {
        let refuse = |reason: String| {
            Error::format(path, format!("not a safetensors file: {}", cut(reason)))
        };
        // The bytes by which other formats are recognised.
        let mut first = vec![0; size.min(FIRST) as usize];
        read(&mut data, &mut first, path)?;
        ensure_begins(&first, path).map_err(|reason| Error::format(path, reason))?;
        let mut data = Cursor::new(first).chain(data);
        let mut length = [0; size_of::<u64>()];
        read(&mut data, &mut length, path)?;
        let after = size.saturating_sub(length.len() as u64);
        let length = u64::from_le_bytes(length);
        let Some(of_data) = after.checked_sub(length) else {
            return Err(refuse(format!(
                "the header should have {length} bytes, but only {after} follow its length (the file \
                 may be truncated)"
            )));
        };
        let Some(length) = usize::try_from(length).ok().filter(|&length| length <= LONGEST) else {
            return Err(refuse(format!("a header of {length} bytes: expected at most {LONGEST}")));
        };
        let mut json = zeros("the header", [1, length])?;
        read(&mut data, &mut json, path)?;
        // The memory that parsing it can take: strings, names and shapes.
        ensure_room("the header", length.saturating_mul(4))?;
        let header = Header::read(&json, of_data).map_err(refuse)?;
        let digest = Running::new(&json);
        let mut by_name: Vec<_> = (0..header.tensors.len()).collect();
        by_name.sort_unstable_by_key(|&index| &header.tensors[index].name);
        Ok(Self {
            header,
            by_name,
            data: Box::new(data),
            size,
            digest,
            path: path.map(Path::to_owned),
        })
    }

    /// An error about this file.
    pub fn refuse(&self, reason: String) -> Error {
        Error::format(self.path(), reason)
    }

    /// The file's path, if known.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The file's size in bytes.
    pub fn size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// Whether there is a metadata key of this name.
    pub fn has(&self, key: &str) -> bool {
        self.header.metadata(key).is_some()
    }

    /// The metadata under a key; `expected` says which kind of file has it.
    pub fn metadata<T: DeserializeOwned>(&self, key: &str, expected: &str) -> Result<T, Error> {
        let json = self
            .header
            .metadata(key)
            .ok_or_else(|| self.refuse(format!("no metadata key `{key}`: expected {expected}")))?;
        serde_json::from_str(json)
            .map_err(|e| self.refuse(format!("metadata `{key}`: {}", cut(e.to_string()))))
    }

    /// The network's notes; empty if there are none.
    pub fn notes(&self) -> Result<&str, Error> {
        checked_notes(self.header.metadata(NOTES)).map_err(|reason| self.refuse(reason))
    }

    /// The preprocessor of the network's inputs as JSON, of which only the length is checked; empty if
    /// there is none.
    pub fn preprocessor(&self) -> Result<&str, Error> {
        let found = self.header.metadata(PREPROCESSOR);
        checked_preprocessor(found).map_err(|reason| self.refuse(reason))
    }

    /// Checks that the file has as many tensors as it should.
    pub fn check_count(&self, expected: usize) -> Result<(), Error> {
        let got = self.header.tensors.len();
        if got == expected {
            return Ok(());
        }
        Err(self.refuse(format!("{got} tensors: expected {expected}")))
    }

    /// Whether there is a tensor of this name.
    pub fn has_tensor(&self, name: &str) -> bool {
        self.number(name).is_some()
    }

    fn number(&self, name: &str) -> Option<usize> {
        let name_of = |&index: &usize| self.header.tensors[index].name.as_str();
        let at = self.by_name.binary_search_by_key(&name, name_of).ok()?;
        Some(self.by_name[at])
    }

    /// Name, element type and shape of all tensors, in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, Dtype, &[usize])> {
        self.by_name.iter().map(|&index| {
            let Entry { name, dtype, shape, .. } = &self.header.tensors[index];
            (name.as_str(), *dtype, shape.as_slice())
        })
    }

    /// The index of a tensor that must have this shape and one of these element types.
    pub fn find(&self, name: &str, shape: &[usize], types: &[ElementType]) -> Result<usize, Error> {
        let index = self.number(name);
        let index = index.ok_or_else(|| self.refuse(format!("tensor {name} is missing")))?;
        let Entry { dtype, shape: got, .. } = &self.header.tensors[index];
        if got == shape && ElementType::of(*dtype).is_some_and(|element| types.contains(&element)) {
            return Ok(index);
        }
        let mut expected = String::new();
        for (index, element) in types.iter().enumerate() {
            expected += match types.len() - index {
                _ if index == 0 => "",
                1 => " or ",
                _ => ", ",
            };
            expected += element.name();
        }
        Err(self.refuse(format!("{name} is {dtype:?} {got:?}: expected {expected} {shape:?}")))
    }

    /// Reads the file to its end: these tensors, already checked by [`Self::find`], into their
    /// memory; others are only hashed. On failure, the contents of that memory are unspecified.
    pub fn load(
        mut self,
        wanted: Vec<Tensor<ReadInto<'_>>>,
        types: &[ElementType],
        verify: Verify,
    ) -> Result<(), Error> {
        let stated = self.header.metadata(digest::KEY);
        let mut digest = match (verify, stated) {
            (Verify::Nothing, _) | (Verify::WherePresent, None) => None,
            (_, Some(_)) if self.digest.is_some() => self.digest.take(),
            _ => {
                return Err(self.refuse(format!(
                    "no digest: expected `{}` as the first metadata key",
                    digest::KEY
                )));
            }
        };
        let count = self.header.tensors.len();
        let mut places: Vec<Option<Tensor<ReadInto<'_>>>> =
            reserve("the tensors of a file", count)?;
        places.resize_with(count, || None);
        for tensor in wanted {
            let index = self.find(&tensor.name, &tensor.shape, types)?;
            places[index] = Some(tensor);
        }
        let (mut numbers, mut bytes) = ([0.0; AT_ONCE], [0; AT_ONCE * size_of::<f32>()]);
        for (index, mut place) in places.into_iter().enumerate() {
            let Entry { dtype, .. } = self.header.tensors[index];
            let (element, mut left) = (ElementType::of(dtype), self.header.tensors[index].size());
            // As many as there is room for in `numbers`.
            let most = AT_ONCE * element.map_or(1, ElementType::size);
            let mut start = 0;
            while left > 0 {
                let part = most.min(usize::try_from(left).unwrap_or(usize::MAX));
                let part = &mut bytes[..part];
                left -= part.len() as u64;
                read(&mut self.data, part, self.path.as_deref())?;
                if let Some(digest) = &mut digest {
                    digest.update(part);
                }
                let (Some(tensor), Some(element)) = (&mut place, element) else { continue };
                let count = element.read(part, &mut numbers);
                let numbers = &mut numbers[..count];
                for x in &mut *numbers {
                    *x = tensor.convert(*x).map_err(|reason| self.refuse(reason))?;
                }
                tensor.memory.put(start, numbers);
                start += count;
            }
        }
        match digest.map(Running::finish) {
            Some(digest) if Some(&*digest) != stated => Err(self.refuse(format!(
                "the contents do not match the digest in the header: the file is damaged or was changed \
                 by another program (SHA-256 is {digest}, `{}` says {})",
                digest::KEY,
                cut(stated.unwrap_or_default().to_owned())
            ))),
            _ => Ok(()),
        }
    }
}

/// Fills `to`, or reports that the file became shorter while it was read.
fn read(from: &mut impl Read, to: &mut [u8], path: Option<&Path>) -> Result<(), Error> {
    from.read_exact(to).map_err(|source| match source.kind() {
        ErrorKind::UnexpectedEof => {
            Error::format(path, "became shorter while it was read: expected it not to change")
        }
        _ => Error::transfer(path, source),
    })
}

/// A reason that may quote a string from the file, which may be as long as the file.
fn cut(mut reason: String) -> String {
    const MAX_CHARS: usize = 500;
    if let Some((end, _)) = reason.char_indices().nth(MAX_CHARS) {
        reason.truncate(end);
        reason.push_str("...");
    }
    reason
}
