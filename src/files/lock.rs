//! One writer per checkpoint.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{names, place::follow};
use crate::error::Error;

/// The exclusive right to write a file, for a run that writes it repeatedly.
///
/// This is an advisory lock of the system on `.thinnet-NAME.lock` in the folder of the file that
/// the path leads to, symbolic links followed. It ends with the process, however that ends. On
/// Unix, the lock file is removed when the lock is released; on other systems it remains, empty. A
/// lock file left by a killed process is taken over. On file systems without locks, everyone gets
/// the right.
///
/// ```
/// use thinnet::{Error, files::WriteLock};
///
/// let path = std::env::temp_dir().join(format!("thinnet-{}.ckpt", std::process::id()));
/// let lock = WriteLock::take(&path)?;
/// assert!(matches!(WriteLock::take(&path), Err(Error::InUse { .. })));
/// drop(lock);
/// assert!(WriteLock::take(&path).is_ok());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Debug)]
pub struct WriteLock {
    file: File,
    path: PathBuf,
}

impl WriteLock {
    /// Takes the right to write `path`, which need not exist.
    ///
    /// # Errors
    /// [`Error::InUse`] if someone else has it; the path is not a file name; there is something
    /// other than a lock file in the lock file's place; or the system reports an error.
    pub fn take(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |source| Error::io(path, source);
        let place = follow(path)?;
        let place = place.with_file_name(names::lock(place.file_name().unwrap_or_default()));
        // It would be removed when the lock is released.
        if fs::symlink_metadata(&place).is_ok_and(|found| !found.is_file() || found.len() > 0) {
            let reason = "not a lock file of thinnet: remove or rename it";
            return Err(Error::format(place.as_path(), reason));
        }
        loop {
            let file = OpenOptions::new().create(true).write(true).truncate(false).open(&place);
            let file = file.map_err(io)?;
            match file.try_lock() {
                Ok(()) if !is_at(&file, &place) => {}
                Ok(()) => return Ok(Self { file, path: place }),
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::InUse { path: path.to_owned() });
                }
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    return Ok(Self { file, path: place });
                }
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
        }
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // Under the lock: anyone who has already opened it will notice that it is gone.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

/// Whether the path still leads to the open file, which its last owner may have
/// removed after it was opened here.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// On these systems, lock files are not removed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let first = WriteLock::take(&path).unwrap();
        let message = WriteLock::take(&path).unwrap_err().to_string();
        assert!(message.starts_with(&path.display().to_string()), "{message}");
        let _other = WriteLock::take(folder.path().join("another")).unwrap();
        drop(first);
        drop(WriteLock::take(&path).unwrap());
        // Left over by a killed process.
        fs::write(folder.path().join(".thinnet-checkpoint.lock"), "").unwrap();
        drop(WriteLock::take(&path).unwrap());
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, if cfg!(unix) { 1 } else { 2 });
    }

    /// The lock file is created and removed all the while.
    #[test]
    fn two_never_have_it_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let holders = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut taken = 0;
                    while taken < 100 {
                        match WriteLock::take(&path) {
                            Ok(_lock) => {
                                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                                taken += 1;
                                holders.fetch_sub(1, Ordering::SeqCst);
                            }
                            Err(error) => assert!(matches!(error, Error::InUse { .. }), "{error}"),
                        }
                    }
                });
            }
        });
    }
}
