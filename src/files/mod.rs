//! Files of every format: read up to a size limit, written completely or not at all.
//!
//! A file is written under a temporary name in the same folder, flushed to the disk and renamed;
//! symbolic links are followed, and the permissions of the file that it replaces are kept
//! ([`write_atomically_with`]). What a killed process leaves behind is removed by the next write in
//! that folder. A run that saves repeatedly uses a [`WriteLock`] to keep others from writing its
//! file. Two paths lead to the same file if their [`Identity`] values are equal.

mod atomic;
mod foreign;
mod identity;
mod left_over;
mod lock;
mod names;
mod place;
mod read;

pub use atomic::{ensure_writable, write_atomically, write_atomically_with};
pub(crate) use foreign::foreign;
pub use identity::Identity;
pub use lock::WriteLock;
pub(crate) use place::kind;
pub(crate) use read::start;
pub use read::{MAX_BYTES, read_if};
