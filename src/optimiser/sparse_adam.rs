//! Adam for sparse rows.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Method, RuleVisitor, Schedule, Untouched,
    adam::{self, Moments},
    checked,
    gate::{self, Rates},
};
use crate::{error::Error, thin::update::StateInit};

/// Adam for sparse rows: a step leaves out the inputs that are 0 in all rows of the batch, or dropped.
/// Let g be the gradient averaged over the batch and η the learning rate. Step t, counted from 1,
/// computes
///
/// - m <- β1 m + (1 - β1) g
/// - v <- β2 v + (1 - β2) g²
/// - w <- w - η sqrt(1 - β2^t) / (1 - β1^t) m / (sqrt(v) + ε)
///
/// as PyTorch's `SparseAdam` does: ε is added to sqrt(v) before the correction, unlike in
/// [`Adam`](super::Adam). Of the first layer, only the weights from inputs with an active entry
/// in the batch are updated, and only their m and v. So a weight with momentum stands still while its
/// input is 0, and t counts all steps. Biases and the weights of all other layers are updated in every
/// step; PyTorch needs a second optimiser for these. Rows can be sparse or dense, with the same bits: the
/// entries of dense rows are the numbers other than 0.
///
/// There is no weight decay. Max-norm, averages, an L1 penalty and a limit on the norm of the gradient need
/// all weights in every step, and are refused.
///
/// ```
/// use thinnet::train::{Schedule, SparseAdam};
///
/// let adam = SparseAdam::new(Schedule::constant(0.001)).betas(0.9, 0.99);
///
/// // The same as a settings file; what is left out is as in PyTorch.
/// let text = r#"{ "learning_rate": { "kind": "constant", "value": 0.001 }, "beta2": 0.99 }"#;
/// assert_eq!(serde_json::from_str::<SparseAdam>(text)?, adam);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct SparseAdam {
    learning_rate: Schedule,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

impl Default for SparseAdam {
    /// PyTorch's settings: [`SparseAdam::new`] with a learning rate of 0.001.
    fn default() -> Self {
        Self::new(Schedule::constant(1e-3))
    }
}

impl SparseAdam {
    /// Adam with this learning rate, β1 = 0.9, β2 = 0.999 and ε = 1e-8.
    pub const fn new(learning_rate: Schedule) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }

    /// Sets β1 and β2, the decay rates of the two moments: from 0 to below 1.
    #[must_use]
    pub const fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// sqrt(1 - β2^(t + 1)), with β2 as the kernel has it.
    fn correction(&self, t: u64) -> f64 {
        (1.0 - libm::pow(f64::from(self.beta2 as f32), t as f64 + 1.0)).sqrt()
    }

    /// Sets ε, above 0.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }
}

impl<'de> Deserialize<'de> for SparseAdam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(Self::deserialize(deserializer)?)
    }
}

impl Serialize for SparseAdam {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// For the paper's weights w / p, as for Adam.
impl Method for SparseAdam {
    fn states(&self, _: f64) -> Vec<StateInit> {
        adam::moments()
    }

    fn check(&self, p: f64) -> Result<(), Error> {
        let betas = [self.beta1, self.beta2];
        adam::check(&self.learning_rate, betas, [self.epsilon, self.epsilon / p])?;
        gate::epsilon(self.epsilon / (p * self.correction(0)))
    }

    fn learning_rate(&self) -> &Schedule {
        &self.learning_rate
    }

    fn check_rate(&self, rate: f64) -> Result<(), Error> {
        Rates::of_moments(self.beta1).check(rate)
    }

    fn untouched(&self) -> Untouched {
        Untouched::LeftOut
    }

    fn rules<V: RuleVisitor>(&self, t: u64, rate: f64, p: f64, visitor: V) -> V::Output {
        let betas = [self.beta1, self.beta2];
        // Adam adds ε to the corrected root.
        let epsilon = self.epsilon / self.correction(t);
        let rule = |p: f64| Moments::new(t, rate * p, betas, epsilon / p);
        visitor.visit(rule(p), rule(1.0))
    }
}

#[cfg(test)]
impl super::reference::Formula for SparseAdam {
    fn step(&self, t: u64, _: bool, w: f64, g: f64, state: &mut [f64]) -> f64 {
        let (beta1, beta2) = (self.beta1, self.beta2);
        state[0] = beta1 * state[0] + (1.0 - beta1) * g;
        state[1] = beta2 * state[1] + (1.0 - beta2) * g * g;
        let [first, second] = [beta1, beta2].map(|beta| 1.0 - beta.powf(t as f64 + 1.0));
        let rate = self.learning_rate.at(t) * second.sqrt() / first;
        w - rate * state[0] / (state[1].sqrt() + self.epsilon)
    }
}
