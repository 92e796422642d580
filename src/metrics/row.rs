//! A row of an evaluation: the prediction and the target.

use crate::{
    error::{Error, check_weight, same_size},
    nn::{Decision, Loss, PredictionKind, TargetKind, Targets},
};

/// Probabilities of classes may add up to as little less or more than 1: a softmax in single
/// precision over 2^20 classes is within 1e-4.
const SUM_TOLERANCE: f64 = 1e-3;

/// The prediction for one row and its target.
///
/// ```
/// use thinnet::metrics::Row;
///
/// // A class, with the probabilities of all classes.
/// let row = Row::class(&[0.2, 0.7, 0.1], 1);
/// // A row that counts three times.
/// let row = Row::class(&[0.2, 0.7, 0.1], 1).weight(3.0);
/// // Bits, and values.
/// let row = Row::bits(&[0.9], &[1.0]);
/// let row = Row::values(&[1.5, -2.0], &[1.0, -2.5]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub(super) outcome: Outcome<'a>,
    pub(super) weight: f64,
    /// The row's log loss, if the caller knows it.
    pub(super) loss: Option<f64>,
    /// The probability above which the answer is yes, if it is not the most probable one.
    threshold: Option<f64>,
}

/// Predictions and targets of each kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome<'a> {
    Class {
        probabilities: &'a [f64],
        label: u32,
    },
    Bits {
        probabilities: &'a [f64],
        bits: &'a [f32],
    },
    /// `means` are all quantiles if quantiles are predicted. `variances` is empty if they are not normal
    /// distributions.
    Values {
        means: &'a [f64],
        variances: &'a [f64],
        values: &'a [f32],
    },
}

impl<'a> Row<'a> {
    /// A row with a class: the probability of each class, and the class that it has.
    pub fn class(probabilities: &'a [f64], label: u32) -> Self {
        Self::new(Outcome::Class { probabilities, label })
    }

    /// A row with N bits: the probability of each, and the bits.
    pub fn bits(probabilities: &'a [f64], bits: &'a [f32]) -> Self {
        Self::new(Outcome::Bits { probabilities, bits })
    }

    /// A row with N values: the predictions, and the values. If quantiles are predicted, those are the N
    /// quantiles of the lowest level, then those of the next.
    pub fn values(means: &'a [f64], values: &'a [f32]) -> Self {
        Self::new(Outcome::Values { means, variances: &[], values })
    }

    /// A row with N values, for which the network predicts normal distributions: their means, their
    /// variances, and the values.
    ///
    /// ```
    /// use thinnet::{metrics::{Metric, Metrics, Row}, nn::{GaussianBeta, Loss}};
    ///
    /// let loss = Loss::GaussianNll(GaussianBeta::DEFAULT);
    /// let mut metrics = Metrics::new(&[Metric::GaussianNll], loss, 2)?;
    /// metrics.add(&Row::normals(&[1.5], &[1.0], &[1.5]))?;
    /// let found = metrics.figure(Metric::GaussianNll)?;
    /// assert!((found.value - 0.5 * std::f64::consts::TAU.ln()).abs() < 1e-15);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    pub fn normals(means: &'a [f64], variances: &'a [f64], values: &'a [f32]) -> Self {
        Self::new(Outcome::Values { means, variances, values })
    }

    /// Row `row` of some targets, and its predictions as [`PredictionKind`] says.
    pub(crate) fn of_predictions(
        kind: PredictionKind,
        y: &'a [f64],
        targets: Targets<'a>,
        row: usize,
    ) -> Self {
        match targets {
            Targets::Classes(labels) => Self::class(y, labels[row]),
            Targets::Binary(bits) => Self::bits(y, bits.at(row)),
            Targets::Values(values) if kind == PredictionKind::Normals => {
                let (means, variances) = y.split_at(y.len() / 2);
                Self::normals(means, variances, values.at(row))
            }
            Targets::Values(values) => Self::values(y, values.at(row)),
        }
    }

    fn new(outcome: Outcome<'a>) -> Self {
        Self { outcome, weight: 1.0, loss: None, threshold: None }
    }

    /// Sets the weight, 1 by default: a row of weight 3 counts like three copies of it, and one of
    /// weight 0 like none.
    #[must_use]
    pub fn weight(self, weight: f64) -> Self {
        Self { weight, ..self }
    }

    /// Sets the row's log loss. By default it is computed from the probabilities, and infinite if
    /// the label's probability is 0; from the logits it is known even if the probability underflows.
    #[must_use]
    pub fn log_loss(self, loss: f64) -> Self {
        Self { loss: Some(loss), ..self }
    }

    /// Sets the [decision threshold](crate::nn::Mlp::set_threshold) of two classes, or of bits:
    /// class 1, or a bit, is predicted if its probability is larger. By default, and with `None`, the
    /// most probable class is predicted, and a bit whose probability is above 0.5.
    #[must_use]
    pub fn threshold(self, threshold: Option<f64>) -> Self {
        Self { threshold, ..self }
    }

    /// The class that is predicted with these probabilities.
    pub(super) fn predicted(&self, probabilities: &[f64]) -> usize {
        Decision(self.threshold).class(probabilities)
    }

    /// Whether a bit with this probability is predicted.
    pub(super) fn predicts(&self, probability: f64) -> bool {
        Decision(self.threshold).bit(probability)
    }
}

/// What a network puts out, for the metrics to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outputs {
    pub loss: Loss,
    /// How many targets a row has; for classes, how many classes.
    pub number: usize,
}

impl Outputs {
    pub fn kind(self) -> TargetKind {
        self.loss.target_kind()
    }

    /// The levels of the quantiles that are predicted; none if they are not quantiles.
    pub fn levels(&self) -> &[f32] {
        if let Loss::Quantile(levels) = &self.loss { levels.as_slice() } else { &[] }
    }

    /// How many predictions a row has, apart from variances.
    pub fn predictions(self) -> usize {
        self.number * self.levels().len().max(1)
    }

    /// Of a row's predictions, those that a value is expected to be near, from the first target's on.
    pub fn points(self, predictions: &[f64]) -> &[f64] {
        let first = first_point(self.loss).unwrap_or(0) * self.number;
        &predictions[first..]
    }

    /// The yes-or-no questions that the outputs answer: one if there are two classes, whether a row
    /// is of class 1; otherwise one for each class or bit.
    pub fn questions(self) -> usize {
        if self.is_two_classes() { 1 } else { self.number }
    }

    /// The output of the first question.
    pub fn first_question(self) -> usize {
        usize::from(self.is_two_classes())
    }

    pub fn is_two_classes(self) -> bool {
        self.kind() == TargetKind::Classes && self.number == 2
    }

    /// Checks a row, which is number `row`, and that its bits are 0 or 1 if they must be.
    pub fn check(self, given: &Row<'_>, row: usize, only_bits: bool) -> Result<(), Error> {
        let number = |what, column, value, expected| {
            Err(Error::RowNumber { what, row, column, value, expected })
        };
        let &Row { outcome, weight, loss, threshold } = given;
        let (kind, predictions) = match outcome {
            Outcome::Class { probabilities, .. } => (TargetKind::Classes, probabilities),
            Outcome::Bits { probabilities, .. } => (TargetKind::Binary, probabilities),
            Outcome::Values { means, .. } => (TargetKind::Values, means),
        };
        if kind != self.kind() {
            let [expected, got] = [self.kind(), kind].map(TargetKind::name);
            return Err(Error::TargetKind { expected, got });
        }
        same_size("predictions of a row", self.predictions(), predictions.len())?;
        check_weight(weight, row)?;
        if let Some(threshold) = threshold {
            if !(self.is_two_classes() || kind == TargetKind::Binary) {
                let (loss, outputs) = (self.loss.name(), self.number);
                return Err(Error::ThresholdOutputs { loss, outputs });
            }
            if threshold.is_nan() {
                return number("decision threshold", None, threshold, "a number");
            }
        }
        if let Some(loss) = loss.filter(|loss| loss.is_nan()) {
            return number("log loss", None, loss, "a number");
        }
        if kind == TargetKind::Values {
            if let Some(column) = predictions.iter().position(|y| !y.is_finite()) {
                return number("prediction", Some(column), predictions[column], "a finite number");
            }
            let least = f64::from(self.loss.least_target());
            if let Some(column) = predictions.iter().position(|&y| y < least) {
                let expected = "a number of at least 0";
                return number("rate", Some(column), predictions[column], expected);
            }
        } else if let Some(column) = predictions.iter().position(|p| !(0.0..=1.0).contains(p)) {
            return number(
                "probability",
                Some(column),
                predictions[column],
                "a number from 0 to 1",
            );
        }
        match outcome {
            Outcome::Class { probabilities, label } => {
                if label as usize >= self.number {
                    return Err(Error::Class { row, class: label, classes: self.number });
                }
                let sum: f64 = probabilities.iter().sum();
                if (sum - 1.0).abs() > SUM_TOLERANCE {
                    return Err(Error::RowSum { row, sum });
                }
            }
            Outcome::Bits { bits, .. } => {
                same_size("bits of a row", self.number, bits.len())?;
                let expected = if only_bits { "0 or 1" } else { "a number from 0 to 1" };
                let allowed = |t: f32| (0.0..=1.0).contains(&t) && !(only_bits && t.fract() > 0.0);
                if let Some(column) = bits.iter().position(|&t| !allowed(t)) {
                    return number("target", Some(column), bits[column].into(), expected);
                }
            }
            Outcome::Values { variances, values, .. } => {
                let normal = self.loss.prediction_kind() == PredictionKind::Normals;
                let expected = if normal { self.number } else { 0 };
                same_size("variances of a row", expected, variances.len())?;
                let bad = |&v: &f64| !(v.is_finite() && v > 0.0);
                if let Some(column) = variances.iter().position(bad) {
                    let (value, expected) = (variances[column], "a finite number above 0");
                    return number("variance", Some(column), value, expected);
                }
                check_values(self.number, values, row)?;
                let least = self.loss.least_target();
                if let Some(column) = values.iter().position(|&t| t < least) {
                    let (value, expected) = (values[column].into(), "a number of at least 0");
                    return number("target", Some(column), value, expected);
                }
            }
        }
        Ok(())
    }
}

/// Which of a target's predictions its value is expected to be near: the first, or the median. `None` if
/// quantiles are predicted, but not the median.
pub(super) fn first_point(loss: Loss) -> Option<usize> {
    if let Loss::Quantile(levels) = loss { levels.median() } else { Some(0) }
}

/// Checks the targets of a row of so many values.
pub(super) fn check_values(outputs: usize, values: &[f32], row: usize) -> Result<(), Error> {
    same_size("values of a row", outputs, values.len())?;
    if let Some(column) = values.iter().position(|t| !t.is_finite()) {
        let (what, expected) = ("target", "a finite number");
        let value = values[column].into();
        return Err(Error::RowNumber { what, row, column: Some(column), value, expected });
    }
    Ok(())
}

/// The class with the largest probability, the first of equal ones.
pub(super) fn most_probable(p: &[f64]) -> usize {
    (1..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best })
}

/// Whether a bit with this probability, or this target, counts as 1.
pub(crate) fn is_one(p: impl Into<f64>) -> bool {
    p.into() > 0.5
}
