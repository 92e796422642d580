//! Signs that a training does not go well, and what to do about them.

use thinnet::{Error, data::Dataset};

use crate::plan::Plan;

/// Steps between two looks at the units.
const STEPS: usize = 10;

/// Inputs of at most this size are not the first thing to suspect.
const USUAL: f32 = 10.0;

/// What is watched.
pub struct Health {
    /// The largest absolute input, and its column.
    largest: (f32, usize),
    /// Looks in a row that found all units of a hidden layer inactive, and that layer.
    silent: (usize, usize),
}

impl Health {
    /// Of a training on these rows.
    pub fn new(train: &Dataset) -> Self {
        let mut largest = (0.0, 0);
        for row in 0..train.rows() {
            let row = train.inputs().row(row).unwrap_or_default();
            for (column, x) in row.iter().enumerate() {
                if x.abs() > largest.0 {
                    largest = (x.abs(), column);
                }
            }
        }
        Self { largest, silent: (0, 0) }
    }

    /// After step `step` of an epoch of `of_epoch`, with the active part of each layer's
    /// inputs in that step's batch: a warning, once, where a hidden layer has no active
    /// unit in any row at two looks in a row.
    pub fn after(
        &mut self,
        step: usize,
        of_epoch: usize,
        densities: impl FnOnce() -> Vec<f64>,
    ) -> Option<String> {
        let is_look = (step + 1).is_multiple_of(STEPS) || step + 1 == of_epoch;
        if !is_look || self.silent.0 >= 2 {
            return None;
        }
        // The first are those of the inputs.
        let silent = densities().iter().skip(1).position(|&density| density == 0.0);
        self.silent = silent.map_or((0, 0), |layer| (self.silent.0 + 1, layer));
        let (2, layer) = self.silent else { return None };
        Some(format!(
            "warning: every unit of hidden layer {} is 0 for every row, so the network gives all rows \
             the same answer: {}",
            layer + 1,
            if self.are_unusual() {
                format!("{}, then train anew", self.scaling())
            } else {
                "a smaller --learning-rate may keep them alive".to_owned()
            }
        ))
    }

    /// The error that ended a training, with what to do about it.
    pub fn explain(&self, plan: &Plan, error: Error) -> anyhow::Error {
        // `{:?}` prints 1e30 as such, not its 31 digits.
        let rate = format!("a --learning-rate below {:?}", plan.learning_rate);
        let advice = match error {
            // Nothing was updated yet.
            Error::NonFiniteLoss { step: 0, .. } => self.scaling(),
            Error::NonFiniteLoss { .. } | Error::NonFiniteParameters { .. } => {
                if self.are_unusual() {
                    format!("{}, or try {rate}", self.scaling())
                } else {
                    format!("try {rate}")
                }
            }
            _ => return error.into(),
        };
        anyhow::anyhow!("training diverged, no model is written: {error}; {advice}")
    }

    fn are_unusual(&self) -> bool {
        self.largest.0 > USUAL
    }

    fn scaling(&self) -> String {
        let (largest, column) = self.largest;
        format!(
            "the inputs reach {largest:?} (column {column}): scale them, such as each column to mean 0 \
             and standard deviation 1"
        )
    }
}

#[cfg(test)]
mod tests {
    use thinnet::tensor::Matrix;

    use super::*;

    fn health(largest: f32) -> Health {
        let inputs = Matrix::from_rows(&[0.5, -largest, 0.0, 1.0], 2, 2).unwrap();
        Health::new(&Dataset::new(inputs, vec![0, 1]).unwrap())
    }

    #[test]
    fn a_silent_layer_is_told_once_and_only_where_it_stays_silent() {
        let mut health = health(5000.0);
        let mut looks = 0;
        let mut after = |step, hidden: f64| {
            health.after(step, 1000, || {
                looks += 1;
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
        assert_eq!(looks, 4);
    }

    #[test]
    fn a_short_epoch_is_looked_at_too() {
        let mut health = health(1.0);
        assert_eq!(health.after(2, 3, || vec![1.0, 0.0]), None);
        assert!(health.after(2, 3, || vec![1.0, 0.0]).unwrap().contains("--learning-rate"));
    }
}
