//! The digest of a network's parameters.

use sha2::{Digest, Sha256};

use super::Mlp;
use crate::bytes::{hexadecimal, write_little_endian};

/// The number of weights copied out at a time.
const AT_ONCE: usize = 1024;

impl Mlp {
    /// The SHA-256 of the parameters, in hexadecimal. They are hashed as little-endian f32 in the
    /// order of their names (`layers.0.bias`, `layers.0.weight`, `layers.1.bias`, ... sorted as
    /// text), weights row-major `[outputs][inputs]`: the result is that of `sha256sum` on the
    /// concatenated bytes of the tensors.
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
