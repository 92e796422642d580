//! The optimiser of a run: its options and their defaults.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use thinnet::train::{Adagrad, Adam, AdamW, Optimiser, Schedule, Sgd, SparseAdam};

use crate::{console::usage, numbers, plan::LrSchedule, recipe};

/// An optimiser and its settings, except for the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "optimiser", rename_all = "lowercase")]
pub enum Choice {
    Sgd {
        /// `None` with [`LrSchedule::Paper`], which sets its own.
        momentum: Option<f64>,
        nesterov: bool,
        weight_decay: f64,
    },
    Adam {
        beta1: f64,
        beta2: f64,
        epsilon: f64,
        weight_decay: f64,
    },
    AdamW {
        beta1: f64,
        beta2: f64,
        epsilon: f64,
        weight_decay: f64,
    },
    Adagrad {
        epsilon: f64,
        initial_accumulator: f64,
        weight_decay: f64,
    },
    #[serde(rename = "sparse_adam")]
    SparseAdam {
        beta1: f64,
        beta2: f64,
        epsilon: f64,
    },
}

impl Choice {
    /// Returns the learning rate at the first step, unless another is given.
    pub fn learning_rate(self) -> f64 {
        match self {
            Self::Sgd { .. } => recipe::LEARNING_RATE,
            Self::Adam { .. } | Self::AdamW { .. } | Self::SparseAdam { .. } => {
                recipe::ADAM_LEARNING_RATE
            }
            Self::Adagrad { .. } => recipe::ADAGRAD_LEARNING_RATE,
        }
    }

    /// Returns the optimiser with this learning rate.
    pub fn with(self, learning_rate: Schedule) -> Optimiser {
        match self {
            Self::Sgd { momentum, nesterov, weight_decay } => {
                let momentum = momentum.map_or(Schedule::paper_momentum(), Schedule::constant);
                let sgd = Sgd::new(learning_rate).momentum(momentum).weight_decay(weight_decay);
                if nesterov { sgd.nesterov() } else { sgd }.into()
            }
            Self::Adam { beta1, beta2, epsilon, weight_decay } => {
                let adam = Adam::new(learning_rate).betas(beta1, beta2).epsilon(epsilon);
                adam.weight_decay(weight_decay).into()
            }
            Self::AdamW { beta1, beta2, epsilon, weight_decay } => {
                let adamw = AdamW::new(learning_rate).betas(beta1, beta2).epsilon(epsilon);
                adamw.weight_decay(weight_decay).into()
            }
            Self::Adagrad { epsilon, initial_accumulator, weight_decay } => {
                let adagrad = Adagrad::new(learning_rate).epsilon(epsilon);
                let adagrad = adagrad.initial_accumulator(initial_accumulator);
                adagrad.weight_decay(weight_decay).into()
            }
            Self::SparseAdam { beta1, beta2, epsilon } => {
                SparseAdam::new(learning_rate).betas(beta1, beta2).epsilon(epsilon).into()
            }
        }
    }
}

/// The options of all optimisers.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Options {
    #[arg(
        long, value_name = "X", value_parser = numbers::fraction, help_heading = "Optimiser",
        help = format!(
            "sgd: momentum; `--schedule paper` sets its own [default: {}]",
            recipe::MOMENTUM
        ),
    )]
    momentum: Option<f64>,
    /// sgd: use Nesterov momentum
    #[arg(long, help_heading = "Optimiser")]
    nesterov: bool,
    #[arg(
        long, value_name = "X", value_parser = numbers::fraction, help_heading = "Optimiser",
        help = format!(
            "adam, adamw, sparse_adam: decay rate of the mean of gradients [default: {}]",
            recipe::BETA1
        ),
    )]
    beta1: Option<f64>,
    #[arg(
        long, value_name = "X", value_parser = numbers::fraction, help_heading = "Optimiser",
        help = format!(
            "adam, adamw, sparse_adam: decay rate of the mean of squared gradients [default: {}]",
            recipe::BETA2
        ),
    )]
    beta2: Option<f64>,
    #[arg(
        long, value_name = "X", value_parser = numbers::above_zero, help_heading = "Optimiser",
        help = format!(
            "all but sgd: added to the root that divides the step [default: {:?}, and {:?} for \
             adagrad]",
            recipe::ADAM_EPSILON,
            recipe::ADAGRAD_EPSILON
        ),
    )]
    epsilon: Option<f64>,
    /// adagrad: sum of squared gradients before the first step [default: 0]
    #[arg(
        long, value_name = "X", value_parser = numbers::at_least_zero, help_heading = "Optimiser",
    )]
    initial_accumulator: Option<f64>,
    #[arg(
        long, value_name = "X", value_parser = numbers::at_least_zero, help_heading = "Optimiser",
        help = format!(
            "Weight decay, for the weights but not the biases; decoupled from the gradient in adamw, \
             none in sparse_adam [default: {}, and {} for adamw]",
            recipe::WEIGHT_DECAY,
            recipe::ADAMW_WEIGHT_DECAY
        ),
    )]
    weight_decay: Option<f64>,
}

impl Options {
    /// Returns the optimiser with these options.
    ///
    /// # Errors
    /// An option is given that the optimiser does not have, or that the schedule does not allow.
    pub fn choose(&self, optimiser: &Optimiser, schedule: LrSchedule) -> anyhow::Result<Choice> {
        let Self { momentum, nesterov, beta1, beta2, epsilon, initial_accumulator, .. } = *self;
        let of_adam = || (beta1.unwrap_or(recipe::BETA1), beta2.unwrap_or(recipe::BETA2));
        let adam_epsilon = epsilon.unwrap_or(recipe::ADAM_EPSILON);
        let decay = |default: f64| self.weight_decay.unwrap_or(default);
        self.check(optimiser, schedule)?;
        Ok(match optimiser {
            Optimiser::Sgd(_) => {
                let usual = (schedule != LrSchedule::Paper).then_some(recipe::MOMENTUM);
                let weight_decay = decay(recipe::WEIGHT_DECAY);
                Choice::Sgd { momentum: momentum.or(usual), nesterov, weight_decay }
            }
            Optimiser::Adam(_) => {
                let ((beta1, beta2), weight_decay) = (of_adam(), decay(recipe::WEIGHT_DECAY));
                Choice::Adam { beta1, beta2, epsilon: adam_epsilon, weight_decay }
            }
            Optimiser::AdamW(_) => {
                let ((beta1, beta2), weight_decay) = (of_adam(), decay(recipe::ADAMW_WEIGHT_DECAY));
                Choice::AdamW { beta1, beta2, epsilon: adam_epsilon, weight_decay }
            }
            Optimiser::Adagrad(_) => Choice::Adagrad {
                epsilon: epsilon.unwrap_or(recipe::ADAGRAD_EPSILON),
                initial_accumulator: initial_accumulator.unwrap_or(0.0),
                weight_decay: decay(recipe::WEIGHT_DECAY),
            },
            Optimiser::SparseAdam(_) => {
                let (beta1, beta2) = of_adam();
                Choice::SparseAdam { beta1, beta2, epsilon: adam_epsilon }
            }
            other => anyhow::bail!("--optimiser {other} has no options here"),
        })
    }

    /// Checks that the optimiser has every option that is given.
    fn check(&self, optimiser: &Optimiser, schedule: LrSchedule) -> anyhow::Result<()> {
        let number = |value: Option<f64>| value.map(|value| format!(" {value:?}"));
        let name = optimiser.name();
        for (option, value, owners) in [
            ("--momentum", number(self.momentum), &["sgd"][..]),
            ("--nesterov", self.nesterov.then(String::new), &["sgd"]),
            ("--beta1", number(self.beta1), &["adam", "adamw", "sparse_adam"]),
            ("--beta2", number(self.beta2), &["adam", "adamw", "sparse_adam"]),
            ("--epsilon", number(self.epsilon), &["adam", "adamw", "adagrad", "sparse_adam"]),
            ("--initial-accumulator", number(self.initial_accumulator), &["adagrad"]),
            (
                "--weight-decay",
                number(self.weight_decay.filter(|&decay| decay > 0.0)),
                &["sgd", "adam", "adamw", "adagrad"],
            ),
        ] {
            if let Some(value) = value.filter(|_| !owners.contains(&name)) {
                return Err(usage(format!(
                    "{option}{value} cannot be used with --optimiser {name}: expected --optimiser {}",
                    owners.join(" or ")
                )));
            }
        }
        match (schedule, self.momentum) {
            (LrSchedule::Paper, Some(momentum)) => Err(usage(format!(
                "--momentum {momentum} cannot be used with --schedule paper, which raises the \
                 momentum from 0.5 to 0.99 itself"
            ))),
            (LrSchedule::Paper, None) if name != "sgd" => Err(usage(format!(
                "--schedule paper cannot be used with --optimiser {name}: it sets the momentum, which \
                 only sgd has"
            ))),
            _ => Ok(()),
        }
    }
}

/// Returns a parser of the names of optimisers.
pub fn parser() -> impl TypedValueParser<Value = Optimiser> {
    PossibleValuesParser::new(Optimiser::ALL.iter().map(|one| one.name()))
        .try_map(|name| name.parse::<Optimiser>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_library() {
        for optimiser in Optimiser::ALL {
            let choice = Options::default().choose(optimiser, LrSchedule::Linear).unwrap();
            if let Choice::Sgd { momentum, .. } = choice {
                assert_eq!(momentum, Some(recipe::MOMENTUM));
                continue;
            }
            assert_eq!(choice.with(Schedule::constant(choice.learning_rate())), *optimiser);
        }
    }
}
