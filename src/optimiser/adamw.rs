//! AdamW.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Method, RuleVisitor, Schedule,
    adam::{self, Moments},
    checked,
    gate::{self, Rates},
};
use crate::{error::Error, thin::update::StateInit};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019). A step computes
///
/// - w <- w - η λ w (weights only)
///
/// and then what [`Adam`](super::Adam) without weight decay computes, as PyTorch's `AdamW` does.
///
/// ```
/// use thinnet::train::{AdamW, Schedule};
///
/// let adamw = AdamW::new(Schedule::constant(0.001)).weight_decay(0.1);
///
/// // The same as a settings file; what is left out is as in PyTorch.
/// assert_eq!(serde_json::from_str::<AdamW>(r#"{ "weight_decay": 0.1 }"#)?, adamw);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct AdamW {
    learning_rate: Schedule,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Default for AdamW {
    /// PyTorch's settings: [`AdamW::new`] with a learning rate of 0.001.
    fn default() -> Self {
        Self::new(Schedule::constant(1e-3))
    }
}

impl AdamW {
    /// AdamW with this learning rate, β1 = 0.9, β2 = 0.999, ε = 1e-8 and weight decay 0.01.
    pub const fn new(learning_rate: Schedule) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }

    /// Sets β1 and β2, the decay rates of the two moments: from 0 to below 1.
    #[must_use]
    pub const fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// Sets ε, above 0.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets the weight decay λ, which applies to weights but not to biases.
    #[must_use]
    pub const fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl<'de> Deserialize<'de> for AdamW {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(Self::deserialize(deserializer)?)
    }
}

impl Serialize for AdamW {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// For the paper's weights w / p, as for Adam, but λ = λ_paper / p: a step removes the same
/// fraction η λ = η_paper λ_paper of the weights in both forms.
impl Method for AdamW {
    fn states(&self, _: f64) -> Vec<StateInit> {
        adam::moments()
    }

    fn check(&self, p: f64) -> Result<(), Error> {
        let (rate, betas) = (&self.learning_rate, [self.beta1, self.beta2]);
        adam::check(rate, betas, [self.epsilon, self.epsilon / p])?;
        gate::weight_decay(self.weight_decay)?;
        gate::shrinkage(self.weight_decay, rate)
    }

    fn learning_rate(&self) -> &Schedule {
        &self.learning_rate
    }

    fn check_rate(&self, rate: f64) -> Result<(), Error> {
        Rates::of_moments(self.beta1).check(rate)?;
        gate::shrinking_rate(self.weight_decay, rate)
    }

    fn rules<V: RuleVisitor>(&self, t: u64, rate: f64, p: f64, visitor: V) -> V::Output {
        let betas = [self.beta1, self.beta2];
        let weights = Moments::new(t, rate * p, betas, self.epsilon / p);
        let biases = Moments::new(t, rate, betas, self.epsilon);
        visitor.visit(weights.shrinking(rate * self.weight_decay), biases)
    }
}

#[cfg(test)]
impl super::reference::Formula for AdamW {
    fn step(&self, t: u64, decays: bool, w: f64, g: f64, state: &mut [f64]) -> f64 {
        let rate = self.learning_rate.at(t);
        let kept = if decays { w * (1.0 - rate * self.weight_decay) } else { w };
        kept - rate * adam::direction(self.beta1, self.beta2, self.epsilon, t, g, state)
    }
}
