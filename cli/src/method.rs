//! The arguments that choose a method of prediction.

use clap::ValueEnum;
use thinnet::{
    Error,
    data::Batch,
    predict::{Estimates, Method, MonteCarlo, Predictor, Seeds, Workspace},
};

use crate::{console::usage, numbers};

/// The default of `--samples`.
pub const SAMPLES: usize = 50;

/// The values of `--method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodName {
    /// Weight scaling: one pass through the full network
    Scale,
    /// Monte-Carlo: the average of sampled thinned networks (the network with units dropped at
    /// random)
    Mc,
    /// Moment propagation: mean and variance in one pass
    Moments,
}

/// The arguments that choose the method.
#[derive(Clone, Debug, clap::Args)]
pub struct MethodArguments {
    /// How to predict [default: scale, or mc if --samples or --tolerance is given]
    #[arg(long, value_name = "NAME", value_enum)]
    method: Option<MethodName>,
    #[command(flatten)]
    sampling: Sampling,
}

/// The arguments of Monte-Carlo.
#[derive(Clone, Debug, clap::Args)]
pub struct Sampling {
    #[arg(
        long, value_name = "K", value_parser = numbers::count(numbers::MAX_SAMPLES),
        help = format!(
            "Number of thinned networks (the network with units dropped at random) sampled per row, \
             from 1 to 1000000; with --tolerance, the maximum [default: {SAMPLES}]"
        ),
    )]
    samples: Option<usize>,
    /// Stop sampling a row once the standard error of every class probability, or other prediction, is at
    /// most T, which is checked after every 16 samples
    #[arg(long, value_name = "T", value_parser = numbers::at_least_zero)]
    tolerance: Option<f64>,
    /// Random seed for the thinned networks; those of a row depend only on it and on the row's number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = numbers::seed)]
    seed: u64,
}

/// A method of prediction, and the seed of the masks that it samples.
#[derive(Clone, Copy, Debug)]
pub struct SeededMethod {
    method: Method,
    seed: u64,
}

impl Sampling {
    fn given(&self) -> bool {
        self.samples.is_some() || self.tolerance.is_some()
    }

    /// Returns Monte-Carlo with these settings.
    ///
    /// # Errors
    /// Settings that the parsers of the arguments have already refused.
    pub fn seeded(&self) -> anyhow::Result<SeededMethod> {
        let settings = MonteCarlo::new(self.samples.unwrap_or(SAMPLES))?;
        let settings = match self.tolerance {
            Some(tolerance) => settings.tolerance(tolerance)?,
            None => settings,
        };
        Ok(SeededMethod { method: Method::MonteCarlo(settings), seed: self.seed })
    }
}

impl MethodArguments {
    /// Returns the method that the arguments choose.
    ///
    /// # Errors
    /// Settings of another method are given.
    pub fn seeded(&self) -> anyhow::Result<SeededMethod> {
        let method = match self.method {
            Some(method) => method,
            None if self.sampling.given() => MethodName::Mc,
            None => MethodName::Scale,
        };
        match method {
            MethodName::Mc => self.sampling.seeded(),
            _ if self.sampling.given() => {
                Err(usage("--samples and --tolerance can only be used with --method mc"))
            }
            MethodName::Scale => Ok(SeededMethod::without_samples(Method::WeightScaling)),
            MethodName::Moments => Ok(SeededMethod::without_samples(Method::Moments)),
        }
    }
}

impl SeededMethod {
    /// Returns a method that does not sample.
    pub fn without_samples(method: Method) -> Self {
        Self { method, seed: 0 }
    }

    /// Returns the method's name as `--method` accepts it.
    pub fn name(self) -> &'static str {
        match self.method {
            Method::WeightScaling => "scale",
            Method::MonteCarlo(_) => "mc",
            Method::Moments => "moments",
        }
    }

    /// Whether its answers tell how uncertain they are.
    pub fn has_uncertainty(self) -> bool {
        !matches!(self.method, Method::WeightScaling)
    }

    /// Predicts the rows of a batch, which are consecutive in the data set.
    ///
    /// # Errors
    /// The inputs or the answer of a row are not finite. The error has the row's number in the data
    /// set.
    pub fn answers<'w>(
        self,
        predictor: &Predictor,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> anyhow::Result<Estimates<'w>> {
        let first = batch.first_row();
        let ids: Vec<u64> = (first..).take(batch.rows()).collect();
        let seeds = Seeds::Numbered { base: self.seed, ids: &ids };
        Ok(predictor.estimate(batch, &self.method, seeds, workspace).map_err(|mut error| {
            if let Error::NonFinite { row, .. } | Error::NonFiniteSum { row, .. } = &mut error {
                *row += first as usize;
            }
            error
        })?)
    }
}
