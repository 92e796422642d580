//! Output files: checked before the work, written whole or not at all after it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thinnet::{
    Error,
    files::{WriteLock, ensure_writable, write_atomically},
};

use crate::console::usage;

/// A file to be written, whose folder was writable when it was asked for.
#[derive(Debug)]
pub struct Output {
    /// The flag that named it.
    flag: &'static str,
    /// As the user wrote it.
    given: PathBuf,
    /// Without links, so that a link keeps pointing to what it points to.
    place: PathBuf,
}

impl Output {
    /// Looks whether `given` could be written now.
    ///
    /// # Errors
    /// It has no file name, its folder is missing or not writable, or something
    /// stands there that is not a file.
    pub fn check(flag: &'static str, given: &Path) -> anyhow::Result<Self> {
        let refuse = |reason: String| anyhow::anyhow!("{flag} {}: {reason}", given.display());
        if given.to_string_lossy().ends_with(std::path::is_separator) {
            return Err(refuse("expected the name of a file, not of a folder".to_owned()));
        }
        let place = match fs::metadata(given) {
            Ok(found) if !found.is_file() => {
                return Err(refuse("is not a file: expected a new or an existing file".to_owned()));
            }
            Ok(_) => fs::canonicalize(given),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = given.file_name();
                let name = name.ok_or_else(|| refuse("expected the name of a file".to_owned()))?;
                fs::canonicalize(folder(given)).map(|folder| folder.join(name))
            }
            Err(error) => Err(error),
        };
        // The kind alone: the message would name the trial file below.
        let unwritable = |error: io::Error| {
            let reason = error.kind();
            refuse(format!("{reason} (expected a folder that exists and can be written to)"))
        };
        let place = place.map_err(unwritable)?;
        match ensure_writable(&place) {
            Err(Error::Io { source, .. }) => return Err(unwritable(source)),
            tried => tried?,
        }
        Ok(Self { flag, given: given.to_owned(), place })
    }

    /// A file that is only read, to be held against those that are written.
    ///
    /// # Errors
    /// There is no such file.
    pub fn existing(flag: &'static str, given: &Path) -> anyhow::Result<Self> {
        let place = fs::canonicalize(given).map_err(|error| {
            anyhow::anyhow!("{flag} {}: {} (expected a file)", given.display(), error.kind())
        })?;
        Ok(Self { flag, given: given.to_owned(), place })
    }

    /// Whether the file is there.
    pub fn exists(&self) -> bool {
        self.place.exists()
    }

    /// Whether both are the same file.
    pub fn is(&self, other: &Self) -> bool {
        self.place == other.place
    }

    /// Keeps other runs from writing it, as long as the lock lives.
    ///
    /// # Errors
    /// Another run has it, or what the system says.
    pub fn lock(&self) -> anyhow::Result<WriteLock> {
        WriteLock::take(&self.place).map_err(|error| self.explain(error))
    }

    /// The error with the flag, and with the path as the user wrote it.
    fn explain(&self, error: Error) -> anyhow::Error {
        let (flag, given) = (self.flag, self.given.display());
        match error {
            Error::Io { source, .. } => anyhow::anyhow!("{flag} {given}: {source}"),
            Error::InUse { .. } => {
                anyhow::anyhow!(
                    "{flag} {given}: another run is writing it, expected a file of its own for each run"
                )
            }
            error => anyhow::anyhow!("{flag} {given}: {error}"),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// What the system says, with the flag.
    pub fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        write_atomically(&self.place, bytes).map_err(|error| self.explain(error))
    }

    /// The path as the user wrote it.
    pub fn given(&self) -> &Path {
        &self.given
    }
}

/// Whether all are different files.
///
/// # Errors
/// Two of them are one.
pub fn all_different(outputs: &[&Output]) -> anyhow::Result<()> {
    for (index, output) in outputs.iter().enumerate() {
        if let Some(other) = outputs[..index].iter().find(|other| other.is(output)) {
            let (path, flags) = (output.given.display(), (other.flag, output.flag));
            return Err(usage(format!(
                "{} and {} are both {path}: expected different files",
                flags.0, flags.1
            )));
        }
    }
    Ok(())
}

/// The folder that a path is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
