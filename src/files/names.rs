//! The names of the files that are there while others are written.

use std::ffi::{OsStr, OsString};

/// How all of them start.
const PREFIX: &str = ".thinnet-";

/// How the names of temporary files start.
pub(super) const TEMPORARY: &str = ".thinnet-unfinished-";

/// How they end.
pub(super) const TEMPORARY_END: &str = ".tmp";

/// How many random letters and digits stand between.
pub(super) const RANDOM: usize = 16;

/// How the names of lock files end.
const LOCK_END: &str = ".lock";

/// Whether a file's name is one that [`super::write_atomically_with`] makes.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let random = name
        .to_str()
        .and_then(|name| name.strip_prefix(TEMPORARY))
        .and_then(|name| name.strip_suffix(TEMPORARY_END));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// The name of the lock on a file.
pub(super) fn lock(name: &OsStr) -> OsString {
    let mut lock = OsString::from(PREFIX);
    lock.push(name);
    lock.push(LOCK_END);
    lock
}

/// Whether a name is a temporary file's or a lock's, under which nothing is saved: it
/// would be taken for left over, or removed with the lock.
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
