//! Model files and checkpoints: safetensors in and out.
//!
//! A **model file** holds a network: parameters named and shaped as PyTorch's
//! `nn.Linear` has them (`layers.0.weight` `[outputs, inputs]`,
//! `layers.0.bias`, and so on, f32, little-endian), and the architecture in the
//! metadata key `thinnet`: [`Mlp::save`](crate::nn::Mlp::save).
//!
//! A **checkpoint** holds a training at a step: the same parameters, their
//! velocities (`velocity.layers.0.weight` and so on), the factors of the weights
//! into each unit that max-norm left pending (`pending.layers.0` and so on), the
//! position, and all settings, in the metadata key `thinnet.checkpoint`:
//! [`Trainer::save`](crate::train::Trainer::save).
//!
//! Metadata is one JSON string with sorted keys, so that the same model gives
//! the same bytes. A file is written beside its place, flushed to the disk and
//! renamed: it appears whole or not at all. What a killed process leaves over is
//! removed at the next write in that folder ([`write_atomically`]). A run that
//! saves again and again keeps others from writing its checkpoint with a
//! [`WriteLock`]. [`Contents`] is for those who only look into a file.
#![forbid(unsafe_code)]

mod architecture;
mod atomic;
mod contents;
mod floats;
mod header;
mod left_over;
mod lock;
mod model;
mod tensors;
mod training;

pub(crate) use architecture::{Architecture, Versions};
pub use atomic::{ensure_writable, read, write_atomically};
pub use contents::{Contents, TrainingState};
pub(crate) use floats::Kind;
pub(crate) use header::{begins as header_begins, length as header_length};
pub use lock::WriteLock;
pub(crate) use model::KEY as MODEL_KEY;
pub(crate) use tensors::{Reader, Writer};
pub(crate) use training::{KEY as CHECKPOINT_KEY, Position, from_bytes, to_bytes};

/// The number of the file formats.
pub const FORMAT: u32 = 1;

/// The largest file that is read: 16 GiB.
pub const MOST_BYTES: u64 = 1 << 34;
