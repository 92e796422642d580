//! The state of a run beyond that of the trainer.

use std::path::Path;

use serde::{Deserialize, Serialize};
use thinnet::Error;

/// A point of the learning curves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// The mean loss of its thinned networks.
    pub train_loss: f64,
    /// The fraction of the test rows that are wrong after it, if that was measured.
    pub test_error: Option<f64>,
}

/// The learning curves so far, and the sums of the current epoch. A checkpoint stores this as JSON,
/// in its notes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// The finished epochs.
    pub curves: Vec<Epoch>,
    /// The active fraction of each layer's inputs, averaged over the steps of the last epoch.
    pub densities: Vec<f64>,
    /// The sum of the losses over the rows of the current epoch.
    pub losses: f64,
    /// The time of training and evaluation in seconds.
    pub seconds: f64,
}

impl RunState {
    /// The state before the first step of a network with so many layers.
    pub fn new(layers: usize) -> Self {
        Self { curves: Vec::new(), densities: vec![0.0; layers], losses: 0.0, seconds: 0.0 }
    }

    /// Returns the state as the notes of a checkpoint.
    ///
    /// # Errors
    /// Serialisation fails, which these types do not let happen.
    pub fn to_notes(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// Parses the notes of a checkpoint; `path` names the file in errors.
    ///
    /// # Errors
    /// This program did not write the notes.
    pub fn from_notes(notes: &str, layers: usize, path: &Path) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Format {
            path: Some(path.to_owned()),
            reason: format!("the state of `thinnet train` in it cannot be read: {reason}"),
        };
        let state: Self = serde_json::from_str(notes).map_err(|e| {
            refuse(format!("{e} (expected a checkpoint that `thinnet train` saved)"))
        })?;
        if state.densities.len() != layers {
            let got = state.densities.len();
            return Err(refuse(format!(
                "{got} fractions of active inputs: expected {layers}, one per layer"
            )));
        }
        Ok(state)
    }

    /// Returns how many steps of the current epoch are done after `steps` steps in total. If only the
    /// evaluation at the end of the epoch is missing, that is all of its steps. `None` if `steps`
    /// does not fit the curves.
    pub fn steps_of_epoch(&self, steps: u64, steps_per_epoch: usize) -> Option<usize> {
        let before = (self.curves.len() as u64).checked_mul(steps_per_epoch as u64)?;
        let within = usize::try_from(steps.checked_sub(before)?).ok()?;
        (within <= steps_per_epoch).then_some(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_restore_every_bit() {
        let mut state = RunState::new(3);
        // Inexact parsers read these sums one bit off.
        for i in 1..2000 {
            state.losses += 0.1 / f64::from(i);
            state.densities[i as usize % 3] += 1.0 / (3.0 + f64::from(i).sqrt());
            state.seconds += 1e-9 * state.losses;
            let done =
                Epoch { epoch: 1, train_loss: state.losses.sqrt(), test_error: Some(0.1 / 3.0) };
            state.curves = vec![done, Epoch { test_error: None, ..done }];
            let notes = state.to_notes().unwrap();
            assert_eq!(RunState::from_notes(&notes, 3, "c".as_ref()).unwrap(), state);
        }
    }

    #[test]
    fn foreign_notes_are_refused() {
        for (notes, words) in [
            ("", "thinnet train"),
            ("epoch 3", "thinnet train"),
            (r#"{"curves":[],"densities":[0.5],"losses":0,"seconds":0}"#, "expected 3"),
            (r#"{"curves":[],"densities":[0,0,0],"losses":0,"seconds":0,"x":1}"#, "`x`"),
        ] {
            let message = RunState::from_notes(notes, 3, "c".as_ref()).unwrap_err().to_string();
            assert!(message.starts_with("c: ") && message.contains(words), "{message}");
        }
    }

    #[test]
    fn the_position_within_an_epoch_follows_from_the_step() {
        let mut state = RunState::new(1);
        assert_eq!(state.steps_of_epoch(0, 5), Some(0));
        assert_eq!(state.steps_of_epoch(5, 5), Some(5));
        assert_eq!(state.steps_of_epoch(6, 5), None);
        state.curves.push(Epoch { epoch: 1, train_loss: 1.0, test_error: None });
        assert_eq!(state.steps_of_epoch(5, 5), Some(0));
        assert_eq!(state.steps_of_epoch(7, 5), Some(2));
        assert_eq!(state.steps_of_epoch(4, 5), None);
    }
}
