//! PyTorch state dicts in safetensors.
//!
//! [`StateDict::read`] reads a file, and [`StateDict::network`] makes a network of it. A
//! [`StateDictSpec`] states what a state dict does not contain: activations, keep rates and the
//! loss. [`to_bytes`] and [`save`] write a network as the state dict of its [`Sequential`], with
//! the rest in the metadata.
//!
//! ```no_run
//! use thinnet::{Keep, exchange::torch::{StateDictSpec, StateDict}, nn::Activation};
//!
//! let spec = StateDictSpec::new().hidden(Activation::Relu, Keep::HALF);
//! let network = StateDict::read("state_dict.safetensors")?.network(Some(&spec))?;
//! # Ok::<(), thinnet::Error>(())
//! ```

mod export;
mod sequential;
mod state_dict;
mod state_dict_spec;

pub(super) use export::KEY;
pub use export::{save, to_bytes};
pub use sequential::Sequential;
pub use state_dict::{StateDict, TensorInfo};
pub use state_dict_spec::StateDictSpec;
pub(super) use state_dict_spec::default_loss;
