//! The parameters that a mask is drawn from.

use super::Streams;
use crate::{error::Error, rate::Keep, simd::Isa};

/// The parameters of a mask to be drawn: keep rate, streams, the index of the first row, and the
/// instruction set, which does not affect the bits.
///
/// ```
/// use thinnet::{Keep, mask::{Domain, Mask, MaskSpec, Streams}};
///
/// let spec = MaskSpec::new(Keep::new(0.8)?, Streams::new(1, Domain::Training, 0, 0));
/// let mask = Mask::draw(spec, 100, 784)?;
/// let kept = mask.count() as f64 / (100.0 * 784.0);
/// assert!((kept - 0.8).abs() < 0.01);
///
/// let tail = Mask::draw(spec.starting_at(60), 40, 784)?;
/// assert_eq!(tail.row(0)?.words(), mask.row(60)?.words());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskSpec {
    pub(crate) keep: Keep,
    pub(crate) streams: Streams,
    pub(crate) first_row: u64,
    pub(crate) isa: Isa,
}

impl MaskSpec {
    /// A mask whose rows start at row 0, drawn on the CPU's fastest instruction set.
    pub fn new(keep: Keep, streams: Streams) -> Self {
        Self { keep, streams, first_row: 0, isa: Isa::detect() }
    }

    /// The same, starting at row `first_row`. Row 2^64 - 1 is followed by row 0.
    #[must_use]
    pub fn starting_at(self, first_row: u64) -> Self {
        Self { first_row, ..self }
    }

    /// The same on another instruction set.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        Ok(Self { isa: isa.require()?, ..self })
    }
}
