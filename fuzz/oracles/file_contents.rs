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

/// The file with the digest that its bytes have, where it has a place for one:
/// changed at random, a file would never come past the look at its digest.
pub fn with_digest(bytes: &[u8]) -> Vec<u8> {
    const START: &[u8] = br#"{"__metadata__":{"thinnet.digest":""#;
    const DIGITS: usize = 64;
    let mut bytes = bytes.to_vec();
    let Some(digits) = bytes.get_mut(8..).and_then(|header| {
        let (start, rest) = header.split_at_mut_checked(START.len())?;
        (start == START).then_some(rest)?.get_mut(..DIGITS)
    }) else {
        return bytes;
    };
    digits.fill(b'0');
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    bytes[8 + START.len()..][..DIGITS].copy_from_slice(digest.as_bytes());
    bytes
}
