//! Model files and checkpoints: safetensors in and out.
//!
//! A **model file** holds a network: parameters named and shaped as PyTorch's
//! `nn.Linear` has them (`layers.0.weight` `[outputs, inputs]`,
//! `layers.0.bias`, and so on, f32, little-endian), and the architecture in the
//! metadata key `thinnet`: [`Mlp::save`](crate::nn::Mlp::save).
//!
//! A **checkpoint** holds a training at a step, in the metadata key
//! `thinnet.checkpoint` ([`Trainer::save`](crate::train::Trainer::save)): the same
//! parameters; what the optimiser keeps of each, under the names of its states
//! (`velocity.layers.0.weight` and so on); the factors, above 0 and at most 1,
//! of the weights into each unit that max-norm left pending (`pending.layers.0`
//! and so on); the position; and all settings.
//!
//! ```text
//! thinnet             {"format": 2, "input": {"noise": NOISE, "sparse": false, "width": 784},
//!                      "layers": [{"activation": "relu", "kind": "dense", "noise": NOISE,
//!                      "width": 1024}, ...], "loss": "softmax_cross_entropy",
//!                      "mask_format": 1, "scaling": "inverted"}
//! NOISE               {"kind": "none"} or {"keep_k": 32768, "kind": "bernoulli"}, k of k/65536
//! thinnet.checkpoint  {"architecture": as above, "optimiser": {"kind": "sgd",
//!                      "settings": ..., "states": ["velocity"]},
//!                      "position": {"notes": ..., "settings": ..., "step": 1000}}
//! ```
//!
//! The last layer is the output. Metadata is one JSON string with sorted keys, so
//! that the same model gives the same bytes; what is unknown in it is refused.
//! Files are written as [`files`](crate::files) says, tensors straight from and to
//! the memory where they belong. [`Contents`] is for those who only look into a
//! file.
//!
//! The metadata key `thinnet.digest`, the first thing in the header, holds the
//! file's **digest**: SHA-256 over all its bytes, in hexadecimal, with 64 zeros in
//! the place of its own digits. It is checked when the file is loaded, so that no
//! changed bit goes unnoticed. A state dict that
//! [`to_torch`](crate::exchange::to_torch) writes has one too; one without it is
//! read all the same, since PyTorch's own writer drops it.
//!
//! **Versions**: files of another format than [`FORMAT`] are refused by its number.
//! From the first published version of this crate on, every format that a
//! published version wrote goes on being read.
//!
//! **Memory**: a request of 64 KiB or more, or whose size a file says, that fails
//! is [`Error::TooLarge`](crate::Error::TooLarge), and nothing is half-changed;
//! smaller ones abort the process, as Rust's collections do.

mod architecture;
mod contents;
mod digest;
mod floats;
mod header;
mod model;
mod reader;
mod tensor;
mod training;
mod writer;

pub(crate) use architecture::{Architecture, Versions, saved_network};
pub use contents::{Contents, TrainingState};
pub(crate) use floats::Kind;
pub(crate) use header::{begins as header_begins, looks_whole};
pub(crate) use model::KEY as MODEL_KEY;
pub(crate) use reader::{Reader, Verify, ensure_begins};
pub(crate) use tensor::{From, Tensor, To};
pub(crate) use training::{KEY as CHECKPOINT_KEY, Position, Saved, writer as of_training};
pub(crate) use writer::{Writer, sorted_json};

/// The number of the file formats.
pub const FORMAT: u32 = 2;
