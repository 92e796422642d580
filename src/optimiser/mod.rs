//! Optimisers: their formulas, settings and update rules; schedules.
//!
//! Each optimiser is a file of its own and a line in the list below.

mod adagrad;
mod adam;
mod adamw;
mod gate;
mod learning_rate;
#[cfg(test)]
pub(crate) mod reference;
mod schedule;
mod sgd;
mod sparse_adam;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamw::AdamW;
pub use learning_rate::LearningRate;
pub use schedule::{Phase, RateChange, Schedule};
pub use sgd::Sgd;
pub use sparse_adam::SparseAdam;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de};
use serde_json::value::RawValue;

use crate::{
    error::Error,
    named::{names, text_is_name},
    thin::update::{Rule, StateInit},
};

/// What an optimiser provides.
///
/// p is the factor of `w = p w'`, where w are the engine's weights and w' those that the
/// settings are for: the keep rate of the layer's inputs if they are the paper's weights, and
/// otherwise 1. The gradient with respect to w' is p g. Biases are the same in both forms.
pub(crate) trait Method {
    /// The numbers that it remembers for each parameter, at least one.
    fn states(&self, p: f64) -> Vec<StateInit>;

    /// Checks that training can use every setting, also when converted to the engine's weights.
    fn check(&self, p: f64) -> Result<(), Error>;

    /// The schedule of the learning rate.
    fn learning_rate(&self) -> &Schedule;

    /// Checks that training can use learning rates of at most `rate`.
    fn check_rate(&self, rate: f64) -> Result<(), Error>;

    /// What its steps do to a weight with the gradient 0, and to its state.
    fn untouched(&self) -> Untouched {
        Untouched::Changed
    }

    /// Runs `visitor` with the rules of step `t`, counted from 0, for the learning rate `rate`,
    /// which need not be that of the schedule.
    fn rules<V: RuleVisitor>(&self, t: u64, rate: f64, p: f64, visitor: V) -> V::Output
    where
        Self: Sized;
}

/// What a step does to the weights of inputs that are active in no row of the batch, and to their state.
/// Their gradient is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Untouched {
    /// It can change them.
    Changed,
    /// Its formula leaves every bit as it is.
    Same,
    /// It leaves them out, whatever the formula would do.
    LeftOut,
}

/// Work that needs the update rules of a step, for weights and for biases.
pub(crate) trait RuleVisitor {
    /// The return type of the work.
    type Output;
    /// Does the work.
    fn visit<const N: usize, R: Rule<N>>(self, weights: R, biases: R) -> Self::Output;
}

/// Generates [`Optimiser`] from the list of all optimisers, each with its usual settings.
macro_rules! optimisers {
    ($($(#[$about:meta])* $name:ident => $text:literal, usually $usual:expr;)+) => {
        /// An optimiser with its settings.
        ///
        /// ```
        /// use thinnet::train::{Adam, Optimiser, Schedule};
        ///
        /// let adam = Adam::new(Schedule::constant(0.002));
        /// let optimiser = Optimiser::from(adam);
        /// assert_eq!(optimiser.name(), "adam");
        ///
        /// // A settings file says which one it is.
        /// let text = r#"{ "kind": "adam", "learning_rate": { "kind": "constant", "value": 0.002 } }"#;
        /// assert_eq!(serde_json::from_str::<Optimiser>(text)?, optimiser);
        /// # Ok::<(), serde_json::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        #[non_exhaustive]
        pub enum Optimiser {
            $($(#[$about])* #[serde(rename = $text)] $name($name),)+
        }

        names! {
            /// Every optimiser, with PyTorch's default settings.
            ALL of Optimiser;
            /// The name in files and on the command line.
            name of &self;
            $($name($usual) => $text,)+
        }

        $(impl From<$name> for Optimiser {
            fn from(optimiser: $name) -> Self {
                Self::$name(optimiser)
            }
        })+

        impl Optimiser {
            fn method(&self) -> &dyn Method {
                match self {
                    $(Self::$name(optimiser) => optimiser,)+
                }
            }

            #[cfg(test)]
            pub(crate) fn formula(&self) -> &dyn reference::Formula {
                match self {
                    $(Self::$name(optimiser) => optimiser,)+
                }
            }

            /// Runs `visitor` with the rules of step `t` for a learning rate; see [`Method`] for p.
            pub(crate) fn rules<V: RuleVisitor>(
                &self,
                t: u64,
                rate: f64,
                p: f64,
                visitor: V,
            ) -> V::Output {
                match self {
                    $(Self::$name(optimiser) => optimiser.rules(t, rate, p, visitor),)+
                }
            }
        }
    };
}

optimisers! {
    /// Stochastic gradient descent.
    Sgd => "sgd", usually Sgd::new(Schedule::constant(1e-3));
    /// Adam.
    Adam => "adam", usually Adam::new(Schedule::constant(1e-3));
    /// Adam with decoupled weight decay.
    AdamW => "adamw", usually AdamW::new(Schedule::constant(1e-3));
    /// Adagrad.
    Adagrad => "adagrad", usually Adagrad::new(Schedule::constant(1e-2));
    /// Adam for sparse rows.
    SparseAdam => "sparse_adam", usually SparseAdam::new(Schedule::constant(1e-3));
}
text_is_name!(Optimiser, "optimiser");

impl Optimiser {
    /// The numbers that it remembers for each parameter; see [`Method`] for p.
    pub(crate) fn states(&self, p: f64) -> Vec<StateInit> {
        self.method().states(p)
    }

    /// Checks that training can use every setting; see [`Method`] for p.
    pub(crate) fn check(&self, p: f64) -> Result<(), Error> {
        self.method().check(p)
    }

    /// The schedule of the learning rate.
    pub(crate) fn learning_rate(&self) -> &Schedule {
        self.method().learning_rate()
    }

    /// Checks that training can use learning rates of at most `rate`.
    pub(crate) fn check_rate(&self, rate: f64) -> Result<(), Error> {
        self.method().check_rate(rate)
    }

    /// What its steps do to a weight with the gradient 0, and to its state.
    pub(crate) fn untouched(&self) -> Untouched {
        self.method().untouched()
    }

    /// Names and values of all settings, as stored in checkpoints: the fields of a settings file,
    /// each as JSON.
    pub(crate) fn settings(&self) -> Result<BTreeMap<String, String>, Error> {
        let failed = |error: serde_json::Error| Error::Metadata { reason: error.to_string() };
        let text = serde_json::to_string(self).map_err(failed)?;
        // Raw, because a value would lose the order of its fields.
        let fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&text).map_err(failed)?;
        Ok(fields
            .into_iter()
            .filter(|(name, _)| name != "kind")
            .map(|(name, value)| (name.replace('_', " "), value.get().to_owned()))
            .collect())
    }
}

/// The optimiser, if training can use it: for settings that were read from a file.
fn checked<M: Method, E: de::Error>(optimiser: M) -> Result<M, E> {
    optimiser.check(1.0).map_err(E::custom)?;
    Ok(optimiser)
}

#[cfg(test)]
mod tests;
