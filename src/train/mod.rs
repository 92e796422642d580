//! Training: the trainer, the optimisers and their schedules.

mod averaging;
mod backward;
mod fine_tune;
mod max_norm;
mod objective;
#[cfg(test)]
pub(crate) mod reference;
mod resume;
mod trainer;
mod updates;
mod weights;

pub use crate::optimiser::*;
pub use averaging::Averaging;
pub use max_norm::MaxNorm;
pub use resume::{Provenance, describe_setting};
pub(crate) use trainer::Part;
pub use trainer::{LayerGradient, Trainer, TrainerBuilder};
