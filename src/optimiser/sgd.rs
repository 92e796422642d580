//! Stochastic gradient descent with momentum and weight decay.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Method, RuleVisitor, Schedule, Untouched, checked,
    gate::{self, Rates},
};
use crate::{
    error::Error,
    simd::Lanes,
    thin::update::{Rule, StateInit},
};

/// Stochastic gradient descent. Let g be the gradient averaged over the batch, μ the momentum,
/// η the learning rate and λ the weight decay (weights only). A step computes
///
/// - g <- g + λ w
/// - v <- μ v + g
/// - w <- w - η v, or with Nesterov w <- w - η (g + μ v)
///
/// as PyTorch's `SGD` does. v, the velocity, is 0 at first; if the momentum is 0 in all steps, it stays
/// so.
///
/// ```
/// use thinnet::train::{Schedule, Sgd};
///
/// let sgd = Sgd::new(Schedule::Linear { from: 0.1, to: 0.0, steps: 10_000 })
///     .momentum(Schedule::constant(0.9));
///
/// // The same as a settings file; only the learning rate is required.
/// let text = r#"{
///     "learning_rate": { "kind": "linear", "from": 0.1, "to": 0.0, "steps": 10000 },
///     "momentum": { "kind": "constant", "value": 0.9 }
/// }"#;
/// assert_eq!(serde_json::from_str::<Sgd>(text)?, sgd);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Sgd {
    learning_rate: Schedule,
    #[serde(default = "no_momentum")]
    momentum: Schedule,
    #[serde(default)]
    nesterov: bool,
    #[serde(default)]
    weight_decay: f64,
}

fn no_momentum() -> Schedule {
    Schedule::constant(0.0)
}

impl Sgd {
    /// Plain gradient descent with this learning rate.
    pub const fn new(learning_rate: Schedule) -> Self {
        let momentum = Schedule::constant(0.0);
        Self { learning_rate, momentum, nesterov: false, weight_decay: 0.0 }
    }

    /// Sets the momentum μ.
    #[must_use]
    pub fn momentum(mut self, momentum: Schedule) -> Self {
        self.momentum = momentum;
        self
    }

    fn has_no_momentum(&self) -> bool {
        self.momentum == no_momentum()
    }

    /// Uses Nesterov momentum.
    #[must_use]
    pub const fn nesterov(mut self) -> Self {
        self.nesterov = true;
        self
    }

    /// Sets the weight decay λ, which applies to weights but not to biases.
    #[must_use]
    pub const fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl<'de> Deserialize<'de> for Sgd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(Self::deserialize(deserializer)?)
    }
}

impl Serialize for Sgd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// For the paper's weights w / p, whose gradient is p g: η = p² η_paper, λ = λ_paper / p² and
/// v = v_paper / p.
impl Method for Sgd {
    fn states(&self, _: f64) -> Vec<StateInit> {
        vec![StateInit::zero("velocity")]
    }

    fn check(&self, p: f64) -> Result<(), Error> {
        Rates::FINITE.check_schedule(&self.learning_rate)?;
        gate::momentum(&self.momentum)?;
        gate::weight_decay(self.weight_decay)?;
        gate::weight_decay(self.weight_decay / (p * p))
    }

    fn learning_rate(&self) -> &Schedule {
        &self.learning_rate
    }

    fn check_rate(&self, rate: f64) -> Result<(), Error> {
        Rates::FINITE.check(rate)
    }

    fn untouched(&self) -> Untouched {
        let same = self.has_no_momentum() && self.weight_decay == 0.0;
        if same { Untouched::Same } else { Untouched::Changed }
    }

    fn rules<V: RuleVisitor>(&self, t: u64, rate: f64, p: f64, visitor: V) -> V::Output {
        let (momentum, plain) = (self.momentum.at(t) as f32, self.has_no_momentum());
        let rule = |rate: f64, decay: f64| Momentum {
            learning_rate: rate as f32,
            momentum,
            plain,
            decay: decay as f32,
            nesterov: self.nesterov,
        };
        visitor.visit(rule(rate * p * p, self.weight_decay / (p * p)), rule(rate, 0.0))
    }
}

/// The update rule of one step.
#[derive(Clone, Copy, Debug)]
struct Momentum {
    learning_rate: f32,
    momentum: f32,
    /// Whether the momentum is 0 in all steps: then v is not needed, and left as it is.
    plain: bool,
    decay: f32,
    nesterov: bool,
}

impl Rule<1> for Momentum {
    #[inline(always)]
    fn step<L: Lanes>(self, l: L, g: L::F, w: L::F, [v]: [L::F; 1]) -> (L::F, [L::F; 1]) {
        let momentum = l.splat(self.momentum);
        let g = if self.decay == 0.0 { g } else { l.mul_add(l.splat(self.decay), w, g) };
        let new = l.mul_add(momentum, v, g);
        let direction = if self.nesterov { l.mul_add(momentum, new, g) } else { new };
        let kept = if self.plain { v } else { new };
        (l.mul_add(l.splat(-self.learning_rate), direction, w), [kept])
    }

    #[inline(always)]
    fn uses_state(self) -> bool {
        !self.plain
    }
}

#[cfg(test)]
impl super::reference::Formula for Sgd {
    fn step(&self, t: u64, decays: bool, w: f64, g: f64, state: &mut [f64]) -> f64 {
        let momentum = self.momentum.at(t);
        let g = if decays { g + self.weight_decay * w } else { g };
        if self.has_no_momentum() {
            return w - self.learning_rate.at(t) * g;
        }
        state[0] = momentum * state[0] + g;
        let direction = if self.nesterov { g + momentum * state[0] } else { state[0] };
        w - self.learning_rate.at(t) * direction
    }
}
