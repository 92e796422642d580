//! The three ways to ask a network, and what they answer.

use clap::ValueEnum;
use thinnet::{
    data::Batch,
    predict::{Estimate, MonteCarlo, Predictor, Seeds, Workspace},
};

use crate::{console::usage, numbers};

/// Samples of a row where `--samples` does not say.
pub const SAMPLES: usize = 50;

/// The way to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Weight scaling: one pass of the whole network
    Scale,
    /// Monte-Carlo: thinned networks are sampled
    Mc,
    /// Moment propagation: mean and variance in one pass
    Moments,
}

/// The arguments that choose it.
#[derive(Clone, Debug, clap::Args)]
pub struct Asking {
    /// How to predict [default: scale, or mc where --samples or --tolerance is given]
    #[arg(long, value_name = "NAME", value_enum)]
    method: Option<Method>,
    #[command(flatten)]
    sampling: Sampling,
}

/// The arguments of Monte-Carlo.
#[derive(Clone, Debug, clap::Args)]
pub struct Sampling {
    #[arg(
        long, value_name = "K", value_parser = numbers::count(numbers::MOST_SAMPLES),
        allow_negative_numbers = true,
        help = format!(
            "Thinned networks that each row is asked of, at most where there is a tolerance: from \
             1 to 1000000 [default: {SAMPLES}]"
        ),
    )]
    samples: Option<usize>,
    /// A row's sampling ends when the standard error of each class's probability is at most
    /// this; looked at after every 16 samples
    #[arg(
        long, value_name = "T", value_parser = numbers::at_least_zero,
        allow_negative_numbers = true,
    )]
    tolerance: Option<f64>,
    /// Seed of the thinned networks; a row's are those of this seed and its number
    #[arg(
        long, value_name = "N", default_value_t = 1, value_parser = numbers::seed,
        allow_negative_numbers = true,
    )]
    seed: u64,
}

/// A way to predict, with its settings.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Weight scaling.
    Scale,
    /// Monte-Carlo with this seed.
    MonteCarlo(MonteCarlo, u64),
    /// Moment propagation.
    Moments,
}

/// What a row is taken for, and how sure that is.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The most probable class.
    pub class: usize,
    /// Its probability.
    pub probability: f64,
    /// The entropy of the classes' probabilities, in nats.
    pub entropy: f64,
    /// What the thinned networks disagree by, in nats; unknown to weight scaling.
    pub mutual_information: Option<f64>,
    /// Thinned networks that were asked.
    pub samples: Option<usize>,
}

impl Sampling {
    fn given(&self) -> bool {
        self.samples.is_some() || self.tolerance.is_some()
    }

    /// Monte-Carlo with these settings.
    ///
    /// # Errors
    /// None that the parsers of the arguments let through.
    pub fn way(&self) -> anyhow::Result<Way> {
        let settings = MonteCarlo::new(self.samples.unwrap_or(SAMPLES))?;
        let settings = match self.tolerance {
            Some(tolerance) => settings.tolerance(tolerance)?,
            None => settings,
        };
        Ok(Way::MonteCarlo(settings, self.seed))
    }
}

impl Asking {
    /// The way that was asked for.
    ///
    /// # Errors
    /// Settings of another way.
    pub fn way(&self) -> anyhow::Result<Way> {
        let method = match self.method {
            Some(method) => method,
            None if self.sampling.given() => Method::Mc,
            None => Method::Scale,
        };
        match method {
            Method::Mc => self.sampling.way(),
            _ if self.sampling.given() => {
                Err(usage("--samples and --tolerance are for --method mc, which samples"))
            }
            Method::Scale => Ok(Way::Scale),
            Method::Moments => Ok(Way::Moments),
        }
    }
}

impl Way {
    /// The name that `--method` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scale => "scale",
            Self::MonteCarlo(..) => "mc",
            Self::Moments => "moments",
        }
    }

    /// The answers to the rows of a batch, whose numbers in the data set are
    /// `rows`.
    ///
    /// # Errors
    /// Probabilities that are NaN, where the network's sums overflow.
    pub fn answers(
        self,
        predictor: &Predictor,
        batch: &Batch<'_>,
        rows: &[u32],
        workspace: &mut Workspace,
    ) -> anyhow::Result<Vec<Answer>> {
        let estimates = match self {
            Self::Scale => predictor.weight_scaling(batch, workspace)?,
            Self::MonteCarlo(settings, base) => {
                let ids: Vec<u64> = rows.iter().map(|&row| row.into()).collect();
                let seeds = Seeds::Numbered { base, ids: &ids };
                predictor.monte_carlo(batch, &settings, seeds, workspace)?
            }
            Self::Moments => predictor.moments(batch, workspace)?,
        };
        let answers: Vec<_> = estimates.iter().map(Answer::of).collect();
        for (answer, row) in answers.iter().zip(rows) {
            anyhow::ensure!(
                answer.entropy.is_finite(),
                "row {row}: the network's output is NaN or infinite, expected probabilities"
            );
        }
        Ok(answers)
    }
}

impl Answer {
    fn of(estimate: Estimate<'_>) -> Self {
        let class = estimate.class();
        Self {
            class,
            probability: estimate.mean()[class],
            // There is one: the network's loss is softmax cross-entropy.
            entropy: estimate.entropy().unwrap_or(f64::NAN),
            mutual_information: estimate.mutual_information(),
            samples: (estimate.samples() > 0).then_some(estimate.samples()),
        }
    }
}
