//! The names of the auxiliary files that exist while others are written.

use std::ffi::{OsStr, OsString};

/// The prefix of all of these names.
const PREFIX: &str = ".thinnet-";

/// The prefix of temporary files.
pub(super) const TEMPORARY: &str = ".thinnet-unfinished-";

/// The suffix of temporary files.
pub(super) const TEMPORARY_END: &str = ".tmp";

/// The number of random letters and digits between the two.
pub(super) const RANDOM: usize = 16;

/// The suffix of lock files.
const LOCK_END: &str = ".lock";

/// Whether a file's name is a temporary name of [`super::write_atomically_with`].
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let random = name
        .to_str()
        .and_then(|name| name.strip_prefix(TEMPORARY))
        .and_then(|name| name.strip_suffix(TEMPORARY_END));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// The name of a file's lock file.
pub(super) fn lock(name: &OsStr) -> OsString {
    let mut lock = OsString::from(PREFIX);
    lock.push(name);
    lock.push(LOCK_END);
    lock
}

/// Whether a name is reserved for temporary or lock files. Nothing may be saved under it: the file
/// would be considered left over, or be removed with the lock.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let is_lock = bytes.starts_with(PREFIX.as_bytes()) && bytes.ends_with(LOCK_END.as_bytes());
    is_lock || is_temporary(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_made_here() {
        let ours = ".thinnet-unfinished-0123456789abcdEF.tmp";
        assert!(is_temporary(ours.as_ref()) && is_ours(ours.as_ref()));
        assert!(is_ours(&lock("c".as_ref())) && !is_temporary(&lock("c".as_ref())));
        for of_others in [
            ".thinnet-mine.tmp",
            ".thinnet-models.tmp",
            ".thinnet-unfinished-.tmp",
            ".thinnet-unfinished-0123456789abcdE.tmp",
            ".thinnet-unfinished-0123456789abcdEFG.tmp",
            ".thinnet-unfinished-0123456789-bcdEF.tmp",
            ".thinnet-unfinished-0123456789abcdEF.tmp.gz",
            "thinnet-unfinished-0123456789abcdEF.tmp",
            ".thinnet-notes",
            "m.lock",
        ] {
            assert!(!is_ours(of_others.as_ref()), "{of_others}");
        }
    }
}
