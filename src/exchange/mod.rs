//! Networks from and for other programs.
//!
//! - **PyTorch**: [`torch::StateDict`] reads a state dict in safetensors, and
//!   [`torch::StateDictSpec`] describes what it does not contain: activations, keep rates and
//!   the loss. [`torch::to_bytes`] and [`torch::save`] write a network as a state dict.
//! - **ONNX**: [`onnx::Model`] reads the graph of a multilayer perceptron. [`onnx::to_bytes`]
//!   and [`onnx::save`] write one, with dropout if it is asked for.
//!
//! Weights may be scaled for inverted dropout, as in this library and in PyTorch's `nn.Dropout`,
//! or as in the paper ([`Scaling`](crate::nn::Scaling)).
//!
//! The error for a file that is refused names the tensor or the node that is wrong, and says what
//! was expected. Reading a file uses at most four times its size plus 64 MiB, whatever sizes the
//! file states. Tensors that an ONNX graph stores in other files count as part of the file.

mod format;
pub mod onnx;
mod order;
mod room;
pub mod torch;

pub use format::FileKind;
