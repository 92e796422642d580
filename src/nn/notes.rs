//! Text that a model file keeps beside the network.

use std::{fmt, sync::Arc};

use super::Mlp;
use crate::error::{Error, at_most};

/// The most bytes of a network's notes.
pub const MAX_NOTES: usize = 1 << 15;

/// The most bytes of the preprocessor that a network keeps, as JSON: 4 MiB.
pub(crate) const MAX_PREPROCESSOR: usize = 4 << 20;

/// The number of characters that [`fmt::Debug`] shows.
const SHOWN: usize = 60;

/// A text: the notes, or the preprocessor as JSON. Copies share it.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Notes(Option<Arc<str>>);

impl fmt::Debug for Notes {
    /// Shows how the text begins.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{:?}...", &text[..end]),
            None => write!(f, "{text:?}"),
        }
    }
}

impl Notes {
    fn of(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }

    /// The text; empty if there is none.
    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Mlp {
    /// The notes, by default an empty text.
    pub fn notes(&self) -> &str {
        self.notes.text()
    }

    /// Sets the notes: a text of your own about the network, for example its name and version, what it
    /// was trained on, or the settings of the run. They do not affect predictions, and are not part of
    /// the [digest](Self::digest).
    ///
    /// Model files keep them, as do exports to other formats. A [`Trainer`](crate::train::Trainer) removes
    /// them, because training makes another network. `thinnet train` saves the settings of the run as
    /// notes.
    ///
    /// ```
    /// use thinnet::nn::{Loss, Mlp};
    ///
    /// let mut mlp = Mlp::builder(2).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// mlp.set_notes("iris, version 3")?;
    /// assert_eq!(Mlp::from_bytes(&mlp.to_bytes()?)?.notes(), "iris, version 3");
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The text has more than [`MAX_NOTES`] bytes. The notes are then unchanged.
    pub fn set_notes(&mut self, text: &str) -> Result<(), Error> {
        at_most("bytes of a network's notes", MAX_NOTES, text.len())?;
        self.notes = Notes::of(text);
        Ok(())
    }

    /// The preprocessor of the network's inputs as JSON; empty if there is none. It has not been checked.
    pub(crate) fn preprocessor(&self) -> &str {
        self.preprocessor.text()
    }

    /// Sets the preprocessor. See [`Preprocessor::store_in`](crate::data::table::Preprocessor::store_in).
    pub(crate) fn set_preprocessor(&mut self, json: &str) -> Result<(), Error> {
        at_most("bytes of a preprocessor as JSON", MAX_PREPROCESSOR, json.len())?;
        self.preprocessor = Notes::of(json);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Loss;

    #[test]
    fn notes_have_a_largest_length() {
        let mut mlp = Mlp::builder(1).output(1, Loss::SquaredError).build().unwrap();
        assert_eq!(mlp.notes(), "");
        mlp.set_notes(&"é".repeat(MAX_NOTES / 2)).unwrap();
        let error = mlp.set_notes(&"x".repeat(MAX_NOTES + 1)).unwrap_err().to_string();
        assert!(error.contains("32769") && error.contains("32768"), "{error}");
        assert_eq!(mlp.notes().len(), MAX_NOTES, "unchanged");
        let shown = format!("{mlp:?}");
        assert!(shown.contains(&format!("notes: \"{}\"...", "é".repeat(SHOWN))), "{shown}");
        mlp.set_notes("").unwrap();
        assert_eq!(mlp, mlp.try_clone().unwrap());
        assert!(format!("{mlp:?}").contains("notes: \"\""));
    }
}
