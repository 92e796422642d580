//! The temperature by which logits are divided before they become probabilities.

use std::fmt;

use super::{Link, Loss, Mlp};
use crate::error::Error;

/// A temperature T: predictions are the link function of z / T, the softmax or the logistic of the
/// logits z divided by T. It is positive and finite.
///
/// Networks are often too sure of themselves. A temperature above 1 makes all their probabilities
/// less extreme, one below 1 more so. It changes no ranking: apart from rounding, the most probable
/// class stays the same. One number, fitted on held-out rows, usually removes most of the calibration
/// error (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2).
///
/// A network has a temperature of 1 until [`Mlp::set_temperature`] sets another one. Model files keep
/// it, and every way to predict applies it:
///
/// | prediction | probabilities |
/// |---|---|
/// | weight scaling, with f32, bfloat16 or integer weights | link(z / T) |
/// | Monte-Carlo | the mean over thinned networks of link(z / T), with each network's own z |
/// | moments | the mean of link(z / T) for normal z, whose mean and deviation are divided by T |
/// | [`ThinnedNetwork`](super::ThinnedNetwork), [`Ensemble`](super::Ensemble), [`PlainNetwork`](super::PlainNetwork), [`PaperMlp`](super::PaperMlp) | link(z / T) of each network |
///
/// [Logits](crate::predict::Predictor::logits) are not divided by it, nor is the loss of training: a
/// [`Trainer`](crate::train::Trainer) sets the temperature to 1, because one that was fitted to other
/// parameters means nothing for those that it makes.
///
/// ```
/// use thinnet::{
///     data::Batch, nn::{Loss, Mlp, Temperature}, predict::Predictor, tensor::MatrixView,
/// };
///
/// let mut mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// mlp.set_weights(0, &[0.0, 4.0])?;
/// mlp.set_temperature(Temperature::new(2.0)?)?;
/// let predictor = Predictor::new(mlp);
/// let mut workspace = predictor.workspace(1)?;
/// let row = Batch::dense(MatrixView::new(&[1.0], 1, 1)?);
/// let p = predictor.predict(&row, &mut workspace)?.row(0)?[1];
/// assert!((p - 1.0 / (1.0 + (-4.0f32 / 2.0).exp())).abs() < 1e-6);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Temperature(f32);

impl Temperature {
    /// The temperature that changes nothing.
    pub const ONE: Self = Self(1.0);

    /// A temperature, rounded to f32.
    ///
    /// # Errors
    /// The rounded number is not positive and finite.
    pub fn new(temperature: f64) -> Result<Self, Error> {
        let rounded = temperature as f32;
        if rounded > 0.0 && rounded.is_finite() {
            return Ok(Self(rounded));
        }
        let (parameter, value) = ("temperature", temperature.to_string());
        let expected = "a number above 0 that single precision can hold";
        Err(Error::Parameter { parameter, value, expected })
    }

    /// The temperature.
    pub const fn get(self) -> f32 {
        self.0
    }

    /// Checks that the predictions of a network with this loss are probabilities, unless it is 1.
    pub(crate) fn check(self, loss: Loss) -> Result<(), Error> {
        if self != Self::ONE && !loss.link_function().gives_probabilities() {
            let expected = "a loss whose predictions are probabilities, to have a temperature";
            return Err(Error::LossKind { loss: loss.name(), expected });
        }
        Ok(())
    }
}

impl Default for Temperature {
    /// [`Temperature::ONE`]
    fn default() -> Self {
        Self::ONE
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Mlp {
    /// The temperature of its predictions.
    pub fn temperature(&self) -> Temperature {
        self.temperature
    }

    /// Sets the temperature of its predictions. Another one than before removes the
    /// [threshold](Self::set_threshold). To fit one to held-out rows, use
    /// [`Predictor::fit_temperature`](crate::predict::Predictor::fit_temperature).
    ///
    /// # Errors
    /// It is not 1, and the network's predictions are not probabilities.
    pub fn set_temperature(&mut self, temperature: Temperature) -> Result<(), Error> {
        temperature.check(self.loss)?;
        if temperature != self.temperature {
            self.threshold = None;
        }
        self.temperature = temperature;
        Ok(())
    }

    /// How its logits become predictions.
    pub(crate) fn link(&self) -> Link {
        self.loss.link_at(self.temperature)
    }
}
