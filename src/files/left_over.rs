//! Temporary files that a killed process left over.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use super::names;

/// Removes a folder's left-over temporary files.
///
/// A writer locks its file for as long as it has its temporary name, and the system releases the
/// lock when the process ends, so a file that can be locked belongs to nobody. Files that cannot be
/// opened or removed are left alone.
pub(super) fn remove(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|of_file| of_file.is_file());
        if !is_file || !names::is_temporary(&entry.file_name()) {
            continue;
        }
        // Opened for writing, which some systems require for a lock.
        if let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            // Removed under the lock: a writer that has just created the file and is about to lock
            // it will notice that it is gone.
            let _ = fs::remove_file(entry.path());
        }
    }
}
