//! Model files and checkpoints: reading and writing safetensors.
//!
//! A **model file** holds a network: parameters with the names and shapes of PyTorch's `nn.Linear`
//! (`layers.0.weight` `[outputs, inputs]`, `layers.0.bias`, and so on, f32, little-endian), and the
//! architecture under the metadata key `thinnet`: [`Mlp::save`](crate::nn::Mlp::save).
//!
//! A **model file with 8-bit weights** ([`IntegerMlp::save`](crate::nn::IntegerMlp::save), key
//! `thinnet.integer`) holds `layers.0.weight` as I8, from -127 to 127, `layers.0.scale` `[outputs]` as F32,
//! by which the weights into each output are multiplied, `layers.0.bias` as F32, and for every hidden
//! layer `layers.0.order` `[outputs]` as U32: its units, each once, in the order in which a predictor
//! stores them. [`Model`] reads model files of both kinds.
//!
//! A **checkpoint** holds a training run at a step, under the metadata key `thinnet.checkpoint`
//! ([`Trainer::save`](crate::train::Trainer::save)): the same parameters; the optimiser's state for
//! each, named after the state (SGD's velocity is `velocity.layers.0.weight` and so on); max-norm's pending factors
//! for the weights into each unit, above 0 and at most 1 (`pending.layers.0` and so on); the
//! position; and all settings. That of a run that keeps its best parameters
//! ([`EarlyStopping`](crate::train::EarlyStopping)) holds those as well, as `best.layers.0.weight`
//! and so on, and has `"best": true` in its position.
//!
//! ```text
//! thinnet             {"format": 2, "input": {"noise": NOISE, "sparse": false, "width": 784},
//!                      "layers": [{"activation": "relu", "kind": "dense", "noise": NOISE,
//!                      "width": 1024}, ...], "loss": "softmax_cross_entropy",
//!                      "mask_format": 1, "scaling": "inverted", "temperature": 1.5,
//!                      "threshold": 0.25}
//!                     A layer of maxout units is {"kind": "maxout", "noise": NOISE, "pieces": 5,
//!                     "width": 240}
//! NOISE               {"kind": "none"} or {"keep_k": 32768, "kind": "bernoulli"}, keep rate k/65536
//! thinnet.integer     {"architecture": as above, "definition": 1}
//! thinnet.checkpoint  {"architecture": as above, "optimiser": {"kind": "sgd",
//!                      "settings": ..., "states": ["velocity"]},
//!                      "position": {"notes": ..., "settings": ..., "step": 1000}}
//! ```
//!
//! If the learning rate in force is not the schedule's, `position` also has `learning_rate`:
//! `{"factor": 0.5, "kind": "scaled"}` or `{"kind": "fixed", "rate": 0.01}`. A `temperature` of 1 is
//! left out, as is `threshold` if there is none; a checkpoint has neither.
//!
//! The metadata key `thinnet.notes`, after these keys, holds the network's
//! [notes](crate::nn::Mlp::set_notes) as text, from 1 to 32,768 bytes. It is left out if there are none;
//! a checkpoint has its own notes in its position.
//!
//! The metadata key `thinnet.preprocessor` of a model file, after the notes, holds the
//! [preprocessor](crate::data::table::Preprocessor) of the network's inputs as JSON, up to 4 MiB. It is
//! left out if there is none. Reading the file checks its length only, and
//! [`Preprocessor::of`](crate::data::table::Preprocessor::of) all of it.
//!
//! Of a maxout layer, `width` is the number of units, and the tensors have `pieces` times as many
//! outputs: output j `width` + i is piece j of unit i. Versions of thinnet without maxout units refuse it.
//!
//! The last layer is the output. The value of each of these keys is a JSON object as a string,
//! with sorted keys, so the same model gives the same bytes; unknown fields are refused. `definition`
//! is the version of what a network with 8-bit weights computes. Tensors with larger elements come
//! first, so that each is aligned. Files are written as described in
//! [`files`](crate::files); tensors are written from and read into their final memory without a
//! copy. To inspect a file, use [`Contents`].
//!
//! The metadata key `thinnet.digest`, the first thing in the header, holds the file's **digest**:
//! SHA-256 of all its bytes, in hexadecimal, with 64 zeros in place of its own digits. It is
//! verified when the file is loaded, so no changed bit goes unnoticed. A state dict that
//! [`torch::to_bytes`](crate::exchange::torch::to_bytes) writes has one too; a state dict without one is also
//! read, since a file that another program saved again no longer has it.
//!
//! **Versions**: files with a format number other than [`FORMAT`] are refused. From the first
//! published version of this crate on, every format that a published version has written will
//! remain readable.
//!
//! **Memory**: a failed allocation of 64 KiB or more, or of a size given by a file, is
//! [`Error::TooLarge`](crate::Error::TooLarge), and nothing is left half-changed; smaller ones
//! abort the process, as in Rust's collections.

mod any_model;
mod architecture;
mod contents;
mod digest;
mod elements;
mod floats;
mod header;
mod integer;
mod model;
mod notes;
mod reader;
mod tensor;
mod training;
mod writer;

pub use any_model::Model;
pub(crate) use architecture::{Architecture, Versions, saved_network};
pub(crate) use contents::network_of_any;
pub use contents::{Contents, TrainingState};
pub(crate) use elements::ElementType;
pub(crate) use floats::FloatType;
pub(crate) use header::{begins as header_begins, looks_whole};
pub(crate) use integer::KEY as INTEGER_KEY;
pub(crate) use model::KEY as MODEL_KEY;
pub(crate) use notes::{NOTES, checked_notes};
pub(crate) use reader::{Reader, Verify};
pub(crate) use tensor::{ReadInto, Tensor, WriteFrom};
pub(crate) use training::{
    AVERAGING, Expect, KEY as CHECKPOINT_KEY, OptimiserRecord, Position, Saved, TAIL_AVERAGING,
    writer as of_training,
};
pub(crate) use writer::{Writer, sorted_json};

/// The version number of the file formats.
pub const FORMAT: u32 = 2;
