//! Where a file is written: through symbolic links, and never over what is no
//! regular file.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::names;
use crate::error::Error;

/// The most symbolic links that are followed, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// A place for a file, in a folder that is there.
pub(super) struct Place {
    /// Without links.
    pub path: PathBuf,
    /// The file that stands there.
    pub old: Option<Metadata>,
}

impl Place {
    /// The place that a path leads to.
    ///
    /// # Errors
    /// As [`follow`]; a name that only temporary and lock files have; what is no
    /// regular file stands there, or a file that may not be written.
    pub fn of(given: &Path) -> Result<Self, Error> {
        let path = follow(given)?;
        let refuse = |reason: String| Error::Format { path: given.to_owned(), reason };
        if path.file_name().is_some_and(names::is_ours) {
            return Err(refuse("a name of temporary or lock files: expected another".to_owned()));
        }
        let io = |source| Error::io(given, source);
        let old = match fs::symlink_metadata(&path) {
            // Without this a file could be replaced that may not be written, since a
            // rename asks for nothing but the right to write the folder.
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

    /// Gives the file that is to stand here the owner, the group and the mode of the
    /// one that does.
    pub fn hand_on(&self, file: &File) -> io::Result<()> {
        self.old.as_ref().map_or(Ok(()), |old| hand_on(old, file))
    }
}

/// Only root may give a file to another owner, and its own owner to those groups
/// that he belongs to. Where that fails, nobody gets a right by it that he did not
/// have. Bits like setuid, which are about the old contents, are not kept.
#[cfg(unix)]
fn hand_on(old: &Metadata, file: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    let group = new.gid() == old.gid() || fchown(file, None, Some(old.gid())).is_ok();
    let owner = new.uid() == old.uid() || fchown(file, Some(old.uid()), None).is_ok();
    let mode = mode_for(old.mode(), owner, group);
    // Some file systems have one mode for all files, and refuse to set it.
    if new.mode() & 0o777 == mode {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Systems without modes have no owner and no group here either.
#[cfg(not(unix))]
fn hand_on(_: &Metadata, _: &File) -> io::Result<()> {
    Ok(())
}

/// The rights of a mode that is handed on with or without owner and group. Who was
/// the owner may find himself in the group or among the others, and who was in the
/// group among the others.
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

/// Where a path leads, which need not exist: its folder and all links followed, the
/// last one too.
///
/// # Errors
/// A path that is no name of a file; no such folder; links that lead nowhere; the
/// open files of a process, which have names in `/proc` and `/dev/fd` (`/dev/stdout`
/// is a link to one): a file put in their place is not what the process has open.
pub(super) fn follow(given: &Path) -> Result<PathBuf, Error> {
    let refuse = |reason: &str| Error::Format { path: given.to_owned(), reason: reason.to_owned() };
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
                "an open file of a process, such as its standard output: expected the name of a \
                 file",
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
    Err(refuse("symbolic links that lead in a circle: expected a file at their end"))
}

/// The last part of a path, where that may be a file's name: [`Path::file_name`] gives
/// that of `file/` and of `file/.` too.
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

/// What the system says about a folder that cannot be found, with its name.
fn of_folder(folder: &Path, error: io::Error) -> io::Error {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "no such folder",
        io::ErrorKind::NotADirectory => "not a folder",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{what}: {}", folder.display()))
}

/// What it is that stands there.
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

    /// Whoever a reader was before, he is no more than that now.
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
