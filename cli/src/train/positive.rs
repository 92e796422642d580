//! The weight of the ones of each bit: the value of `--positive-weight`.

use std::{fmt, str::FromStr};

use serde::Serialize;
use thinnet::{data::Dataset, nn::Targets};

use crate::numbers;

/// The weights of the ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(into = "String")]
pub enum PositiveWeight {
    /// The ones of each bit count as much as its zeros.
    Balanced,
    /// The same for all bits.
    Number(f64),
}

impl FromStr for PositiveWeight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Balanced);
        }
        let number = numbers::above_zero(text);
        number.map(Self::Number).map_err(|expected| format!("{expected}, or balanced"))
    }
}

impl From<PositiveWeight> for String {
    fn from(weight: PositiveWeight) -> Self {
        weight.to_string()
    }
}

impl fmt::Display for PositiveWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balanced => f.write_str("balanced"),
            Self::Number(weight) => weight.fmt(f),
        }
    }
}

impl PositiveWeight {
    /// Returns the weight for each of so many bits: for `balanced`, the number of zeros among the training
    /// rows divided by that of ones, where rows count by their weights.
    ///
    /// # Errors
    /// A bit is the same in all rows, so that nothing balances it.
    pub fn of(self, train: &Dataset, bits: usize) -> anyhow::Result<Vec<f64>> {
        if let Self::Number(weight) = self {
            return Ok(vec![weight; bits]);
        }
        let mut sums = vec![[0.0; 2]; bits];
        if let Targets::Binary(targets) = train.targets() {
            for (row, targets) in targets.iter().enumerate() {
                let weight = train.weights().map_or(1.0, |weights| weights[row]);
                for ([zeros, ones], &bit) in sums.iter_mut().zip(targets) {
                    *zeros += weight * (1.0 - f64::from(bit));
                    *ones += weight * f64::from(bit);
                }
            }
        }
        if let Some(bit) = sums.iter().position(|&[zeros, ones]| zeros == 0.0 || ones == 0.0) {
            let value = u8::from(sums[bit][0] == 0.0);
            anyhow::bail!(
                "--positive-weight balanced: bit {bit} (numbered from 0) is {value} in every training row: \
                 expected both values"
            );
        }
        Ok(sums.iter().map(|[zeros, ones]| zeros / ones).collect())
    }
}

#[cfg(test)]
mod tests {
    use thinnet::{data::OwnedTargets, tensor::Matrix};

    use super::*;

    #[test]
    fn balanced_bits_count_the_same() {
        let bits = [1.0, 0.0, 0.0, 0.25, 0.0, 1.0, 0.0, 0.75];
        let targets = OwnedTargets::Binary(Matrix::from_rows(&bits, 4, 2).unwrap());
        let rows = Dataset::new(Matrix::zeroed(4, 1).unwrap(), targets).unwrap();
        assert_eq!(PositiveWeight::Balanced.of(&rows, 2).unwrap(), [3.0, 1.0]);
        assert_eq!(PositiveWeight::Number(2.5).of(&rows, 2).unwrap(), [2.5, 2.5]);
        // The row with the one counts three times.
        let rows = rows.with_weights(vec![3.0, 1.0, 0.0, 0.0]).unwrap();
        assert_eq!(PositiveWeight::Balanced.of(&rows, 2).unwrap(), [1.0 / 3.0, 15.0]);
        let rows = rows.with_weights(vec![0.0, 1.0, 1.0, 0.0]).unwrap();
        let error = PositiveWeight::Balanced.of(&rows, 2).unwrap_err().to_string();
        assert!(error.contains("bit 0 (numbered from 0) is 0 in every training row"), "{error}");
    }

    #[test]
    fn weights_are_written_as_they_are_read() {
        for text in ["balanced", "2.5"] {
            assert_eq!(text.parse::<PositiveWeight>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "NaN", "inf", "w.txt", ""] {
            let error = text.parse::<PositiveWeight>().unwrap_err();
            assert!(error.ends_with("3.4e38, or balanced"), "{error}");
        }
    }
}
