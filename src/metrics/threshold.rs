//! The threshold above which a score counts as a yes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::ranking::{Case, Weights, cases, each_threshold};
use crate::error::Error;

/// What a threshold is chosen for. As text, it is `f1` or the two costs, as in `1:50`.
///
/// ```
/// use thinnet::metrics::Aim;
///
/// // A missed fraud costs as much as 50 false alarms.
/// let aim = Aim::Cost { false_positive: 1.0, false_negative: 50.0 };
/// assert_eq!("1:50".parse::<Aim>()?, aim);
/// assert_eq!("f1".parse::<Aim>()?, Aim::F1);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Aim {
    /// The largest F1 of the positive rows.
    F1,
    /// The lowest mean cost of a row, where a right answer costs nothing.
    Cost {
        /// The cost of a yes for a negative row.
        false_positive: f64,
        /// The cost of a no for a positive row.
        false_negative: f64,
    },
}

/// A threshold: a row with a larger score is a yes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Threshold {
    /// The threshold.
    pub threshold: f64,
    /// The F1 or the mean cost on the rows that it was chosen on, on which it is better than on
    /// others.
    pub value: f64,
    /// The same of the better one of the two constant answers.
    pub baseline: f64,
}

/// Chooses the threshold of scores, such as the probabilities of class 1, that is best for the aim on
/// these rows. They should be validation rows: on the rows that a network was trained on, its
/// probabilities are too far apart.
///
/// All thresholds are tried. The result is half-way between two neighbouring scores, or, if all rows
/// are to have the same answer, the largest score, or the largest number below the smallest score. Of
/// equally good ones it is the largest. Weights are 1 by default.
///
/// ```
/// use thinnet::metrics::{Aim, threshold};
///
/// let (scores, positive) = ([0.1, 0.2, 0.3, 0.4], [false, true, false, true]);
/// // 2 of 3 right, and none missed: F1 is 2 * 2 / (3 + 2).
/// let found = threshold(&scores, &positive, None, Aim::F1)?;
/// assert_eq!((found.value, found.baseline), (0.8, 2.0 / 3.0));
/// assert!(found.threshold > 0.1 && found.threshold < 0.2);
/// // If a false alarm is expensive, only the last row is a yes.
/// let aim = Aim::Cost { false_positive: 3.0, false_negative: 1.0 };
/// let found = threshold(&scores, &positive, None, aim)?;
/// assert_eq!((found.value, found.baseline), (0.25, 0.5));
/// assert!(found.threshold > 0.3 && found.threshold < 0.4);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// The slices differ in length; a score is not finite; a weight or a cost is negative or not finite;
/// for F1, no positive row has a weight above 0; for a cost, no row has one; there is not enough
/// memory.
pub fn threshold(
    scores: &[f64],
    positive: &[bool],
    weights: Option<&[f64]>,
    aim: Aim,
) -> Result<Threshold, Error> {
    if let Aim::Cost { false_positive, false_negative } = aim {
        for (what, value) in [
            ("cost of a false positive", false_positive),
            ("cost of a false negative", false_negative),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                let expected = "a finite number of at least 0";
                return Err(Error::OutOfRange { what, value, expected });
            }
        }
    }
    let mut cases = cases(scores, positive, weights)?;
    let all = Weights::of(&cases);
    aim.check(all)?;
    let mut best = Candidate { value: aim.of(Weights::default(), all), after: None };
    let [no, yes] = [Weights::default(), all].map(|answered| aim.of(answered, all));
    let baseline = if aim.is_better(yes, no) { yes } else { no };
    each_threshold(&mut cases, |score, answered| {
        let value = aim.of(answered, all);
        if aim.is_better(value, best.value) {
            best = Candidate { value, after: Some(score) };
        }
    });
    Ok(Threshold { threshold: best.threshold(&cases), value: best.value, baseline })
}

/// A threshold while others are tried.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    value: f64,
    /// The smallest score that is a yes; `None` if none is.
    after: Option<f64>,
}

impl Candidate {
    /// The threshold, given the cases in descending order of their scores.
    fn threshold(self, cases: &[Case]) -> f64 {
        let Some(above) = self.after else {
            return cases.first().map_or(0.0, |largest| largest.score);
        };
        let next = cases.partition_point(|case| case.score >= above);
        let Some(below) = cases.get(next).map(|case| case.score) else {
            return above.next_down();
        };
        // Between neighbouring floats, the mean is one of them.
        let middle = 0.5 * above + 0.5 * below;
        if middle < above { middle.max(below) } else { below }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F1 => f.write_str("f1"),
            Self::Cost { false_positive, false_negative } => {
                write!(f, "{false_positive}:{false_negative}")
            }
        }
    }
}

impl FromStr for Aim {
    type Err = Error;

    /// Parses `f1`, or the costs of a false positive and of a false negative, as in `1:50`.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "f1" {
            return Ok(Self::F1);
        }
        let cost =
            |text: &str| text.parse().ok().filter(|cost: &f64| cost.is_finite() && *cost >= 0.0);
        let costs = text.split_once(':').and_then(|(a, b)| Some((cost(a)?, cost(b)?)));
        let (false_positive, false_negative) = costs.ok_or_else(|| {
            let (parameter, value) = ("aim of a threshold", text.to_owned());
            let expected =
                "f1, or the costs of a false positive and of a false negative, as in 1:50";
            Error::Parameter { parameter, value, expected }
        })?;
        Ok(Self::Cost { false_positive, false_negative })
    }
}

impl Aim {
    /// Checks that it is defined for rows of these weights.
    fn check(self, all: Weights) -> Result<(), Error> {
        let (none, reason) = match self {
            Self::F1 => (all.positive == 0.0, "no row is positive"),
            Self::Cost { .. } => {
                (all.positive + all.negative == 0.0, "no row has a weight above 0")
            }
        };
        if none {
            let reason = reason.to_owned();
            return Err(Error::UndefinedMetric { metric: "threshold", reason });
        }
        Ok(())
    }

    /// The figure if the answer for rows of weights `yes` is yes.
    fn of(self, yes: Weights, all: Weights) -> f64 {
        match self {
            Self::F1 => 2.0 * yes.positive / (yes.positive + yes.negative + all.positive),
            Self::Cost { false_positive, false_negative } => {
                let missed = all.positive - yes.positive;
                (false_positive * yes.negative + false_negative * missed)
                    / (all.positive + all.negative)
            }
        }
    }

    fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            Self::F1 => value > than,
            Self::Cost { .. } => value < than,
        }
    }
}
