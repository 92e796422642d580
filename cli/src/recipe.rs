//! The default settings.
//!
//! Those of `train` were chosen for MNIST with dropout, without looking at the
//! test set: 784-1024-1024-1024-10 ReLU trained on the first 50,000 training
//! rows for 10 epochs, errors on the other 10,000 (one seed each; the standard
//! deviation of such an error is 0.13 points):
//!
//! | learning rate, falling to 0 | momentum | max-norm (paper's) | error % |
//! |---|---|---|---|
//! | 0.02 / 0.03 / 0.05 / 0.1 linear | 0.9 | none | 2.43 / 2.22 / 2.04 / 2.27 |
//! | 0.05 cosine | 0.9 | none | 2.18 |
//! | 0.05 linear | 0.95 | none | 2.18 |
//! | 0.1 linear | 0.9 | 3.5 / 2 / **1.5** / 1.2 / 1 | 2.16 / 1.93 / **1.83** / 1.85 / 1.90 |
//! | 0.07 / 0.2 linear | 0.9 | 2 | 1.94 / 2.13 |
//! | 0.15 linear | 0.9 | 1.2 | 1.80 |
//! | 0.1 linear | 0.95 | 2 | 2.10 |
//! | 0.1 linear, Glorot | 0.9 | 2 / 1.5 | 1.85 / 1.79 |
//! | 0.05 linear, batch 64 | 0.9 | 1.5 | 1.79 |
//!
//! Max-norm is what allows the higher learning rate, as section 5.1 of the
//! paper says. The demo has its own learning rate and number of epochs.

use crate::plan::LrSchedule;

/// What help texts mean by "the paper".
pub const PAPER: &str = "\
In all help texts, \"the paper\" is Srivastava et al., Dropout: a simple way to prevent neural networks \
from overfitting, JMLR 15 (2014).";

/// Units of the hidden layers.
pub const HIDDEN: [usize; 3] = [1024, 1024, 1024];

/// Keep rate of the inputs (the paper's usual 0.8).
pub const KEEP_INPUT: &str = "0.8";

/// Keep rate of the hidden units (the paper's usual 0.5).
pub const KEEP: &str = "0.5";

/// Rows of a batch.
pub const BATCH: usize = 128;

/// Epochs of `train`.
pub const EPOCHS: usize = 10;

/// Epochs of each of the demo's two training runs: about half a minute for both on two
/// cores.
pub const DEMO_EPOCHS: usize = 30;

/// Learning rate of SGD at the first step.
pub const LEARNING_RATE: f64 = 0.1;

/// Learning rate of the demo's two training runs, which have no max-norm. It also suits the network
/// without dropout.
pub const DEMO_LEARNING_RATE: f64 = 0.05;

/// Max-norm, in the paper's form.
pub const MAX_NORM_PAPER: f64 = 1.5;

/// How the learning rate changes.
pub const LR_SCHEDULE: LrSchedule = LrSchedule::Linear;

/// Momentum of SGD, unless the schedule sets its own.
pub const MOMENTUM: f64 = 0.9;

/// Weight decay.
pub const WEIGHT_DECAY: f64 = 0.0;

/// Learning rate of Adam and AdamW at the first step. This and the rest of their settings and
/// Adagrad's are PyTorch's; they were not tuned here.
pub const ADAM_LEARNING_RATE: f64 = 1e-3;

/// Learning rate of Adagrad at the first step.
pub const ADAGRAD_LEARNING_RATE: f64 = 1e-2;

/// Decay rate of the first moment of Adam and AdamW.
pub const BETA1: f64 = 0.9;

/// Decay rate of their second moment.
pub const BETA2: f64 = 0.999;

/// What Adam and AdamW add to the root that divides the step.
pub const ADAM_EPSILON: f64 = 1e-8;

/// What Adagrad adds.
pub const ADAGRAD_EPSILON: f64 = 1e-10;

/// Weight decay of AdamW.
pub const ADAMW_WEIGHT_DECAY: f64 = 0.01;

/// Seed of weights, masks and the order of rows.
pub const SEED: u64 = 1;

/// Rows that are evaluated at a time.
pub const EVALUATION_BATCH: usize = 256;

/// Steps between two checkpoints. A save of the default network (23 MB,
/// flushed to the disk) took as long as five or six steps on two cores, so this
/// costs about 1 %.
pub const CHECKPOINT_EVERY: usize = 500;
