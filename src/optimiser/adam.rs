//! Adam.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Method, RuleVisitor, Schedule, checked,
    gate::{self, Rates},
};
use crate::{
    error::Error,
    simd::Lanes,
    thin::update::{Rule, StateInit},
};

/// Adam (Kingma and Ba 2015). Let g be the gradient averaged over the batch, η the learning rate
/// and λ the weight decay (weights only). Step t, counted from 1, computes
///
/// - g <- g + λ w
/// - m <- β1 m + (1 - β1) g
/// - v <- β2 v + (1 - β2) g²
/// - w <- w - η m̂ / (sqrt(v̂) + ε), with m̂ = m / (1 - β1^t) and v̂ = v / (1 - β2^t)
///
/// as PyTorch's `Adam` does. m and v are 0 at first. Weight decay is part of the gradient here;
/// [`AdamW`](super::AdamW) keeps it apart.
///
/// In contrast to PyTorch, where a weight whose g² overflows is silently never updated again, such
/// a weight becomes NaN, and the next step reports it.
///
/// ```
/// use thinnet::train::{Adam, Schedule};
///
/// let adam = Adam::new(Schedule::constant(0.001)).betas(0.9, 0.99);
///
/// // The same as a settings file; what is left out is as in PyTorch.
/// let text = r#"{ "learning_rate": { "kind": "constant", "value": 0.001 }, "beta2": 0.99 }"#;
/// assert_eq!(serde_json::from_str::<Adam>(text)?, adam);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Adam {
    learning_rate: Schedule,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
}

impl Default for Adam {
    /// PyTorch's settings: [`Adam::new`] with a learning rate of 0.001.
    fn default() -> Self {
        Self::new(Schedule::constant(1e-3))
    }
}

impl Adam {
    /// Adam with this learning rate, β1 = 0.9, β2 = 0.999, ε = 1e-8 and no weight decay.
    pub const fn new(learning_rate: Schedule) -> Self {
        Self { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
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

impl<'de> Deserialize<'de> for Adam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(Self::deserialize(deserializer)?)
    }
}

impl Serialize for Adam {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// For the paper's weights w / p, whose gradient is p g: m = m_paper / p, v = v_paper / p² and
/// λ = λ_paper / p². Their step does not scale with g, so η = p η_paper and ε = ε_paper / p.
impl Method for Adam {
    fn states(&self, _: f64) -> Vec<StateInit> {
        moments()
    }

    fn check(&self, p: f64) -> Result<(), Error> {
        check(&self.learning_rate, [self.beta1, self.beta2], [self.epsilon, self.epsilon / p])?;
        gate::weight_decay(self.weight_decay)?;
        gate::weight_decay(self.weight_decay / (p * p))
    }

    fn learning_rate(&self) -> &Schedule {
        &self.learning_rate
    }

    fn check_rate(&self, rate: f64) -> Result<(), Error> {
        Rates::of_moments(self.beta1).check(rate)
    }

    fn rules<V: RuleVisitor>(&self, t: u64, rate: f64, p: f64, visitor: V) -> V::Output {
        let rule = |p: f64| Moments::new(t, rate * p, [self.beta1, self.beta2], self.epsilon / p);
        let decay = (self.weight_decay / (p * p)) as f32;
        visitor.visit(Moments { decay, ..rule(p) }, rule(1.0))
    }
}

/// The two moments, m and v.
pub(super) fn moments() -> Vec<StateInit> {
    let second = StateInit { squares: true, ..StateInit::zero("second_moment") };
    vec![StateInit::zero("first_moment"), second]
}

/// Checks the settings that Adam and AdamW share; epsilon as given, and for the engine's weights.
pub(super) fn check(rate: &Schedule, betas: [f64; 2], epsilons: [f64; 2]) -> Result<(), Error> {
    gate::beta("beta1", betas[0])?;
    gate::beta("beta2", betas[1])?;
    Rates::of_moments(betas[0]).check_schedule(rate)?;
    epsilons.into_iter().try_for_each(gate::epsilon)
}

/// The update rule of one step of Adam and AdamW.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    /// η / (1 - β1^t)
    step_size: f32,
    /// β1 and 1 - β1
    first: [f32; 2],
    /// β2 and 1 - β2
    second: [f32; 2],
    /// 1 / sqrt(1 - β2^t)
    correction: f32,
    epsilon: f32,
    /// The weight decay that is added to the gradient.
    decay: f32,
    /// The fraction of the weight that a decoupled weight decay removes.
    shrinkage: f32,
}

impl Moments {
    /// The rule of step `t`, counted from 0, without weight decay.
    pub fn new(t: u64, rate: f64, betas: [f64; 2], epsilon: f64) -> Self {
        // As the kernel has them, so that the corrections are those of its sums.
        let betas = betas.map(|beta| f64::from(beta as f32));
        let [first, second] = betas.map(|beta| 1.0 - libm::pow(beta, t as f64 + 1.0));
        let [beta1, beta2] = betas.map(|beta| [beta as f32, (1.0 - beta) as f32]);
        Self {
            step_size: (rate / first) as f32,
            first: beta1,
            second: beta2,
            correction: (1.0 / second.sqrt()) as f32,
            epsilon: epsilon as f32,
            decay: 0.0,
            shrinkage: 0.0,
        }
    }

    /// The same rule with a decoupled weight decay, which removes this fraction of the weight.
    pub fn shrinking(self, fraction: f64) -> Self {
        Self { shrinkage: fraction as f32, ..self }
    }
}

impl Rule<2> for Moments {
    #[inline(always)]
    fn step<L: Lanes>(self, l: L, g: L::F, w: L::F, [m, v]: [L::F; 2]) -> (L::F, [L::F; 2]) {
        let g = if self.decay == 0.0 { g } else { l.mul_add(l.splat(self.decay), w, g) };
        let [beta1, rest] = self.first;
        let m = l.mul_add(l.splat(beta1), m, l.mul(l.splat(rest), g));
        let [beta2, rest] = self.second;
        let v = l.mul_add(l.splat(beta2), v, l.mul(l.mul(l.splat(rest), g), g));
        let divisor = l.mul_add(l.sqrt(v), l.splat(self.correction), l.splat(self.epsilon));
        // 0 v is 0 unless v overflowed: then it is NaN, and so is the weight.
        let direction = l.div(l.mul_add(v, l.splat(0.0), m), divisor);
        let shrinkage = l.splat(-self.shrinkage);
        let w = if self.shrinkage == 0.0 { w } else { l.mul_add(shrinkage, w, w) };
        (l.mul_add(l.splat(-self.step_size), direction, w), [m, v])
    }
}

#[cfg(test)]
impl super::reference::Formula for Adam {
    fn step(&self, t: u64, decays: bool, w: f64, g: f64, state: &mut [f64]) -> f64 {
        let g = if decays { g + self.weight_decay * w } else { g };
        w - self.learning_rate.at(t) * direction(self.beta1, self.beta2, self.epsilon, t, g, state)
    }
}

/// m̂ / (sqrt(v̂) + ε), with m and v in `state`.
#[cfg(test)]
pub(super) fn direction(
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    t: u64,
    g: f64,
    state: &mut [f64],
) -> f64 {
    state[0] = beta1 * state[0] + (1.0 - beta1) * g;
    state[1] = beta2 * state[1] + (1.0 - beta2) * g * g;
    let m = state[0] / (1.0 - beta1.powf(t as f64 + 1.0));
    let v = state[1] / (1.0 - beta2.powf(t as f64 + 1.0));
    m / (v.sqrt() + epsilon)
}
