//! Training by the optimisers' formulas in f64.

use crate::optimiser::Optimiser;

/// How parameters are updated.
#[derive(Clone)]
pub struct Reference {
    pub optimiser: Optimiser,
    pub max_norm: f64,
    /// The largest size of an element of the gradient.
    pub clip_value: f64,
    /// The largest norm of the gradient of all parameters.
    pub clip_norm: f64,
    /// The factor of the sum of all |w| in the penalty.
    pub l1: f64,
}

/// The weights into each unit of a layer, and its biases; or their gradients.
type Layer = (Vec<Vec<f64>>, Vec<f64>);

impl Reference {
    /// Only the optimiser.
    pub fn plain(optimiser: Optimiser) -> Self {
        let (max_norm, clip_value, clip_norm) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
        Self { optimiser, max_norm, clip_value, clip_norm, l1: 0.0 }
    }

    /// Adds the gradient of the penalty to that of the loss, and scales the sum to within the norm.
    pub fn prepare(&self, weights: &[&[Vec<f64>]], gradients: &mut [Layer]) {
        for (w, g) in weights.iter().zip(&mut *gradients) {
            for (w, g) in w.iter().flatten().zip(g.0.iter_mut().flatten()) {
                *g += if *w == 0.0 { 0.0 } else { self.l1 * w.signum() };
            }
        }
        let all = gradients.iter().flat_map(|(dw, db)| dw.iter().flatten().chain(db));
        let norm = all.map(|g| g * g).sum::<f64>().sqrt();
        let factor = (self.clip_norm / (norm + 1e-6)).min(1.0);
        for (dw, db) in gradients {
            dw.iter_mut().flatten().chain(db).for_each(|g| *g *= factor);
        }
    }

    /// The state of so many weights or biases before the first step.
    pub fn initial(&self, parameters: usize) -> Vec<Vec<f64>> {
        let states = self.optimiser.states(1.0);
        vec![states.iter().map(|state| state.weights.into()).collect(); parameters]
    }

    /// Updates the weights into one unit at step `t`, and then projects them to within max-norm.
    pub fn weights(&self, t: u64, w: &mut [f64], g: &[f64], states: &mut [Vec<f64>]) {
        self.step(t, true, w, g, states);
        let factor = projection(w, self.max_norm);
        w.iter_mut().for_each(|w| *w *= factor);
    }

    /// Updates biases, which are neither decayed nor bounded.
    pub fn biases(&self, t: u64, b: &mut [f64], g: &[f64], states: &mut [Vec<f64>]) {
        self.step(t, false, b, g, states);
    }

    fn step(&self, t: u64, decays: bool, w: &mut [f64], g: &[f64], states: &mut [Vec<f64>]) {
        for ((w, &g), state) in w.iter_mut().zip(g).zip(states) {
            let g = g.clamp(-self.clip_value, self.clip_value);
            *w = self.optimiser.formula().step(t, decays, *w, g, state);
        }
    }
}

/// The factor that scales the weights into a unit back to norm c if they exceed it.
fn projection(w: &[f64], c: f64) -> f64 {
    let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
    if norm > c { c / norm } else { 1.0 }
}
