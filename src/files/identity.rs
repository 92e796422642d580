//! Whether two paths lead to one file.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    io,
    path::Path,
};

use super::place::follow;
use crate::error::Error;

/// Which file a path leads to: two are equal where writing one writes the other.
///
/// Links, `..` and other spellings make no difference, nor do hard links (on systems
/// other than Unix these are not seen). Files that do not exist yet are the same where
/// their folder and name are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The file, or the folder where there is none yet.
    there: There,
    /// The name in that folder.
    new: Option<OsString>,
}

/// Device and number.
#[cfg(unix)]
type There = (u64, u64);

/// The path without links.
#[cfg(not(unix))]
type There = std::path::PathBuf;

impl Identity {
    /// That of a path's file, which need not exist.
    ///
    /// # Errors
    /// A path at which there can be no file, or what the system says.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::io(path, source);
        match there(path) {
            Ok(there) => Ok(Self { there, new: None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A name that is new, or the end of a dangling link.
                let place = follow(path)?;
                let name = place.file_name().unwrap_or_default();
                // These file systems usually do not tell capitals from small letters.
                let name = if cfg!(any(windows, target_vendor = "apple")) {
                    name.to_string_lossy().to_lowercase().into()
                } else {
                    name.to_owned()
                };
                let folder = place.parent().unwrap_or(&place);
                Ok(Self { there: there(folder).map_err(io)?, new: Some(name) })
            }
            Err(error) => Err(io(error)),
        }
    }

    /// That of the file that `about` was asked of: a handle, or a path that is no link.
    /// Where a system tells files by their paths, that is `path`'s.
    pub(crate) fn of_metadata(about: &Metadata, path: &Path) -> io::Result<Self> {
        Ok(Self { there: there_of(about, path)?, new: None })
    }
}

#[cfg(unix)]
fn there(path: &Path) -> io::Result<There> {
    there_of(&fs::metadata(path)?, path)
}

#[cfg(unix)]
fn there_of(about: &Metadata, _: &Path) -> io::Result<There> {
    use std::os::unix::fs::MetadataExt;
    Ok((about.dev(), about.ino()))
}

#[cfg(not(unix))]
fn there(path: &Path) -> io::Result<There> {
    fs::canonicalize(path)
}

#[cfg(not(unix))]
fn there_of(_: &Metadata, path: &Path) -> io::Result<There> {
    there(path)
}
