//! Adagrad.

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

/// Adagrad (Duchi, Hazan and Singer 2011). Let g be the gradient averaged over the batch, η the
/// learning rate and λ the weight decay (weights only). A step computes
///
/// - g <- g + λ w
/// - s <- s + g²
/// - w <- w - η g / (sqrt(s) + ε)
///
/// as PyTorch's `Adagrad` does. s is the initial accumulator at first. PyTorch's `lr_decay` is the
/// schedule [`Schedule::InverseTime`] with a `time` of 1 / `lr_decay`.
///
/// A weight whose g² overflows becomes NaN, and the next step reports it.
///
/// ```
/// use thinnet::train::{Adagrad, Schedule};
///
/// // lr = 0.05 and lr_decay = 0.001
/// let rate = Schedule::InverseTime { from: 0.05, time: 1000.0 };
/// let adagrad = Adagrad::new(rate).initial_accumulator(0.1);
///
/// // The same as a settings file; what is left out is as in PyTorch.
/// let text = r#"{
///     "learning_rate": { "kind": "inverse_time", "from": 0.05, "time": 1000 },
///     "initial_accumulator": 0.1
/// }"#;
/// assert_eq!(serde_json::from_str::<Adagrad>(text)?, adagrad);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
pub struct Adagrad {
    learning_rate: Schedule,
    epsilon: f64,
    initial_accumulator: f64,
    weight_decay: f64,
}

impl Default for Adagrad {
    /// PyTorch's settings: [`Adagrad::new`] with a learning rate of 0.01.
    fn default() -> Self {
        Self::new(Schedule::constant(1e-2))
    }
}

impl Adagrad {
    /// Adagrad with this learning rate, ε = 1e-10, initial accumulator 0 and no weight decay.
    pub const fn new(learning_rate: Schedule) -> Self {
        Self { learning_rate, epsilon: 1e-10, initial_accumulator: 0.0, weight_decay: 0.0 }
    }

    /// Sets ε, above 0.
    #[must_use]
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets the first value of s.
    #[must_use]
    pub const fn initial_accumulator(mut self, value: f64) -> Self {
        self.initial_accumulator = value;
        self
    }

    /// Sets the weight decay λ, which applies to weights but not to biases.
    #[must_use]
    pub const fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }
}

impl<'de> Deserialize<'de> for Adagrad {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        checked(Self::deserialize(deserializer)?)
    }
}

impl Serialize for Adagrad {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// For the paper's weights w / p, whose gradient is p g: s = s_paper / p², its initial value
/// included, and λ = λ_paper / p². Their step does not scale with g, so η = p η_paper and
/// ε = ε_paper / p.
impl Method for Adagrad {
    fn states(&self, p: f64) -> Vec<StateInit> {
        let weights = (self.initial_accumulator / (p * p)) as f32;
        let biases = self.initial_accumulator as f32;
        vec![StateInit { name: "accumulator", weights, biases, squares: true }]
    }

    fn check(&self, p: f64) -> Result<(), Error> {
        Rates::FINITE.check_schedule(&self.learning_rate)?;
        for p in [1.0, p] {
            gate::epsilon(self.epsilon / p)?;
            gate::initial_accumulator(self.initial_accumulator / (p * p))?;
            gate::weight_decay(self.weight_decay / (p * p))?;
        }
        Ok(())
    }

    fn learning_rate(&self) -> &Schedule {
        &self.learning_rate
    }

    fn check_rate(&self, rate: f64) -> Result<(), Error> {
        Rates::FINITE.check(rate)
    }

    fn untouched(&self) -> Untouched {
        if self.weight_decay == 0.0 { Untouched::Same } else { Untouched::Changed }
    }

    fn rules<V: RuleVisitor>(&self, _: u64, rate: f64, p: f64, visitor: V) -> V::Output {
        let rule = |p: f64, decay: f64| Accumulator {
            learning_rate: (rate * p) as f32,
            epsilon: (self.epsilon / p) as f32,
            decay: decay as f32,
        };
        visitor.visit(rule(p, self.weight_decay / (p * p)), rule(1.0, 0.0))
    }
}

/// The update rule of one step.
#[derive(Clone, Copy, Debug)]
struct Accumulator {
    learning_rate: f32,
    epsilon: f32,
    decay: f32,
}

impl Rule<1> for Accumulator {
    #[inline(always)]
    fn step<L: Lanes>(self, l: L, g: L::F, w: L::F, [s]: [L::F; 1]) -> (L::F, [L::F; 1]) {
        let g = if self.decay == 0.0 { g } else { l.mul_add(l.splat(self.decay), w, g) };
        let s = l.mul_add(g, g, s);
        let divisor = l.add(l.sqrt(s), l.splat(self.epsilon));
        // 0 s is 0 unless s overflowed: then it is NaN, and so is the weight.
        let direction = l.div(l.mul_add(s, l.splat(0.0), g), divisor);
        (l.mul_add(l.splat(-self.learning_rate), direction, w), [s])
    }
}

#[cfg(test)]
impl super::reference::Formula for Adagrad {
    fn step(&self, t: u64, decays: bool, w: f64, g: f64, state: &mut [f64]) -> f64 {
        let g = if decays { g + self.weight_decay * w } else { g };
        state[0] += g * g;
        w - self.learning_rate.at(t) * g / (state[0].sqrt() + self.epsilon)
    }
}
