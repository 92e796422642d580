//! All thinned networks of a small network.

use super::{Mlp, ThinnedNetwork};
use crate::{error::Error, mask::Mask};

/// The 2^n thinned networks of a network with n units that can be dropped, and
/// their probabilities.
///
/// ```
/// use thinnet::{Keep, nn::{Activation, Ensemble, Loss, Mlp}};
///
/// let mlp = Mlp::builder(3)
///     .input_keep(Keep::new(0.8)?)
///     .hidden(4, Activation::Tanh, Keep::HALF)
///     .output(1, Loss::SquaredError)
///     .build()?;
/// let ensemble = Ensemble::enumerate(&mlp)?;
/// assert_eq!(ensemble.members().len(), 1 << 7);
/// let mean = ensemble.mean(&[1.0, -1.0, 0.5])?;
/// assert_eq!(mean.len(), 1);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    members: Vec<ThinnedNetwork>,
}

impl Ensemble {
    /// The most units that can be dropped in a network whose thinned networks
    /// are enumerated.
    pub const MOST_UNITS: usize = 16;

    /// All thinned networks of `mlp`.
    ///
    /// # Errors
    /// More than [`Self::MOST_UNITS`] units in sites with a keep rate below 1.
    pub fn enumerate(mlp: &Mlp) -> Result<Self, Error> {
        let (widths, keeps) = (mlp.widths(), mlp.keeps());
        let dropped: Vec<(usize, usize)> = keeps
            .iter()
            .enumerate()
            .filter(|(_, keep)| keep.drops())
            .flat_map(|(site, _)| (0..widths[site]).map(move |unit| (site, unit)))
            .collect();
        if dropped.len() > Self::MOST_UNITS {
            let (units, most) = (dropped.len(), Self::MOST_UNITS);
            return Err(Error::TooManyThinned { units, most });
        }
        let members = (0..1u32 << dropped.len())
            .map(|bits| {
                let mut masks = (0..mlp.depth())
                    .map(|site| Mask::ones(1, widths[site]))
                    .collect::<Result<Vec<_>, _>>()?;
                for (i, &(site, unit)) in dropped.iter().enumerate() {
                    masks[site].set(0, unit, bits >> i & 1 == 1);
                }
                ThinnedNetwork::from_masks(mlp, masks)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { members })
    }

    /// The thinned networks.
    pub fn members(&self) -> &[ThinnedNetwork] {
        &self.members
    }

    /// The probability-weighted arithmetic mean of their predictions.
    ///
    /// # Errors
    /// `x` has another length than the network's inputs.
    pub fn mean(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.weighted(|member| member.predict(x))
    }

    /// The probability-weighted geometric mean of their predictions,
    /// normalised to sum 1.
    ///
    /// # Errors
    /// `x` has another length than the network's inputs.
    pub fn geometric_mean(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        let logs = self.weighted(|member| {
            Ok(member.predict(x)?.into_iter().map(libm::log).collect::<Vec<f64>>())
        })?;
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let e: Vec<f64> = logs.iter().map(|log| libm::exp(log - most)).collect();
        let sum: f64 = e.iter().sum();
        Ok(e.iter().map(|e| e / sum).collect())
    }

    fn weighted(
        &self,
        f: impl Fn(&ThinnedNetwork) -> Result<Vec<f64>, Error>,
    ) -> Result<Vec<f64>, Error> {
        let mut sum = Vec::new();
        for member in &self.members {
            let probability = libm::exp(member.log_probability());
            let values = f(member)?;
            sum.resize(values.len(), 0.0);
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += probability * value;
            }
        }
        Ok(sum)
    }
}
