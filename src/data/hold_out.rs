//! Rows held out for validation.

use super::Dataset;
use crate::{
    error::Error,
    mask::{Domain, Streams, permute},
    memory::reserve,
    nn::Targets,
    tensor::MatrixView,
};

/// The layer of the shuffling stream that chooses rows: layer 0 orders epochs.
const STREAM: u64 = 1;

impl Dataset {
    /// Holds out `rows` rows: returns the rest, to train on, and those rows, to measure the error
    /// on. Both keep the order of the rows.
    ///
    /// The rows are chosen at random. Classes, and bits if there is one per row and all are 0 or 1, are
    /// stratified: a class with n of the N rows gives
    /// `n rows / N` of them, rounded down; the remaining ones are taken, one each, from the classes
    /// with the largest remainders (ties go to the first class). A class's last row is held out
    /// only if there is no other choice. The choice is a pure function of (seed, targets, rows).
    ///
    /// ```
    /// use thinnet::{data::Dataset, tensor::Matrix};
    ///
    /// // Sorted by class, as files often are.
    /// let labels = vec![0, 0, 0, 0, 0, 0, 1, 1, 1];
    /// let data = Dataset::new(Matrix::zeroed(9, 2)?, labels)?;
    /// let (train, held_out) = data.hold_out(3, 1)?;
    /// assert_eq!(train.labels()?, [0, 0, 0, 0, 1, 1]);
    /// assert_eq!(held_out.labels()?, [0, 0, 1]);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// There are fewer rows, or there is not enough memory for the copies.
    pub fn hold_out(&self, rows: usize, seed: u64) -> Result<(Self, Self), Error> {
        let all = self.rows();
        crate::error::at_most("rows to hold out", all, rows)?;
        let strata = Strata::of(self);
        let quotas = self.quotas(rows, strata)?;
        // The rows by class; within a class in a random order.
        let mut order = reserve("row numbers", all)?;
        order.extend(0..all);
        permute(&mut Streams::new(seed, Domain::Shuffling, STREAM, 0).rng(0), &mut order);
        let mut left = quotas;
        let mut held_out = reserve("row numbers", rows)?;
        let mut kept = reserve("row numbers", all - rows)?;
        for row in order {
            let left = &mut left[strata.of_row(row)];
            if *left > 0 {
                *left -= 1;
                held_out.push(row);
            } else {
                kept.push(row);
            }
        }
        kept.sort_unstable();
        held_out.sort_unstable();
        Ok((self.copy(kept.into_iter())?, self.copy(held_out.into_iter())?))
    }

    /// How many rows of each stratum are held out; they add up to `rows`, which must exist.
    fn quotas(&self, rows: usize, strata: Strata<'_>) -> Result<Vec<usize>, Error> {
        let number = strata.number(self);
        let mut counts: Vec<usize> = reserve("class counts", number)?;
        counts.resize(number, 0);
        (0..self.rows()).for_each(|row| counts[strata.of_row(row)] += 1);
        let all = self.rows().max(1) as u128;
        let share = |n: usize| n as u128 * rows as u128;
        let mut quotas = reserve("class counts", counts.len())?;
        quotas.extend(counts.iter().map(|&n| (share(n) / all) as usize));
        let mut missing = rows - quotas.iter().sum::<usize>();
        let mut others = reserve("class counts", counts.len())?;
        others.extend(0..counts.len());
        // The sort is stable: ties keep their order.
        others.sort_by_key(|&class| {
            let last = counts[class] == quotas[class] + 1;
            (last, std::cmp::Reverse(share(counts[class]) % all))
        });
        for class in others {
            if missing > 0 && counts[class] > quotas[class] {
                quotas[class] += 1;
                missing -= 1;
            }
        }
        Ok(quotas)
    }
}

/// What the rows are stratified by.
#[derive(Clone, Copy)]
enum Strata<'a> {
    Classes(&'a [u32]),
    Bits(MatrixView<'a>),
    /// All rows are alike.
    One,
}

impl<'a> Strata<'a> {
    fn of(data: &'a Dataset) -> Self {
        match data.targets() {
            Targets::Classes(labels) => Self::Classes(labels),
            Targets::Binary(bits)
                if bits.columns() == 1 && bits.iter().all(|bit| bit[0].fract() == 0.0) =>
            {
                Self::Bits(bits)
            }
            _ => Self::One,
        }
    }

    fn number(self, data: &Dataset) -> usize {
        match self {
            Self::Classes(_) => data.classes(),
            Self::Bits(_) => 2,
            Self::One => 1,
        }
    }

    fn of_row(self, row: usize) -> usize {
        match self {
            Self::Classes(labels) => labels[row] as usize,
            Self::Bits(bits) => usize::from(bits.at(row)[0] > 0.5),
            Self::One => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::OwnedTargets, tensor::Matrix};

    fn data(counts: &[usize]) -> Dataset {
        let labels: Vec<u32> =
            (0..).zip(counts).flat_map(|(class, &n)| std::iter::repeat_n(class, n)).collect();
        let numbers: Vec<f32> = (0..labels.len()).map(|row| row as f32).collect();
        let inputs = Matrix::from_rows(&numbers, labels.len(), 1).unwrap();
        Dataset::new(inputs, labels).unwrap()
    }

    fn counts(data: &Dataset) -> Vec<usize> {
        (0..data.classes())
            .map(|c| data.labels().unwrap().iter().filter(|&&l| l as usize == c).count())
            .collect()
    }

    #[test]
    fn every_class_gives_its_share() {
        for (of, rows, held_out) in [
            (vec![60, 30, 10], 10, vec![6, 3, 1]),
            (vec![60, 30, 10], 100, vec![60, 30, 10]),
            (vec![60, 30, 10], 0, vec![0, 0, 0]),
            // Shares 1.5, 0.75, 0.75: each would lose its last row.
            (vec![2, 1, 1], 3, vec![1, 1, 1]),
            // Shares 1.7, 0.86, 0.43.
            (vec![4, 2, 1], 3, vec![2, 1, 0]),
            (vec![5, 0, 5], 3, vec![2, 0, 1]),
            (vec![1, 1, 1, 1], 2, vec![1, 1, 0, 0]),
        ] {
            let (train, test) = data(&of).hold_out(rows, 3).unwrap();
            assert_eq!(counts(&test), held_out, "{of:?}");
            let rest: Vec<_> = of.iter().zip(&held_out).map(|(n, held)| n - held).collect();
            assert_eq!(counts(&train), rest, "{of:?}");
            assert_eq!(train.classes(), test.classes());
        }
        assert!(data(&[2, 2]).hold_out(5, 0).is_err());
    }

    #[test]
    fn each_row_is_in_one_of_the_two_with_its_label() {
        let data = data(&[50, 30, 20]);
        let numbers = |data: &Dataset| -> Vec<usize> {
            (0..data.rows())
                .map(|row| data.dense_inputs().unwrap().row(row).unwrap()[0] as usize)
                .collect()
        };
        let (train, test) = data.hold_out(30, 1).unwrap();
        for part in [&train, &test] {
            assert!(numbers(part).is_sorted());
            for (number, label) in numbers(part).into_iter().zip(part.labels().unwrap()) {
                assert_eq!(data.labels().unwrap()[number], *label);
            }
        }
        let mut all = [numbers(&train), numbers(&test)].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
        assert_eq!(numbers(&data.hold_out(30, 1).unwrap().1), numbers(&test));
        assert_ne!(numbers(&data.hold_out(30, 2).unwrap().1), numbers(&test));
    }

    #[test]
    fn values_and_bits_are_held_out_with_their_weights() {
        let rows = 40;
        let numbers: Vec<f32> = (0..rows).map(|row| row as f32).collect();
        let inputs = Matrix::from_rows(&numbers, rows, 1).unwrap();
        let weights: Vec<f64> = (0..rows).map(|row| 2.0 * row as f64).collect();
        // One bit in four is set.
        let bits: Vec<f32> = (0..rows).map(|row| f32::from(u8::from(row % 4 == 0))).collect();
        let bits = Matrix::from_rows(&bits, rows, 1).unwrap();
        for targets in [OwnedTargets::Values(inputs.clone()), OwnedTargets::Binary(bits)] {
            let data = Dataset::new(inputs.clone(), targets).unwrap();
            let data = data.with_weights(weights.clone()).unwrap();
            let (train, test) = data.hold_out(8, 5).unwrap();
            assert_eq!((train.rows(), test.rows()), (32, 8));
            for part in [&train, &test] {
                for row in 0..part.rows() {
                    let number = part.dense_inputs().unwrap().row(row).unwrap()[0];
                    assert_eq!(part.weights().unwrap()[row], 2.0 * f64::from(number));
                    match part.targets() {
                        Targets::Values(values) => assert_eq!(values.at(row), [number]),
                        Targets::Binary(bits) => {
                            assert_eq!(bits.at(row)[0] == 1.0, (number as usize).is_multiple_of(4));
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            if let Targets::Binary(bits) = test.targets() {
                assert_eq!(bits.iter().map(|bit| bit[0]).sum::<f32>(), 2.0, "stratified");
            }
        }
    }
}
