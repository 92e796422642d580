//! The network's notes in the metadata of a file.

use crate::nn::MAX_NOTES;

/// The metadata key, in files of every kind.
pub(crate) const NOTES: &str = "thinnet.notes";

/// The notes of a file that has this text under [`NOTES`]; empty if it has no such key. If there are no
/// notes, the key is left out, so that the same network gives the same bytes.
///
/// # Errors
/// The text is empty or too long. The error is the reason.
pub(crate) fn checked_notes(found: Option<&str>) -> Result<&str, String> {
    let Some(notes) = found else { return Ok("") };
    if (1..=MAX_NOTES).contains(&notes.len()) {
        return Ok(notes);
    }
    let n = notes.len();
    Err(format!("metadata `{NOTES}` has {n} bytes: expected from 1 to {MAX_NOTES}, or no such key"))
}
