//! The dropout operation on its own, for your own slices of f32. [`GaussianDropout`] multiplies by
//! Gaussian noise instead.
//!
//! | | formula |
//! |---|---|
//! | forward | y = r x / p |
//! | backward | dx = r dy / p |
//!
//! with r ~ Bernoulli(p), one bit per element (section 4 of the paper, in the inverted form of its
//! section 10: p is the keep rate, and no scaling is needed at test time). A dropped element
//! becomes +0.0, even if it was NaN or infinite. A kept NaN stays NaN.

mod gaussian;
mod kernel;

pub use gaussian::GaussianDropout;

use crate::{
    error::{Error, same_size},
    mask::{Mask, Streams, fill, words_of},
    parallel::{Runs, divide, in_pool},
    rate::Keep,
    simd::Isa,
};

/// The number of elements in a row: a flat slice is divided into rows of 4096 elements, in order,
/// and element i belongs to unit i mod 4096 of row i / 4096.
pub const ROW: usize = 4096;

/// The number of elements that one pass of the vector generator covers: eight rows.
const GROUP: usize = 8 * ROW;

/// Where the mask bits of a call come from.
///
/// ```
/// use thinnet::{Dropout, Keep, mask::{Domain, Streams}};
///
/// let dropout = Dropout::new(Keep::HALF);
/// let streams = Streams::new(1, Domain::Training, 0, 0);
/// let (mut drawn, mut stored) = (vec![1.0; 100], vec![1.0; 100]);
/// dropout.forward_in_place(streams, &mut drawn)?;
/// let mask = dropout.draw(streams, 100)?;
/// dropout.forward_in_place(&mask, &mut stored)?;
/// assert_eq!(drawn, stored);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum MaskSource<'a> {
    /// Drawn as they are used, without any memory. Pass the same streams to forward and backward.
    Drawn(Streams),
    /// Stored beforehand by [`Dropout::draw`]: one row as wide as the slice.
    Stored(&'a Mask),
}

impl From<Streams> for MaskSource<'_> {
    fn from(streams: Streams) -> Self {
        Self::Drawn(streams)
    }
}

impl<'a> From<&'a Mask> for MaskSource<'a> {
    fn from(mask: &'a Mask) -> Self {
        Self::Stored(mask)
    }
}

/// Bernoulli dropout with a keep rate.
///
/// Large slices are divided over the caller's rayon pool; outside a pool, the work stays on the
/// calling thread. The result is the same.
///
/// ```
/// use thinnet::{Dropout, Keep, mask::{Domain, Streams}};
///
/// let dropout = Dropout::new(Keep::HALF);
/// let streams = Streams::new(1, Domain::Training, 0, 0);
/// let mut x = vec![1.0; 1000];
/// dropout.forward_in_place(streams, &mut x)?;
/// assert!(x.iter().all(|&x| x == 0.0 || x == 2.0));
/// let mut gradient = vec![1.0; 1000];
/// dropout.backward_in_place(streams, &mut gradient)?;
/// assert_eq!(gradient, x);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dropout {
    keep: Keep,
    isa: Isa,
}

impl Dropout {
    /// Dropout with this keep rate, on the CPU's fastest instruction set.
    pub fn new(keep: Keep) -> Self {
        Self { keep, isa: Isa::detect() }
    }

    /// The same on another instruction set.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        Ok(Self { isa: isa.require()?, ..self })
    }

    /// The keep rate.
    pub fn keep(&self) -> Keep {
        self.keep
    }

    /// The bits that the streams define for a slice of `len` elements, as one
    /// packed row.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn draw(&self, streams: Streams, len: usize) -> Result<Mask, Error> {
        let mut mask = Mask::ones(1, len)?;
        if self.keep.drops() {
            // First the whole rows, which are contiguous, then the rest.
            let (rows, rest) = (len / ROW, len % ROW);
            let (whole, last) = mask.words_mut().split_at_mut(words_of(rows * ROW));
            let isa = self.isa.supported();
            fill(isa, self.keep, streams.hashes(0), ROW, whole);
            fill(isa, self.keep, streams.hashes(rows as u64), rest, last);
        }
        Ok(mask)
    }

    /// y = r x / p
    ///
    /// # Errors
    /// x, y and stored bits differ in length.
    pub fn forward<'a>(
        &self,
        bits: impl Into<MaskSource<'a>>,
        x: &[f32],
        y: &mut [f32],
    ) -> Result<(), Error> {
        same_size("elements of y", x.len(), y.len())?;
        match bits.into() {
            MaskSource::Drawn(_) if !self.keep.drops() => {
                y.copy_from_slice(x);
                Ok(())
            }
            bits => self.run(bits, Some(x), y),
        }
    }

    /// x <- r x / p
    ///
    /// # Errors
    /// x and stored bits differ in length.
    pub fn forward_in_place<'a>(
        &self,
        bits: impl Into<MaskSource<'a>>,
        x: &mut [f32],
    ) -> Result<(), Error> {
        match bits.into() {
            MaskSource::Drawn(_) if !self.keep.drops() => Ok(()),
            bits => self.run(bits, None, x),
        }
    }

    /// dx = r dy / p, with the bits that forward used.
    ///
    /// # Errors
    /// dy, dx and stored bits differ in length.
    pub fn backward<'a>(
        &self,
        bits: impl Into<MaskSource<'a>>,
        dy: &[f32],
        dx: &mut [f32],
    ) -> Result<(), Error> {
        self.forward(bits, dy, dx)
    }

    /// dy <- r dy / p, with the bits that forward used.
    ///
    /// # Errors
    /// dy and stored bits differ in length.
    pub fn backward_in_place<'a>(
        &self,
        bits: impl Into<MaskSource<'a>>,
        dy: &mut [f32],
    ) -> Result<(), Error> {
        self.forward_in_place(bits, dy)
    }

    /// Runs the kernel once for each group of eight rows.
    fn run(&self, bits: MaskSource<'_>, x: Option<&[f32]>, y: &mut [f32]) -> Result<(), Error> {
        if let MaskSource::Stored(mask) = bits {
            same_size("rows of the stored bits", 1, mask.rows())?;
            same_size("units of the stored bits", y.len(), mask.width())?;
        }
        let stream = x.is_some() && y.len() >= STREAMED;
        let groups = Runs { data: y, size: GROUP };
        divide(in_pool(), GROUPS_PER_LEAF, groups, &|first, groups| {
            for (i, y) in groups.data.chunks_mut(GROUP).enumerate() {
                let group = first + i;
                let x = x.map(|x| &x[group * GROUP..][..y.len()]);
                match bits {
                    MaskSource::Drawn(streams) => self.isa.dispatch(kernel::Drawn {
                        keep: self.keep,
                        streams,
                        first_row: 8 * group as u64,
                        x,
                        y,
                        stream,
                    }),
                    MaskSource::Stored(mask) => self.isa.dispatch(kernel::Stored {
                        keep: self.keep,
                        words: &mask.at(0).words()[group * GROUP / 64..],
                        x,
                        y,
                        stream,
                    }),
                }
            }
        });
        Ok(())
    }
}

/// The number of groups of 32,768 elements per task: 128 KiB of y, about ten microseconds of work,
/// well above the cost of a `join`.
const GROUPS_PER_LEAF: usize = 1;

/// From this length on, 16 MiB, y is written with streaming stores: it would not stay in the
/// caches, and an ordinary store has to read each line first.
const STREAMED: usize = 1 << 22;

#[cfg(test)]
mod tests;
