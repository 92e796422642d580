//! The update of a step that needs its complete gradient first: to measure its norm, or to add that
//! of a penalty.

use super::{LayerStep, Part, Trainer};
use crate::{error::Error, pass::Pass, thin::gradient};

impl Trainer {
    /// Updates the parameters by the gradient that is in memory. `rows` went through the network
    /// together.
    ///
    /// # Errors
    /// The gradient is to be clipped, but its norm is not finite; the parameters are unchanged.
    pub(super) fn update_by_complete_gradient(
        &mut self,
        rows: usize,
        done: &mut dyn FnMut(Part),
    ) -> Result<(), Error> {
        let (pass, depth) = (self.pass(rows), self.mlp.depth());
        for index in 0..depth {
            let l1 = self.updates.l1(self.mlp.keep_below(index));
            if l1 > 0.0 {
                let s = self.states[index].pending.as_chunks().0;
                let w = &self.mlp.layers[index].weights;
                gradient::add_l1(pass, l1, w, s, &mut self.gradients[index]);
            }
        }
        if let Some(c) = self.updates.clip_norm {
            self.clip_norm(pass, c)?;
        }
        for index in (0..depth).rev() {
            let step = LayerStep {
                updates: &self.updates,
                t: self.step,
                keep_of_inputs: self.mlp.keep_below(index),
                state: &mut self.states[index],
                before: Some(&self.gradients[index]),
                whole: false,
            };
            if self.backward.apply(pass, &mut self.mlp, &mut self.flow, index, step) {
                self.overflowed = Some((index, self.step));
            }
            done(Part::Backward(index));
        }
        self.step += 1;
        Ok(())
    }

    /// Scales the gradient to norm `c` if it is larger.
    fn clip_norm(&mut self, pass: Pass, c: f64) -> Result<(), Error> {
        let mut squares = 0.0;
        for (index, g) in self.gradients.iter().enumerate() {
            let keep = self.mlp.keep_below(index);
            let weights = gradient::sum_of_squares(pass, g, &mut self.block_sums);
            let biases = gradient::squares(pass, self.backward.bias_gradient_mut(index));
            squares += self.updates.square_of_norm(keep, weights, biases);
        }
        let norm = squares.sqrt();
        if !norm.is_finite() {
            return Err(Error::NonFiniteGradient { step: self.step, norm });
        }
        // PyTorch's formula.
        let factor = (c / (norm + 1e-6)).min(1.0) as f32;
        if factor < 1.0 {
            for (index, g) in self.gradients.iter_mut().enumerate() {
                gradient::multiply(pass, factor, g);
                gradient::multiply_panels(pass, factor, self.backward.bias_gradient_mut(index));
            }
        }
        Ok(())
    }
}
