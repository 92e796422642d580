//! Networks from elsewhere, and for elsewhere.
//!
//! - **PyTorch**: a state dict in safetensors, [`torch::StateDict`];
//!   [`torch::Layers`] says what it does not: activations, keep rates, the loss. A
//!   network of ours goes the other way with [`torch::to_bytes`] and [`torch::save`].
//! - **ONNX**: the graph of a multilayer perceptron, [`onnx::Model`]. A network of ours
//!   goes the other way with [`onnx::to_bytes`] and [`onnx::save`], with dropout where
//!   it is asked for.
//!
//! Both forms of weights are known ([`Scaling`](crate::nn::Scaling)): PyTorch's
//! `nn.Dropout` is inverted, as the engine is.
//!
//! A file is refused with the tensor or the node that is wrong, what it is and what was
//! expected. Reading takes at most four times the file's size and 64 MiB,
//! whatever the file states; what an ONNX graph keeps beside it counts as a part of it.

mod format;
pub mod onnx;
mod order;
mod room;
pub mod torch;

pub use format::FileKind;
