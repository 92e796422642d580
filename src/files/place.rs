//! Where a file is written: symbolic links are followed, and only regular files are replaced.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::names;
use crate::error::Error;

/// The most symbolic links that are followed, the same number as on Linux.
const MAX_LINKS: usize = 40;

/// A place for a file, in an existing folder.
pub(super) struct Place {
    /// The path, with links resolved.
    pub path: PathBuf,
    /// The file that is there already.
    pub old: Option<Metadata>,
}

impl Place {
    /// The place that a path leads to.
    ///
    /// # Errors
    /// As for [`follow`]; the name is reserved for temporary and lock files; or there is something
    /// other than a regular file, or a read-only file.
    pub fn of(given: &Path) -> Result<Self, Error> {
        let path = follow(given)?;
        let refuse = |reason: String| Error::format(given, reason);
        if path.file_name().is_some_and(names::is_ours) {
            return Err(refuse(
                "this name is reserved for temporary and lock files: expected another".to_owned(),
            ));
        }
        let io = |source| Error::io(given, source);
        let old = match fs::symlink_metadata(&path) {
            // Without this, a read-only file could be replaced, since a rename needs only write
            // permission for the folder.
            Ok(found) if found.is_file() => Some(
                OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .and_then(|file| file.metadata())
                    .map_err(io)?,
            ),
            Ok(found) => {
                let kind = kind(&found);
                return Err(refuse(format!("{kind}: expected a regular file, or a new name")));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io(error)),
        };
        Ok(Self { path, old })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        folder_of(&self.path)
    }

    /// Gives the new file the owner, group and mode of the one that it replaces.
    pub fn hand_on(&self, file: &File) -> io::Result<()> {
        self.old.as_ref().map_or(Ok(()), |old| hand_on(old, file))
    }
}

/// Only root may change a file's owner; the owner may change its group to one that they belong to.
/// If that fails, nobody gains a right that they did not have. Bits such as setuid, which concern
/// the old contents, are not kept.
#[cfg(unix)]
fn hand_on(old: &Metadata, file: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    let group = new.gid() == old.gid() || fchown(file, None, Some(old.gid())).is_ok();
    let owner = new.uid() == old.uid() || fchown(file, Some(old.uid()), None).is_ok();
    let mode = mode_for(old.mode(), owner, group);
    // Some file systems have one mode for all files and refuse to change it.
    if new.mode() & 0o777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// On systems without modes, owner and group are not handled either.
#[cfg(not(unix))]
fn hand_on(_: &Metadata, _: &File) -> io::Result<()> {
    Ok(())
}

/// The permissions to keep of a mode, depending on whether owner and group are kept. The former
/// owner may now be a group member or one of the others, and a former group member one of the
/// others.
#[cfg(unix)]
fn mode_for(old: u32, owner: bool, group: bool) -> u32 {
    let [of_owner, mut of_group, mut of_others] = [old >> 6 & 7, old >> 3 & 7, old & 7];
    if !group {
        of_others &= of_group;
        of_group = of_others;
    }
    if !owner {
        (of_group, of_others) = (of_group & of_owner, of_others & of_owner);
    }
    of_owner << 6 | of_group << 3 | of_others
}

/// Where a path leads, with the links in its folder and the last component followed. The file need
/// not exist.
///
/// # Errors
/// The path is not a file name; the folder does not exist; links lead nowhere; or the path is one
/// of a process's open files, which have names in `/proc` and `/dev/fd` (`/dev/stdout` is a link to
/// one): a file put in its place would not be the one that the process has open.
pub(super) fn follow(given: &Path) -> Result<PathBuf, Error> {
    let refuse = |reason: &str| Error::format(given, reason);
    let io = |source| Error::io(given, source);
    let mut path = given.to_owned();
    for _ in 0..=MAX_LINKS {
        let name = file_name(&path)
            .ok_or_else(|| refuse("expected the name of a file, not of a folder"))?;
        let folder = folder_of(&path);
        let folder = fs::canonicalize(folder).map_err(|error| io(of_folder(folder, error)))?;
        if cfg!(unix) && ["/proc", "/dev/fd"].iter().any(|of_system| folder.starts_with(of_system))
        {
            return Err(refuse(
                "a file in /proc or /dev/fd, such as the standard output of a process, cannot be \
                 replaced: expected the name of a regular file",
            ));
        }
        let place = folder.join(name);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => {
                path = folder.join(fs::read_link(&place).map_err(io)?);
            }
            Ok(_) => return Ok(place),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(place),
            Err(error) => return Err(io(error)),
        }
    }
    Err(refuse("a loop of symbolic links: expected a path to a file"))
}

/// The last component of a path, if it can be a file name: [`Path::file_name`] also accepts `file/`
/// and `file/.`.
fn file_name(path: &Path) -> Option<&std::ffi::OsStr> {
    let name = path.file_name()?;
    path.as_os_str().as_encoded_bytes().ends_with(name.as_encoded_bytes()).then_some(name)
}

/// The folder that a path is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The system's error for a folder that cannot be found, with its name.
fn of_folder(folder: &Path, error: io::Error) -> io::Error {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "no such folder",
        io::ErrorKind::NotADirectory => "not a folder",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{what}: {}", folder.display()))
}

/// The kind of thing that is there.
pub(crate) fn kind(found: &Metadata) -> &'static str {
    if found.is_dir() {
        return "a folder";
    }
    if found.is_symlink() {
        return "a symbolic link";
    }
    if found.is_file() {
        return "a regular file";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let of_unix = found.file_type();
        if of_unix.is_fifo() {
            return "a named pipe";
        } else if of_unix.is_socket() {
            return "a socket";
        } else if of_unix.is_char_device() || of_unix.is_block_device() {
            return "a device";
        }
    }
    "not a regular file"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_files_name() {
        for (path, name) in [
            ("a", Some("a")),
            ("a/b.c", Some("b.c")),
            ("a/..b", Some("..b")),
            ("", None),
            (".", None),
            ("/", None),
            ("..", None),
            ("a/..", None),
            ("a/", None),
            ("a//", None),
            ("a/.", None),
            ("a/./", None),
        ] {
            let found = file_name(Path::new(path)).map(|name| name.to_str().unwrap());
            assert_eq!(found, name, "{path}");
        }
    }

    /// No class of reader gains rights.
    #[cfg(unix)]
    #[test]
    fn nobody_gets_a_right_that_he_did_not_have() {
        for old in 0..0o10000_u32 {
            let [of_owner, of_group, of_others] = [old >> 6 & 7, old >> 3 & 7, old & 7];
            for (owner, group) in [(true, true), (true, false), (false, true), (false, false)] {
                let new = mode_for(old, owner, group);
                assert!(new <= 0o777 && new >> 6 == of_owner);
                let (to_group, to_others) = (new >> 3 & 7, new & 7);
                let within = |new: u32, old: u32| new & !old == 0;
                assert!(within(to_others, of_others));
                assert!(group || within(to_group, of_others) && within(to_others, of_group));
                assert!(!group || within(to_group, of_group));
                assert!(owner || within(to_group | to_others, of_owner));
                assert!(!(owner && group) || new == old & 0o777);
            }
        }
    }
}
