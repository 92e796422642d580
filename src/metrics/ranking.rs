//! How well scores rank the rows of a class above the others: the area under the ROC curve, and
//! average precision.

use std::marker::PhantomData;

use super::{
    Better, Figure, Measure,
    prior::Prior,
    row::{Outcome, Outputs, Row, is_one},
    sum::ExactSum,
};
use crate::{
    error::{Error, check_weight, same_size},
    memory::reserve,
    nn::TargetKind,
};

/// The area under the ROC curve of scores for rows that are positive or not: the probability that a
/// random positive row has a larger score than a random negative one, where equal scores count half.
/// With weights, rows are drawn in proportion to them; by default all are 1.
///
/// It is exact: no thresholds are left out, and equal scores are one threshold. This is
/// scikit-learn's `roc_auc_score`.
///
/// ```
/// use thinnet::metrics::roc_auc;
///
/// let positive = [true, false, true, false];
/// assert_eq!(roc_auc(&[0.9, 0.5, 0.5, 0.1], &positive, None)?, 0.875);
/// // Without negative rows there is no such area.
/// assert!(roc_auc(&[0.9, 0.5], &[true, true], None).is_err());
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// The slices differ in length; a score is not finite; a weight is negative or not finite; there is
/// no positive or no negative row with a weight above 0; there is not enough memory.
pub fn roc_auc(scores: &[f64], positive: &[bool], weights: Option<&[f64]>) -> Result<f64, Error> {
    of::<Auc>(scores, positive, weights)
}

/// The average precision of scores for rows that are positive or not: the mean over the positive
/// rows of the precision at their score, that is of the share of positive rows among those with at
/// least that score:
///
/// `sum over thresholds n of (R[n] - R[n-1]) P[n]`, with recall R and precision P
///
/// Equal scores are one threshold, and nothing is interpolated. This is scikit-learn's
/// `average_precision_score`. Scores without information have the share of positive rows.
///
/// ```
/// use thinnet::metrics::average_precision;
///
/// let positive = [true, false, true, false];
/// let precision = average_precision(&[0.9, 0.5, 0.3, 0.1], &positive, None)?;
/// assert_eq!(precision, (1.0 + 2.0 / 3.0) / 2.0);
/// // A network that gives the same probability to every row ranks nothing.
/// assert_eq!(average_precision(&[0.1; 4], &positive, None)?, 0.5);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// As for [`roc_auc`], but all rows may be positive.
pub fn average_precision(
    scores: &[f64],
    positive: &[bool],
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    of::<MeanPrecision>(scores, positive, weights)
}

fn of<S: Statistic>(
    scores: &[f64],
    positive: &[bool],
    weights: Option<&[f64]>,
) -> Result<f64, Error> {
    statistic::<S>(&mut cases(scores, positive, weights)?, || "positive".to_owned())
}

/// A row, as one question about it sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub score: f64,
    pub positive: bool,
    pub weight: f64,
}

/// Checks the arguments, and returns the rows whose weight is above 0.
pub(super) fn cases(
    scores: &[f64],
    positive: &[bool],
    weights: Option<&[f64]>,
) -> Result<Vec<Case>, Error> {
    same_size("rows that are positive or not", scores.len(), positive.len())?;
    if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
        let (what, expected) = ("score", "a finite number");
        return Err(Error::RowNumber { what, row, column: None, value: scores[row], expected });
    }
    if let Some(weights) = weights {
        same_size("weights of rows", scores.len(), weights.len())?;
        (0..scores.len()).try_for_each(|row| check_weight(weights[row], row))?;
    }
    let mut cases = reserve("scores", scores.len())?;
    let all = scores.iter().zip(positive).enumerate().map(|(row, (&score, &positive))| Case {
        score,
        positive,
        weight: weights.map_or(1.0, |weights| weights[row]),
    });
    cases.extend(all.filter(|case| case.weight > 0.0));
    Ok(cases)
}

/// The weights of the positive and of the negative rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weights {
    pub positive: f64,
    pub negative: f64,
}

impl Weights {
    pub fn of(cases: &[Case]) -> Self {
        let of = |positive: bool| -> f64 {
            let cases = cases.iter().filter(|case| case.positive == positive);
            cases.map(|case| case.weight).sum::<ExactSum>().value()
        };
        Self { positive: of(true), negative: of(false) }
    }
}

/// Sorts the cases in descending order of their scores, and calls `visit` for each score with the
/// weights of the rows that have at least that score.
pub(super) fn each_threshold(cases: &mut [Case], mut visit: impl FnMut(f64, Weights)) {
    // The sums do not depend on the order of equal scores. -0.0 equals 0.0.
    cases.sort_unstable_by(|a, b| f64::total_cmp(&(b.score + 0.0), &(a.score + 0.0)));
    let [mut positive, mut negative] = [(); 2].map(|()| ExactSum::default());
    for tied in cases.chunk_by(|a, b| a.score == b.score) {
        for case in tied {
            if case.positive { &mut positive } else { &mut negative }.add(case.weight);
        }
        let above = Weights { positive: positive.value(), negative: negative.value() };
        visit(tied[0].score, above);
    }
}

/// A figure of a ranking: a sum over the thresholds.
pub(super) trait Statistic: Clone + std::fmt::Debug + 'static {
    const NAME: &'static str;
    /// Whether it needs negative rows too.
    const NEEDS_NEGATIVES: bool;
    /// The baseline, given the share of the positive rows.
    fn baseline(prior: f64) -> f64;
    /// What a threshold adds, given the rows above the last one, those above this one, and all.
    fn term(before: Weights, after: Weights, all: Weights) -> f64;
}

/// The area under the ROC curve, by trapezia.
#[derive(Clone, Debug)]
pub(super) struct Auc;

impl Statistic for Auc {
    const NAME: &'static str = "roc_auc";
    const NEEDS_NEGATIVES: bool = true;

    fn baseline(_: f64) -> f64 {
        0.5
    }

    fn term(before: Weights, after: Weights, all: Weights) -> f64 {
        (after.negative - before.negative) / all.negative
            * (0.5 * (before.positive + after.positive) / all.positive)
    }
}

/// Average precision.
#[derive(Clone, Debug)]
pub(super) struct MeanPrecision;

impl Statistic for MeanPrecision {
    const NAME: &'static str = "average_precision";
    const NEEDS_NEGATIVES: bool = false;

    fn baseline(prior: f64) -> f64 {
        prior
    }

    fn term(before: Weights, after: Weights, all: Weights) -> f64 {
        if after.positive == before.positive {
            return 0.0;
        }
        let recalled = (after.positive - before.positive) / all.positive;
        recalled * (after.positive / (after.positive + after.negative))
    }
}

/// Sorts the cases, and computes the figure. `name` says what a positive row is.
fn statistic<S: Statistic>(cases: &mut [Case], name: impl Fn() -> String) -> Result<f64, Error> {
    let all = Weights::of(cases);
    let [none, only] = [all.positive == 0.0, all.negative == 0.0];
    if none || S::NEEDS_NEGATIVES && only {
        let reason = format!("{} row is {}", if none { "no" } else { "every" }, name());
        return Err(Error::UndefinedMetric { metric: S::NAME, reason });
    }
    let (mut sum, mut before) = (ExactSum::default(), Weights::default());
    each_threshold(cases, |_, after| {
        sum.add(S::term(before, after, all));
        before = after;
    });
    Ok(sum.value())
}

pub(super) type RocAuc = Ranking<Auc>;
pub(super) type AveragePrecision = Ranking<MeanPrecision>;

/// All scores, which a ranking needs at once.
#[derive(Clone, Debug)]
pub(super) struct Ranking<S> {
    outputs: Outputs,
    /// `[rows][questions]`
    scores: Vec<f64>,
    /// `[rows][questions]`
    positive: Vec<bool>,
    /// `[rows]`
    weights: Vec<f64>,
    statistic: PhantomData<S>,
}

impl<S: Statistic> Ranking<S> {
    pub fn new(outputs: Outputs) -> Result<Self, Error> {
        let (scores, positive, weights) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { outputs, scores, positive, weights, statistic: PhantomData })
    }
}

impl<S: Statistic> Measure for Ranking<S> {
    const KINDS: &'static [TargetKind] = &[TargetKind::Classes, TargetKind::Binary];
    const BASELINE: &'static str = "scores without information";
    const BETTER: Better = Better::Larger;

    fn reserve(&mut self, rows: usize) -> Result<(), Error> {
        let shape = [self.weights.len() + rows, self.outputs.questions()];
        let too_large = || Error::TooLarge { what: "scores", shape };
        let numbers = rows.checked_mul(shape[1]).ok_or_else(too_large)?;
        let enough = self.scores.try_reserve(numbers).is_ok()
            && self.positive.try_reserve(numbers).is_ok()
            && self.weights.try_reserve(rows).is_ok();
        if enough { Ok(()) } else { Err(too_large()) }
    }

    fn add(&mut self, row: &Row<'_>) {
        let first = self.outputs.first_question();
        let questions = first..first + self.outputs.questions();
        self.weights.push(row.weight);
        match row.outcome {
            Outcome::Class { probabilities, label } => {
                self.scores.extend(&probabilities[questions.clone()]);
                self.positive.extend(questions.map(|class| class == label as usize));
            }
            Outcome::Bits { probabilities, bits } => {
                self.scores.extend(probabilities);
                self.positive.extend(bits.iter().map(|&bit| is_one(bit)));
            }
            Outcome::Values { .. } => {}
        }
    }

    fn merge(&mut self, other: &Self) {
        self.scores.extend(&other.scores);
        self.positive.extend(&other.positive);
        self.weights.extend(&other.weights);
    }

    fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
        let (questions, first) = (self.outputs.questions(), self.outputs.first_question());
        let what = if self.outputs.kind() == TargetKind::Classes { "of class" } else { "1 in bit" };
        let mut cases = reserve("scores", self.weights.len())?;
        let [mut value, mut baseline] = [0.0; 2];
        for question in 0..questions {
            cases.clear();
            let of_rows = |i| i * questions + question;
            cases.extend(self.weights.iter().enumerate().map(|(row, &weight)| Case {
                score: self.scores[of_rows(row)],
                positive: self.positive[of_rows(row)],
                weight,
            }));
            value += statistic::<S>(&mut cases, || format!("{what} {}", first + question))?;
            baseline += S::baseline(prior.mean(first + question));
        }
        let mean = |sum| sum / questions as f64;
        Ok(Figure { value: mean(value), baseline: Some(mean(baseline)) })
    }
}
