//! Textbook stochastic gradient descent in f64.

/// The settings of one step, as in [`Sgd`](super::Sgd).
pub struct Descent {
    pub rate: f64,
    pub momentum: f64,
    pub decay: f64,
    pub max_norm: f64,
}

impl Descent {
    /// Updates the weights into one unit: v = momentum v + g + decay w, then w -= rate v, and then
    /// projects w to within max-norm.
    pub fn weights(&self, w: &mut [f64], v: &mut [f64], g: &[f64]) {
        for ((w, v), g) in w.iter_mut().zip(v).zip(g) {
            *v = self.momentum * *v + g + self.decay * *w;
            *w -= self.rate * *v;
        }
        let factor = projection(w, self.max_norm);
        w.iter_mut().for_each(|w| *w *= factor);
    }

    /// Updates biases, which are neither decayed nor bounded.
    pub fn biases(&self, b: &mut [f64], v: &mut [f64], g: &[f64]) {
        for ((b, v), g) in b.iter_mut().zip(v).zip(g) {
            *v = self.momentum * *v + g;
            *b -= self.rate * *v;
        }
    }
}

/// The factor that scales the weights into a unit back to norm c if they exceed it.
pub fn projection(w: &[f64], c: f64) -> f64 {
    let norm = w.iter().map(|w| w * w).sum::<f64>().sqrt();
    if norm > c { c / norm } else { 1.0 }
}
