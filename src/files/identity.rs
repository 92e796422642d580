//! Whether two paths lead to the same file.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    io,
    path::Path,
};

use super::place::follow;
use crate::error::Error;

/// The identity of the file that a path leads to: two are equal if writing one file writes the
/// other.
///
/// Links, `..` and other spellings make no difference, nor do hard links (which are not detected on
/// systems other than Unix). Files that do not exist yet are the same if their folder and name are.
///
/// ```
/// use thinnet::files::Identity;
///
/// let folder = std::env::temp_dir();
/// let new = Identity::of(folder.join("thinnet-new-file"))?;
/// assert_eq!(new, Identity::of(folder.join(".").join("thinnet-new-file"))?);
/// assert_ne!(new, Identity::of(folder.join("thinnet-other-file"))?);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The file, or its folder if the file does not exist yet.
    there: There,
    /// The file's name in that folder.
    new: Option<OsString>,
}

/// Device and inode number.
#[cfg(unix)]
type There = (u64, u64);

/// The path with links resolved.
#[cfg(not(unix))]
type There = std::path::PathBuf;

impl Identity {
    /// The identity of a path's file, which need not exist.
    ///
    /// # Errors
    /// There can be no file at the path, or the system reports an error.
    pub fn of(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |source| Error::io(path, source);
        match there(path) {
            Ok(there) => Ok(Self { there, new: None }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A new name, or the target of a dangling link.
                let place = follow(path)?;
                let name = place.file_name().unwrap_or_default();
                // These file systems are usually case-insensitive.
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

    /// The identity of the file that `about` describes: a handle, or a path that is not a link. On
    /// systems that identify files by their paths, `path` is used.
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
