//! Networks from elsewhere, and for elsewhere.
//!
//! - **PyTorch**: a state dict in safetensors, [`from_torch`] and [`load_torch`];
//!   [`Layers`] says what it does not: activations, keep rates, the loss. A
//!   network of ours goes the other way with [`to_torch`].
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
mod layers;
pub mod onnx;
mod order;
mod room;
mod sequential;
mod torch;

pub use format::FileKind;
pub use layers::Layers;
pub use sequential::Sequential;
pub use torch::{
    TensorInfo, from_torch, load_torch, load_torch_scaling, load_torch_tensors, save_torch,
    to_torch, torch_scaling, torch_tensors,
};
