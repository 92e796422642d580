//! Stochastic gradient descent with momentum, weight decay and max-norm.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::Schedule;
use crate::{
    error::Error,
    nn::{decay_from_paper, learning_rate_from_paper, max_norm_from_paper},
    rate::Keep,
    simd::Lanes,
    thin::update::Rule,
};

/// Max-norm (section 5.1 of the paper): after every update, the weights into each unit are
/// projected onto the ball of this radius. The norm excludes the bias; the output layer is
/// constrained too (appendix B.1: all layers). Velocities are not projected.
///
/// ```
/// use thinnet::{
///     data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView,
///     train::{MaxNorm, Schedule, Sgd, Trainer},
/// };
///
/// let mut mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
/// mlp.set_weights(0, &[3.0, 4.0])?; // norm 5
/// let sgd = Sgd::new(Schedule::constant(0.0)).max_norm(MaxNorm::Engine(1.0));
/// let mut trainer = Trainer::builder(mlp, sgd, 1).build()?;
/// let x = MatrixView::new(&[0.5, 0.5], 1, 2)?;
/// trainer.step(&Batch::dense(x), Targets::Values(MatrixView::new(&[1.0], 1, 1)?))?;
/// let weights = trainer.network()?.weights(0)?;
/// assert!((weights[0] - 0.6).abs() < 1e-6 && (weights[1] - 0.8).abs() < 1e-6);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "form", content = "c", deny_unknown_fields)]
#[non_exhaustive]
pub enum MaxNorm {
    /// Bounds the engine's weights.
    Engine(#[serde(deserialize_with = "checked_bound")] f64),
    /// Bounds the paper's weights, so the bound of the engine's is p c, with p the keep rate of the
    /// layer's inputs: the paper's c = 2 becomes 1.6 if that keep rate is 0.8.
    Paper(#[serde(deserialize_with = "checked_bound")] f64),
}

fn check_bound(c: f64) -> Result<f64, Error> {
    if !(LEAST_NORM..=f64::from(f32::MAX)).contains(&c) {
        let expected = "a number from 1e-15 to 3.4e38, for the engine's weights too";
        return Err(Error::OutOfRange { what: "max-norm", value: c, expected });
    }
    Ok(c)
}

fn check_decay(decay: f64) -> Result<(), Error> {
    if !(0.0..=f64::from(f32::MAX)).contains(&decay) {
        let expected = "a number from 0 to 3.4e38, for the engine's weights too";
        return Err(Error::OutOfRange { what: "weight decay", value: decay, expected });
    }
    Ok(())
}

fn checked_bound<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    check_bound(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// For example, `2.0 times the keep rate of a layer's inputs`.
impl fmt::Display for MaxNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:?}` prints 1e30 as it is rather than as 31 digits.
        match self {
            Self::Engine(c) => write!(f, "{c:?}"),
            Self::Paper(c) => write!(f, "{c:?} times the keep rate of a layer's inputs"),
        }
    }
}

impl MaxNorm {
    /// The bound on a layer's weights in the engine's form.
    pub fn bound(self, keep_of_inputs: Keep) -> f64 {
        match self {
            Self::Engine(c) => c,
            Self::Paper(c) => max_norm_from_paper(c, keep_of_inputs),
        }
    }
}

/// Stochastic gradient descent. Let g be the gradient averaged over the batch, μ the momentum,
/// η the learning rate and λ the weight decay (weights only). A step computes
///
/// - g <- g + λ w
/// - v <- μ v + g
/// - w <- w - η v, or with Nesterov w <- w - η (g + μ v)
///
/// as PyTorch's `SGD` does, then applies max-norm to w.
///
/// ```
/// use thinnet::train::{MaxNorm, Schedule, Sgd};
///
/// let sgd = Sgd::new(Schedule::Linear { from: 0.1, to: 0.0, steps: 10_000 })
///     .momentum(Schedule::constant(0.9))
///     .max_norm(MaxNorm::Paper(2.0));
///
/// // The same as a settings file; only the learning rate is required.
/// let text = r#"{
///     "learning_rate": { "kind": "linear", "from": 0.1, "to": 0.0, "steps": 10000 },
///     "momentum": { "kind": "constant", "value": 0.9 },
///     "max_norm": { "form": "paper", "c": 2.0 }
/// }"#;
/// assert_eq!(serde_json::from_str::<Sgd>(text)?, sgd);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Sgd {
    learning_rate: Schedule,
    momentum: Schedule,
    nesterov: bool,
    weight_decay: f64,
    max_norm: Option<MaxNorm>,
    paper_rates: bool,
}

/// The contents of a settings file; anything left out is as in [`Sgd::new`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    learning_rate: Schedule,
    momentum: Option<Schedule>,
    #[serde(default)]
    nesterov: bool,
    #[serde(default)]
    weight_decay: f64,
    max_norm: Option<MaxNorm>,
    #[serde(default)]
    paper_rates: bool,
}

impl TryFrom<Unchecked> for Sgd {
    type Error = Error;

    fn try_from(said: Unchecked) -> Result<Self, Error> {
        let Unchecked { learning_rate, nesterov, weight_decay, max_norm, paper_rates, .. } = said;
        let momentum = said.momentum.unwrap_or(Schedule::constant(0.0));
        let sgd = Self { learning_rate, momentum, nesterov, weight_decay, max_norm, paper_rates };
        sgd.check().map(|()| sgd)
    }
}

impl Sgd {
    /// Plain gradient descent with this learning rate.
    pub const fn new(learning_rate: Schedule) -> Self {
        Self {
            learning_rate,
            momentum: Schedule::constant(0.0),
            nesterov: false,
            weight_decay: 0.0,
            max_norm: None,
            paper_rates: false,
        }
    }

    /// Sets the momentum μ.
    #[must_use]
    pub const fn momentum(mut self, momentum: Schedule) -> Self {
        self.momentum = momentum;
        self
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

    /// Sets max-norm.
    #[must_use]
    pub const fn max_norm(mut self, max_norm: MaxNorm) -> Self {
        self.max_norm = Some(max_norm);
        self
    }

    /// Takes the learning rate and the weight decay as given for the paper's weights and converts
    /// them to the engine's: p² η and λ / p², with p the keep rate of each layer's inputs. The
    /// learning rate of the biases is η.
    #[must_use]
    pub const fn paper_rates(mut self) -> Self {
        self.paper_rates = true;
        self
    }

    /// The bound on the norm of the weights into a unit, if there is one.
    pub(super) fn norm_bound(self, keep_of_inputs: Keep) -> Option<f32> {
        self.max_norm.map(|max_norm| max_norm.bound(keep_of_inputs) as f32)
    }

    /// Whether weights are bounded.
    pub(super) fn has_max_norm(self) -> bool {
        self.max_norm.is_some()
    }

    /// The update rules of weights and of biases at step `t`, for a layer whose inputs have this
    /// keep rate.
    pub(super) fn rules(self, t: u64, keep_of_inputs: Keep) -> (Momentum, Momentum) {
        let (rate, momentum) = (self.learning_rate.at(t), self.momentum.at(t) as f32);
        let weight_rate =
            if self.paper_rates { learning_rate_from_paper(rate, keep_of_inputs) } else { rate };
        let rule = |rate: f64, decay: f64| Momentum {
            learning_rate: rate as f32,
            momentum,
            decay: decay as f32,
            nesterov: self.nesterov,
        };
        (rule(weight_rate, self.decay(keep_of_inputs)), rule(rate, 0.0))
    }

    /// Names and values of all settings, as stored in checkpoints.
    pub(super) fn settings(self) -> super::Provenance {
        let json = |value: serde_json::Result<String>| value.unwrap_or_default();
        [
            ("learning rate", json(serde_json::to_string(&self.learning_rate))),
            ("momentum", json(serde_json::to_string(&self.momentum))),
            ("nesterov", json(serde_json::to_string(&self.nesterov))),
            ("weight decay", json(serde_json::to_string(&self.weight_decay))),
            ("max-norm", json(serde_json::to_string(&self.max_norm))),
            ("paper's rates", json(serde_json::to_string(&self.paper_rates))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Checks that training can use every setting.
    pub(super) fn check(self) -> Result<(), Error> {
        // The kernels compute in f32.
        let check = |what, schedule: Schedule, most, all| {
            let expected = match schedule.range() {
                Ok((low, high)) if low >= 0.0 && high as f32 <= most => return Ok(()),
                Ok(_) => all,
                Err(expected) => expected,
            };
            Err(Error::Schedule { what, schedule: schedule.to_string(), expected })
        };
        check("learning rate", self.learning_rate, f32::MAX, "finite numbers of at least 0")?;
        check("momentum", self.momentum, 1.0f32.next_down(), "numbers from 0 to below 1")?;
        check_decay(self.weight_decay)?;
        if let Some(MaxNorm::Engine(c) | MaxNorm::Paper(c)) = self.max_norm {
            check_bound(c)?;
        }
        Ok(())
    }

    /// Checks the same of weight decay and max-norm after any conversion from the paper's weights
    /// to the engine's, for a layer whose inputs have this keep rate.
    pub(super) fn check_layer(self, keep_of_inputs: Keep) -> Result<(), Error> {
        check_decay(self.decay(keep_of_inputs))?;
        self.max_norm.map_or(Ok(0.0), |c| check_bound(c.bound(keep_of_inputs))).map(drop)
    }

    /// The weight decay of the engine's weights.
    fn decay(self, keep_of_inputs: Keep) -> f64 {
        if self.paper_rates {
            decay_from_paper(self.weight_decay, keep_of_inputs)
        } else {
            self.weight_decay
        }
    }
}

/// The smallest max-norm bound: below it, squared weights leave the range of f32.
const LEAST_NORM: f64 = 1e-15;

/// The update rule of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Momentum {
    learning_rate: f32,
    momentum: f32,
    decay: f32,
    nesterov: bool,
}

impl Rule<1> for Momentum {
    #[inline(always)]
    fn step<L: Lanes>(self, l: L, g: L::F, w: L::F, [v]: [L::F; 1]) -> (L::F, [L::F; 1]) {
        let momentum = l.splat(self.momentum);
        let g = if self.decay == 0.0 { g } else { l.mul_add(l.splat(self.decay), w, g) };
        let v = l.mul_add(momentum, v, g);
        let direction = if self.nesterov { l.mul_add(momentum, v, g) } else { v };
        (l.mul_add(l.splat(-self.learning_rate), direction, w), [v])
    }
}
