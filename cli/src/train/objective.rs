//! What a step minimises and how it updates the parameters, whatever the optimiser: the weights of
//! classes, label smoothing, warm-up, clipping, penalties, averages.

use std::{ffi::OsString, fmt, path::PathBuf};

use serde::Serialize;
use thinnet::{
    data::Dataset,
    nn::Loss,
    train::{Averaging, Schedule, TrainerBuilder},
};

use super::{RowWeights, positive::PositiveWeight};
use crate::{console::usage, inputs, numbers, outputs::Named};

/// The largest file of weights.
const MAX_BYTES: u64 = 16 << 20;

/// The options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, clap::Args)]
pub struct Objective {
    /// Multiply the loss of each row by a weight of its class: balanced, with which all classes count
    /// the same; or the name of a text file with a number for each class, from class 0 on, separated
    /// by spaces, commas or line breaks
    #[arg(long, value_name = "balanced|FILE", help_heading = "Objective")]
    class_weight: Option<ClassWeight>,
    /// The weights of the training rows.
    #[command(flatten)]
    #[serde(flatten)]
    pub row_weights: RowWeights,
    /// Multiply the loss of the ones of each bit by a number, or with balanced by the number of its zeros
    /// divided by that of its ones (--loss binary-cross-entropy only)
    #[arg(long, value_name = "balanced|X", help_heading = "Objective")]
    #[serde(skip_serializing_if = "Option::is_none")]
    positive_weight: Option<PositiveWeight>,
    /// Smooth the labels: the target is 1 - X for the label, and X divided by the number of classes more
    /// for every class. At least 0 and below 1
    #[arg(
        long, value_name = "X", default_value_t = 0.0, value_parser = numbers::fraction,
        help_heading = "Objective",
    )]
    label_smoothing: f64,
    /// Add X times the sum of the sizes of all weights to the loss
    #[arg(
        long, value_name = "X", default_value_t = 0.0, value_parser = numbers::at_least_zero,
        help_heading = "Objective",
    )]
    l1: f64,
    /// Raise the learning rate from 0 in a straight line over this many steps, from 1 to 1000000; then
    /// --schedule begins
    #[arg(
        long, value_name = "STEPS", value_parser = numbers::count(numbers::MAX_STEPS),
        help_heading = "Optimiser",
    )]
    warmup: Option<usize>,
    /// Scale the gradient down to this Euclidean norm where its norm is larger
    #[arg(long, value_name = "X", value_parser = numbers::above_zero, help_heading = "Optimiser")]
    clip_norm: Option<f64>,
    /// Limit each element of the gradient to the range from -X to X
    #[arg(long, value_name = "X", value_parser = numbers::above_zero, help_heading = "Optimiser")]
    clip_value: Option<f64>,
    /// Validate and save an average of the parameters over the steps instead of the last ones: ema:0.999,
    /// an exponential moving average with this decay, or tail:5000, the mean of all after so many
    /// steps
    #[arg(
        long, value_name = "ema:DECAY|tail:STEPS", value_parser = averaging, help_heading = "Optimiser",
    )]
    average: Option<Averaging>,
}

/// Parses an average of the parameters.
fn averaging(text: &str) -> Result<Averaging, String> {
    match text.split_once(':') {
        Some(("ema", decay)) => numbers::fraction(decay).map(Averaging::exponential),
        Some(("tail", steps)) => steps
            .parse()
            .map(Averaging::tail)
            .map_err(|_| "expected a number of steps after tail:, such as tail:5000".to_owned()),
        _ => {
            Err("expected ema:DECAY, such as ema:0.999, or tail:STEPS, such as tail:5000"
                .to_owned())
        }
    }
}

/// The weights of the classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(into = "String")]
enum ClassWeight {
    /// All classes count the same.
    Balanced,
    /// Those in a text file.
    File(PathBuf),
}

impl From<OsString> for ClassWeight {
    fn from(text: OsString) -> Self {
        if text == "balanced" { Self::Balanced } else { Self::File(text.into()) }
    }
}

impl From<ClassWeight> for String {
    fn from(weight: ClassWeight) -> Self {
        weight.to_string()
    }
}

impl fmt::Display for ClassWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl ClassWeight {
    /// Returns the weight of each of so many classes.
    ///
    /// # Errors
    /// The file cannot be read or does not hold a number for each class.
    fn of(&self, train: &Dataset, classes: usize) -> anyhow::Result<Vec<f64>> {
        let Self::File(path) = self else {
            // A class that occurs only among the test rows has no weight.
            let mut weights = train.balanced_weights()?;
            weights.resize(classes, 0.0);
            return Ok(weights);
        };
        let (name, expected) = (format!("--class-weight {self}"), "a text file of numbers");
        let bytes = inputs::read((name.clone(), path, expected), MAX_BYTES)?;
        let text = str::from_utf8(&bytes);
        let text = text.map_err(|_| anyhow::anyhow!("{name}: not text: expected {expected}"))?;
        let mut weights = Vec::new();
        for word in text.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            if weights.len() == classes {
                anyhow::bail!("{name}: more than {classes} numbers: expected one for each class");
            }
            let weight = numbers::at_least_zero(word).map_err(|expected| {
                let class = weights.len();
                anyhow::anyhow!("{name}: the weight of class {class} is {word:?}: {expected}")
            })?;
            weights.push(weight);
        }
        let found = numbers::counted(weights.len(), "number");
        anyhow::ensure!(
            weights.len() == classes,
            "{name}: {found}: expected {classes}, one for each class"
        );
        Ok(weights)
    }
}

impl Objective {
    /// Returns the files that are read, with the flags that name them.
    pub fn files(&self) -> Vec<Named> {
        let of_classes = match &self.class_weight {
            Some(ClassWeight::File(path)) => Some(("--class-weight", path.clone())),
            _ => None,
        };
        let of_rows = self.row_weights.file.clone().map(|path| ("--row-weights", path));
        of_classes.into_iter().chain(of_rows).collect()
    }

    /// Refuses the options that only another loss has.
    ///
    /// # Errors
    /// One of them is given, and the loss is another.
    pub fn check(&self, loss: Loss) -> anyhow::Result<()> {
        let (classes, bits) = (Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy);
        for (flag, is_given, needed) in [
            ("--class-weight", self.class_weight.is_some(), classes),
            ("--label-smoothing", self.label_smoothing != 0.0, classes),
            ("--positive-weight", self.positive_weight.is_some(), bits),
        ] {
            if is_given && loss != needed {
                return Err(usage(format!(
                    "{flag}: cannot be used with --loss {loss}: expected --loss {needed}"
                )));
            }
        }
        Ok(())
    }

    /// Returns the learning rate after the warm-up that is wanted.
    pub fn warmed_up(&self, rate: Schedule) -> Schedule {
        match self.warmup {
            Some(steps) => rate.with_warm_up(0.0, steps as u64),
            None => rate,
        }
    }

    /// Gives a trainer the other options, for these training rows and so many outputs. Its checkpoints
    /// contain them, the weights of classes and of ones as numbers.
    ///
    /// # Errors
    /// The weights of the classes cannot be read, or those of ones cannot be balanced.
    pub fn apply(
        &self,
        mut trainer: TrainerBuilder,
        train: &Dataset,
        outputs: usize,
    ) -> anyhow::Result<TrainerBuilder> {
        if let Some(weight) = &self.class_weight {
            trainer = trainer.class_weights(weight.of(train, outputs)?);
        }
        if let Some(weight) = self.positive_weight {
            trainer = trainer.positive_weights(weight.of(train, outputs)?);
        }
        if let Some(c) = self.clip_norm {
            trainer = trainer.clip_norm(c);
        }
        if let Some(c) = self.clip_value {
            trainer = trainer.clip_value(c);
        }
        if let Some(average) = self.average {
            trainer = trainer.average(average);
        }
        Ok(trainer.label_smoothing(self.label_smoothing).l1(self.l1))
    }
}
