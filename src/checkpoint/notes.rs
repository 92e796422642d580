//! The network's notes and its preprocessor in the metadata of a file.

use crate::nn::{MAX_NOTES, MAX_PREPROCESSOR, Mlp};

/// The metadata key of the preprocessor, in model files.
pub(super) const PREPROCESSOR: &str = "thinnet.preprocessor";

/// The texts of a network that follow its description in a file: metadata keys and values.
pub(super) fn texts(mlp: &Mlp) -> [(&'static str, &str); 2] {
    [(NOTES, mlp.notes()), (PREPROCESSOR, mlp.preprocessor())]
}

/// The metadata key, in files of every kind.
pub(crate) const NOTES: &str = "thinnet.notes";

/// The notes of a file that has this text under [`NOTES`]; empty if it has no such key. If there are no
/// notes, the key is left out, so that the same network gives the same bytes.
///
/// # Errors
/// The text is empty or too long. The error is the reason.
pub(crate) fn checked_notes(found: Option<&str>) -> Result<&str, String> {
    checked(NOTES, MAX_NOTES, found)
}

/// The preprocessor of a file that has this text under [`PREPROCESSOR`], like [`checked_notes`]. Only its
/// length is checked.
pub(super) fn checked_preprocessor(found: Option<&str>) -> Result<&str, String> {
    checked(PREPROCESSOR, MAX_PREPROCESSOR, found)
}

fn checked<'t>(key: &str, most: usize, found: Option<&'t str>) -> Result<&'t str, String> {
    let Some(text) = found else { return Ok("") };
    if (1..=most).contains(&text.len()) {
        return Ok(text);
    }
    let n = text.len();
    Err(format!("metadata `{key}` has {n} bytes: expected from 1 to {most}, or no such key"))
}
