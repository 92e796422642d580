//! The arguments of `thinnet train`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use thinnet::{
    Keep,
    data::Split,
    nn::{Activation, Initialisation, Loss},
    train::{MaxNorm, Optimiser},
};

use super::Objective;
use crate::{
    console::usage,
    help::listed,
    loss,
    machine::Machine,
    numbers::{self, Widths},
    optimiser,
    plan::{LrSchedule, NoiseKind, Plan},
    recipe,
    source::Data,
    watch::Watch,
};

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  Train on the built-in MNIST digits and save the network:
    thinnet train --out digits.safetensors --plot curves.svg
  All of MNIST from a folder, with max-norm in the paper's form; choose settings on held-out rows:
    thinnet train --data mnist --held-out 10000 --max-norm-paper 2 --epochs 50 --report r.json
  Your own arrays, with 1,000 rows held out to measure the error:
    thinnet train --data rows.npy --labels classes.npy --held-out 1000 --out own.safetensors
  The same network without dropout:
    thinnet train --keep-input 1 --keep 1
  With Gaussian noise in place of dropout, at the same variance:
    thinnet train --noise gaussian
  With Adam:
    thinnet train --optimiser adam --learning-rate 0.0005 --no-max-norm
  With the flags in a file, and another number of epochs:
    thinnet train --config run.toml --epochs 50
  Numbers instead of classes, with a mean and a variance for each:
    thinnet train --data rows.npy --targets values.npy --held-out 1000 --loss gaussian-nll
  With a tenth of the training rows for validation, until their loss no longer improves:
    thinnet train --validation 0.1 --early-stopping loss:5 --epochs 100 --metrics log_loss,f1
  A long training run that survives a crash, and how to resume it:
    thinnet train --epochs 500 --out m.safetensors --checkpoint run.ckpt
    thinnet train --epochs 500 --out m.safetensors --resume run.ckpt

With a checkpoint, Ctrl-C, SIGTERM and SIGHUP save the state after the current step and end the run
with exit code 130, 143 or 129, respectively. A second signal ends it at once.
A keep rate is the probability that a unit is kept: PyTorch's Dropout(0.2) is 0.8 here.";

/// The arguments of `thinnet train`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n{}", recipe::PAPER))]
pub struct Arguments {
    /// Read flags from this TOML file, with their names as keys: epochs = 20, hidden = [512, 512],
    /// nesterov = true. A flag of the command line replaces the same flag in the file, and those that it
    /// cannot be used with
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// The rows.
    #[command(flatten)]
    pub data: Data,
    /// Hold out N training rows, from 1 to 4294967295, and use them in place of the test set, so
    /// that settings can be chosen without looking at it. The rows are drawn at random, from each
    /// class in proportion to its size
    #[arg(long, value_name = "N", value_parser = numbers::count(numbers::MAX_ROWS))]
    pub held_out: Option<usize>,

    /// Units of each hidden layer, from input to output: from 1 to 1000000 each, at most 1000
    /// layers
    #[arg(
        long, value_name = "N,N,..", default_value_t = Widths(recipe::HIDDEN.to_vec()),
        help_heading = "Network",
    )]
    hidden: Widths,
    #[arg(
        long, value_name = "NAME", default_value_t = Activation::Relu,
        help = format!(
            "Activation of the hidden units: {}. A number in parentheses is the default: write \
             'leaky_relu(0.2)', in quotes, for another",
            listed(Activation::ALL)
        ),
        help_heading = "Network",
    )]
    activation: Activation,
    /// Make the hidden units maxout units, each the maximum of K linear pieces, from 2 to 256. --hidden
    /// is then the number of units, which have K times as many weights
    #[arg(
        long, value_name = "K", value_parser = numbers::pieces,
        conflicts_with = "activation", help_heading = "Network",
    )]
    maxout: Option<usize>,
    /// Keep rate of the inputs: above 0 and at most 1 (no dropout)
    #[arg(long, value_name = "P", default_value = recipe::KEEP_INPUT, help_heading = "Network")]
    keep_input: Keep,
    /// Keep rate of the hidden units
    #[arg(long, value_name = "P", default_value = recipe::KEEP, help_heading = "Network")]
    keep: Keep,
    /// Draw the masks of the inputs for the entries of a row only, at a cost by these and not by the number
    /// of columns. The bits differ from those of other masks. The default with svmlight files, unless
    /// the noise is gaussian
    #[arg(long, group = "input_masks", help_heading = "Network")]
    sparse_input: bool,
    /// Draw the masks of all inputs, also with svmlight files, which then train like the same rows from
    /// arrays, bit for bit
    #[arg(long, group = "input_masks", help_heading = "Network")]
    no_sparse_input: bool,
    /// What a keep rate p below 1 does to a unit in training
    #[arg(
        long, value_name = "NAME", default_value_t = NoiseKind::Bernoulli, value_enum,
        help_heading = "Network",
    )]
    noise: NoiseKind,
    /// Initialisation of the weights: he, from N(0, 2/inputs); glorot, uniform in
    /// ±sqrt(6/(inputs+outputs)); fan_in, uniform in ±1/sqrt(inputs), as PyTorch's nn.Linear; or
    /// paper, as in the authors' published code
    #[arg(
        long, value_name = "NAME", default_value_t = Initialisation::He,
        value_parser = PossibleValuesParser::new(Initialisation::ALL.iter().map(|one| one.name()))
            .try_map(|name| name.parse::<Initialisation>()),
        help_heading = "Network",
    )]
    initialisation: Initialisation,

    /// Epochs (passes over all training rows), from 1 to 1000000
    #[arg(
        long, value_name = "N", default_value_t = recipe::EPOCHS,
        value_parser = numbers::count(numbers::MAX_EPOCHS), help_heading = "Training",
    )]
    epochs: usize,
    /// Rows per batch, from 1 to 1000000; the last batch of an epoch has the remaining rows
    #[arg(
        long, value_name = "N", default_value_t = recipe::BATCH,
        value_parser = numbers::count(numbers::MAX_BATCH), help_heading = "Training",
    )]
    batch: usize,
    /// Random seed for the weights, the dropout masks, the order of the rows and the choice of held-out and validation rows
    #[arg(
        long, value_name = "S", default_value_t = recipe::SEED, value_parser = numbers::seed,
        help_heading = "Training",
    )]
    seed: u64,
    /// Measure the error, or validate, every N epochs, from 1 to 1000000, and always after the last
    #[arg(
        long, value_name = "N", default_value_t = 1,
        value_parser = numbers::count(numbers::MAX_EPOCHS), help_heading = "Training",
    )]
    evaluate_every: usize,

    /// Optimiser
    #[arg(
        long, value_name = "NAME", default_value = "sgd", value_parser = optimiser::parser(),
        visible_alias = "optimizer", help_heading = "Optimiser",
    )]
    optimiser: Optimiser,
    #[arg(
        long, value_name = "X", value_parser = numbers::at_least_zero,
        help_heading = "Optimiser",
        help = format!(
            "Learning rate at the first step [default: {} for sgd, {} for adam, adamw and sparse_adam, \
             {} for adagrad]",
            recipe::LEARNING_RATE,
            recipe::ADAM_LEARNING_RATE,
            recipe::ADAGRAD_LEARNING_RATE
        ),
    )]
    learning_rate: Option<f64>,
    /// How the learning rate changes
    #[arg(
        long, value_name = "NAME", default_value_t = recipe::LR_SCHEDULE, value_enum,
        help_heading = "Optimiser",
    )]
    schedule: LrSchedule,
    /// The options of the optimisers.
    #[command(flatten)]
    options: optimiser::Options,
    #[arg(
        long, value_name = "NAME[:SETTING]", default_value = loss::USUAL, value_parser = loss::loss,
        help = format!(
            "Loss, from which the kind of targets and the number of outputs follow: {}. A number in \
             parentheses is the default: write huber:0.5 or quantile:0.05,0.95 for others",
            listed(Loss::ALL)
        ),
        help_heading = "Objective",
    )]
    pub loss: Loss,
    /// The options with any optimiser.
    #[command(flatten)]
    pub objective: Objective,
    #[arg(
        long, value_name = "C", group = "bound",
        value_parser = numbers::norm,
        help_heading = "Optimiser",
        help = "Upper bound on the Euclidean norm of the weights into each unit",
    )]
    max_norm: Option<f64>,
    #[arg(
        long, value_name = "C", group = "bound",
        value_parser = numbers::norm,
        help_heading = "Optimiser",
        help = format!(
            "The same bound in the paper's form: C times the keep rate of the layer's inputs \
             [default: {}; not with sparse_adam]",
            recipe::MAX_NORM_PAPER
        ),
    )]
    max_norm_paper: Option<f64>,
    /// Do not bound the norm of the weights
    #[arg(long, group = "bound", help_heading = "Optimiser")]
    no_max_norm: bool,

    /// Validation, and when to stop.
    #[command(flatten)]
    pub watch: Watch,

    /// Write the network to this file (safetensors). It also contains the settings of the run, as text in
    /// the form of --config: with the paths of data files as they were given, and without the flags about
    /// outputs, checkpoints and the machine. `thinnet inspect --notes` prints them
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Write settings, errors, times and curves to this file (JSON)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Draw the learning curves into this file (SVG)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub plot: Option<PathBuf>,
    /// Write a line for each epoch to this file (JSON Lines), as it ends. The file is replaced; a resumed
    /// run begins it with the epochs that its checkpoint contains, so that none is missing or there
    /// twice
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Output")]
    pub log: Option<PathBuf>,

    /// Save the state of the run to this file during training, so that it can be resumed after
    /// Ctrl-C, SIGTERM, SIGHUP or a crash. An existing file is not overwritten unless it is the one
    /// that is resumed
    #[arg(long, value_name = "FILE", help_heading = "Checkpoints")]
    pub checkpoint: Option<PathBuf>,
    #[arg(
        long, value_name = "STEPS", value_parser = numbers::count(numbers::MAX_STEPS),
        help_heading = "Checkpoints",
        help = format!(
            "Steps between saves, from 1 to 1000000 [default: {}]",
            recipe::CHECKPOINT_EVERY
        ),
    )]
    pub checkpoint_every: Option<usize>,
    /// Resume the run saved in this checkpoint, with the same data and settings. It is saved to the
    /// same file, unless --checkpoint names another. If the run is finished, its outputs are written
    /// again
    #[arg(long, value_name = "FILE", help_heading = "Checkpoints")]
    pub resume: Option<PathBuf>,

    /// Threads and instruction set.
    #[command(flatten, next_help_heading = "Machine")]
    pub machine: Machine,
}

impl Arguments {
    /// Returns the plan of the run.
    ///
    /// # Errors
    /// An option is given that the optimiser or the loss does not have, or that the schedule does not
    /// allow.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        let choice = self.options.choose(&self.optimiser, self.schedule)?;
        self.objective.check(self.loss)?;
        // It leaves out weights, so it does not support max-norm.
        let usual = (!matches!(choice, optimiser::Choice::SparseAdam { .. }))
            .then_some(MaxNorm::Paper(recipe::MAX_NORM_PAPER));
        let max_norm = match (self.max_norm, self.max_norm_paper) {
            _ if self.no_max_norm => None,
            (Some(c), _) => Some(MaxNorm::Engine(c)),
            (None, Some(c)) => Some(MaxNorm::Paper(c)),
            (None, None) => usual,
        };
        let svmlight = self.data.form(Split::Train);
        let is_dropout = self.noise == NoiseKind::Bernoulli;
        if self.sparse_input && !is_dropout {
            return Err(usage(
                "--sparse-input: cannot be used with --noise gaussian, which draws a number for each input: \
                 expected --noise bernoulli, or no --sparse-input"
                    .to_owned(),
            ));
        }
        let sparse_by_default = svmlight.is_some() && is_dropout && !self.no_sparse_input;
        Ok(Plan {
            hidden: self.hidden.0.clone(),
            activation: if self.maxout.is_some() { Activation::Identity } else { self.activation },
            maxout: self.maxout,
            noise: self.noise,
            input_keep: self.keep_input,
            sparse_input: self.sparse_input || sparse_by_default,
            hidden_keep: self.keep,
            initialisation: self.initialisation,
            batch: self.batch,
            epochs: self.epochs,
            learning_rate: self.learning_rate.unwrap_or(choice.learning_rate()),
            schedule: self.schedule,
            optimiser: choice,
            objective: self.objective.clone(),
            loss: self.loss,
            max_norm,
            seed: self.seed,
            evaluate_every: self.evaluate_every,
            watch: self.watch.clone(),
            svmlight,
            notes: String::new(),
        })
    }

    /// Returns the name of the set on which the trained network is measured.
    pub fn test_set(&self) -> &'static str {
        if self.held_out.is_some() { "held-out" } else { "test" }
    }

    /// Returns the name of the set that is measured after each epoch.
    pub fn measured_set(&self) -> &'static str {
        if self.watch.validation.is_some() { "validation" } else { self.test_set() }
    }
}
