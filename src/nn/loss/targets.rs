//! The targets of a batch, and which kind of them a loss takes.

use std::{fmt, ops::Range};

use super::Loss;
use crate::{
    abridged::Few,
    error::{Error, below, same_size},
    tensor::MatrixView,
};

/// The targets of a batch, one row of targets per row of the batch.
///
/// ```
/// use thinnet::{nn::{Loss, Targets}, tensor::MatrixView};
///
/// let classes = Targets::Classes(&[2, 0]);
/// assert!(classes.check(Loss::SoftmaxCrossEntropy, 3, 2).is_ok());
/// assert!(classes.check(Loss::SoftmaxCrossEntropy, 2, 2).is_err()); // there is no class 2
/// let values = Targets::Values(MatrixView::new(&[0.5, -1.5], 2, 1)?);
/// assert!(values.check(Loss::SquaredError, 1, 2).is_ok());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Targets<'a> {
    /// A class below N per row.
    Classes(&'a [u32]),
    /// N finite values per row, or N over the [outputs per target](Loss::outputs_per_target); for Poisson's loss they are at least 0.
    Values(MatrixView<'a>),
    /// N numbers from 0 to 1, usually 0 or 1, per row.
    Binary(MatrixView<'a>),
}

/// The kind of [`Targets`] that a loss takes.
///
/// ```
/// use thinnet::nn::{Loss, TargetKind};
///
/// assert_eq!(Loss::SoftmaxCrossEntropy.target_kind(), TargetKind::Classes);
/// assert_eq!(Loss::SquaredError.target_kind(), TargetKind::Values);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetKind {
    /// [`Targets::Classes`]
    Classes,
    /// [`Targets::Values`]
    Values,
    /// [`Targets::Binary`]
    Binary,
}

impl TargetKind {
    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classes => "Classes",
            Self::Values => "Values",
            Self::Binary => "Binary",
        }
    }
}

/// A kind of targets as a type, for a loss to name.
pub(in crate::nn) trait Kind {
    const KIND: TargetKind;
    /// The targets of a batch.
    type Of<'t>: Copy;

    /// These targets, if they are of this kind.
    fn of(targets: Targets<'_>) -> Option<Self::Of<'_>>;
}

/// [`TargetKind::Classes`]
pub(super) struct Classes;
/// [`TargetKind::Values`]
pub(super) struct Values;
/// [`TargetKind::Binary`]
pub(super) struct Binary;

impl Kind for Classes {
    const KIND: TargetKind = TargetKind::Classes;
    type Of<'t> = &'t [u32];

    fn of(targets: Targets<'_>) -> Option<&[u32]> {
        if let Targets::Classes(classes) = targets { Some(classes) } else { None }
    }
}

impl Kind for Values {
    const KIND: TargetKind = TargetKind::Values;
    type Of<'t> = MatrixView<'t>;

    fn of(targets: Targets<'_>) -> Option<MatrixView<'_>> {
        if let Targets::Values(values) = targets { Some(values) } else { None }
    }
}

impl Kind for Binary {
    const KIND: TargetKind = TargetKind::Binary;
    type Of<'t> = MatrixView<'t>;

    fn of(targets: Targets<'_>) -> Option<MatrixView<'_>> {
        if let Targets::Binary(bits) = targets { Some(bits) } else { None }
    }
}

/// The targets as those of kind `K`.
pub(super) fn of_kind<K: Kind>(targets: Targets<'_>) -> Result<K::Of<'_>, Error> {
    K::of(targets).ok_or_else(|| targets.of_another_kind(K::KIND))
}

impl fmt::Debug for Targets<'_> {
    /// Shows the first few targets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classes(classes) => f.debug_tuple("Classes").field(&Few(classes.iter())).finish(),
            Self::Values(values) => f.debug_tuple("Values").field(values).finish(),
            Self::Binary(bits) => f.debug_tuple("Binary").field(bits).finish(),
        }
    }
}

impl Targets<'_> {
    /// The kind of these targets.
    pub const fn kind(self) -> TargetKind {
        match self {
            Self::Classes(_) => TargetKind::Classes,
            Self::Values(_) => TargetKind::Values,
            Self::Binary(_) => TargetKind::Binary,
        }
    }

    fn of_another_kind(self, expected: TargetKind) -> Error {
        Error::TargetKind { expected: expected.name(), got: self.kind().name() }
    }

    /// The number of rows.
    pub fn rows(self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(t) | Self::Binary(t) => t.rows(),
        }
    }

    /// Checks that `loss` accepts these targets for `rows` rows of `outputs` outputs.
    ///
    /// # Errors
    /// The targets are of the wrong kind, number or width, a class does not exist, a value is not
    /// finite, a bit is outside [0, 1], or a count is negative.
    pub fn check(self, loss: Loss, outputs: usize, rows: usize) -> Result<(), Error> {
        same_size("rows of the targets", rows, self.rows())?;
        if let Self::Values(t) = self
            && loss.target_kind() == TargetKind::Values
            && loss.least_target() == f32::NEG_INFINITY
            && t.columns() == loss.targets(outputs)?
            && t.all_finite()
        {
            return Ok(()); // One pass over all rows, which need no look of their own.
        }
        (0..rows).try_for_each(|row| self.check_row(loss, outputs, row))
    }

    /// The targets of some rows, which are known to exist.
    pub(crate) fn part(self, rows: Range<usize>) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(&classes[rows]),
            Self::Values(t) => Self::Values(t.part(rows)),
            Self::Binary(t) => Self::Binary(t.part(rows)),
        }
    }

    pub(super) fn check_row(self, loss: Loss, outputs: usize, row: usize) -> Result<(), Error> {
        below("row of the targets", self.rows(), row)?;
        let expected = loss.target_kind();
        if self.kind() != expected {
            return Err(self.of_another_kind(expected));
        }
        match self {
            Self::Classes(classes) => {
                let class = classes[row];
                if class as usize >= outputs {
                    return Err(Error::Class { row, class, classes: outputs });
                }
            }
            Self::Values(t) => {
                same_size("columns of the targets", loss.targets(outputs)?, t.columns())?;
                if let Some(column) = t.at(row).iter().position(|t| !t.is_finite()) {
                    let value = t.at(row)[column];
                    return Err(Error::NonFinite { what: "target", row, column, value });
                }
                let least = loss.least_target();
                if let Some(column) = t.at(row).iter().position(|&t| t < least) {
                    let (value, expected) = (t.at(row)[column], "a number of at least 0");
                    return Err(Error::Target { row, column, value, expected });
                }
            }
            Self::Binary(t) => {
                same_size("columns of the targets", loss.targets(outputs)?, t.columns())?;
                let bad = |t: &f32| !(0.0..=1.0).contains(t);
                if let Some(column) = t.at(row).iter().position(bad) {
                    let (value, expected) = (t.at(row)[column], "a number from 0 to 1");
                    return Err(Error::Target { row, column, value, expected });
                }
            }
        }
        Ok(())
    }
}
