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
//! the same bytes. Files are written as [`files`](crate::files) says.
//! [`Contents`] is for those who only look into a file.
#![forbid(unsafe_code)]

mod architecture;
mod contents;
mod floats;
mod header;
mod model;
mod tensors;
mod training;

pub(crate) use architecture::{Architecture, Versions};
pub use contents::{Contents, TrainingState};
pub(crate) use floats::Kind;
pub(crate) use header::{begins as header_begins, length as header_length};
pub(crate) use model::KEY as MODEL_KEY;
pub(crate) use tensors::{Reader, Writer};
pub(crate) use training::{KEY as CHECKPOINT_KEY, Position, from_bytes, to_bytes};

/// The number of the file formats.
pub const FORMAT: u32 = 1;
