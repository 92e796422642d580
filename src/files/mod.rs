//! Files of every format: read up to a bound, written whole or not at all.
//!
//! A file is written beside its place, flushed to the disk and renamed, through
//! symbolic links and with the permissions of the file that it replaces
//! ([`write_atomically_with`]). What a killed process leaves over is removed at the
//! next write in that folder. A run that saves again and again keeps others from
//! writing its file with a [`WriteLock`]. Whether two paths lead to one file is told
//! by their [`Identity`].

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
pub use read::{MAX_BYTES, read, read_if};
