//! What the demo showed, in one sentence, whatever came out.

use thinnet::{
    Error,
    data::{Batch, Dataset},
    predict::Predictor,
};

use crate::{fit::Fit, progress::percent, recipe};

/// How two networks did on the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pairs {
    /// Rows that only the network without dropout gets right.
    only_without: usize,
    /// Rows that only the network with dropout gets right.
    only_with: usize,
}

impl Pairs {
    /// Counts them on the test rows.
    fn count(without: &Predictor, with: &Predictor, test: &Dataset) -> Result<Self, Error> {
        let (without, with) = (right(without, test)?, right(with, test)?);
        let mut pairs = Self { only_without: 0, only_with: 0 };
        for (without, with) in without.into_iter().zip(with) {
            pairs.only_without += usize::from(without && !with);
            pairs.only_with += usize::from(with && !without);
        }
        Ok(pairs)
    }

    /// Whether the two counts differ by more than two standard deviations of
    /// fair coin tosses (McNemar's test).
    fn beyond_chance(self) -> bool {
        let difference = self.only_with.abs_diff(self.only_without);
        difference * difference > 4 * (self.only_with + self.only_without)
    }
}

/// For each row whether the network's most probable class is its label.
fn right(predictor: &Predictor, data: &Dataset) -> Result<Vec<bool>, Error> {
    let mut workspace = predictor.workspace(recipe::EVALUATION_BATCH)?;
    let mut right = Vec::with_capacity(data.rows());
    let order: Vec<u32> = (0..data.rows() as u32).collect();
    for chosen in order.chunks(recipe::EVALUATION_BATCH) {
        let batch = Batch::gather(data.inputs(), chosen)?;
        let predictions = predictor.predict(&batch, &mut workspace)?;
        for (row, &index) in chosen.iter().enumerate() {
            let p = predictions.row(row)?;
            let best = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
            right.push(best == data.labels()[index as usize] as usize);
        }
    }
    Ok(right)
}

/// The sentence.
///
/// # Errors
/// As [`Predictor::predict`].
pub fn sentence(without: &Fit, with: &Fit, test: &Dataset) -> Result<String, Error> {
    let pairs = Pairs::count(&without.predictor, &with.predictor, test)?;
    let outcome = outcome(pairs, test.rows());
    Ok(format!(
        "After the same {} updates from the same seed, the network trained with dropout {outcome} \
         ({} instead of {}), and its median step took {:.2} ms instead of {:.2} ms.",
        with.steps,
        percent(with.evaluation.error()),
        percent(without.evaluation.error()),
        with.step_ms_median,
        without.step_ms_median,
    ))
}

/// What the comparison of the errors says.
fn outcome(pairs: Pairs, rows: usize) -> String {
    let (with, without) = (pairs.only_with, pairs.only_without);
    let (count, word) = match with.cmp(&without) {
        std::cmp::Ordering::Equal => {
            return format!("got exactly as many of {rows} test digits wrong as the one without");
        }
        std::cmp::Ordering::Greater => (with - without, "fewer"),
        std::cmp::Ordering::Less => (without - with, "more"),
    };
    let chance = if pairs.beyond_chance() {
        "more than chance explains for these two networks"
    } else {
        "which chance alone could explain"
    };
    format!("got {count} {word} of {rows} test digits wrong than the one without, {chance}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_told_as_it_is() {
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
