//! The definition of an integer network in the simplest possible loops.

use super::{IntegerLayer, IntegerMlp, rounded, scale_of};
use crate::{
    error::{Error, same_size},
    memory::reserve,
    nn::Activation,
};

impl IntegerMlp {
    /// The logits of one row in plain loops, exactly as the definition above says. It is a reference;
    /// a predictor computes the same faster. Units that are not piecewise linear are computed in f64
    /// and rounded to f32.
    ///
    /// # Errors
    /// The length of `x` is not the network's number of inputs, or there is not enough memory.
    pub fn plain_logits(&self, x: &[f32]) -> Result<Vec<f32>, Error> {
        self.plain_logits_scaled(x, |_, _| 1.0)
    }

    /// Like [`Self::plain_logits`], with each unit's value multiplied by `factor(site, unit)`. For
    /// dropout, this is [`Keep::scale`](crate::Keep::scale) if the unit is kept, and otherwise 0,
    /// which makes it 0 whatever its value was.
    ///
    /// # Errors
    /// As for [`Self::plain_logits`].
    pub fn plain_logits_scaled(
        &self,
        x: &[f32],
        factor: impl Fn(usize, usize) -> f32,
    ) -> Result<Vec<f32>, Error> {
        same_size("inputs of a network", self.mlp.inputs(), x.len())?;
        let mut z = reserve("a row", x.len())?;
        z.extend_from_slice(x);
        // The identity before the first layer, and the unit below each other one.
        let below = self.mlp.activations();
        let below = [Activation::Identity].into_iter().chain(below);
        for (index, (layer, unit)) in self.layers().iter().zip(below).enumerate() {
            for (k, z) in z.iter_mut().enumerate() {
                let factor = factor(index, k);
                let y = unit.value((*z).into()) as f32;
                *z = if factor == 0.0 { 0.0 } else { y * factor };
            }
            z = sums(layer, self.mlp.bias(index)?, &z)?;
        }
        Ok(z)
    }
}

/// z of a layer from a row x of its inputs.
fn sums(layer: &IntegerLayer, bias: &[f32], x: &[f32]) -> Result<Vec<f32>, Error> {
    let t = scale_of(x.iter().copied());
    let mut values = reserve("8-bit values", x.len())?;
    values.extend(x.iter().map(|&x| rounded(x, t)));
    let mut z = reserve("sums", layer.outputs())?;
    for (output, (&s, &b)) in layer.scales.iter().zip(bias).enumerate() {
        let products = layer.row(output).iter().zip(&values);
        let sum: i32 = products.map(|(&q, &v)| i32::from(q) * i32::from(v)).sum();
        // A negative sum that underflows counts as +0.0, as in f32 networks.
        z.push(sum as f32 * (t * s) + 0.0 + b);
    }
    Ok(z)
}
