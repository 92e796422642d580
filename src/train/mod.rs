//! Training: the trainer, its optimiser and its schedules.

mod backward;
#[cfg(test)]
pub(crate) mod reference;
mod resume;
mod schedule;
mod sgd;
mod trainer;

pub use resume::{Provenance, describe_setting};
pub use schedule::Schedule;
pub use sgd::{MaxNorm, Sgd};
pub(crate) use trainer::Part;
pub use trainer::{LayerGradient, Trainer, TrainerBuilder};
