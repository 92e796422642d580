//! The network in f64 and the simplest possible loops.
//!
//! It is the reference for whole networks in tests; thinned networks and ensembles run on it.

use std::fmt;

use super::{Activation, Loss, Mlp, Targets, Temperature};
use crate::{
    abridged::Few,
    error::{Error, same_size},
};

/// A layer with its weights as `[output][input]`.
///
/// ```
/// use thinnet::{Keep, nn::{Activation, Loss, Mlp, PlainNetwork}};
///
/// let mlp = Mlp::builder(3).hidden(4, Activation::Tanh, Keep::HALF);
/// let plain = PlainNetwork::from(&mlp.output(2, Loss::SquaredError).build()?);
/// let first = &plain.layers[0];
/// assert_eq!((first.weights.len(), first.weights[0].len(), first.bias.len()), (4, 3, 4));
/// assert_eq!(first.activation, Activation::Tanh);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct PlainLayer {
    /// W as `[output][input]`.
    pub weights: Vec<Vec<f64>>,
    /// b
    pub bias: Vec<f64>,
    /// f in y = f(W x + b).
    pub activation: Activation,
    /// The number of linear pieces of each unit: 1, or in a [maxout
    /// layer](super::MlpBuilder::hidden_maxout) k. Then y_i = f(max over j of z_(j m + i)), with z = W x + b
    /// and m the number of units.
    pub pieces: usize,
}

/// A self-contained network without dropout that runs one row at a time, in f64.
///
/// ```
/// use thinnet::nn::{Loss, Mlp, PlainNetwork};
///
/// let mut mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
/// mlp.set_weights(0, &[0.5, -1.0])?;
/// let plain = PlainNetwork::from(&mlp);
/// assert_eq!(plain.predict(&[2.0, 3.0])?, [-2.0]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct PlainNetwork {
    /// The layers, at least one; the outputs of the last are the logits or values.
    pub layers: Vec<PlainLayer>,
    /// The loss of the network it was made from.
    pub loss: Loss,
    /// The temperature of the network it was made from.
    pub temperature: Temperature,
}

impl fmt::Debug for PlainLayer {
    /// Shows the first few biases, and the first few weights of the first few units.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainLayer")
            .field("weights", &Few(self.weights.iter().map(|row| Few(row.iter()))))
            .field("bias", &Few(self.bias.iter()))
            .field("activation", &self.activation)
            .field("pieces", &self.pieces)
            .finish()
    }
}

impl fmt::Debug for PlainNetwork {
    /// Shows the first few layers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainNetwork")
            .field("layers", &Few(self.layers.iter()))
            .field("loss", &self.loss)
            .field("temperature", &self.temperature)
            .finish()
    }
}

impl PlainLayer {
    /// The output with the largest z of each unit, and of several the first: unit i has outputs i,
    /// i + m and so on, with m the number of units. NaN is larger than any number.
    ///
    /// # Errors
    /// The number of outputs is not a multiple of the number of pieces.
    pub(crate) fn winners(&self, z: &[f64]) -> Result<Vec<usize>, Error> {
        let units = z.len().checked_div(self.pieces).unwrap_or(0);
        same_size("outputs of a layer", units * self.pieces, z.len())?;
        let winner = |unit: usize| {
            let larger = |z: f64, than: f64| z > than || z.is_nan() && !than.is_nan();
            let pieces = (unit..z.len()).step_by(units);
            pieces.fold(unit, |best, next| if larger(z[next], z[best]) { next } else { best })
        };
        Ok((0..units).map(winner).collect())
    }
}

impl From<&Mlp> for PlainNetwork {
    /// Converts the whole network, with no units dropped.
    fn from(mlp: &Mlp) -> Self {
        let layers = mlp
            .layers
            .iter()
            .map(|layer| PlainLayer {
                weights: (0..layer.weights.outputs())
                    .map(|output| {
                        (0..layer.weights.inputs())
                            .map(|input| f64::from(layer.weights.get(output, input)))
                            .collect()
                    })
                    .collect(),
                bias: layer.bias[..layer.weights.outputs()].iter().map(|&b| f64::from(b)).collect(),
                activation: layer.activation,
                pieces: layer.pieces,
            })
            .collect();
        Self { layers, loss: mlp.loss, temperature: mlp.temperature }
    }
}

impl PlainNetwork {
    /// The outputs of the last layer before the loss's link: logits or values.
    ///
    /// # Errors
    /// The length of `x` is not the first layer's number of inputs.
    pub fn logits(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.logits_scaled(x, |_, _| 1.0)
    }

    /// The logits with each unit's value multiplied by `factor(site, unit)`; for dropout this is
    /// the mask divided by p.
    ///
    /// # Errors
    /// The length of `x` is not the first layer's number of inputs.
    pub fn logits_scaled(
        &self,
        x: &[f64],
        factor: impl Fn(usize, usize) -> f64,
    ) -> Result<Vec<f64>, Error> {
        let mut x = x.to_vec();
        for (site, layer) in self.layers.iter().enumerate() {
            for row in &layer.weights {
                same_size("inputs of a layer", row.len(), x.len())?;
            }
            same_size("biases of a layer", layer.weights.len(), layer.bias.len())?;
            for (unit, x) in x.iter_mut().enumerate() {
                let factor = factor(site, unit);
                // A dropped unit is zero, whatever its value was.
                *x = if factor == 0.0 { 0.0 } else { *x * factor };
            }
            let z: Vec<f64> = layer
                .weights
                .iter()
                .zip(&layer.bias)
                .map(|(w, b)| b + w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>())
                .collect();
            let winners = layer.winners(&z)?.into_iter();
            x = winners.map(|winner| layer.activation.value(z[winner])).collect();
        }
        Ok(x)
    }

    /// The probabilities (or values, for squared error) for one row.
    ///
    /// # Errors
    /// The length of `x` is not the first layer's number of inputs.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.predictions(&self.logits(x)?))
    }

    /// The predictions for one row's logits.
    pub(super) fn predictions(&self, logits: &[f64]) -> Vec<f64> {
        self.loss.link_at(self.temperature).of(logits)
    }

    /// The loss of one row's logits.
    ///
    /// # Errors
    /// The targets do not fit, as defined by [`Targets::check`].
    pub fn loss_of(&self, logits: &[f64], targets: Targets<'_>, row: usize) -> Result<f64, Error> {
        self.loss.plain(logits, targets, row)
    }
}

#[cfg(test)]
mod tests;
