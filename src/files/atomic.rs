//! Files that appear whole or not at all.

use std::{
    fs::{File, TryLockError},
    io::{self, BufWriter, Write},
    path::Path,
};

use tempfile::NamedTempFile;

use super::{left_over, names, place::Place};
use crate::error::Error;

/// How often to retry if another process removes the temporary file just before it is locked.
const TRIES: usize = 16;

/// Writes a file completely or not at all, so that it survives a power cut:
/// [`write_atomically_with`] for bytes that are already in memory.
///
/// # Errors
/// As for [`write_atomically_with`].
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    let path = path.as_ref();
    write_atomically_with(path, |file| {
        file.write_all(bytes).map_err(|source| Error::io(path, source))
    })
}

/// Writes a file piece by piece, completely or not at all, so that it survives a power cut.
///
/// `write` gets an empty buffered file. It is in the same folder under the name
/// `.thinnet-unfinished-XXXXXXXXXXXXXXXX.tmp`, is locked as long as it has that name, and is then
/// flushed to the disk and renamed. Files with such names that nobody has locked were left over by
/// a process that was killed during a write; they are removed first.
///
/// - A symbolic link is kept, and its target is written, which need not exist.
/// - A new file has mode 0666 less the umask. A file that replaces another gets its permissions,
///   and its owner and group if the system allows that; if not, the mode loses any rights that
///   someone would gain by the change. Nobody else can read the file while it is being written
///   either. Setuid, setgid and sticky bits, access control lists and extended attributes are not
///   kept.
/// - If a file has several names (hard links), the name that is written becomes a separate file;
///   the other names keep the old contents.
///
/// # Errors
/// An error of `write` or the system; the folder does not exist; the path leads to something other
/// than a regular file (a folder, a named pipe, a device, a socket) or to a read-only file; the
/// name is reserved for temporary files or the locks of a [`super::WriteLock`]. Whatever was there
/// is left unchanged.
pub fn write_atomically_with(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = path.as_ref();
    let io = |source| Error::io(path, source);
    let place = Place::of(path)?;
    let file = temporary(&place).map_err(io)?;
    place.hand_on(file.as_file()).map_err(io)?;
    let mut buffered = BufWriter::new(file.as_file());
    write(&mut buffered)?;
    buffered.flush().map_err(io)?;
    drop(buffered);
    file.as_file().sync_all().map_err(io)?;
    // The lock is released with its last owner, when `_renamed` is dropped.
    let _renamed = file.persist(&place.path).map_err(|e| io(e.error))?;
    // Flush the rename itself; systems that cannot open a folder do not need this.
    if let Ok(folder) = File::open(place.folder()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Checks that [`write_atomically`] could write to `path` now, by creating the temporary file and
/// removing it again: checking permissions alone is not enough.
///
/// # Errors
/// As for [`write_atomically_with`].
pub fn ensure_writable(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let io = |source| Error::io(path, source);
    temporary(&Place::of(path)?).map(drop).map_err(io)
}

/// Creates a locked temporary file in the folder of `place`, after removing left-over ones.
fn temporary(place: &Place) -> io::Result<NamedTempFile> {
    left_over::remove(place.folder());
    let mut builder = tempfile::Builder::new();
    builder.prefix(names::TEMPORARY).suffix(names::TEMPORARY_END).rand_bytes(names::RANDOM);
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    // For its owner only, unless it is to be an ordinary new file; the umask applies.
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if place.old.is_some() { 0o600 } else { 0o666 });
    }
    // Opened here because the crate's errors give the temporary name.
    let make = || builder.make_in(place.folder(), |path| options.open(path));
    let unmade = |error: io::Error| {
        let message = format!("cannot create a file in {}: {error}", place.folder().display());
        io::Error::new(error.kind(), message)
    };
    for _ in 0..TRIES {
        let file = make().map_err(unmade)?;
        match file.as_file().try_lock() {
            // Another process may have locked and removed it first.
            Ok(()) if file.path().try_exists()? => return Ok(file),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            // On a system without locks, no left-over files are removed either.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, read},
        io::{Seek, SeekFrom},
    };

    use super::*;

    #[test]
    fn left_over_files_go_and_those_in_use_and_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(".thinnet-unfinished-Ab12Cd34Ef56Gh78.tmp");
        fs::write(&dead, "half").unwrap();
        let of_others = [".thinnet-notes", ".thinnet-Ab12Cd.tmp", ".thinnet-c.lock"];
        for name in of_others {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let alive = temporary(&Place::of(&folder.path().join("any")).unwrap()).unwrap();
        assert!(!dead.exists(), "removed at the start of a write");
        fs::write(&dead, "half").unwrap();
        write_atomically(folder.path().join("new"), b"whole").unwrap();
        assert!(!dead.exists() && alive.path().exists());
        assert!(of_others.iter().all(|name| folder.path().join(name).exists()));
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    /// Each writer removes what it considers left over; no write is lost.
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
        let io = |source| Error::io(&path, source);
        write_atomically_with(&path, |file| {
            file.write_all(b"..........").map_err(io)?;
            file.write_all(&[b'x'; 100_000]).map_err(io)?;
            file.seek(SeekFrom::Start(2)).map_err(io)?;
            file.write_all(b"first").map_err(io)
        })
        .unwrap();
        let written = read(&path).unwrap();
        assert_eq!((&written[..11], written.len()), (&b"..first...x"[..], 100_010));
        // Half of the contents, then an error: nothing of it is visible.
        let refused = write_atomically_with(&path, |file| {
            file.write_all(b"half").map_err(io)?;
            Err(Error::NoSamples)
        });
        assert!(matches!(refused, Err(Error::NoSamples)));
        assert_eq!(read(&path).unwrap(), written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_file_that_was_asked_for_and_the_missing_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone/file");
        for error in [write_atomically(&path, b""), ensure_writable(&path)] {
            let message = error.unwrap_err().to_string();
            let gone = folder.path().join("gone");
            let expected = format!("{}: no such folder: {}", path.display(), gone.display());
            assert_eq!(message, expected);
        }
    }
}
