//! Errors of the files that a command reads.

use std::{io::ErrorKind, path::Path};

use thinnet::{Error, files::read_if};

/// An argument that names a file: how messages show it, the path, and what the file should be.
pub type Input<'a> = (String, &'a Path, &'a str);

/// Returns the system's error about one of these files with the argument and what was expected; other
/// errors unchanged.
pub fn explain(files: &[Input<'_>], error: Error) -> anyhow::Error {
    let Error::Io { path, source } = &error else {
        return error.into();
    };
    let Some((name, _, expected)) = files.iter().find(|(_, file, _)| file == path) else {
        return error.into();
    };
    match source.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("{name}: no such file: expected {expected}"),
        ErrorKind::IsADirectory => anyhow::anyhow!("{name}: a folder: expected {expected}"),
        _ => anyhow::anyhow!("{name}: {source}"),
    }
}

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// Those of [`read_if`], as [`explain`] words them.
pub fn read(input: Input<'_>, most: u64) -> anyhow::Result<Vec<u8>> {
    read_if(input.1, most, |_| Ok(())).map_err(|error| explain(&[input], error))
}

/// Returns the number of the line, from 1, that contains byte `at` of a text.
pub fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_of_the_file_is_named() {
        let said = |path: &str, kind: ErrorKind| {
            let files = [("--model m".to_owned(), Path::new("m"), "a model")];
            explain(&files, Error::io(path, kind.into())).to_string()
        };
        assert_eq!(said("m", ErrorKind::NotFound), "--model m: no such file: expected a model");
        assert_eq!(said("m", ErrorKind::IsADirectory), "--model m: a folder: expected a model");
        assert_eq!(said("m", ErrorKind::PermissionDenied), "--model m: permission denied");
        assert_eq!(said("other", ErrorKind::PermissionDenied), "other: permission denied");
    }
}
