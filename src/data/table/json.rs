//! Preprocessors as JSON.

use super::Preprocessor;
use crate::{
    error::{Error, at_most},
    memory::ensure_room,
    nn::MAX_PREPROCESSOR,
};

/// The most bytes of a preprocessor as JSON: 4 MiB.
pub const MAX_JSON: usize = MAX_PREPROCESSOR;

const WHAT: &str = "bytes of a preprocessor as JSON";

impl Preprocessor {
    /// The preprocessor as JSON, from which [`from_json`](Self::from_json) makes one that is equal to the
    /// bit.
    ///
    /// ```
    /// use thinnet::data::table::{Csv, Preprocessor};
    ///
    /// let training = Csv::new().from_bytes(b"age\n20\n40\n")?;
    /// let preprocessor = Preprocessor::builder().fit(&training)?;
    /// let json = preprocessor.to_json()?;
    /// assert_eq!(Preprocessor::from_json(&json)?, preprocessor);
    ///
    /// let error = Preprocessor::from_json(&json.replace("30.0", "-1e999")).unwrap_err().to_string();
    /// assert!(error.starts_with("a preprocessor as JSON: number out of range"));
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// It would have more than [`MAX_JSON`] bytes: set a smaller
    /// [`max_categories`](super::PreprocessorBuilder::max_categories).
    pub fn to_json(&self) -> Result<String, Error> {
        let json = serde_json::to_string(self).map_err(refuse)?;
        at_most(WHAT, MAX_JSON, json.len())?;
        Ok(json)
    }

    /// Reads what [`to_json`](Self::to_json) has written. The text may come from anywhere: names, counts and
    /// numbers are checked.
    ///
    /// # Errors
    /// The text has more than [`MAX_JSON`] bytes, or is not the JSON of a preprocessor; or a number is not
    /// finite, edges or categories do not ascend, two columns have the same name, or there are no or too
    /// many outputs.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        at_most(WHAT, MAX_JSON, json.len())?;
        // A category of four bytes becomes a `String` and its memory.
        ensure_room("a preprocessor", 16 * json.len())?;
        serde_json::from_str(json).map_err(refuse)
    }
}

fn refuse(error: serde_json::Error) -> Error {
    Error::format(None, format!("a preprocessor as JSON: {error}"))
}
