//! Data sets of svmlight files: what the number in front of a row means.

use std::path::Path;

use super::{Svmlight, SvmlightRows};
use crate::{
    data::{Dataset, MAX_CLASSES, OwnedTargets},
    error::Error,
    memory::reserve,
    nn::TargetKind,
    tensor::Matrix,
};

impl Dataset {
    /// Reads sparse rows and their targets from an svmlight file, plain or gzipped: see
    /// [`SvmlightRows::into_dataset`].
    ///
    /// Files that belong together need the same first index and the same columns. State the first index,
    /// and take the columns from the training rows:
    ///
    /// ```
    /// use thinnet::{data::{Dataset, svmlight::Svmlight}, nn::TargetKind};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let [train, test] = ["train.svm", "test.svm"].map(|name| folder.path().join(name));
    /// std::fs::write(&train, "+1 1:0.5 17:1\n-1 2:2.25\n")?;
    /// std::fs::write(&test, "-1 3:1\n")?;
    ///
    /// let settings = Svmlight::new().first_index(1);
    /// let train = Dataset::from_svmlight(&train, settings, TargetKind::Classes)?;
    /// let settings = settings.columns(train.inputs().columns());
    /// let test = Dataset::from_svmlight(&test, settings, TargetKind::Classes)?;
    /// assert_eq!((train.labels()?, test.labels()?), (&[1, 0][..], &[0][..]));
    /// assert_eq!(test.inputs().columns(), 17);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Svmlight::read`] and [`SvmlightRows::into_dataset`].
    pub fn from_svmlight(
        path: impl AsRef<Path>,
        settings: Svmlight,
        kind: TargetKind,
    ) -> Result<Self, Error> {
        let path = path.as_ref();
        settings.read(path)?.into_dataset(kind).map_err(|error| match error {
            Error::NonFinite { .. } | Error::Target { .. } => {
                Error::format(path, error.to_string())
            }
            error => error,
        })
    }
}

impl SvmlightRows {
    /// A data set of the rows, with targets of this kind.
    ///
    /// Classes are whole numbers from 0, and bits are numbers from 0 to 1. In files with two classes the
    /// targets are often 1 and -1: if all are one of these, -1 becomes class 0 or bit 0. Values are not
    /// changed, but rounded to f32.
    ///
    /// ```
    /// use thinnet::{data::svmlight::Svmlight, nn::TargetKind};
    ///
    /// let rows = Svmlight::new().from_bytes(b"+1 3:0.5\n-1 1:2.25\n")?;
    /// assert_eq!(rows.into_dataset(TargetKind::Classes)?.labels()?, [1, 0]);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// A target is not of this kind; its row is counted from 0, without lines that hold no row. Or there is
    /// not enough memory.
    pub fn into_dataset(self, kind: TargetKind) -> Result<Dataset, Error> {
        let Self { rows, mut targets } = self;
        if kind != TargetKind::Values && targets.iter().all(|target| target.abs() == 1.0) {
            targets.iter_mut().for_each(|target| *target = target.max(0.0));
        }
        let targets = match kind {
            TargetKind::Classes => OwnedTargets::Classes(classes(&targets)?),
            TargetKind::Values => OwnedTargets::Values(numbers(&targets)?),
            TargetKind::Binary => OwnedTargets::Binary(numbers(&targets)?),
        };
        Dataset::new(rows, targets)
    }
}

/// The targets as classes.
fn classes(targets: &[f64]) -> Result<Vec<u32>, Error> {
    let mut classes = reserve("labels", targets.len())?;
    for (row, &target) in targets.iter().enumerate() {
        if target.fract() != 0.0 || !(0.0..MAX_CLASSES as f64).contains(&target) {
            let expected = "a class, a whole number from 0 to 1048575 (or only 1 and -1)";
            return Err(Error::Target { row, column: 0, value: target as f32, expected });
        }
        classes.push(target as u32);
    }
    Ok(classes)
}

/// The targets as a column of numbers.
fn numbers(targets: &[f64]) -> Result<Matrix, Error> {
    let mut numbers = Matrix::zeroed(targets.len(), 1)?;
    for (row, &target) in targets.iter().enumerate() {
        numbers.at_mut(row)[0] = target as f32;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Targets;

    fn read(text: &str, kind: TargetKind) -> Result<Dataset, String> {
        let rows = Svmlight::new().from_bytes(text.as_bytes()).unwrap();
        rows.into_dataset(kind).map_err(|error| error.to_string())
    }

    #[test]
    fn targets_are_of_the_kind_that_is_wanted() {
        use TargetKind::{Binary, Classes, Values};
        let labels = |text| read(text, Classes).unwrap().labels().unwrap().to_vec();
        assert_eq!(labels("2 1:1\n0 1:1\n\n# none\n7.0 2:1"), [2, 0, 7]);
        assert_eq!(labels("+1 1:1\n-1 1:1"), [1, 0]);
        assert_eq!(labels("-1 1:1"), [0]);
        assert_eq!(labels("1\n1"), [1, 1]);
        assert_eq!(labels("1048575"), [1_048_575]);
        assert_eq!(labels("-0\n1"), [0, 1]);
        let column = |text, kind| match read(text, kind).unwrap().targets() {
            Targets::Values(numbers) | Targets::Binary(numbers) => {
                assert_eq!(numbers.columns(), 1);
                numbers.iter().flatten().copied().collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(column("-1 1:1\n1 2:1\n-1", Binary), [0.0, 1.0, 0.0]);
        assert_eq!(column("0 1:1\n0.25", Binary), [0.0, 0.25]);
        assert_eq!(column("-1 1:1\n1 2:1", Values), [-1.0, 1.0]);
        assert_eq!(column("-1.5\n1e3", Values), [-1.5, 1000.0]);
    }

    #[test]
    fn targets_of_other_kinds_are_refused() {
        use TargetKind::{Binary, Classes, Values};
        let class = "expected a class, a whole number from 0 to 1048575 (or only 1 and -1)";
        for (text, kind, words) in [
            ("1\n-1\n0", Classes, format!("target -1 at row 1, column 0: {class}")),
            ("1\n\n2.5", Classes, format!("target 2.5 at row 1, column 0: {class}")),
            ("1048576", Classes, format!("target 1048576 at row 0, column 0: {class}")),
            ("1e300", Classes, format!("target inf at row 0, column 0: {class}")),
            ("1\n-1\n0", Binary, "target -1 at row 1".to_owned()),
            (
                "1\n2",
                Binary,
                "target 2 at row 1, column 0: expected a number from 0 to 1".to_owned(),
            ),
            ("1\n1e39", Values, "target at row 1, column 0 is inf: expected a finite".to_owned()),
        ] {
            let error = read(text, kind).unwrap_err();
            assert!(error.starts_with(&words), "{text:?}: {error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.svm");
        std::fs::write(&path, "1 1:1\n2.5 1:1\n").unwrap();
        let error = Dataset::from_svmlight(&path, Svmlight::new(), Classes).unwrap_err();
        let words = format!("{}: target 2.5 at row 1, column 0: {class}", path.display());
        assert_eq!(error.to_string(), words);
    }

    #[test]
    fn a_test_set_has_the_columns_of_the_training_set() {
        let folder = tempfile::tempdir().unwrap();
        let [train, test] = ["train.svm", "test.svm"].map(|name| folder.path().join(name));
        std::fs::write(&train, "1 9:1\n").unwrap();
        let settings = Svmlight::new().first_index(1);
        let read =
            |path: &Path, settings| Dataset::from_svmlight(path, settings, TargetKind::Values);
        let columns = read(&train, settings).unwrap().inputs().columns();
        let settings = settings.columns(columns);
        std::fs::write(&test, "1 3:1\n").unwrap();
        let found = read(&test, settings).unwrap();
        assert_eq!((columns, found.inputs().columns()), (9, 9));
        assert!(found.dense_inputs().is_err());
        std::fs::write(&test, "1 10:1\n").unwrap();
        let error = read(&test, settings).unwrap_err().to_string();
        assert!(error.contains("index 10: expected at most 9"), "{error}");
        assert!(read(&folder.path().join("none"), settings).is_err());
    }
}
