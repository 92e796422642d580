//! The probability above which a network's answer is yes.

use super::{LinkFunction, Loss, Mlp};
use crate::error::Error;

/// Checks the threshold of a network with this loss and so many outputs.
pub(crate) fn check_threshold(loss: Loss, outputs: usize, threshold: f64) -> Result<(), Error> {
    let is_one_question = match loss.link_function() {
        LinkFunction::Softmax => outputs == 2,
        LinkFunction::Logistic => outputs == 1,
        LinkFunction::Identity | LinkFunction::Exponential | LinkFunction::Normals => false,
    };
    if !is_one_question {
        return Err(Error::ThresholdOutputs { loss: loss.name(), outputs });
    }
    if !(-1.0..=1.0).contains(&threshold) {
        let (what, expected) =
            ("decision threshold", "a number from 0 to 1, or below 0 down to -1");
        return Err(Error::OutOfRange { what, value: threshold, expected });
    }
    Ok(())
}

/// How probabilities become answers: by a threshold, or else the more probable answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision(pub Option<f64>);

impl Decision {
    /// The class with the largest probability, the first of equal ones; with a threshold class 1 if
    /// its probability is larger, else class 0.
    pub fn class<P: Copy + PartialOrd + Into<f64>>(self, p: &[P]) -> usize {
        match (self.0, p) {
            (Some(threshold), &[_, p]) => usize::from(p.into() > threshold),
            _ => (1..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best }),
        }
    }

    /// Whether a bit with this probability is 1.
    pub fn bit(self, p: f64) -> bool {
        p > self.0.unwrap_or(0.5)
    }
}

impl Mlp {
    /// The decision threshold, if one was set.
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Sets the decision threshold of a network with two classes, or with one bit. The answer is yes
    /// (class 1, or the bit is 1) if its probability, after the [temperature](super::Temperature), is
    /// larger than the threshold, and no otherwise. Below 0, every answer is yes. By default the more
    /// probable answer is given: the first class if both are equal, and no for a bit of 0.5.
    ///
    /// [`metrics::threshold`](crate::metrics::threshold()) chooses one on validation rows. Model files
    /// keep it.
    ///
    /// | it decides | it does not affect |
    /// |---|---|
    /// | [`Estimate::class`](crate::predict::Estimate::class), [`Estimate::bits`](crate::predict::Estimate::bits), and both in a [`Prediction`](crate::predict::Prediction) | probabilities, variances, entropies |
    /// | the wrong rows of an [`Evaluation`](crate::predict::Evaluation) | its loss |
    /// | error rate, accuracy, precision, recall, F1 and the confusion matrix, if the rows come from a predictor ([`evaluate_with`](crate::predict::evaluate_with), [`Estimates::measure`](crate::predict::Estimates::measure)) | the other metrics: log loss, Brier score, calibration error, top-k accuracy, ROC-AUC, average precision |
    ///
    /// Exports to other formats put out probabilities or logits, and decide nothing; those that
    /// thinnet reads again keep the threshold. Training and [`set_temperature`](Self::set_temperature)
    /// with another temperature remove it, because it was chosen for other probabilities.
    ///
    /// ```
    /// use thinnet::{
    ///     data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView,
    /// };
    ///
    /// let mut mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// mlp.set_weights(0, &[0.0, -1.0])?;
    /// mlp.set_threshold(Some(0.2))?;
    /// let predictor = Predictor::new(mlp);
    /// let mut workspace = predictor.workspace(1)?;
    /// let row = Batch::dense(MatrixView::new(&[1.0], 1, 1)?);
    /// let answer = predictor.weight_scaling(&row, &mut workspace)?.row(0)?;
    /// // 27 % are enough for class 1.
    /// assert_eq!(answer.class(), Some(1));
    /// assert!(answer.mean()[1] < 0.3);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The network does not have two classes or one bit, or the threshold is not from -1 to 1.
    pub fn set_threshold(&mut self, threshold: Option<f64>) -> Result<(), Error> {
        if let Some(threshold) = threshold {
            check_threshold(self.loss, self.outputs(), threshold)?;
        }
        self.threshold = threshold;
        Ok(())
    }
}
