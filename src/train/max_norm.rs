//! Max-norm: a bound on the norm of the weights into each unit.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{error::Error, nn::max_norm_from_paper, rate::Keep};

/// The smallest bound: below it, squared weights leave the range of f32.
const LEAST_NORM: f64 = 1e-15;

/// Max-norm (section 5.1 of the paper): after every update, the weights into each unit are
/// projected onto the ball of this radius. The norm excludes the bias; the output layer is
/// constrained too (appendix B.1: all layers). The optimiser's state is not projected.
///
/// ```
/// use thinnet::{
///     data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView,
///     train::{MaxNorm, Schedule, Sgd, Trainer},
/// };
///
/// let mut mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
/// mlp.set_weights(0, &[3.0, 4.0])?; // norm 5
/// let sgd = Sgd::new(Schedule::constant(0.0));
/// let mut trainer = Trainer::builder(mlp, sgd, 1).max_norm(MaxNorm::Engine(1.0)).build()?;
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
        let expected = "a number from 1e-15 to 3.4e38, also after multiplication by the keep rate of \
                        a layer's inputs if it is for the paper's weights";
        return Err(Error::OutOfRange { what: "max-norm", value: c, expected });
    }
    Ok(c)
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

    /// Checks that training can use the bound, for a layer whose inputs have this keep rate.
    pub(super) fn check(self, keep_of_inputs: Keep) -> Result<(), Error> {
        let (Self::Engine(c) | Self::Paper(c)) = self;
        check_bound(c)?;
        check_bound(self.bound(keep_of_inputs)).map(drop)
    }
}
