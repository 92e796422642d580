//! What a network has to beat: always the same answer.

use serde::Serialize;
use thinnet::{Error, data::Dataset};

use crate::progress::percent;

/// How often the most frequent class of some rows is wrong on others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// The class; the smallest of equally frequent ones.
    pub class: usize,
    /// Rows that have another.
    pub wrong: usize,
    /// The same as a part of all rows.
    pub error: f64,
}

impl Baseline {
    /// The most frequent class of `train`, as the answer to every row of `test`.
    ///
    /// # Errors
    /// There is no memory for a number for each class.
    pub fn new(train: &Dataset, test: &Dataset) -> Result<Self, Error> {
        let counts = train.class_counts()?;
        // The last of equal maxima, so the smallest class first.
        let most = (0..counts.len()).rev().max_by_key(|&class| counts[class]);
        let class = most.unwrap_or_default();
        let right = test.labels().iter().filter(|&&label| label as usize == class).count();
        let wrong = test.rows() - right;
        Ok(Self { class, wrong, error: wrong as f64 / test.rows().max(1) as f64 })
    }

    /// What stands beside the network's error.
    pub fn text(&self) -> String {
        format!("{} (always class {})", percent(self.error), self.class)
    }

    /// What has to be said of a network that gets `wrong` rows wrong, where it is no
    /// better. One without errors needs no excuse: rows of one class are no test.
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
    fn the_class_is_that_of_the_known_rows() {
        let baseline = Baseline::new(&data(&[2, 2, 1, 0]), &data(&[2, 1, 1, 1])).unwrap();
        assert_eq!(baseline, Baseline { class: 2, wrong: 3, error: 0.75 });
        assert_eq!(baseline.text(), "75.00 % (always class 2)");
        assert!(baseline.warning(3).is_some() && baseline.warning(2).is_none());
        let one_class = Baseline::new(&data(&[1]), &data(&[1])).unwrap();
        assert!(one_class.warning(1).is_some() && one_class.warning(0).is_none());
        // The smallest of equally frequent ones.
        assert_eq!(Baseline::new(&data(&[3, 1, 1, 3]), &data(&[1])).unwrap().class, 1);
    }
}
