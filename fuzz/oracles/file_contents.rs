//! What a safetensors file holds, read without thinnet.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

/// Shape and bytes of each tensor, by name.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// The tensors, and the metadata of `key` as JSON.
pub fn read(bytes: &[u8], key: &str) -> (Tensors, serde_json::Value) {
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let metadata = &header.metadata().as_ref().unwrap()[key];
    let tensors = SafeTensors::deserialize(bytes)
        .unwrap()
        .tensors()
        .into_iter()
        .map(|(name, tensor)| (name, (tensor.shape().to_vec(), tensor.data().to_vec())))
        .collect();
    (tensors, serde_json::from_str(metadata).unwrap())
}

/// The digits of a file's digest, where it has a place for them.
fn digits(bytes: &mut [u8]) -> Option<&mut [u8]> {
    const START: &[u8] = br#"{"__metadata__":{"thinnet.digest":""#;
    let (start, rest) = bytes.get_mut(8..)?.split_at_mut_checked(START.len())?;
    (start == START).then_some(rest)?.get_mut(..64)
}

/// The file with the digest that its bytes have, where it has a place for one:
/// changed at random, a file would never come past the look at its digest.
pub fn with_digest(bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    let Some(place) = digits(&mut file) else { return file };
    place.fill(b'0');
    let digest: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(place) = digits(&mut file) {
        place.copy_from_slice(digest.as_bytes());
    }
    file
}

/// The file with a digest that is not its own, for the reader that does not look.
pub fn with_another_digest(bytes: &[u8]) -> Vec<u8> {
    let mut file = bytes.to_vec();
    if let Some(first) = digits(&mut file).and_then(|digits| digits.first_mut()) {
        *first = if *first == b'0' { b'1' } else { b'0' };
    }
    file
}
