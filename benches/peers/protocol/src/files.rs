//! The driver's files: little-endian numbers and nothing else.

use std::{fs, path::Path};

use crate::Outcome;

fn numbers<T>(path: &Path, from: fn([u8; 4]) -> T) -> Outcome<Vec<T>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (words, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        let size = bytes.len();
        return Err(format!("{}: {size} bytes, expected a multiple of 4", path.display()).into());
    }
    Ok(words.iter().map(|&word| from(word)).collect())
}

/// All f32 of a file.
pub fn floats(path: &Path) -> Outcome<Vec<f32>> {
    numbers(path, f32::from_le_bytes)
}

/// All u32 of a file.
pub fn integers(path: &Path) -> Outcome<Vec<u32>> {
    numbers(path, u32::from_le_bytes)
}

/// Writes f32.
pub fn write_floats(path: &Path, values: &[f32]) -> Outcome<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()).into())
}
