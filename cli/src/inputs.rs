//! Errors of the files that a command reads.

use std::{io::ErrorKind, path::Path};

use thinnet::Error;

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
