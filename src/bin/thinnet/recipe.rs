//! The settings that stand where the command line says nothing.
//!
//! `train` and the demo share them; the demo has a number of epochs of its own.

use crate::plan::Decline;

/// Units of the hidden layers.
pub const HIDDEN: [usize; 3] = [1024, 1024, 1024];

/// Keep rate of the inputs (the paper's usual 0.8).
pub const KEEP_INPUT: f64 = 0.8;

/// Keep rate of the hidden units (the paper's usual 0.5).
pub const KEEP: f64 = 0.5;

/// Rows of a batch.
pub const BATCH: usize = 128;

/// Epochs of `train`.
pub const EPOCHS: usize = 10;

/// Epochs of each of the demo's two trainings: about 90 seconds for both on two
/// cores.
pub const DEMO_EPOCHS: usize = 40;

/// Learning rate at the first step.
pub const LEARNING_RATE: f64 = 0.05;

/// How the learning rate changes.
pub const DECLINE: Decline = Decline::Linear;

/// Momentum, where the schedule does not bring its own.
pub const MOMENTUM: f64 = 0.9;

/// Weight decay.
pub const WEIGHT_DECAY: f64 = 0.0;

/// Seed of weights, masks and the order of rows.
pub const SEED: u64 = 1;

/// Rows that are evaluated at a time.
pub const EVALUATION_BATCH: usize = 256;
