//! What a step minimises: the loss, with weights of classes or bits and label smoothing, and a sparsity
//! penalty.

use std::fmt;

use super::Provenance;
use crate::{
    abridged::Few,
    error::{Error, same_size},
    memory::{ensure_room, reserve},
    nn::{Activation, Loss, Mlp, PositiveWeights, SmoothedSoftmax, TrainedLoss},
    noise::Noise,
    thin::sparsity::Sparsity,
};

/// The settings of the loss of a step. With the default ones it is the network's loss.
#[derive(Clone, Default)]
pub(super) struct Objective {
    pub class_weights: Option<Vec<f64>>,
    pub positive_weights: Option<Vec<f64>>,
    pub label_smoothing: f64,
    /// The penalty of hidden units that are active on average; its beta is 0 for none.
    pub sparsity: Sparsity,
    /// The weights of the classes relative to the largest, if labels are smoothed; else none. They enter
    /// [`Self::loss`], and single precision would not hold tiny ones.
    smoothed: Vec<f64>,
}

impl fmt::Debug for Objective {
    /// Shows the first few weights.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [of_classes, of_positive] = [&self.class_weights, &self.positive_weights]
            .map(|weights| weights.as_ref().map(|weights| Few(weights.iter())));
        f.debug_struct("Objective")
            .field("class_weights", &of_classes)
            .field("positive_weights", &of_positive)
            .field("label_smoothing", &self.label_smoothing)
            .field("sparsity", &self.sparsity)
            .finish_non_exhaustive()
    }
}

impl Objective {
    /// Checks the settings for a network with this loss and number of outputs, and prepares for its
    /// steps.
    pub fn prepare(&mut self, loss: Loss, outputs: usize) -> Result<(), Error> {
        let must_be = |wanted: Loss, expected| {
            if loss == wanted {
                Ok(())
            } else {
                Err(Error::LossKind { loss: loss.name(), expected })
            }
        };
        if let Some(weights) = &self.class_weights {
            must_be(Loss::SoftmaxCrossEntropy, "softmax_cross_entropy for weights of classes")?;
            check("class", "weights of classes", outputs, weights)?;
            if weights.iter().all(|&weight| weight == 0.0) {
                let (what, expected) = ("weights of classes above 0", "at least one");
                return Err(Error::Zero { what, expected });
            }
        }
        if let Some(weights) = &self.positive_weights {
            must_be(Loss::BinaryCrossEntropy, "binary_cross_entropy for positive weights")?;
            check("the bits of output", "positive weights", outputs, weights)?;
        }
        let smoothing = self.label_smoothing;
        if !(0.0..1.0).contains(&smoothing) {
            let expected = "a number of at least 0 and below 1";
            return Err(Error::OutOfRange { what: "label smoothing", value: smoothing, expected });
        }
        if smoothing > 0.0 {
            must_be(Loss::SoftmaxCrossEntropy, "softmax_cross_entropy for label smoothing")?;
            self.smoothed = reserve("weights of classes", outputs)?;
            match &self.class_weights {
                Some(weights) => {
                    let largest = weights.iter().copied().fold(0.0, f64::max);
                    self.smoothed.extend(weights.iter().map(|weight| weight / largest));
                }
                None => self.smoothed.resize(outputs, 1.0),
            }
        }
        Ok(())
    }

    /// Checks that a network can have the sparsity penalty, if there is one.
    pub fn check_sparsity(&self, mlp: &Mlp) -> Result<(), Error> {
        let Sparsity { rho, beta } = self.sparsity;
        let out_of_range = |what, value, expected| Err(Error::OutOfRange { what, value, expected });
        if !(beta >= 0.0 && beta.is_finite()) {
            let what = "factor beta of the sparsity penalty";
            return out_of_range(what, beta, "a finite number of at least 0");
        }
        if !self.is_sparse() {
            return Ok(());
        }
        if !(rho > 0.0 && rho < 1.0) {
            let what = "mean activation rho of the sparsity penalty";
            return out_of_range(what, rho, "a number above 0 and below 1");
        }
        let expected = "logistic units in every hidden layer, of which there is at least one";
        let activations = mlp.activations();
        if activations.is_empty() {
            return Err(Error::Sparsity { what: "no hidden layer".to_owned(), expected });
        }
        let other = |&activation: &Activation| activation != Activation::Logistic;
        if let Some(layer) = activations.iter().position(other) {
            let what = format!("{} units in layer {layer}", activations[layer]);
            return Err(Error::Sparsity { what, expected });
        }
        Noise::ensure_dropout("a sparsity penalty", mlp.noises())?;
        if self.class_weights.is_some() {
            let what = "weights of classes".to_owned();
            return Err(Error::Sparsity { what, expected: "none" });
        }
        Ok(())
    }

    /// Whether there is a sparsity penalty.
    pub fn is_sparse(&self) -> bool {
        self.sparsity.beta > 0.0
    }

    /// What the gradient of a step is of.
    pub fn loss(&self, loss: Loss) -> TrainedLoss<'_> {
        if let Some(weights) = &self.positive_weights {
            TrainedLoss::Positive(PositiveWeights::new(weights))
        } else if self.label_smoothing > 0.0 {
            let smoothed = SmoothedSoftmax::new(self.label_smoothing, &self.smoothed);
            TrainedLoss::Smoothed(smoothed)
        } else {
            TrainedLoss::Usual(loss)
        }
    }

    /// The weights of the classes, if they have any.
    pub fn class_weights(&self) -> Option<&[f64]> {
        let weights = self.class_weights.as_deref()?;
        Some(if self.loss_has_class_weights() { &self.smoothed } else { weights })
    }

    /// Whether [`Self::loss`] already multiplies its terms by the weights of the classes.
    pub fn loss_has_class_weights(&self) -> bool {
        self.label_smoothing > 0.0
    }

    /// Names and values of the settings that are not the default ones, as stored in checkpoints.
    pub fn settings(&self) -> Result<Provenance, Error> {
        let json = |numbers: &Vec<f64>| {
            // A number has at most 24 characters.
            ensure_room("the settings", numbers.len().saturating_mul(32))?;
            serde_json::to_string(numbers)
                .map_err(|error| Error::Metadata { reason: error.to_string() })
        };
        let mut settings = Provenance::new();
        let lists =
            [("class weights", &self.class_weights), ("positive weights", &self.positive_weights)];
        for (name, weights) in lists {
            if let Some(weights) = weights {
                settings.insert(name.to_owned(), json(weights)?);
            }
        }
        if self.label_smoothing > 0.0 {
            settings.insert("label smoothing".to_owned(), self.label_smoothing.to_string());
        }
        if self.is_sparse() {
            let Sparsity { rho, beta } = self.sparsity;
            settings.insert("sparsity".to_owned(), format!("rho {rho}, beta {beta}"));
        }
        Ok(settings)
    }
}

/// Checks that there is a weight for each output, and that losses can be multiplied by them.
fn check(
    of: &'static str,
    what: &'static str,
    outputs: usize,
    weights: &[f64],
) -> Result<(), Error> {
    same_size(what, outputs, weights.len())?;
    // Single precision holds them.
    let allowed = |weight: f64| (0.0..=f64::from(f32::MAX)).contains(&weight);
    match weights.iter().position(|&weight| !allowed(weight)) {
        Some(output) => Err(Error::OutputWeight { of, output, value: weights[output] }),
        None => Ok(()),
    }
}
