//! How a step updates the parameters: the optimiser, and what applies with any optimiser.

use super::{MaxNorm, Provenance};
use crate::{
    error::Error,
    optimiser::{Optimiser, RuleVisitor},
    rate::Keep,
    thin::update::StateInit,
};

/// The settings of a trainer's updates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Updates {
    pub optimiser: Optimiser,
    pub max_norm: Option<MaxNorm>,
    /// Whether the optimiser's settings are for the paper's weights.
    pub paper_rates: bool,
}

impl Updates {
    /// The factor p of `w = p w'`, with w' the weights that the settings are for.
    fn p(self, keep_of_inputs: Keep) -> f64 {
        if self.paper_rates { keep_of_inputs.get() } else { 1.0 }
    }

    /// The numbers that the optimiser remembers for each parameter of a layer.
    pub fn states(self, keep_of_inputs: Keep) -> Vec<StateInit> {
        self.optimiser.states(self.p(keep_of_inputs))
    }

    /// Runs `visitor` with the rules of step `t` for a layer.
    pub fn rules<V: RuleVisitor>(self, t: u64, keep_of_inputs: Keep, visitor: V) -> V::Output {
        self.optimiser.rules(t, self.p(keep_of_inputs), visitor)
    }

    /// The bound on the norm of the weights into a unit, if there is one.
    pub fn norm_bound(self, keep_of_inputs: Keep) -> Option<f32> {
        self.max_norm.map(|max_norm| max_norm.bound(keep_of_inputs) as f32)
    }

    /// Checks that training can use every setting, for layers whose inputs have these keep rates.
    pub fn check(self, keeps: &[Keep]) -> Result<(), Error> {
        self.optimiser.check(1.0)?;
        for &keep in keeps {
            self.optimiser.check(self.p(keep))?;
            if let Some(max_norm) = self.max_norm {
                max_norm.check(keep)?;
            }
        }
        Ok(())
    }

    /// Names and values of all settings, as stored in checkpoints.
    pub fn settings(self) -> Result<Provenance, Error> {
        let json = |text: serde_json::Result<String>| {
            text.map_err(|error| Error::Metadata { reason: error.to_string() })
        };
        let mut settings = self.optimiser.settings()?;
        settings.extend([
            ("max-norm".to_owned(), json(serde_json::to_string(&self.max_norm))?),
            ("paper's rates".to_owned(), json(serde_json::to_string(&self.paper_rates))?),
        ]);
        Ok(settings)
    }
}
