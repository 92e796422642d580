//! How svmlight files were read for a trained network, as its notes say.

use serde::Serialize;
use serde_json::{Map, Value};
use thinnet::nn::Mlp;

use crate::train::SETTINGS;

/// How the entries of svmlight files become rows. A network expects other files in the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Form {
    /// The index of the first column, 0 or 1.
    pub first_index: u32,
    /// Whether each value x becomes ln(1 + x).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub log_counts: bool,
}

impl Form {
    /// Returns the form of the files that a network was trained on, if its notes are the settings of
    /// `thinnet train` and say so: those of networks trained on other data do not.
    ///
    /// # Errors
    /// The notes are such settings, but not as `thinnet train` writes them; the error is the reason.
    pub fn of(mlp: &Mlp) -> anyhow::Result<Option<Self>> {
        Self::in_notes(mlp.notes())
    }

    fn in_notes(notes: &str) -> anyhow::Result<Option<Self>> {
        if !notes.starts_with(SETTINGS) {
            return Ok(None);
        }
        let settings: Map<String, Value> = toml::from_str(notes)
            .map_err(|error| anyhow::anyhow!("its notes are not TOML: {}", error.message()))?;
        let Some(first_index) = settings.get("first-index") else { return Ok(None) };
        let first_index = match first_index.as_i64() {
            Some(0) => 0,
            Some(1) => 1,
            _ => anyhow::bail!("its notes have first-index = {first_index}: expected 0 or 1"),
        };
        let log_counts = match settings.get("log-counts") {
            None => false,
            Some(Value::Bool(log_counts)) => *log_counts,
            Some(other) => {
                anyhow::bail!("its notes have log-counts = {other}: expected true or false")
            }
        };
        Ok(Some(Self { first_index, log_counts }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_say_how_files_were_read() {
        let form = |text: &str| Form::in_notes(text).map_err(|error| error.to_string());
        let settings = |text: &str| form(&format!("{SETTINGS}0.1.0\nseed = 1\n{text}"));
        for first_index in [0, 1] {
            let form = settings(&format!("first-index = {first_index}\n"));
            assert_eq!(form, Ok(Some(Form { first_index, log_counts: false })));
            let form = settings(&format!("first-index = {first_index}\nlog-counts = true\n"));
            assert_eq!(form, Ok(Some(Form { first_index, log_counts: true })));
        }
        assert_eq!(settings("data = \"digits\"\n"), Ok(None));
        // Other notes are anyone's text.
        for text in ["", "first-index = 0", "first-index = \u{1}", "iris, version 3"] {
            assert_eq!(form(text), Ok(None));
        }
        for (text, words) in [
            ("first-index = 2", "first-index = 2: expected 0 or 1"),
            ("first-index = \"1\"", "first-index = \"1\": expected 0 or 1"),
            ("first-index = 0\nlog-counts = 1", "log-counts = 1: expected true or false"),
            ("first-index = ", "its notes are not TOML"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
