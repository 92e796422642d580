//! A graph and another file with its tensors. The reader never panics. It reads the same network as
//! from a graph that contains the tensors; if all ranges are right, it reads both or neither. Bytes
//! without a folder have no other files.
//!
//! The input is the graph's length (u16, little-endian), the graph, and the data.

use std::{fs, ops::Range};

use thinnet::{Error, exchange::onnx::Model, nn::Mlp};

use super::model_reader;

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    let (graph, data) = split(bytes);
    let inlined = Inlined::of(graph, data);
    let expected = Model::from_bytes(&inlined.graph[..]).network(None);
    match (read(bytes), expected) {
        (Ok(mlp), Ok(expected)) => {
            assert_eq!(mlp, expected);
            assert_eq!(mlp.digest(), expected.digest());
            model_reader::check(&mlp.to_bytes().unwrap());
        }
        (Ok(_), Err(error)) => panic!("refused with the tensors in the graph: {error}"),
        // Only the first byte of a file is checked.
        (Err(error), Ok(_)) if graph.starts_with(&[8]) => {
            assert!(!inlined.is_right(), "refused with the other file: {error}");
        }
        (Err(_), Ok(_)) => {}
        (Err(_), Err(_)) => {}
    }
    if inlined.has_initialisers {
        assert!(Model::from_bytes(graph).network(None).is_err());
    }
}

/// The graph and the data of an input.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk().unwrap_or((&[0, 0], bytes));
    rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()))
}

/// The network in an input's files.
///
/// # Errors
/// Those of the reader.
pub fn read(bytes: &[u8]) -> Result<Mlp, Error> {
    let (graph, data) = split(bytes);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.onnx");
    fs::write(&path, graph).expect("a graph");
    fs::write(folder.path().join("x.data"), data).expect("data");
    Model::read(&path)?.network(None)
}

/// A graph whose external tensors were put into it.
struct Inlined<'a> {
    graph: Vec<u8>,
    data: &'a [u8],
    /// Their ranges, except empty ones.
    ranges: Vec<Range<usize>>,
    /// Whether a tensor states a wrong place, and was left unchanged.
    has_wrong: bool,
    /// Whether there are initialisers among them.
    has_initialisers: bool,
}

impl<'a> Inlined<'a> {
    fn of(graph: &[u8], data: &'a [u8]) -> Self {
        let (has_wrong, has_initialisers) = (false, false);
        let mut inlined =
            Self { graph: Vec::new(), data, ranges: Vec::new(), has_wrong, has_initialisers };
        inlined.graph = inlined.message(graph, Kind::Model);
        inlined.ranges.sort_by_key(|range| (range.start, range.end));
        inlined
    }

    /// Whether the reader has to accept every range.
    fn is_right(&self) -> bool {
        !self.has_wrong && self.ranges.windows(2).all(|pair| pair[0].end <= pair[1].start)
    }

    /// The message with the tensors in it inlined; unchanged if it is not a message.
    fn message(&mut self, bytes: &[u8], kind: Kind) -> Vec<u8> {
        if matches!(kind, Kind::Initialiser | Kind::Tensor) {
            return match self.tensor(bytes) {
                Place::Here => bytes.to_vec(),
                Place::Wrong => {
                    self.has_wrong = true;
                    bytes.to_vec()
                }
                Place::Beside(tensor) => {
                    self.has_initialisers |= kind == Kind::Initialiser;
                    tensor
                }
            };
        }
        let Some(fields) = fields(bytes) else { return bytes.to_vec() };
        let mut to = Vec::new();
        for field in fields {
            match (kind.below(field.number), field.value) {
                (Some(kind), Value::Bytes(below)) => {
                    let below = self.message(below, kind);
                    push(&mut to, field.number, &below);
                }
                _ => to.extend(field.whole),
            }
        }
        to
    }

    /// A tensor with its elements.
    fn tensor(&mut self, bytes: &[u8]) -> Place {
        let Some(all) = fields(bytes) else { return Place::Wrong };
        let mut location = 0;
        let (mut is_wrong, mut entries) = (all.len() > 200, Vec::new());
        let (mut kind, mut dims) = (0, Vec::new());
        let mut to = Vec::new();
        for field in all {
            match (field.number, field.value) {
                (13, Value::Bytes(entry)) => entries.push(entry),
                (14, Value::Varint(at)) => {
                    is_wrong |= at > 1;
                    location = at;
                }
                (13 | 14, _) | (3, _) => is_wrong = true,
                (4..=7 | 9..=11, Value::Bytes(data)) => is_wrong |= !data.is_empty(),
                (1, Value::Varint(size)) => dims.push(size),
                (1, Value::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        let Some(size) = varint(&mut packed) else { return Place::Wrong };
                        dims.push(size);
                    }
                }
                (2, Value::Varint(number)) => kind = number,
                _ => {}
            }
            if !matches!(field.number, 13 | 14) {
                to.extend(field.whole);
            }
        }
        if location == 0 && entries.is_empty() {
            // The reader refuses these too, or they do not concern the place.
            return Place::Here;
        }
        let size = size(kind, &dims);
        let range = if is_wrong || location != 1 { None } else { range(&entries, size) };
        let data = range.as_ref().and_then(|range| self.data.get(range.clone()));
        let (Some(data), Some(range)) = (data, range) else { return Place::Wrong };
        if !data.is_empty() {
            push(&mut to, 9, data);
            self.ranges.push(range);
        }
        Place::Beside(to)
    }
}

/// The place of a tensor's elements.
enum Place {
    Here,
    Wrong,
    Beside(Vec<u8>),
}

/// A kind of message that may contain a tensor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Initialiser,
    Tensor,
}

impl Kind {
    /// The kind of the message in a field.
    fn below(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) => Self::Initialiser,
            (Self::Node, 5) => Self::Attribute,
            (Self::Attribute, 5) => Self::Tensor,
            _ => return None,
        })
    }
}

/// The bytes of a tensor.
fn size(kind: u64, dims: &[u64]) -> Option<usize> {
    let bits: u64 = match kind {
        1 | 6 | 12 => 32,
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        21..=23 => 4,
        25 | 26 => 2,
        _ => return None,
    };
    let bits = dims.iter().try_fold(bits, |bits, &size| bits.checked_mul(size))?;
    usize::try_from(bits.div_ceil(8)).ok()
}

/// The range of `x.data` that the entries state.
fn range(entries: &[&[u8]], size: Option<usize>) -> Option<Range<usize>> {
    let mut stated = [None; 4];
    for entry in entries {
        let (mut key, mut value) = (&[][..], &[][..]);
        for field in fields(entry)? {
            match (field.number, field.value) {
                // The last one counts, and only that one has to be text.
                (1, Value::Bytes(text)) => key = text,
                (2, Value::Bytes(text)) => value = text,
                (1 | 2, _) => return None,
                _ => {}
            }
        }
        let (key, value) = (std::str::from_utf8(key).ok()?, std::str::from_utf8(value).ok()?);
        let keys = ["location", "offset", "length", "checksum"];
        if let Some(index) = keys.iter().position(|&known| known == key)
            && stated[index].replace(value).is_some()
        {
            return None;
        }
    }
    let [location, offset, length, _] = stated;
    let (location, size) = (location?, size?);
    let rest = location.strip_suffix("x.data")?;
    let is_in_folder = rest.is_empty() || rest.ends_with('/') && !rest.starts_with('/');
    if !is_in_folder
        || rest.split('/').any(|name| !matches!(name, "" | "."))
        || location.len() > 1024
    {
        return None;
    }
    let number = |text: &str| -> Option<usize> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number)
    };
    let offset = number(offset.unwrap_or("0"))?;
    if let Some(length) = length
        && number(length)? != size
    {
        return None;
    }
    Some(offset..offset.checked_add(size)?)
}

/// A field of a message.
#[derive(Clone, Copy)]
struct Field<'a> {
    number: u64,
    value: Value<'a>,
    /// With its tag.
    whole: &'a [u8],
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message; `None` if it is not one.
fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let tag = varint(&mut rest)?;
        if !(1..1 << 29).contains(&(tag >> 3)) {
            return None;
        }
        let mut take = |length: usize| {
            let (bytes, left) = rest.split_at_checked(length)?;
            rest = left;
            Some(bytes)
        };
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut rest)?),
            1 => take(8).map(|_| Value::Other)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (bytes, left) = rest.split_at_checked(length)?;
                rest = left;
                Value::Bytes(bytes)
            }
            5 => take(4).map(|_| Value::Other)?,
            _ => return None,
        };
        let whole = &start[..start.len() - rest.len()];
        fields.push(Field { number: tag >> 3, value, whole });
    }
    Some(fields)
}

/// A number, 7 bits per byte.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for index in 0..10 {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        let bits = u64::from(byte & 127);
        if index == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * index);
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

/// Writes a field of bytes.
fn push(to: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    for mut value in [number << 3 | 2, bytes.len() as u64] {
        while value >= 128 {
            to.push(value as u8 | 128);
            value >>= 7;
        }
        to.push(value as u8);
    }
    to.extend(bytes);
}
