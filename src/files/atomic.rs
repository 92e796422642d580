//! Files that appear whole or not at all.

use std::{
    fs::{File, TryLockError},
    io::{self, BufWriter, Write},
    path::Path,
};

use tempfile::NamedTempFile;

use super::left_over;
use crate::error::Error;

/// How often a temporary file is made anew that another process took away in
/// the moment before it was locked.
const TRIES: usize = 16;

/// Writes a file so that it is there whole or not at all, and stays there after
/// a power cut: [`write_atomically_with`] for bytes that lie ready.
///
/// # Errors
/// What the system says; a file that stood there stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomically_with(path, |file| {
        file.write_all(bytes).map_err(|source| Error::Io { path: path.to_owned(), source })
    })
}

/// Writes a file piece by piece, so that it is there whole or not at all, and
/// stays there after a power cut.
///
/// `write` is given a buffered file, empty and at its start. It is written
/// beside its place as `.thinnet-XXXXXX.tmp`, locked as long as it has that
/// name, flushed to the disk and renamed. Files of such names that nobody holds
/// a lock on were left over by a process that was killed in the middle of a
/// write: they are removed first.
///
/// # Errors
/// What `write` or the system says; a file that stood there stays as it was.
pub fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), Error>,
) -> Result<(), Error> {
    let io = |error| of_system(path, error);
    let folder = folder_of(path);
    let file = temporary(folder).map_err(io)?;
    let mut buffered = BufWriter::new(file.as_file());
    write(&mut buffered)?;
    buffered.flush().map_err(io)?;
    drop(buffered);
    file.as_file().sync_all().map_err(io)?;
    // The lock goes with the name's last owner, when `_renamed` is dropped.
    let _renamed = file.persist(path).map_err(|e| io(e.error))?;
    // The rename itself; systems that cannot open a folder have no need of it.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Looks whether [`write_atomically`] could write to `path` now, by making the
/// temporary file and taking it away again: permissions alone do not tell.
///
/// # Errors
/// What the system says.
pub fn ensure_writable(path: &Path) -> Result<(), Error> {
    temporary(folder_of(path)).map(drop).map_err(|error| of_system(path, error))
}

/// A locked temporary file in a folder from which those left over were removed.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    left_over::remove(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(left_over::PREFIX).suffix(left_over::SUFFIX);
    // Readable as any new file, not by its owner alone; the umask applies.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        match file.as_file().try_lock() {
            // Another process may have locked and removed it before.
            Ok(()) if file.path().try_exists()? => return Ok(file),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            // A system without locks, where none are removed either.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The system's own error, without the temporary file's name.
fn of_system(path: &Path, error: io::Error) -> Error {
    let source = match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        // The kind stays where the crate tempfile adds its name to the message.
        None => error.kind().into(),
    };
    Error::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::{Seek, SeekFrom},
    };

    use super::*;
    use crate::files::read;

    #[test]
    fn left_over_files_go_and_those_in_use_and_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(".thinnet-Ab12Cd.tmp");
        fs::write(&dead, "half").unwrap();
        let of_others = [".thinnet-notes", "thinnet-Ab12Cd.tmp", ".thinnet-c.lock"];
        for name in of_others {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let alive = temporary(folder.path()).unwrap();
        assert!(!dead.exists(), "removed at the start of a write");
        fs::write(&dead, "half").unwrap();
        write_atomically(&folder.path().join("new"), b"whole").unwrap();
        assert!(!dead.exists() && alive.path().exists());
        assert!(of_others.iter().all(|name| folder.path().join(name).exists()));
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    /// Each writer removes what it takes for left over; no write is lost.
    #[test]
    fn many_write_into_one_folder_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |writer: u8| {
            let path = folder.path().join(writer.to_string());
            for round in 0..40_u8 {
                write_atomically(&path, &[writer, round]).unwrap();
                assert_eq!(read(&path).unwrap(), [writer, round]);
            }
        };
        std::thread::scope(|scope| {
            for writer in 0..4 {
                scope.spawn(move || write(writer));
            }
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn pieces_may_be_written_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let io = |source| Error::Io { path: path.clone(), source };
        write_atomically_with(&path, |file| {
            file.write_all(b"..........").map_err(io)?;
            file.write_all(&[b'x'; 100_000]).map_err(io)?;
            file.seek(SeekFrom::Start(2)).map_err(io)?;
            file.write_all(b"first").map_err(io)
        })
        .unwrap();
        let written = read(&path).unwrap();
        assert_eq!((&written[..11], written.len()), (&b"..first...x"[..], 100_010));
        // Half of it and an error: nothing of it is seen.
        let refused = write_atomically_with(&path, |file| {
            file.write_all(b"half").map_err(io)?;
            Err(Error::setting("what", 0, "another"))
        });
        assert!(matches!(refused, Err(Error::Setting { .. })));
        assert_eq!(read(&path).unwrap(), written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone/file");
        for error in [write_atomically(&path, b""), ensure_writable(&path)] {
            let message = error.unwrap_err().to_string();
            assert!(message.starts_with(&path.display().to_string()), "{message}");
            assert!(!message.contains(left_over::PREFIX), "{message}");
        }
    }
}
