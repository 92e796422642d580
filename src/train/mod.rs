//! Training: the trainer, the optimisers and their schedules, and the loop over epochs.

mod averaging;
mod backward;
mod fine_tune;
mod fit;
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
pub use fit::{
    EarlyStopping, Ending, Epoch, Event, Fit, FitRun, Fitted, History, Plateau, SavedFit, StepDone,
    Validation, Watched,
};
pub use max_norm::MaxNorm;
pub use resume::{Provenance, describe_setting};
pub(crate) use trainer::Part;
pub use trainer::{LayerGradient, Trainer, TrainerBuilder};
