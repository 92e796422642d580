//! The result of the demo in one sentence, whichever network was better.

use crate::{
    fit::{Trained, error_rate},
    progress::percent,
};

/// The rows on which two networks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pairs {
    /// Rows that only the network without dropout gets right.
    only_without: usize,
    /// Rows that only the network with dropout gets right.
    only_with: usize,
}

impl Pairs {
    /// Counts them, given the rows that each gets wrong, in ascending order.
    fn count(without: &[usize], with: &[usize]) -> Self {
        let not_in = |rows: &[usize], others: &[usize]| {
            rows.iter().filter(|row| others.binary_search(row).is_err()).count()
        };
        Self { only_without: not_in(with, without), only_with: not_in(without, with) }
    }

    /// Whether the two counts differ by more than two standard deviations of fair coin tosses
    /// (McNemar's test).
    fn beyond_chance(self) -> bool {
        let difference = self.only_with.abs_diff(self.only_without);
        difference * difference > 4 * (self.only_with + self.only_without)
    }
}

/// Returns the sentence.
pub fn sentence(without: &Trained, with: &Trained) -> String {
    let pairs = Pairs::count(&without.evaluation.wrong, &with.evaluation.wrong);
    let outcome = outcome(pairs, with.evaluation.rows);
    format!(
        "After the same {} updates from the same seed, the network trained with dropout {outcome} \
         ({} instead of {}), and its median step took {:.2} ms instead of {:.2} ms.",
        with.steps,
        percent(error_rate(&with.evaluation)),
        percent(error_rate(&without.evaluation)),
        with.step_ms_median().unwrap_or(f64::NAN),
        without.step_ms_median().unwrap_or(f64::NAN),
    )
}

/// Returns the part of the sentence that compares the errors.
fn outcome(pairs: Pairs, rows: usize) -> String {
    let (with, without) = (pairs.only_with, pairs.only_without);
    let (count, word) = match with.cmp(&without) {
        std::cmp::Ordering::Equal => {
            return format!(
                "got exactly as many of the {rows} test digits wrong as the one without"
            );
        }
        std::cmp::Ordering::Greater => (with - without, "fewer"),
        std::cmp::Ordering::Less => (without - with, "more"),
    };
    let chance = if pairs.beyond_chance() {
        "more than chance would explain for these two networks"
    } else {
        "which chance alone could explain"
    };
    format!("got {count} {word} of the {rows} test digits wrong than the one without, {chance}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_rows_that_only_one_network_gets_right() {
        let pairs = Pairs::count(&[1, 3, 5], &[3, 8, 9]);
        assert_eq!(pairs, Pairs { only_without: 2, only_with: 2 });
        assert_eq!(Pairs::count(&[], &[4]), Pairs { only_without: 1, only_with: 0 });
    }

    #[test]
    fn the_sentence_fits_every_outcome() {
        let outcome = |only_without, only_with| outcome(Pairs { only_without, only_with }, 2000);
        assert!(
            outcome(20, 40).contains("20 fewer") && outcome(20, 40).contains("more than chance")
        );
        assert!(outcome(20, 25).contains("5 fewer") && outcome(20, 25).contains("could explain"));
        assert!(
            outcome(40, 20).contains("20 more") && outcome(40, 20).contains("more than chance")
        );
        assert!(outcome(7, 7).contains("exactly as many"));
    }
}
