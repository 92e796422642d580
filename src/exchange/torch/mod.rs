//! PyTorch's state dicts, in safetensors.
//!
//! [`StateDict::read`] takes in a file, and [`StateDict::network`] makes a network of it.
//! [`Layers`] says what a state dict does not: activations, keep rates, the loss.
//! [`to_bytes`] and [`save`] write a network as the state dict of its [`Sequential`], which
//! says the rest in its metadata.
//!
//! ```no_run
//! use thinnet::{Keep, exchange::torch::{Layers, StateDict}, nn::Activation};
//!
//! let layers = Layers::new().hidden(Activation::Relu, Keep::HALF);
//! let network = StateDict::read("state_dict.safetensors")?.network(Some(&layers))?;
//! # Ok::<(), thinnet::Error>(())
//! ```

mod export;
mod sequential;
mod spec;
mod state_dict;

pub(super) use export::KEY;
pub use export::{save, to_bytes};
pub use sequential::Sequential;
pub use spec::Layers;
pub(super) use spec::default_loss;
pub use state_dict::{StateDict, TensorInfo};
