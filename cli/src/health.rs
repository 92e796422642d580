//! Warnings and advice for a run that goes badly.

use thinnet::{
    Error,
    data::{Dataset, Inputs},
    nn::{Loss, Targets},
};

use crate::{loss::has_classes, plan::Plan};

/// Steps between two checks of the units.
const STEPS_BETWEEN_CHECKS: usize = 10;

/// The number of consecutive checks that must find a layer silent before a warning.
const CHECKS: usize = 2;

/// Units times rows that must be silent before a warning: if one in 100 is active, all of these are
/// silent by chance with probability e^-10.
const MIN_UNIT_ROWS: usize = 1000;

/// Absolute inputs above this are the first suspect.
const LARGE_INPUT: f32 = 10.0;

/// Targets above this are the next suspect: the first gradients grow with them.
const LARGE_TARGET: f32 = 10.0;

/// No learning rate suits absolute inputs above this: gradients grow with their square.
const MAX_TRAINABLE_INPUT: f32 = 1e6;

/// A first loss above this multiple of the loss of equal probabilities is suspicious: with inputs of
/// the usual size, a newly initialised network has only a few times that loss.
const MAX_FIRST_LOSS: f64 = 10.0;

/// Watches a run.
pub struct Health<'a> {
    plan: &'a Plan,
    /// The loss of equal probabilities for all classes, if there are classes.
    chance_loss: Option<f64>,
    /// What is wrong with the targets, if they are large.
    large_targets: Option<String>,
    /// The largest absolute input and its column.
    largest: (f32, usize),
    silence: Silence,
}

/// Returns the largest absolute number and its column.
fn largest(inputs: Inputs<'_>) -> (f32, usize) {
    let mut largest = (0.0, 0);
    let mut look = |column: usize, x: f32| {
        if x.abs() > largest.0 {
            largest = (x.abs(), column);
        }
    };
    match inputs {
        Inputs::Dense(rows) => {
            for row in rows.iter() {
                row.iter().enumerate().for_each(|(column, &x)| look(column, x));
            }
        }
        Inputs::Sparse(rows) => {
            for (columns, values) in (0..rows.rows()).flat_map(|row| rows.row(row)) {
                columns.iter().zip(values).for_each(|(&column, &x)| look(column as usize, x));
            }
        }
        _ => {}
    }
    largest
}

/// Returns the advice to scale the targets, if they are values that are far from the outputs of an untrained
/// network. Counts cannot be scaled.
pub fn large_targets(loss: Loss, train: &Dataset) -> Option<String> {
    let Targets::Values(values) = train.targets() else { return None };
    let (target, column) = largest(values.into());
    (target > LARGE_TARGET && loss != Loss::Poisson).then(|| {
        format!(
            "the targets reach {target:?} (column {column}): scale them, for example to mean 0 and standard \
             deviation 1"
        )
    })
}

/// Consecutive checks that found all units of a hidden layer inactive.
#[derive(Clone, Copy, Default)]
struct Silence {
    checks: usize,
    /// The layer's units times the rows of the batches in those checks.
    unit_rows: usize,
    layer: usize,
    warned: bool,
}

impl<'a> Health<'a> {
    /// Watches a run of `plan` on these rows.
    pub fn new(plan: &'a Plan, train: &Dataset) -> Self {
        let largest = largest(train.inputs());
        let chance_loss = has_classes(plan.loss).then(|| (train.classes().max(2) as f64).ln());
        let large_targets = large_targets(plan.loss, train);
        Self { plan, chance_loss, large_targets, largest, silence: Silence::default() }
    }

    /// To be called after the first step of the run, with the mean loss of its batch. Returns a
    /// warning if large inputs make this loss far larger than that of a guess.
    pub fn after_first(&self, loss: f32) -> Option<String> {
        let chance_loss = self.chance_loss?;
        let is_large = f64::from(loss) > MAX_FIRST_LOSS * chance_loss;
        (is_large && self.has_large_inputs()).then(|| {
            format!(
                "warning: the loss of the first batch is {loss:?}, far above the {:.2} that equal \
                 probabilities for all classes would give, because {}",
                chance_loss,
                self.scaling()
            )
        })
    }

    /// To be called after step `step` of an epoch of `of_epoch` steps, whose batch had `rows` rows;
    /// `densities` are the active fractions of each layer's inputs. Returns a warning, once, if no
    /// unit of a hidden layer has been active in any row for some time.
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
        // The first density is that of the network's inputs.
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
            format!("{}, then train again", self.scaling())
        } else {
            format!("{} may keep the units active", self.smaller_rate())
        };
        format!(
            "warning: every unit of layer {layer} (numbered from 0) is 0 for every row, so the network \
             predicts the same for all rows: {advice}"
        )
    }

    /// Adds advice to the error that ended a run.
    pub fn explain(&self, error: Error) -> anyhow::Error {
        let diverged = "training diverged, and no model was written";
        // Without the advice of the library's messages, which cannot know the inputs.
        let (is_first, cause) = match &error {
            // Computed before any update, so nothing has diverged.
            Error::NonFiniteLoss { step: 0, loss } => (
                true,
                format!(
                    "training cannot start, and no model was written: the loss of the first batch \
                     is {loss}"
                ),
            ),
            Error::NonFiniteLoss { step, loss } => {
                (false, format!("{diverged}: the loss of step {step} (numbered from 0) is {loss}"))
            }
            Error::NonFiniteParameters { layer, step } => (
                false,
                format!(
                    "{diverged}: layer {layer} has had NaN or infinite parameters since step {step} \
                     (both numbered from 0)"
                ),
            ),
            // The rows are finite: their readers refuse others.
            Error::NonFinite { .. } | Error::NonFiniteSum { .. } => {
                (false, format!("{diverged}: {error}"))
            }
            _ => return error.into(),
        };
        anyhow::anyhow!("{cause}; {}", self.advice(is_first))
    }

    fn advice(&self, is_first: bool) -> String {
        if let Some(scaling) = self.large_targets.clone().filter(|_| !self.has_large_inputs()) {
            return if is_first {
                scaling
            } else {
                format!("{scaling}, or try {}", self.smaller_rate())
            };
        }
        match (self.has_large_inputs(), is_first) {
            (true, false) if self.largest.0 <= MAX_TRAINABLE_INPUT => {
                format!("{}, or try {}", self.scaling(), self.smaller_rate())
            }
            (true, _) => self.scaling(),
            (false, true) => {
                "the network overflows before any update: try fewer layers or another \
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
        // `{:?}` prints 1e30 as 1e30, not as 31 digits.
        format!("a --learning-rate below {:?}", self.plan.learning_rate)
    }

    fn scaling(&self) -> String {
        let (largest, column) = self.largest;
        let missing = if largest > MAX_TRAINABLE_INPUT {
            "; if such numbers stand for missing values, replace them first"
        } else {
            ""
        };
        format!(
            "the inputs reach {largest:?} (column {column}): scale them, for example each column to mean 0 \
             and standard deviation 1{missing}"
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use thinnet::{data::OwnedTargets, tensor::Matrix};

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
    fn a_silent_layer_gives_one_warning_and_only_if_it_stays_silent() {
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
        assert!(
            warning.contains("layer 1 (numbered from 0)")
                && warning.contains("reach 5000.0 (column 1)")
        );
        assert_eq!(after(49, 0.0), None);
        assert_eq!(checks, 4);
    }

    #[test]
    fn a_short_epoch_is_checked_too() {
        let plan = plan("32");
        let mut health = health(&plan, 1.0);
        assert_eq!(health.after((2, 3), 128, || vec![1.0, 0.0]), None);
        let warning = health.after((2, 3), 128, || vec![1.0, 0.0]).unwrap();
        assert!(warning.contains("--learning-rate below 0.1 "), "{warning}");
    }

    /// A few units can all be masked by chance in a few rows.
    #[test]
    fn few_units_and_rows_must_be_silent_for_longer() {
        let plan = plan("4");
        let mut health = health(&plan, 1.0);
        let warned = (0..2600)
            .find(|&step| health.after((step, usize::MAX), 1, || vec![1.0, 0.0]).is_some());
        assert_eq!(warned, Some(250 * STEPS_BETWEEN_CHECKS - 1));
    }

    #[test]
    fn a_first_loss_far_above_that_of_a_guess_gives_a_warning_if_inputs_are_large() {
        let plan = plan("32");
        let warned = |largest, loss| health(&plan, largest).after_first(loss);
        let warning = warned(5000.0, 490.0).unwrap();
        assert!(
            warning.contains("is 490.0, far above the 0.69 that")
                && warning.contains("because the inputs reach 5000.0 (column 1): scale them")
        );
        assert_eq!(warned(5000.0, 3.0), None);
        assert_eq!(warned(1.0, 490.0), None);
    }

    #[test]
    fn large_targets_are_suspected_after_large_inputs() {
        let plan =
            Train::parse_from(["train", "--loss", "squared_error"]).arguments.plan().unwrap();
        let advice = |input: f32, target: f32, is_first| {
            let inputs = Matrix::from_rows(&[input, 0.0], 2, 1).unwrap();
            let targets = OwnedTargets::Values(Matrix::from_rows(&[0.0, -target], 2, 1).unwrap());
            let health = Health::new(&plan, &Dataset::new(inputs, targets).unwrap());
            assert_eq!(health.after_first(1e9), None, "the loss of a guess is not known");
            health.advice(is_first)
        };
        assert_eq!(advice(1.0, 9.0, false), "try a --learning-rate below 0.1");
        let scaling = "the targets reach 5000.0 (column 0): scale them, for example to mean 0 and \
                       standard deviation 1";
        assert_eq!(advice(1.0, 5000.0, true), scaling);
        assert_eq!(
            advice(1.0, 5000.0, false),
            format!("{scaling}, or try a --learning-rate below 0.1")
        );
        assert!(advice(5000.0, 5000.0, false).starts_with("the inputs reach"));
    }

    #[test]
    fn the_advice_fits_the_cause() {
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
