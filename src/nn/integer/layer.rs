//! A layer with weights of 8 bits, and how numbers are rounded to 8 bits.

use std::{fmt, ops::RangeInclusive};

use crate::{
    abridged::Few,
    error::{Error, at_most},
    memory::{reserve, zeros},
    nn::Layer,
    thin::{Tiles, integer::scale},
};

/// The largest magnitude of an 8-bit weight or value.
const MOST: f32 = 127.0;

/// The most inputs of a layer whose sums always fit into 32 bits.
pub(crate) const MAX_INPUTS: usize = i32::MAX as usize / (127 * 127);

/// The possible scales of weights: normal numbers whose product with 127 is finite.
pub(crate) const SCALES: RangeInclusive<f32> = f32::MIN_POSITIVE..=f32::MAX / 128.0;

/// The largest magnitude, or NaN if a number is not finite.
fn largest(x: impl Iterator<Item = f32>) -> f32 {
    let (max, finite) =
        x.fold((0.0_f32, true), |(max, finite), x| (max.max(x.abs()), finite & x.is_finite()));
    if finite { max } else { f32::NAN }
}

/// The scale of the weights into an output, or of a row of a layer's inputs.
pub(crate) fn scale_of(x: impl Iterator<Item = f32>) -> f32 {
    scale(largest(x))
}

/// The 8-bit value of a number with this scale; 0 if the scale is NaN.
pub(crate) fn rounded(x: f32, scale: f32) -> i8 {
    (x / scale).round_ties_even().clamp(-MOST, MOST) as i8
}

/// The units of a layer in their original order.
fn in_order(units: usize) -> Result<Vec<u32>, Error> {
    let mut order = reserve("units", units)?;
    // A layer with more units would not fit into memory.
    order.extend((0..units).map(|unit| unit as u32));
    Ok(order)
}

/// A layer of an [`IntegerMlp`](super::IntegerMlp) without its biases.
#[derive(Clone, PartialEq)]
pub(crate) struct IntegerLayer {
    /// q, row-major `[outputs][inputs]`, in the units' original order.
    pub weights: Vec<i8>,
    /// s, one for each output.
    pub scales: Vec<f32>,
    /// The original index of the unit at each position; the identity in an output layer.
    pub order: Vec<u32>,
}

impl fmt::Debug for IntegerLayer {
    /// Shows the first few numbers of each kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntegerLayer")
            .field("weights", &Few(self.weights.iter()))
            .field("scales", &Few(self.scales.iter()))
            .field("order", &Few(self.order.iter()))
            .finish()
    }
}

impl IntegerLayer {
    /// Rounds the weights of layer `index`. The units stay in their order.
    pub fn rounded(index: usize, layer: &Layer) -> Result<Self, Error> {
        let (inputs, outputs) = (layer.weights.inputs(), layer.weights.outputs());
        at_most("inputs of a layer with 8-bit weights", MAX_INPUTS, inputs)?;
        if !(layer.weights.all_finite() && layer.bias.iter().all(|b| b.is_finite())) {
            return Err(Error::NonFiniteLayer { layer: index });
        }
        let mut weights = reserve("8-bit weights", inputs * outputs)?;
        let mut scales = reserve("scales", outputs)?;
        for output in 0..outputs {
            let scale = scale_of(layer.weights.column(output));
            if !SCALES.contains(&scale) {
                return Err(Error::IntegerScale { layer: index, unit: output, scale });
            }
            weights.extend(layer.weights.column(output).map(|w| rounded(w, scale)));
            scales.push(scale);
        }
        Ok(Self { weights, scales, order: in_order(outputs)? })
    }

    /// A layer of these widths, to be filled in, with its units in order.
    pub fn zeroed(inputs: usize, outputs: usize) -> Result<Self, Error> {
        let weights = zeros("8-bit weights", [outputs, inputs])?;
        let scales = zeros("scales", [1, outputs])?;
        Ok(Self { weights, scales, order: in_order(outputs)? })
    }

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.scales.len()
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.weights.len().checked_div(self.outputs()).unwrap_or(0)
    }

    /// The weights into one output.
    pub fn row(&self, output: usize) -> &[i8] {
        &self.weights[output * self.inputs()..][..self.inputs()]
    }

    /// What is wrong with the order if it does not have each unit once.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn fault_of_order(&self) -> Result<Option<String>, Error> {
        let units = self.outputs();
        let expected = || format!("expected each unit from 0 to {} once", units - 1);
        let mut seen: Vec<u64> = zeros("units", [1, units.div_ceil(64)])?;
        for &unit in &self.order {
            if unit as usize >= units {
                return Ok(Some(format!("unit {unit}: {}", expected())));
            }
            let (word, bit) = (&mut seen[unit as usize / 64], 1 << (unit % 64));
            if *word & bit != 0 {
                return Ok(Some(format!("unit {unit} occurs twice: {}", expected())));
            }
            *word |= bit;
        }
        Ok(None)
    }

    /// Writes the products q s.
    pub fn write_to(&self, weights: &mut Tiles) -> Result<(), Error> {
        let mut row: Vec<f32> = zeros("weights", [1, self.inputs()])?;
        for (output, &scale) in self.scales.iter().enumerate() {
            for (to, &q) in row.iter_mut().zip(self.row(output)) {
                *to = f32::from(q) * scale;
            }
            weights.put_rows(output * self.inputs(), &row);
        }
        Ok(())
    }

    /// A copy of the layer.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn try_clone(&self) -> Result<Self, Error> {
        let mut weights = reserve("8-bit weights", self.weights.len())?;
        weights.extend_from_slice(&self.weights);
        let mut scales = reserve("scales", self.scales.len())?;
        scales.extend_from_slice(&self.scales);
        let mut order = reserve("units", self.order.len())?;
        order.extend_from_slice(&self.order);
        Ok(Self { weights, scales, order })
    }
}
