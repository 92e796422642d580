//! What a safetensors file holds, read without thinnet.

use std::collections::BTreeMap;

use safetensors::SafeTensors;

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
