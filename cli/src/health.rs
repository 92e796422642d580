//! Signs that a training does not go well, and what to do about them.

use thinnet::{Error, data::Dataset};

use crate::plan::Plan;

/// Steps between two checks of the units.
const STEPS_BETWEEN_CHECKS: usize = 10;

/// Consecutive checks that must find a layer silent before a warning.
const CHECKS: usize = 2;

/// Units times rows that have to be seen silent: where one in 100 is active, chance
/// alone silences so many with probability e^-10.
const MIN_UNIT_ROWS: usize = 1000;

/// Larger absolute inputs are the first thing to suspect.
const LARGE_INPUT: f32 = 10.0;

/// No learning rate suits larger inputs: gradients grow with their square.
const MAX_TRAINABLE_INPUT: f32 = 1e6;

/// The loss of the first batch of a network as it is initialised is a few times that of
/// equal probabilities, where the inputs are of the usual size.
const MAX_FIRST_LOSS: f64 = 10.0;

/// What is watched.
pub struct Health<'a> {
    plan: &'a Plan,
    /// The loss of equal probabilities for all classes.
    chance_loss: f64,
    /// The largest absolute input, and its column.
    largest: (f32, usize),
    silence: Silence,
}

/// Consecutive checks that found all units of a hidden layer inactive.
#[derive(Clone, Copy, Default)]
struct Silence {
    checks: usize,
    /// Its units times the rows of those checks' batches.
    unit_rows: usize,
    layer: usize,
    warned: bool,
}

impl<'a> Health<'a> {
    /// Of a training of `plan` on these rows.
    pub fn new(plan: &'a Plan, train: &Dataset) -> Self {
        let mut largest = (0.0, 0);
        for row in 0..train.rows() {
            let row = train.inputs().row(row).unwrap_or_default();
            for (column, x) in row.iter().enumerate() {
                if x.abs() > largest.0 {
                    largest = (x.abs(), column);
                }
            }
        }
        let chance_loss = (train.classes().max(2) as f64).ln();
        Self { plan, chance_loss, largest, silence: Silence::default() }
    }

    /// After the first step of all, with its batch's mean loss: a warning where raw
    /// numbers make it far larger than any guess would.
    pub fn after_first(&self, loss: f32) -> Option<String> {
        let is_large = f64::from(loss) > MAX_FIRST_LOSS * self.chance_loss;
        (is_large && self.has_large_inputs()).then(|| {
            format!(
                "warning: the first batch's loss is {loss:?}, where equal probabilities for all classes \
                 have {:.2}: {}",
                self.chance_loss,
                self.scaling()
            )
        })
    }

    /// After step `step` of an epoch of `of_epoch`, whose batch had `rows` rows, with the
    /// active part of each layer's inputs in it: a warning, once, where a hidden layer
    /// stays without an active unit in any row.
    pub fn after(
        &mut self,
        (step, of_epoch): (usize, usize),
        rows: usize,
        densities: impl FnOnce() -> Vec<f64>,
    ) -> Option<String> {
        let is_check = (step + 1).is_multiple_of(STEPS_BETWEEN_CHECKS) || step + 1 == of_epoch;
        if !is_check || self.silence.warned {
            return None;
        }
        // The first are those of the inputs.
        let silent = densities().iter().skip(1).position(|&density| density == 0.0);
        let Some(layer) = silent else {
            self.silence = Silence::default();
            return None;
        };
        let units = self.plan.hidden.get(layer).copied().unwrap_or_default();
        let before = Some(self.silence).filter(|before| before.layer == layer).unwrap_or_default();
        let checks = before.checks + 1;
        let unit_rows = before.unit_rows.saturating_add(units.saturating_mul(rows));
        let warned = checks >= CHECKS && unit_rows >= MIN_UNIT_ROWS;
        self.silence = Silence { checks, unit_rows, layer, warned };
        warned.then(|| self.of_silence(layer))
    }

    fn of_silence(&self, layer: usize) -> String {
        let advice = if self.has_large_inputs() {
            format!("{}, then train anew", self.scaling())
        } else {
            format!("{} may keep them alive", self.smaller_rate())
        };
        format!(
            "warning: every unit of hidden layer {} is 0 for every row, so the network gives all rows \
             the same answer: {advice}",
            layer + 1
        )
    }

    /// The error that ended a training, with what to do about it.
    pub fn explain(&self, error: Error) -> anyhow::Error {
        // The first loss is that of the network before any update.
        let is_first = matches!(error, Error::NonFiniteLoss { step: 0, .. });
        let advice = match error {
            Error::NonFiniteLoss { .. } | Error::NonFiniteParameters { .. } => {
                self.advice(is_first)
            }
            _ => return error.into(),
        };
        anyhow::anyhow!("training diverged, no model is written: {error}; {advice}")
    }

    fn advice(&self, is_first: bool) -> String {
        match (self.has_large_inputs(), is_first) {
            (true, false) if self.largest.0 <= MAX_TRAINABLE_INPUT => {
                format!("{}, or try {}", self.scaling(), self.smaller_rate())
            }
            (true, _) => self.scaling(),
            (false, true) => {
                "the network overflows as it is initialised: try fewer layers or another \
                 --initialisation"
                    .to_owned()
            }
            (false, false) => format!("try {}", self.smaller_rate()),
        }
    }

    fn has_large_inputs(&self) -> bool {
        self.largest.0 > LARGE_INPUT
    }

    fn smaller_rate(&self) -> String {
        // `{:?}` prints 1e30 as such, not its 31 digits.
        format!("a --learning-rate below {:?}", self.plan.learning_rate)
    }

    fn scaling(&self) -> String {
        let (largest, column) = self.largest;
        let missing = if largest > MAX_TRAINABLE_INPUT {
            "; where such a number stands for a missing value, replace it first"
        } else {
            ""
        };
        format!(
            "the inputs reach {largest:?} (column {column}): scale them, such as each column to mean 0 \
             and standard deviation 1{missing}"
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use thinnet::tensor::Matrix;

    use super::*;

    #[derive(Parser)]
    struct Train {
        #[command(flatten)]
        arguments: crate::train::Arguments,
    }

    fn plan(hidden: &str) -> Plan {
        Train::parse_from(["train", "--hidden", hidden]).arguments.plan().unwrap()
    }

    fn health(plan: &Plan, largest: f32) -> Health<'_> {
        let inputs = Matrix::from_rows(&[0.5, -largest, 0.0, 1.0], 2, 2).unwrap();
        Health::new(plan, &Dataset::new(inputs, vec![0, 1]).unwrap())
    }

    #[test]
    fn a_silent_layer_is_told_once_and_only_where_it_stays_silent() {
        let plan = plan("32,32,32");
        let mut health = health(&plan, 5000.0);
        let mut checks = 0;
        let mut after = |step, hidden: f64| {
            health.after((step, 1000), 128, || {
                checks += 1;
                vec![0.7, 0.2, hidden, 0.3]
            })
        };
        assert_eq!(after(8, 0.0), None);
        assert_eq!(after(9, 0.0), None);
        assert_eq!(after(19, 0.1), None);
        assert_eq!(after(29, 0.0), None);
        let warning = after(39, 0.0).unwrap();
        assert!(warning.contains("hidden layer 2") && warning.contains("reach 5000.0 (column 1)"));
        assert_eq!(after(49, 0.0), None);
        assert_eq!(checks, 4);
    }

    #[test]
    fn a_short_epoch_is_looked_at_too() {
        let plan = plan("32");
        let mut health = health(&plan, 1.0);
        assert_eq!(health.after((2, 3), 128, || vec![1.0, 0.0]), None);
        let warning = health.after((2, 3), 128, || vec![1.0, 0.0]).unwrap();
        assert!(warning.contains("--learning-rate below 0.1 "), "{warning}");
    }

    /// Few units and rows are all masked by chance.
    #[test]
    fn few_units_and_rows_have_to_be_silent_for_longer() {
        let plan = plan("4");
        let mut health = health(&plan, 1.0);
        let warned = (0..2600)
            .find(|&step| health.after((step, usize::MAX), 1, || vec![1.0, 0.0]).is_some());
        assert_eq!(warned, Some(250 * STEPS_BETWEEN_CHECKS - 1));
    }

    #[test]
    fn a_first_loss_far_above_that_of_a_guess_is_told_with_the_inputs() {
        let plan = plan("32");
        let warned = |largest, loss| health(&plan, largest).after_first(loss);
        let warning = warned(5000.0, 490.0).unwrap();
        assert!(
            warning.contains("490.0, where") && warning.contains("0.69: the inputs reach 5000.0")
        );
        assert_eq!(warned(5000.0, 3.0), None);
        assert_eq!(warned(1.0, 490.0), None);
    }

    #[test]
    fn the_advice_is_about_what_was_the_cause() {
        let plan = plan("32");
        let advice = |largest, is_first| health(&plan, largest).advice(is_first);
        assert_eq!(advice(1.0, false), "try a --learning-rate below 0.1");
        assert!(advice(1.0, true).contains("--initialisation"));
        for is_first in [false, true] {
            let hopeless = advice(1e20, is_first);
            assert!(hopeless.contains("scale") && !hopeless.contains("rate"), "{hopeless}");
        }
        assert!(advice(200.0, false).contains("scale") && advice(200.0, false).contains("rate"));
    }
}
