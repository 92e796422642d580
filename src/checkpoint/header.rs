//! A safetensors header, checked against the size of the data that follows it.
//!
//! The crate of that name is not used for reading: a hostile header can make it use many times the
//! header's size in memory, it takes the last of two tensors with the same name, adds up sizes
//! unchecked, and needs the whole file in memory.

use std::{collections::HashMap, fmt};

use safetensors::Dtype;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// The most tensors in a file.
pub(super) const MAX_TENSORS: usize = 20_000;

/// The most metadata keys in a file.
const MAX_KEYS: usize = 1000;

/// The longest name of a tensor, in bytes.
const LONGEST_NAME: usize = 1024;

/// The longest header, in bytes.
pub(super) const LONGEST: usize = 16 << 20;

/// The most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// Whether a file of `size` bytes that starts like this looks like a safetensors file: a header
/// length, then at least that many bytes, which start like JSON.
pub(crate) fn looks_whole(start: &[u8], size: u64) -> bool {
    let Some((length, rest)) = start.split_first_chunk::<8>() else { return false };
    let after = size.saturating_sub(length.len() as u64);
    u64::from_le_bytes(*length) <= after && rest.first() == Some(&b'{')
}

/// Whether these are the first bytes of a safetensors file, which may be truncated within its
/// header.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    // No header is 4 GiB long.
    length[4..] == [0; 4] && rest.first().is_none_or(|&first| first == b'{')
}

/// A parsed header.
#[derive(Default)]
pub(super) struct Header {
    metadata: Option<Metadata>,
    /// The tensors in the order of the file, without gaps.
    pub tensors: Vec<Entry>,
}

/// A tensor in the file.
pub(super) struct Entry {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Where it starts and ends in the data.
    offsets: (u64, u64),
}

impl Entry {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.offsets.1 - self.offsets.0
    }

    /// The size in bytes of such a tensor, if it does not overflow.
    fn size_of_shape(&self) -> Option<u64> {
        let count = self.shape.iter().try_fold(1_u64, |count, &n| count.checked_mul(n as u64))?;
        let bits = count.checked_mul(self.dtype.bitsize() as u64)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

impl Header {
    /// The metadata under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.as_ref()?.0.get(key).map(String::as_str)
    }

    /// Parses a header that is followed by this many bytes of data. The tensors have to cover the
    /// data without gaps or overlaps, from the first byte to the last.
    pub fn read(json: &[u8], data: u64) -> Result<Self, String> {
        let mut header: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let tensors = &mut header.tensors;
        let end = tensors.iter().map(|tensor| tensor.offsets.0.max(tensor.offsets.1)).max();
        if let Some(end) = end.filter(|&end| end > data) {
            return Err(format!(
                "a tensor ends at byte {end}, but only {data} bytes follow the header: the file is \
                 probably truncated"
            ));
        }
        tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(format!("{} occurs twice", pair[0].name));
        }
        tensors.sort_by_key(|tensor| tensor.offsets);
        let mut end = 0;
        for tensor in tensors {
            let Entry { name, dtype, shape, offsets: (from, to) } = &*tensor;
            if to < from {
                return Err(format!("{name} ends at byte {to}, before it starts at byte {from}"));
            }
            if *from != end {
                return Err(format!(
                    "{name} takes bytes {from} to {to}: expected it to start at byte {end}"
                ));
            }
            let size = tensor.size_of_shape();
            if size != Some(to - from) {
                let size = size.map_or("a whole number of".to_owned(), |size| size.to_string());
                return Err(format!(
                    "{name}, {dtype:?} {shape:?}, has {} bytes: expected {size} bytes",
                    to - from
                ));
            }
            end = *to;
        }
        if end != data {
            return Err(format!("{data} bytes follow the header, but its tensors take {end}"));
        }
        Ok(header)
    }
}

/// What is read from a JSON object, one entry after the other.
trait Object: Default {
    const EXPECTED: &'static str;

    /// Takes the entry with this key; its value is the next one of `map`.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: String, map: &mut A) -> Result<(), A::Error>;
}

/// The visitor of an object.
struct Entries<T>(T);

impl<'de, T: Object> Visitor<'de> for Entries<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<T, A::Error> {
        while let Some(key) = map.next_key()? {
            self.0.take(key, &mut map)?;
        }
        Ok(self.0)
    }
}

impl Object for Header {
    const EXPECTED: &'static str = "an object of tensors";

    fn take<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        if name == "__metadata__" {
            if self.metadata.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom(format!("{name} occurs twice")));
            }
            return Ok(());
        }
        if self.tensors.len() == MAX_TENSORS {
            return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
        }
        if name.len() > LONGEST_NAME {
            let n = name.len();
            let expected = format!("a name of {n} bytes: expected at most {LONGEST_NAME}");
            return Err(A::Error::custom(expected));
        }
        let Info { dtype, shape, data_offsets: offsets } = map.next_value()?;
        self.tensors.push(Entry { name, dtype, shape: shape.0, offsets });
        Ok(())
    }
}

impl Object for Metadata {
    const EXPECTED: &'static str = "an object of strings";

    fn take<'de, A: MapAccess<'de>>(&mut self, key: String, map: &mut A) -> Result<(), A::Error> {
        if self.0.insert(key, map.next_value()?).is_some() || self.0.len() > MAX_KEYS {
            let expected = format!("at most {MAX_KEYS} metadata keys, each once");
            return Err(A::Error::custom(format!("expected {expected}")));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(Self::default()))
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(Self::default()))
    }
}

/// Keys with string values.
#[derive(Default)]
struct Metadata(HashMap<String, String>);

/// A tensor's entry in the header; unknown fields are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// A short list of numbers.
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dimensions;

        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_DIMENSIONS} sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                for _ in 0..MAX_DIMENSIONS {
                    match sizes.next_element()? {
                        None => return Ok(Shape(shape)),
                        Some(size) => shape.push(size),
                    }
                }
                match sizes.next_element::<IgnoredAny>()? {
                    None => Ok(Shape(shape)),
                    Some(_) => Err(A::Error::invalid_length(MAX_DIMENSIONS + 1, &self)),
                }
            }
        }

        deserializer.deserialize_seq(Dimensions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(header: &str, words: &str) {
        let reason = Header::read(header.as_bytes(), 0).map(drop).unwrap_err();
        assert!(reason.contains(words), "{reason}");
    }

    fn tensor(fields: &str) -> String {
        format!(r#"{{"a":{{"dtype":"F32",{fields}}}}}"#)
    }

    #[test]
    fn what_would_cost_the_crate_memory_is_refused() {
        refused(&tensor(r#""shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,0]"#), "at most 8 sizes");
        refused(&tensor(r#""shape":[],"data_offsets":[0,0],"x":[[]]"#), "unknown field `x`");
        refused(&tensor(r#""shape":[],"data_offsets":[0,0,0]"#), "trailing");
        refused(&tensor(r#""shape":[1],"data_offsets":[0,4]"#), "byte 4, but only 0 bytes");
        let many = |n: usize, entry: &str| {
            let entries: Vec<_> = (0..n).map(|i| format!(r#""{i}":{entry}"#)).collect();
            format!("{{{}}}", entries.join(","))
        };
        let entry = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
        refused(&many(MAX_TENSORS + 1, entry), "more than 20000 tensors");
        let keys = many(MAX_KEYS + 1, r#""""#);
        refused(&format!(r#"{{"__metadata__":{keys}}}"#), "at most 1000 metadata keys");
    }

    #[test]
    fn tensors_follow_each_other() {
        let tensors = |a: &str, b: &str| {
            format!(
                r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":{a}}},
                    "b":{{"dtype":"F16","shape":[2,1],"data_offsets":{b}}}}}"#
            )
        };
        let read = |header: &str, data| Header::read(header.as_bytes(), data).map(drop);
        assert_eq!(read(&tensors("[0,8]", "[8,12]"), 12), Ok(()));
        assert_eq!(read(&tensors("[4,12]", "[0,4]"), 12), Ok(()), "in any order");
        for (a, b, words) in [
            ("[0,8]", "[4,8]", "b takes bytes 4 to 8: expected it to start at byte 8"),
            ("[1,9]", "[9,13]", "a takes bytes 1 to 9: expected it to start at byte 0"),
            ("[0,8]", "[8,10]", "b, F16 [2, 1], has 2 bytes: expected 4 bytes"),
            ("[8,0]", "[8,12]", "a ends at byte 0, before it starts at byte 8"),
            ("[4,0]", "[0,4]", "a ends at byte 0, before it starts at byte 4"),
        ] {
            let reason = read(&tensors(a, b), 13).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
        let reason = read(&tensors("[0,8]", "[8,12]"), 13).unwrap_err();
        assert!(reason.contains("13 bytes follow the header, but its tensors take 12"), "{reason}");
    }

    #[test]
    fn names_occur_once() {
        let entry = r#""a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
        refused(&format!("{{{entry},{entry}}}"), "a occurs twice");
        refused(r#"{"__metadata__":{"k":"","k":""}}"#, "each once");
    }
}
