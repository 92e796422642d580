//! The digest of a network's parameters.

use sha2::{Digest, Sha256};

use super::Mlp;
use crate::bytes::{hexadecimal, little_endian};

impl Mlp {
    /// SHA-256 over the parameters as little-endian f32, in the order of their
    /// names (`layers.0.bias`, `layers.0.weight`, `layers.1.bias`, ... sorted
    /// as text), weights row-major `[outputs][inputs]`: what `sha256sum` says
    /// of the tensors' bytes behind each other. In hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (_, layer, is_bias) in self.names() {
            let layer = &self.layers[layer];
            if is_bias {
                hash.update(little_endian(&layer.bias[..layer.weights.outputs()]));
            } else {
                hash.update(little_endian(&layer.weights.to_rows()));
            }
        }
        hexadecimal(&hash.finalize())
    }
}
