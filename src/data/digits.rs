//! The handwritten digits of `thinnet-digits` (feature `digits`).

use std::path::Path;

use thinnet_digits::{File, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS};

use super::{Dataset, Split, source::Source};
use crate::error::Error;

impl Dataset {
    /// Real MNIST, 8-bit exact, with its canonical split kept: the first 8,000 training digits, and
    /// every fifth of the 10,000 test digits (the first half of that set is easier than the
    /// second). They are read by the same reader as a user's files.
    ///
    /// Credit: Yann LeCun, Corinna Cortes and Christopher Burges; commonly listed as CC BY-SA 3.0.
    /// See `NOTICE` in the package `thinnet-digits`.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn digits(split: Split) -> Result<Self, Error> {
        let [images, labels] = match split {
            Split::Train => [TRAIN_IMAGES, TRAIN_LABELS],
            Split::Test => [TEST_IMAGES, TEST_LABELS],
        }
        .map(|File { name, bytes }| Source::of_bytes(bytes, Some(Path::new(name))));
        Self::from_idx(images, || Ok(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_digits_are_whole() {
        for (split, rows, first) in
            [(Split::Train, 8000, [5, 0, 4, 1, 9]), (Split::Test, 2000, [7, 1, 0, 5, 9])]
        {
            let digits = Dataset::digits(split).unwrap();
            assert_eq!((digits.rows(), digits.inputs().columns()), (rows, 784));
            assert_eq!(digits.classes(), 10);
            // The canonical sets begin with 5 0 4 1 9, and 7 2 1 0 4 1 4 9 5 9 0 6 9 0 1 5 9 7 3 4
            // 9, of which every fifth is 7 1 0 5 9.
            assert_eq!(digits.labels().unwrap()[..5], first);
        }
    }
}
