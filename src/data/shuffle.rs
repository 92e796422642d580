//! The order of rows in an epoch.

use crate::mask::{Domain, Streams, permute};

/// Overwrites `order` with the order of an epoch's rows: the numbers 0 to n - 1, shuffled. It is a
/// pure function of (seed, epoch, n): a Fisher-Yates shuffle from the last place down, with
/// unbiased draws by Lemire's method (2019), from the shuffling stream with step = epoch.
///
/// [`Batches`](super::Batches) use this order; call it yourself for rows that are stored elsewhere.
///
/// ```
/// let mut order = [0; 5];
/// thinnet::data::epoch_order(7, 0, &mut order);
/// assert_ne!(order, [0, 1, 2, 3, 4]);
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
pub fn epoch_order(seed: u64, epoch: u64, order: &mut [u32]) {
    for (place, row) in order.iter_mut().enumerate() {
        *row = place as u32;
    }
    permute(&mut Streams::new(seed, Domain::Shuffling, 0, epoch).rng(0), order);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_once_and_epochs_differ() {
        for n in [0, 1, 2, 1000] {
            let mut order = vec![0; n];
            epoch_order(5, 1, &mut order);
            let first = order.clone();
            order.sort_unstable();
            assert!(order.iter().enumerate().all(|(i, &row)| row as usize == i));
            epoch_order(5, 1, &mut order);
            assert_eq!(order, first);
            epoch_order(5, 2, &mut order);
            assert!(n < 1000 || order != first);
        }
    }

    #[test]
    fn every_order_is_as_likely_as_the_others() {
        // 6 orders of 3 rows, 6000 epochs: chi-square with 5 degrees of
        // freedom passes 20.5 with probability 0.999.
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            let mut order = [0; 3];
            epoch_order(1, epoch, &mut order);
            *counts.entry(order).or_insert(0.0) += 1.0;
        }
        let chi: f64 = counts.values().map(|n: &f64| (n - 1000.0).powi(2) / 1000.0).sum();
        assert!(counts.len() == 6 && chi < 20.5, "{chi}");
    }
}
