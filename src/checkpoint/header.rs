//! A safetensors header, looked through before the crate reads it.
//!
//! The crate keeps what the header states in memory, many times its length
//! where a hostile one is made for it; takes the last of two tensors with the
//! same name; and adds up sizes unchecked. So this comes first, and keeps
//! nothing but the metadata and the names.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// The most tensors of a file.
const MOST_TENSORS: usize = 20_000;

/// The most metadata keys of a file.
const MOST_KEYS: usize = 1000;

/// The longest name of a tensor, in bytes.
const LONGEST_NAME: usize = 1024;

/// The longest header, in bytes: the crate holds most of it several times.
const LONGEST: usize = 16 << 20;

/// The most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 8;

/// The length of the header that a safetensors file states, where its bytes look
/// like one: the length is followed by as much, which starts as JSON does.
pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    (length <= rest.len() && rest.first() == Some(&b'{')).then_some(length)
}

/// Whether these are the first bytes of a safetensors file, which may be cut off
/// in its header.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    // No header is as long as 4 GiB.
    length[4..] == [0; 4] && rest.first().is_none_or(|&first| first == b'{')
}

/// The metadata of a file's bytes. Those whose header is no JSON object of their
/// length are left for the crate to refuse.
pub(super) fn metadata(bytes: &[u8]) -> Result<HashMap<String, String>, String> {
    let Some(length) = length(bytes) else { return Ok(HashMap::new()) };
    if length > LONGEST {
        return Err(format!("a header of {length} bytes: expected at most {LONGEST}"));
    }
    let (header, data) = bytes[8..].split_at(length);
    let header: Header = serde_json::from_slice(header).map_err(|e| e.to_string())?;
    if header.end > data.len() as u64 {
        return Err(format!("a tensor ends at byte {} of {}", header.end, data.len()));
    }
    Ok(header.metadata)
}

struct Header {
    metadata: HashMap<String, String>,
    /// Of the tensor that ends last.
    end: u64,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header { metadata: HashMap::new(), end: 0 };
                let mut names = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if names.len() > MOST_TENSORS {
                        return Err(A::Error::custom(format!("more than {MOST_TENSORS} tensors")));
                    }
                    if name.len() > LONGEST_NAME {
                        let n = name.len();
                        let expected =
                            format!("a name of {n} bytes: expected at most {LONGEST_NAME}");
                        return Err(A::Error::custom(expected));
                    }
                    if names.contains(&name) {
                        return Err(A::Error::custom(format!("{name} stands there twice")));
                    }
                    if name == "__metadata__" {
                        header.metadata = map.next_value::<Metadata>()?.0;
                    } else {
                        let Info { dtype, data_offsets: (from, to), .. } = map.next_value()?;
                        if dtype.len() > LONGEST_NAME {
                            return Err(A::Error::custom(format!("dtype of {name} is too long")));
                        }
                        header.end = header.end.max(from).max(to);
                    }
                    names.insert(name);
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Keys with a text each.
struct Metadata(HashMap<String, String>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut entries = HashMap::new();
                while let Some((key, text)) = map.next_entry()? {
                    if entries.insert(key, text).is_some() || entries.len() > MOST_KEYS {
                        let expected = format!("at most {MOST_KEYS} metadata keys, each once");
                        return Err(A::Error::custom(format!("expected {expected}")));
                    }
                }
                Ok(Metadata(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// What the header states of a tensor: no field besides these, which the crate
/// would keep.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    #[serde(rename = "shape")]
    _shape: Shape,
    data_offsets: (u64, u64),
}

/// A few numbers, which are not kept.
struct Shape;

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dimensions;

        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MOST_DIMENSIONS} sizes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sizes: A) -> Result<Shape, A::Error> {
                for _ in 0..MOST_DIMENSIONS {
                    if sizes.next_element::<u64>()?.is_none() {
                        return Ok(Shape);
                    }
                }
                match sizes.next_element::<IgnoredAny>()? {
                    None => Ok(Shape),
                    Some(_) => Err(A::Error::invalid_length(MOST_DIMENSIONS + 1, &self)),
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
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        let reason = metadata(&bytes).unwrap_err();
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
        refused(&tensor(r#""shape":[1],"data_offsets":[0,4]"#), "byte 4 of 0");
        let many = |n: usize, entry: &str| {
            let entries: Vec<_> = (0..n).map(|i| format!(r#""{i}":{entry}"#)).collect();
            format!("{{{}}}", entries.join(","))
        };
        let entry = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
        refused(&many(MOST_TENSORS + 2, entry), "more than 20000 tensors");
        let keys = many(MOST_KEYS + 1, r#""""#);
        refused(&format!(r#"{{"__metadata__":{keys}}}"#), "at most 1000 metadata keys");
    }

    #[test]
    fn names_stand_there_once() {
        let entry = r#""a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
        refused(&format!("{{{entry},{entry}}}"), "a stands there twice");
        refused(r#"{"__metadata__":{"k":"","k":""}}"#, "each once");
    }
}
