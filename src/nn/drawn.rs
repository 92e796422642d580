//! What a dropout site draws for the rows of a batch.

use crate::{
    error::Error,
    mask::{Factors, Mask},
    noise::Noise,
    pass::Pass,
};

/// The random numbers of a site, for a number of rows. Each row has those of its own stream.
#[derive(Clone, Debug)]
pub(crate) enum Drawn {
    /// The site has no noise.
    Nothing,
    /// The units that stay.
    Mask(Mask),
    /// A number to multiply each unit by.
    Factors(Factors),
}

impl Drawn {
    /// Allocates memory for what `noise` draws for at most `rows` rows of `width` units.
    pub fn with_capacity(noise: Noise, rows: usize, width: usize) -> Result<Self, Error> {
        Ok(match noise {
            Noise::None => Self::Nothing,
            Noise::Bernoulli(_) => Self::Mask(Mask::ones(rows, width)?),
            Noise::Gaussian(_) => Self::Factors(Factors::with_capacity(rows, width)?),
        })
    }

    /// Allocates memory if what is there is for other noise.
    pub fn prepare(&mut self, noise: Noise, rows: usize, width: usize) -> Result<(), Error> {
        let fits = match noise {
            Noise::None => matches!(self, Self::Nothing),
            Noise::Bernoulli(_) => matches!(self, Self::Mask(_)),
            Noise::Gaussian(_) => matches!(self, Self::Factors(_)),
        };
        if !fits {
            *self = Self::with_capacity(noise, rows, width)?;
        }
        Ok(())
    }

    /// Draws `rows` rows; `hash(i)` is the row hash of row i. The memory is for the same kind of
    /// noise.
    ///
    /// # Errors
    /// There are more rows than there is memory for.
    pub fn redraw(
        &mut self,
        pass: Pass,
        noise: Noise,
        rows: usize,
        hash: impl Fn(usize) -> u64 + Sync,
    ) -> Result<(), Error> {
        match (self, noise) {
            (Self::Mask(mask), Noise::Bernoulli(keep)) => {
                mask.redraw_each(pass.isa, keep, rows, hash)
            }
            (Self::Factors(factors), Noise::Gaussian(sigma)) => {
                factors.redraw(pass, sigma, rows, hash)
            }
            // Listed, so that the compiler asks for a new one.
            (_, Noise::None | Noise::Bernoulli(_) | Noise::Gaussian(_)) => Ok(()),
        }
    }

    /// The mask, if the site draws one.
    pub fn mask(&self) -> Option<&Mask> {
        if let Self::Mask(mask) = self { Some(mask) } else { None }
    }

    /// The factors, if the site draws them.
    pub fn factors(&self) -> Option<&Factors> {
        if let Self::Factors(factors) = self { Some(factors) } else { None }
    }
}
