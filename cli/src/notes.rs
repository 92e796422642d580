//! What a checkpoint of the command contains beyond the state of the library's run.

use std::path::Path;

use serde::{Deserialize, Serialize};
use thinnet::Error;

/// The command's notes in a checkpoint, which are stored as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// The active fraction of each layer's inputs, averaged over the steps of the current epoch; once
    /// the run is over, over those of its last one.
    pub densities: Vec<f64>,
    /// The time of training and evaluation in seconds.
    pub seconds: f64,
    /// The same at the end of each finished epoch.
    pub ends: Vec<f64>,
}

impl Notes {
    /// The notes before the first step of a network with so many layers.
    pub fn new(layers: usize) -> Self {
        Self { densities: vec![0.0; layers], seconds: 0.0, ends: Vec::new() }
    }

    /// Adds the densities of step `step` of an epoch of `of_epoch` steps.
    pub fn add_step(
        &mut self,
        (step, of_epoch): (usize, usize),
        densities: impl Iterator<Item = f64>,
    ) {
        if step == 0 {
            self.densities.fill(0.0);
        }
        for (sum, density) in self.densities.iter_mut().zip(densities) {
            *sum += density / of_epoch as f64;
        }
    }

    /// Returns the text.
    ///
    /// # Errors
    /// Serialisation fails, which these types do not let happen.
    pub fn to_text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// Parses the text, for a network with so many layers after so many epochs; `path` names the file
    /// in errors.
    ///
    /// # Errors
    /// This program did not write the notes.
    pub fn parse(text: &str, [layers, epochs]: [usize; 2], path: &Path) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Format {
            path: Some(path.to_owned()),
            reason: format!("the state of `thinnet train` in it cannot be read: {reason}"),
        };
        let notes: Self = serde_json::from_str(text).map_err(|e| {
            refuse(format!("{e} (expected a checkpoint that `thinnet train` saved)"))
        })?;
        if notes.densities.len() != layers {
            let got = notes.densities.len();
            return Err(refuse(format!(
                "{got} fractions of active inputs: expected {layers}, one per layer"
            )));
        }
        if notes.ends.len() != epochs {
            let got = notes.ends.len();
            return Err(refuse(format!("{got} times: expected {epochs}, one per finished epoch")));
        }
        Ok(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_restore_every_bit() {
        let mut notes = Notes::new(3);
        // Inexact parsers read these sums one bit off.
        for i in 1..2000 {
            notes.densities[i as usize % 3] += 1.0 / (3.0 + f64::from(i).sqrt());
            notes.seconds += 1e-9 / f64::from(i);
            notes.ends = vec![notes.seconds; 2];
            let text = notes.to_text().unwrap();
            assert_eq!(Notes::parse(&text, [3, 2], "c".as_ref()).unwrap(), notes);
        }
    }

    #[test]
    fn densities_are_averaged_over_an_epoch() {
        let mut notes = Notes::new(2);
        for (step, densities) in [(0, [0.5, 1.0]), (1, [0.25, 0.5])] {
            notes.add_step((step, 2), densities.into_iter());
        }
        assert_eq!(notes.densities, [0.375, 0.75]);
        notes.add_step((0, 2), [1.0, 0.0].into_iter());
        assert_eq!(notes.densities, [0.5, 0.0]);
    }

    #[test]
    fn foreign_notes_are_refused() {
        for (text, words) in [
            ("", "thinnet train"),
            ("epoch 3", "thinnet train"),
            (r#"{"densities":[0.5],"seconds":0,"ends":[0]}"#, "expected 3"),
            (r#"{"densities":[0,0,0],"seconds":0,"ends":[]}"#, "0 times: expected 1"),
            (r#"{"densities":[0,0,0],"seconds":0,"ends":[0],"x":1}"#, "`x`"),
        ] {
            let message = Notes::parse(text, [3, 1], "c".as_ref()).unwrap_err().to_string();
            assert!(message.starts_with("c: ") && message.contains(words), "{message}");
        }
    }
}
