//! What a run watches on its validation set.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::Validation;
use crate::{
    error::Error,
    metrics::{Better, Metric},
    named::text_in_files,
};

/// A figure of the validation set that decisions are based on.
///
/// As text it is `loss` or the name of a metric.
///
/// ```
/// use thinnet::{metrics::{Better, Metric}, train::Watched};
///
/// assert_eq!("loss".parse::<Watched>()?, Watched::Loss);
/// assert_eq!("roc_auc".parse::<Watched>()?, Watched::from(Metric::RocAuc));
/// assert_eq!(Watched::from(Metric::RocAuc).better(), Better::Larger);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Watched {
    /// The mean loss.
    Loss,
    /// A metric.
    Metric(Metric),
}
text_in_files!(Watched);

impl From<Metric> for Watched {
    fn from(metric: Metric) -> Self {
        Self::Metric(metric)
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss => f.write_str("loss"),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl FromStr for Watched {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "loss" { Ok(Self::Loss) } else { text.parse().map(Self::Metric) }
    }
}

impl Watched {
    /// Which of two figures is better.
    pub const fn better(self) -> Better {
        match self {
            Self::Loss => Better::Smaller,
            Self::Metric(metric) => metric.better(),
        }
    }

    /// Itself, if one of two figures is better, so that a rule can watch it.
    pub(super) fn checked(self) -> Result<Self, Error> {
        match self {
            Self::Metric(metric) if self.better() == Better::Neither => {
                Err(Error::Unwatchable { metric })
            }
            _ => Ok(self),
        }
    }

    /// Its figure, if it is defined and finite.
    pub(super) fn of(self, measured: &Validation) -> Option<f64> {
        match self {
            Self::Loss => Some(measured.loss),
            Self::Metric(metric) => measured.figures.iter().find(|(other, _)| *other == metric)?.1,
        }
    }
}

/// The best figure so far, and for how many validations there has been no better one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Best {
    /// The best figure, and the number of its epoch, from 1.
    pub at: Option<(f64, usize)>,
    /// The validations since then.
    pub waited: usize,
}

impl Best {
    /// The number of the epoch with the best figure, from 1.
    pub fn epoch(self) -> Option<usize> {
        self.at.map(|(_, epoch)| epoch)
    }

    /// Takes the figure of an epoch. Returns whether it is better than the best so far by more than
    /// `least_change`; without a figure it is not.
    pub fn take(
        &mut self,
        watched: Watched,
        least_change: f64,
        figure: Option<f64>,
        epoch: usize,
    ) -> bool {
        let better = figure.is_some_and(|figure| match self.at {
            None => true,
            Some((best, _)) => match watched.better() {
                Better::Larger => figure > best + least_change,
                Better::Smaller => figure < best - least_change,
                Better::Neither => false,
            },
        });
        if better {
            *self = Self { at: figure.map(|figure| (figure, epoch)), waited: 0 };
        } else {
            self.waited += 1;
        }
        better
    }
}
