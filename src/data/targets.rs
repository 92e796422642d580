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

    /// The targets as those of a kind: classes become values or bits, one per row, of the same numbers.
    ///
    /// ```
    /// use thinnet::{data::OwnedTargets, nn::TargetKind};
    ///
    /// let bits = OwnedTargets::from(vec![1, 0, 1]).into_kind(TargetKind::Binary)?;
    /// assert_eq!(bits.view().kind(), TargetKind::Binary);
    /// assert!(OwnedTargets::from(vec![1, 2]).into_kind(TargetKind::Binary).is_err());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// A class that is to be a bit is not 0 or 1; values or bits are to be of another kind; or there is not
    /// enough memory.
    pub fn into_kind(self, kind: TargetKind) -> Result<Self, Error> {
        let current = self.view().kind();
        let Self::Classes(classes) = &self else {
            return if current == kind { Ok(self) } else { Err(self.of_another_kind(kind)) };
        };
        let to: fn(Matrix) -> Self = match kind {
            TargetKind::Classes => return Ok(self),
            TargetKind::Values => Self::Values,
            TargetKind::Binary => {
                if let Some(row) = classes.iter().position(|&class| class > 1) {
                    let (value, expected) = (classes[row] as f32, "0 or 1");
                    return Err(Error::Target { row, column: 0, value, expected });
                }
                Self::Binary
            }
        };
        let mut numbers = Matrix::zeroed(classes.len(), 1)?;
        for (row, &class) in classes.iter().enumerate() {
            numbers.at_mut(row)[0] = class as f32;
        }
        Ok(to(numbers))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Split};

    #[test]
    fn labels_of_idx_files_become_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 255, 0, 0, 51];
        std::fs::write(at("train-images-idx3-ubyte"), images).unwrap();
        let write = |labels: [u8; 2]| {
            let bytes = [&[0, 0, 8, 1, 0, 0, 0, 2][..], &labels].concat();
            std::fs::write(at("train-labels-idx1-ubyte"), bytes).unwrap();
        };
        let read = |kind| Dataset::from_folder_targets(folder.path(), Split::Train, kind);
        write([1, 0]);
        let bits = OwnedTargets::Binary(Matrix::from_rows(&[1.0, 0.0], 2, 1).unwrap());
        let data = read(TargetKind::Binary).unwrap();
        assert_eq!((data.image_shape(), data.classes()), (Some([1, 2]), 0));
        assert!(data.into_parts().1 == bits);
        assert_eq!(read(TargetKind::Classes).unwrap().labels().unwrap(), [1, 0]);
        write([1, 7]);
        let values = OwnedTargets::Values(Matrix::from_rows(&[1.0, 7.0], 2, 1).unwrap());
        assert!(read(TargetKind::Values).unwrap().into_parts().1 == values);
        let error = read(TargetKind::Binary).unwrap_err().to_string();
        let words = "target 7 at row 1, column 0: expected 0 or 1";
        assert_eq!(error, format!("{}: {words}", folder.path().display()));
    }

    #[test]
    fn classes_become_numbers_and_nothing_else_changes_its_kind() {
        let classes = || OwnedTargets::from(vec![0, 1, 1]);
        let numbers = || Matrix::from_rows(&[0.0, 1.0, 1.0], 3, 1).unwrap();
        let [values, bits] = [OwnedTargets::Values(numbers()), OwnedTargets::Binary(numbers())];
        assert!(classes().into_kind(TargetKind::Classes).unwrap() == classes());
        assert!(classes().into_kind(TargetKind::Values).unwrap() == values);
        assert!(classes().into_kind(TargetKind::Binary).unwrap() == bits);
        for targets in [values, bits] {
            let own = targets.view().kind();
            assert!(targets.clone().into_kind(own).unwrap() == targets);
            for other in [TargetKind::Classes, TargetKind::Values, TargetKind::Binary] {
                let changed = targets.clone().into_kind(other);
                assert_eq!(changed.is_ok(), other == own, "{own:?} to {other:?}");
            }
        }
        let error = OwnedTargets::from(vec![1, 0, 7]).into_kind(TargetKind::Binary).unwrap_err();
        assert_eq!(error.to_string(), "target 7 at row 2, column 0: expected 0 or 1");
    }
}
