//! The targets of a data set.

use std::fmt;

use super::MAX_CLASSES;
use crate::{
    error::Error,
    memory::reserve,
    nn::{TargetKind, Targets},
    tensor::Matrix,
};

/// Targets of a kind known at run time, one row per row of inputs: the owned form of [`Targets`].
///
/// ```
/// use thinnet::{data::OwnedTargets, nn::TargetKind, tensor::Matrix};
///
/// let classes = OwnedTargets::from(vec![2, 0, 1]);
/// let bits = OwnedTargets::Binary(Matrix::from_rows(&[1.0, 0.0, 1.0], 3, 1)?);
/// assert_eq!((classes.rows(), bits.rows()), (3, 3));
/// assert_eq!(bits.view().kind(), TargetKind::Binary);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum OwnedTargets {
    /// A class per row.
    Classes(Vec<u32>),
    /// Finite values.
    Values(Matrix),
    /// Numbers from 0 to 1, usually 0 or 1.
    Binary(Matrix),
}

impl From<Vec<u32>> for OwnedTargets {
    fn from(classes: Vec<u32>) -> Self {
        Self::Classes(classes)
    }
}

impl fmt::Debug for OwnedTargets {
    /// Shows the first few targets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl OwnedTargets {
    /// The targets as a loss takes them.
    pub fn view(&self) -> Targets<'_> {
        match self {
            Self::Classes(classes) => Targets::Classes(classes),
            Self::Values(values) => Targets::Values(values.view()),
            Self::Binary(bits) => Targets::Binary(bits.view()),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.view().rows()
    }

    /// The classes.
    ///
    /// # Errors
    /// The targets are of another kind.
    pub fn classes(&self) -> Result<&[u32], Error> {
        match self {
            Self::Classes(classes) => Ok(classes),
            _ => Err(self.of_another_kind(TargetKind::Classes)),
        }
    }

    /// The classes, without a copy.
    ///
    /// # Errors
    /// The targets are of another kind.
    pub fn into_classes(self) -> Result<Vec<u32>, Error> {
        match self {
            Self::Classes(classes) => Ok(classes),
            _ => Err(self.of_another_kind(TargetKind::Classes)),
        }
    }

    fn of_another_kind(&self, expected: TargetKind) -> Error {
        let got = self.view().kind().name();
        Error::DataKind { expected: expected.name(), got }
    }

    /// Checks that a loss could take each target. Returns the number of classes, which is 0 for
    /// values and bits.
    pub(super) fn check(&self) -> Result<usize, Error> {
        let mut outputs = 0;
        match self {
            Self::Classes(classes) => {
                for (row, &class) in classes.iter().enumerate() {
                    if class as usize >= MAX_CLASSES {
                        return Err(Error::Class { row, class, classes: MAX_CLASSES });
                    }
                    outputs = outputs.max(class as usize + 1);
                }
            }
            Self::Values(values) => {
                for (row, values) in values.iter().enumerate() {
                    if let Some(column) = values.iter().position(|t| !t.is_finite()) {
                        let value = values[column];
                        return Err(Error::NonFinite { what: "target", row, column, value });
                    }
                }
            }
            Self::Binary(bits) => {
                for (row, bits) in bits.iter().enumerate() {
                    if let Some(column) = bits.iter().position(|t| !(0.0..=1.0).contains(t)) {
                        let (value, expected) = (bits[column], "a number from 0 to 1");
                        return Err(Error::Target { row, column, value, expected });
                    }
                }
            }
        }
        Ok(outputs)
    }

    /// A copy of the targets of some rows, which must exist.
    pub(super) fn copy(&self, rows: impl ExactSizeIterator<Item = usize>) -> Result<Self, Error> {
        match self {
            Self::Classes(classes) => {
                let mut copy = reserve("labels", rows.len())?;
                copy.extend(rows.map(|row| classes[row]));
                Ok(Self::Classes(copy))
            }
            Self::Values(values) => Ok(Self::Values(copy_rows(values, rows)?)),
            Self::Binary(bits) => Ok(Self::Binary(copy_rows(bits, rows)?)),
        }
    }
}

/// A copy of some rows, which must exist.
pub(super) fn copy_rows(
    from: &Matrix,
    rows: impl ExactSizeIterator<Item = usize>,
) -> Result<Matrix, Error> {
    let mut copy = Matrix::zeroed(rows.len(), from.columns())?;
    for (to, row) in rows.enumerate() {
        copy.at_mut(to).copy_from_slice(from.at(row));
    }
    Ok(copy)
}
