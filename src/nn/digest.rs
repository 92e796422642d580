//! The digest of a network's parameters.

use sha2::{Digest, Sha256};

use super::Mlp;
use crate::bytes::{hexadecimal, write_little_endian};

/// Weights that are copied out at once.
const AT_ONCE: usize = 1024;

impl Mlp {
    /// SHA-256 over the parameters as little-endian f32, in the order of their
    /// names (`layers.0.bias`, `layers.0.weight`, `layers.1.bias`, ... sorted
    /// as text), weights row-major `[outputs][inputs]`: what `sha256sum` says
    /// of the tensors' bytes behind each other. In hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let (mut floats, mut bytes) = ([0.0; AT_ONCE], [0; 4 * AT_ONCE]);
        for (_, layer, is_bias) in self.names() {
            let layer = &self.layers[layer];
            let (inputs, outputs) = (layer.weights.inputs(), layer.weights.outputs());
            if is_bias {
                for part in layer.bias[..outputs].chunks(AT_ONCE) {
                    hash.update(write_little_endian(part, &mut bytes));
                }
                continue;
            }
            for start in (0..inputs * outputs).step_by(AT_ONCE) {
                let part = &mut floats[..AT_ONCE.min(inputs * outputs - start)];
                layer.weights.copy_rows(start, part);
                hash.update(write_little_endian(part, &mut bytes));
            }
        }
        hexadecimal(&hash.finalize())
    }
}
