//! Train and serve neural networks with dropout on CPUs, skipping every input that is zero.
//!
//! Dropout (Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, JMLR 15, 2014) keeps each
//! unit with probability p, drawn independently for every unit and every example, so each example
//! trains its own **thinned network**. Most engines compute the full network and multiply part of
//! it by zero. thinnet leaves out every input of a layer that is zero, whether the zero comes from
//! the mask, a ReLU or the data, and draws its masks from exactly the paper's distribution.
//!
//! # A tour
//!
//! ```
//! use thinnet::prelude::*;
//!
//! // A network: 4 inputs, each kept with probability 0.8, and 32 hidden ReLUs, each kept with
//! // probability 0.5.
//! let mlp = Mlp::builder(4)
//!     .input_noise(Keep::new(0.8)?)
//!     .hidden(32, Activation::Relu, Keep::HALF)
//!     .output(2, Loss::SoftmaxCrossEntropy)
//!     .seed(1)
//!     .build()?;
//!
//! // Train it: each row of a batch trains its own thinned network.
//! let sgd = Sgd::new(Schedule::constant(0.1)).momentum(Schedule::constant(0.9));
//! let mut trainer =
//!     Trainer::builder(mlp, sgd, 2).max_norm(MaxNorm::Paper(2.0)).seed(7).build()?;
//! let x = MatrixView::new(&[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0], 2, 4)?;
//! for _ in 0..200 {
//!     trainer.step(&Batch::dense(x), Targets::Classes(&[0, 1]))?;
//! }
//!
//! // Predict: one pass through the whole network approximates the average of all thinned networks.
//! // A predictor has no training mode that could be left on by mistake.
//! let predictor = Predictor::new(trainer.into_network());
//! let mut workspace = predictor.workspace(2)?;
//! let probabilities = predictor.predict(&Batch::dense(x), &mut workspace)?;
//! assert!(probabilities.row(0)?[0] > 0.8);
//! # Ok::<(), thinnet::Error>(())
//! ```
//!
//! [`Dropout`] is the operation on its own, for your own slices. Masks are a pure function of
//! (seed, layer, step, row, unit): see [`mask`].
//!
//! # What it promises
//!
//! - Nothing panics: a function that is given an invalid value returns an [`Error`] that names the
//!   value and what was expected.
//! - No threads of its own: work runs on the caller's rayon pool or, outside a pool, on the calling
//!   thread. Nothing is printed, no environment variable is read, and the only hidden state is a
//!   thread-local flag, set while a thread waits in a pool. Inside a pool, do not hold a lock across
//!   a call: [`predict::Workspace`] explains why.
//! - If an allocation of 64 KiB or more fails, the call returns an error and changes nothing. A
//!   smaller one that fails may abort the process, as may `Clone` of a large network;
//!   [`nn::Mlp::try_clone`] does not.
//! - No confident predictions from NaN: by default, an input, a sum or a result that is not finite
//!   is an error that names its row.
//! - Training steps and predictions allocate nothing after the first.
//! - Results are bit-identical with any number of threads, and masks on every machine.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `digits`: `Dataset::digits`, 10,000 digits of MNIST (CC BY-SA 3.0) from the package
//!   `thinnet-digits`.
//! - `ndarray`: conversions between [`tensor::MatrixView`] and the array views of that crate
//!   (0.17).
//! - `sprs`: conversions to [`data::CsrView`] and [`data::CsrMatrix`] from the matrices of that crate
//!   (0.11).

// docs.rs builds with `--cfg docsrs` on a nightly compiler, which then marks the items that need a
// feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod abridged;
mod bytes;
pub mod checkpoint;
pub mod data;
pub mod dropout;
mod error;
pub mod exchange;
pub mod files;
pub mod mask;
mod memory;
pub mod metrics;
#[cfg(test)]
mod miri;
mod named;
pub mod nn;
mod noise;
mod optimiser;
mod parallel;
mod pass;
pub mod predict;
pub mod profile;
mod rate;
mod sigma;
mod simd;
pub mod tensor;
mod thin;
pub mod train;

// Last, so that .ci/api names each type by the module that defines it.
pub mod prelude;

/// Compiles the guide's program.
#[cfg(all(doctest, feature = "digits"))]
#[doc = include_str!("../docs/FROM_PYTORCH.md")]
struct FromPytorch;

/// Compiles and runs the programs of the guide to training.
#[cfg(doctest)]
#[doc = include_str!("../docs/TRAINING.md")]
struct Training;

pub use dropout::Dropout;
pub use error::Error;
pub use noise::Noise;
pub use rate::Keep;
pub use sigma::Sigma;
pub use simd::Isa;
