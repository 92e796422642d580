//! Temporary files that a killed process left over.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use super::names;

/// Removes a folder's left-over temporary files.
///
/// A writer holds a lock on its file for as long as that has its temporary name,
/// and the system takes the lock away with the process: what can be locked
/// belongs to nobody. What cannot be looked at or removed stays.
pub(super) fn remove(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|of_file| of_file.is_file());
        if !is_file || !names::is_temporary(&entry.file_name()) {
            continue;
        }
        // Opened for writing, as some systems ask it for a lock.
        if let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            // Removed under the lock: whoever made it a moment ago and comes to
            // lock it finds that it is gone.
            let _ = fs::remove_file(entry.path());
        }
    }
}
