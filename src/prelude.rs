//! The types that most programs need, for one import: `use thinnet::prelude::*`.
//!
//! ```
//! use thinnet::prelude::*;
//!
//! let mlp = Mlp::builder(4)
//!     .hidden(32, Activation::Relu, Keep::HALF)
//!     .output(2, Loss::SoftmaxCrossEntropy)
//!     .build()?;
//! let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 8).build()?;
//! assert_eq!(trainer.steps(), 0);
//! # Ok::<(), thinnet::Error>(())
//! ```
//!
//! [`Error`](crate::Error) is not among them, since many programs have an `Error` of their own.

#[doc(no_inline)]
pub use crate::{
    data::{Batch, Dataset, Split},
    nn::{Activation, Loss, Mlp, Targets},
    predict::{MonteCarlo, Predictor, Seeds},
    rate::Keep,
    tensor::{Matrix, MatrixView},
    train::{Adam, AdamW, MaxNorm, Schedule, Sgd, Trainer},
};
