//! How a step updates the parameters: the optimiser, and what applies with any optimiser.

use super::{Averaging, MaxNorm, Provenance};
use crate::{
    error::Error,
    optimiser::{LearningRate, Optimiser, RuleVisitor, Untouched},
    rate::Keep,
    thin::{
        average,
        update::{StateInit, StepOptions},
    },
};

/// The settings of a trainer's updates, and the learning rate in force.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    pub optimiser: Optimiser,
    /// Part of the state, not of the settings: it may change between steps.
    pub learning_rate: LearningRate,
    /// The largest size of an element of the gradient.
    pub clip_value: Option<f64>,
    /// The largest norm of the gradient of all parameters.
    pub clip_norm: Option<f64>,
    /// The factor of the sum of all |w| in the penalty, 0 for none.
    pub l1: f64,
    pub max_norm: Option<MaxNorm>,
    pub average: Option<Averaging>,
    /// Whether the optimiser's settings are for the paper's weights.
    pub paper_rates: bool,
}

impl Updates {
    /// The factor p of `w = p w'`, with w' the weights that the settings are for.
    fn p(&self, keep_of_inputs: Keep) -> f64 {
        if self.paper_rates { keep_of_inputs.get() } else { 1.0 }
    }

    /// The numbers that the optimiser remembers for each parameter of a layer.
    pub fn states(&self, keep_of_inputs: Keep) -> Vec<StateInit> {
        self.optimiser.states(self.p(keep_of_inputs))
    }

    /// Runs `visitor` with the rules of step `t` for a layer.
    pub fn rules<V: RuleVisitor>(&self, t: u64, keep_of_inputs: Keep, visitor: V) -> V::Output {
        self.optimiser.rules(t, self.rate(t), self.p(keep_of_inputs), visitor)
    }

    /// The learning rate of step `t`, in the form of the optimiser's settings.
    pub fn rate(&self, t: u64) -> f64 {
        self.learning_rate.at(self.optimiser.learning_rate(), t)
    }

    /// The options of step `t` for a layer. The gradient with respect to w' is p times that with
    /// respect to w, so its bound is divided by p.
    pub fn options(&self, t: u64, keep_of_inputs: Keep) -> StepOptions {
        let clip = self.clip_value.unwrap_or(f64::INFINITY);
        StepOptions {
            clip_weights: (clip / self.p(keep_of_inputs)) as f32,
            clip_biases: clip as f32,
            max_norm: self.max_norm.map(|max_norm| max_norm.bound(keep_of_inputs) as f32),
            // Before the step, the parameters are those after t updates.
            average: self.average.map_or(0.0, |average| average.rate(t)),
        }
    }

    /// The numbers of the average of each parameter, if there is one.
    pub fn average_states(&self) -> Vec<StateInit> {
        self.average.map(|average| average::states(average.keeps_rest())).unwrap_or_default()
    }

    /// Whether a step needs the complete gradient before it changes anything.
    pub fn needs_complete_gradient(&self) -> bool {
        self.clip_norm.is_some() || self.l1 > 0.0
    }

    /// Whether a step can leave out the weights of inputs that are active in no row of the batch.
    pub fn leaves_untouched(&self) -> bool {
        self.optimiser.untouched() != Untouched::Changed
            && self.max_norm.is_none()
            && self.average.is_none()
            && !self.needs_complete_gradient()
    }

    /// Whether it does so whatever the formula would do to them.
    pub fn leaves_out(&self) -> bool {
        self.optimiser.untouched() == Untouched::LeftOut
    }

    /// The factor of the sum of a layer's |w| in the penalty: in terms of w', it is that of |w'| = |w| / p.
    pub fn l1(&self, keep_of_inputs: Keep) -> f32 {
        (self.l1 / self.p(keep_of_inputs)) as f32
    }

    /// The square of the norm of a layer's gradient with respect to w', from the sum of squares of that
    /// with respect to w and of that with respect to the biases.
    pub fn square_of_norm(&self, keep_of_inputs: Keep, weights: f64, biases: f64) -> f64 {
        let p = self.p(keep_of_inputs);
        p * p * weights + biases
    }

    /// Whether the average has started: it holds one of the first `steps` updates.
    pub fn is_averaging(&self, steps: u64) -> bool {
        self.average.is_some_and(|average| average.count(steps) > 0)
    }

    /// Whether the average has moved in the first `steps` steps: each moves it towards the parameters
    /// that the one before left.
    pub fn has_averaged(&self, steps: u64) -> bool {
        self.is_averaging(steps.saturating_sub(1))
    }

    /// Checks that training can use every setting, for layers whose inputs have these keep rates.
    pub fn check(&self, keeps: &[Keep]) -> Result<(), Error> {
        self.optimiser.check(1.0)?;
        if self.leaves_out() && !self.leaves_untouched() {
            return Err(Error::EveryWeight { optimiser: self.optimiser.name() });
        }
        if let Some(average) = self.average {
            average.check()?;
        }
        if let Some(c) = self.clip_norm {
            check_clip("largest norm of the gradient", [c, c])?;
        }
        for &keep in keeps {
            self.optimiser.check(self.p(keep))?;
            check_l1([self.l1, self.l1 / self.p(keep)])?;
            if let Some(c) = self.clip_value {
                check_clip("largest element of the gradient", [c, c / self.p(keep)])?;
            }
            if let Some(max_norm) = self.max_norm {
                max_norm.check(keep)?;
            }
        }
        Ok(())
    }

    /// Names and values of all settings, as stored in checkpoints: of those that are off by
    /// default, only the ones that are on.
    pub fn settings(&self) -> Result<Provenance, Error> {
        let json = |text: serde_json::Result<String>| {
            text.map_err(|error| Error::Metadata { reason: error.to_string() })
        };
        let mut settings = self.optimiser.settings()?;
        settings.extend([
            ("max-norm".to_owned(), json(serde_json::to_string(&self.max_norm))?),
            ("paper's rates".to_owned(), json(serde_json::to_string(&self.paper_rates))?),
        ]);
        if let Some(average) = self.average {
            settings.insert(average.setting().to_owned(), json(serde_json::to_string(&average))?);
        }
        let l1 = Some(self.l1).filter(|&l1| l1 > 0.0);
        for (name, value) in [
            ("clip by value", self.clip_value),
            ("clip by norm", self.clip_norm),
            ("l1 penalty", l1),
        ] {
            if let Some(value) = value {
                settings.insert(name.to_owned(), json(serde_json::to_string(&value))?);
            }
        }
        Ok(settings)
    }
}

/// Checks a bound on gradients, as given and for the engine's weights.
fn check_clip(what: &'static str, bounds: [f64; 2]) -> Result<(), Error> {
    let expected = "a number from 1.2e-38 to 3.4e38, also after division by the keep rate of a layer's \
                    inputs if it is for the paper's weights";
    let fits = |bound: &f64| (f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)).contains(bound);
    match bounds.into_iter().find(|bound| !fits(bound)) {
        Some(value) => Err(Error::OutOfRange { what, value, expected }),
        None => Ok(()),
    }
}

/// Checks the factor of a penalty, as given and for the engine's weights.
fn check_l1(factors: [f64; 2]) -> Result<(), Error> {
    let expected = "a number from 0 to 3.4e38, also after division by the keep rate of a layer's inputs \
                    if it is for the paper's weights";
    let fits = |factor: &f64| (0.0..=f64::from(f32::MAX)).contains(factor);
    match factors.into_iter().find(|factor| !fits(factor)) {
        Some(value) => Err(Error::OutOfRange { what: "l1 penalty", value, expected }),
        None => Ok(()),
    }
}
