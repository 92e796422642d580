//! The reader of state dicts never panics. A network that it reads can be used, and is equal after
//! it was written for PyTorch and read again. The weights of a file of f32 are those of the file,
//! bit for bit. If the bytes contain a digest, it is first replaced by the right one.

use thinnet::{
    Error, Keep,
    exchange::{
        FileKind,
        torch::{self, StateDict, StateDictSpec},
    },
    nn::{Activation, Mlp, Scaling},
};

use super::{file_contents, model_reader};

const KEY: &str = "thinnet.torch";

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    let _ = from_torch(bytes, None);
    let bytes = &file_contents::with_digest(bytes);
    let _ = FileKind::from_bytes(bytes);
    let Ok(file) = StateDict::from_bytes(bytes) else { return };
    let tensors = file.tensors();
    let of_f32 = tensors.iter().all(|tensor| tensor.dtype == "F32");
    if let Ok(mlp) = from_torch(bytes, None) {
        let saved = comes_back(&mlp);
        let (given, kept) = (file_contents::read(bytes, KEY), file_contents::read(&saved, KEY));
        if of_f32 && given.1["scaling"] == "inverted" {
            assert_eq!(given.0, kept.0);
        }
        model_reader::check(&mlp.to_bytes().unwrap());
    }
    let weights = tensors.iter().filter(|tensor| tensor.name.ends_with("weight")).count();
    let hidden = (1..weights).map(|i| Activation::ALL[i % Activation::ALL.len()]);
    let layers = hidden.fold(StateDictSpec::new(), |layers, f| layers.hidden(f, Keep::HALF));
    if let Ok(mlp) = from_torch(bytes, Some(&layers)) {
        let saved = comes_back(&mlp);
        let scaling = StateDict::from_bytes(bytes).unwrap().scaling().unwrap().unwrap_or_default();
        if of_f32 && scaling == Scaling::Inverted {
            assert_eq!(weights_of(bytes), weights_of(&saved));
        }
        model_reader::check(&mlp.to_bytes().unwrap());
    }
}

/// The network in a state dict.
fn from_torch(bytes: &[u8], layers: Option<&StateDictSpec>) -> Result<Mlp, Error> {
    StateDict::from_bytes(bytes)?.network(layers)
}

/// Writes the network for PyTorch, and checks that the same network is read again.
fn comes_back(mlp: &Mlp) -> Vec<u8> {
    let saved = torch::to_bytes(mlp, Scaling::Inverted).unwrap();
    let again = from_torch(&saved, None).unwrap();
    assert_eq!(&again, mlp);
    assert_eq!(again.digest(), mlp.digest());
    saved
}

/// The sorted bits of all weights in a file of f32.
fn weights_of(bytes: &[u8]) -> Vec<u32> {
    let tensors = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let weights = tensors.iter().filter(|(name, _)| name.ends_with("weight"));
    let mut bits: Vec<u32> = weights
        .flat_map(|(_, tensor)| tensor.data().as_chunks::<4>().0)
        .map(|word| u32::from_le_bytes(*word))
        .collect();
    bits.sort_unstable();
    bits
}
