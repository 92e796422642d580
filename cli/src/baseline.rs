//! The baseline that a network has to beat: the same class for every row.

use serde::Serialize;
use thinnet::{Error, data::Dataset};

use crate::progress::percent;

/// The error of predicting the most frequent class of one set of rows for all rows of another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// The most frequent class; of several, the smallest.
    pub class: usize,
    /// The number of rows of another class.
    pub wrong: usize,
    /// The same as a fraction of all rows.
    pub error: f64,
}

impl Baseline {
    /// Measures the most frequent class of `train` as the prediction for every row of `test`.
    ///
    /// # Errors
    /// The targets are not classes, or their counts cannot be allocated.
    pub fn new(train: &Dataset, test: &Dataset) -> Result<Self, Error> {
        let counts = train.class_counts()?;
        // `max_by_key` returns the last of equal maxima, hence the reversed order.
        let most = (0..counts.len()).rev().max_by_key(|&class| counts[class]);
        let class = most.unwrap_or_default();
        let right = test.labels()?.iter().filter(|&&label| label as usize == class).count();
        let wrong = test.rows() - right;
        Ok(Self { class, wrong, error: wrong as f64 / test.rows().max(1) as f64 })
    }

    /// Returns the text that is printed next to the network's error.
    pub fn text(&self) -> String {
        format!("{} (always class {})", percent(self.error), self.class)
    }

    /// Returns a warning if a network that gets `wrong` rows wrong is no better than the baseline. A
    /// network without errors gets none: if all rows have one class, both are always right.
    pub fn warning(&self, wrong: usize) -> Option<String> {
        (wrong > 0 && wrong >= self.wrong).then(|| {
            format!("warning: the network is no better than always answering class {}", self.class)
        })
    }
}

#[cfg(test)]
mod tests {
    use thinnet::tensor::Matrix;

    use super::*;

    fn data(labels: &[u32]) -> Dataset {
        Dataset::new(Matrix::zeroed(labels.len(), 1).unwrap(), labels.to_vec()).unwrap()
    }

    #[test]
    fn the_class_is_the_most_frequent_of_the_training_rows() {
        let baseline = Baseline::new(&data(&[2, 2, 1, 0]), &data(&[2, 1, 1, 1])).unwrap();
        assert_eq!(baseline, Baseline { class: 2, wrong: 3, error: 0.75 });
        assert_eq!(baseline.text(), "75.00 % (always class 2)");
        assert!(baseline.warning(3).is_some() && baseline.warning(2).is_none());
        let one_class = Baseline::new(&data(&[1]), &data(&[1])).unwrap();
        assert!(one_class.warning(1).is_some() && one_class.warning(0).is_none());
        // Of equally frequent classes, the smallest.
        assert_eq!(Baseline::new(&data(&[3, 1, 1, 3]), &data(&[1])).unwrap().class, 1);
    }
}
