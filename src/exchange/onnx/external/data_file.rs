//! A file with elements of tensors, which is opened once and must not change.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use super::{super::proto::short, location};
use crate::{
    files::{self, Identity},
    memory::reserve,
};

/// A file, as it was when it was opened.
#[derive(Debug)]
pub(super) struct DataFile {
    // All readers share its position.
    file: Mutex<File>,
    identity: Identity,
    state: State,
}

/// The properties that change with the contents of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    len: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(about: &Metadata) -> Self {
        Self { len: about.len(), modified: about.modified().ok() }
    }
}

impl DataFile {
    /// Opens the file at a location in `folder`, if it is a regular file and neither it nor a
    /// folder on its path is a link.
    pub fn open(folder: &Path, location: &str) -> Result<Self, String> {
        let names = location::names(location)?;
        let (path, identities) = walk(folder, &names, location)?;
        let file = File::open(&path).map_err(|error| error.to_string())?;
        let about = file.metadata().map_err(|error| error.to_string())?;
        let identity = Identity::of_metadata(&about, &path).map_err(|error| error.to_string())?;
        // The path was checked by its names, which could mean other files by now.
        let is_same =
            identities.last() == Some(&identity) && walk(folder, &names, location)?.1 == identities;
        if !is_same || !about.is_file() {
            return Err("replaced while it was opened: expected it not to change".to_owned());
        }
        Ok(Self { file: Mutex::new(file), identity, state: State::of(&about) })
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        self.state.len
    }

    /// The `size` bytes from byte `start`, if the file has not changed since it was opened.
    pub fn read(&self, start: u64, size: u64) -> Result<Vec<u8>, String> {
        let io = |error: io::Error| error.to_string();
        let too_large = |_| format!("{size} bytes: not enough memory");
        let mut bytes = reserve("external data", usize::try_from(size).map_err(too_large)?)
            .map_err(|error| error.to_string())?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        (&*file).take(size).read_to_end(&mut bytes).map_err(io)?;
        // Checked last, so that it covers changes before and during the reading.
        let now = State::of(&file.metadata().map_err(io)?);
        if now.len != self.state.len {
            let (before, now) = (self.state.len, now.len);
            return Err(format!("{now} bytes now, {before} before: expected it not to change"));
        }
        if now != self.state || bytes.len() as u64 != size {
            return Err("changed while it was read: expected it not to change".to_owned());
        }
        Ok(bytes)
    }
}

/// The path of a file through folders below `folder`, none of them a link, and the identities of
/// these folders and the file.
fn walk(folder: &Path, names: &[&str], location: &str) -> Result<(PathBuf, Vec<Identity>), String> {
    let mut path = folder.to_owned();
    let mut identities = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        path.push(name);
        let about = fs::symlink_metadata(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let location = short(location);
                format!("no such file: put {location} in the graph's folder")
            }
            _ => error.to_string(),
        })?;
        let is_file = index + 1 == names.len();
        let expected = if is_file { "a regular file" } else { "a folder" };
        let is_right = if is_file { about.is_file() } else { about.is_dir() };
        if !is_right {
            let (name, kind) = (short(name), files::kind(&about));
            return Err(format!("{name} is {kind}: expected {expected}"));
        }
        identities.push(Identity::of_metadata(&about, &path).map_err(|error| error.to_string())?);
    }
    Ok((path, identities))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, time::Duration};

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("more")).unwrap();
        fs::write(folder.path().join("x"), [1, 2, 3, 4]).unwrap();
        fs::write(folder.path().join("more/y"), [5, 6]).unwrap();
        folder
    }

    fn refused(folder: &Path, location: &str, words: &str) {
        let reason = DataFile::open(folder, location).map(drop).unwrap_err();
        assert!(reason.contains(words), "{reason}");
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = folder();
        assert_eq!(DataFile::open(folder.path(), "x").unwrap().read(1, 2).unwrap(), [2, 3]);
        assert_eq!(DataFile::open(folder.path(), "more/y").unwrap().read(0, 2).unwrap(), [5, 6]);
        refused(folder.path(), "more", "`more` is a folder: expected a regular file");
        refused(folder.path(), "x/y", "`x` is a regular file: expected a folder");
        refused(folder.path(), "z", "put `z` in the graph's folder");
        refused(folder.path(), "more/../x", "`..`");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("secret"), [9; 9]).unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink(elsewhere.path().join("secret"), path("out")).unwrap();
        symlink(elsewhere.path(), path("folder")).unwrap();
        symlink(path("x"), path("within")).unwrap();
        symlink("more", path("relative")).unwrap();
        symlink("nothing", path("dangling")).unwrap();
        symlink("itself", path("itself")).unwrap();
        symlink("/dev/zero", path("zero")).unwrap();
        for (location, words) in [
            ("out", "`out` is a symbolic link: expected a regular file"),
            ("folder/secret", "`folder` is a symbolic link: expected a folder"),
            ("within", "`within` is a symbolic link"),
            ("./relative/y", "`relative` is a symbolic link"),
            ("more/../out", "`..`"),
            ("dangling", "`dangling` is a symbolic link"),
            ("itself", "`itself` is a symbolic link"),
            ("zero", "`zero` is a symbolic link"),
        ] {
            refused(folder.path(), location, words);
        }
        // The graph's folder itself may be a link.
        symlink(folder.path(), elsewhere.path().join("graphs")).unwrap();
        let opened = DataFile::open(&elsewhere.path().join("graphs"), "more/y").unwrap();
        assert_eq!(opened.read(0, 2).unwrap(), [5, 6]);
    }

    /// Opening a pipe would wait for a writer, and a device may have no end.
    #[cfg(unix)]
    #[test]
    fn pipes_sockets_and_devices_are_not_opened() {
        let folder = folder();
        let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status();
        if made.is_ok_and(|status| status.success()) {
            refused(folder.path(), "pipe", "`pipe` is a named pipe: expected a regular file");
        }
        std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        refused(folder.path(), "socket", "`socket` is a socket: expected a regular file");
        refused(Path::new("/dev"), "zero", "`zero` is a device: expected a regular file");
    }

    #[test]
    fn a_file_that_changes_is_refused() {
        let folder = folder();
        let path = folder.path().join("x");
        let opened = DataFile::open(folder.path(), "x").unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(&[5]).unwrap();
        let reason = opened.read(0, 4).unwrap_err();
        assert!(reason.contains("5 bytes now, 4 before"), "{reason}");
        file.set_len(3).unwrap();
        let reason = opened.read(0, 1).unwrap_err();
        assert!(reason.contains("3 bytes now, 4 before"), "{reason}");
        // The same length, but other bytes.
        let opened = DataFile::open(folder.path(), "x").unwrap();
        opened.read(0, 3).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
        let reason = opened.read(0, 3).unwrap_err();
        assert!(reason.contains("changed while it was read"), "{reason}");
    }

    /// The opened file is read, whatever replaces it.
    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_is_read_as_it_was() {
        let folder = folder();
        let opened = DataFile::open(folder.path(), "x").unwrap();
        fs::write(folder.path().join("new"), [7; 4]).unwrap();
        fs::rename(folder.path().join("new"), folder.path().join("x")).unwrap();
        assert_eq!(opened.read(0, 4).unwrap(), [1, 2, 3, 4]);
    }

    #[test]
    fn several_threads_read_one_file() {
        let folder = folder();
        let bytes: Vec<u8> = (0..=255).collect();
        fs::write(folder.path().join("x"), &bytes).unwrap();
        let opened = DataFile::open(folder.path(), "x").unwrap();
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (opened, bytes) = (&opened, &bytes);
                scope.spawn(move || {
                    for i in 0..100 {
                        let at = start * 60 + i % 16;
                        assert_eq!(opened.read(at as u64, 16).unwrap(), bytes[at..at + 16]);
                    }
                });
            }
        });
    }
}
