//! How a step updates the parameters: the optimiser, and what applies with any optimiser.

use super::{MaxNorm, Provenance};
use crate::{
    error::Error,
    optimiser::{LearningRate, Optimiser, RuleVisitor},
    rate::Keep,
    thin::update::{Bounds, StateInit},
};

/// The settings of a trainer's updates, and the learning rate in force.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    pub optimiser: Optimiser,
    /// Part of the state, not of the settings: it may change between steps.
    pub learning_rate: LearningRate,
    /// The largest size of an element of the gradient.
    pub clip_value: Option<f64>,
    pub max_norm: Option<MaxNorm>,
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

    /// The bounds of an update of a layer. The gradient with respect to w' is p times that with
    /// respect to w, so its bound is divided by p.
    pub fn bounds(&self, keep_of_inputs: Keep) -> Bounds {
        let clip = self.clip_value.unwrap_or(f64::INFINITY);
        Bounds {
            weight_gradient: (clip / self.p(keep_of_inputs)) as f32,
            bias_gradient: clip as f32,
            norm: self.max_norm.map(|max_norm| max_norm.bound(keep_of_inputs) as f32),
        }
    }

    /// Checks that training can use every setting, for layers whose inputs have these keep rates.
    pub fn check(&self, keeps: &[Keep]) -> Result<(), Error> {
        self.optimiser.check(1.0)?;
        for &keep in keeps {
            self.optimiser.check(self.p(keep))?;
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
        if let Some(c) = self.clip_value {
            settings.insert("clip by value".to_owned(), json(serde_json::to_string(&c))?);
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
