//! Files of every format: read up to a bound, written whole or not at all.
//!
//! A file is written beside its place, flushed to the disk and renamed
//! ([`write_atomically`]). What a killed process leaves over is removed at the
//! next write in that folder. A run that saves again and again keeps others from
//! writing its file with a [`WriteLock`].
#![forbid(unsafe_code)]

mod atomic;
mod left_over;
mod lock;
mod read;

pub use atomic::{ensure_writable, write_atomically, write_atomically_with};
pub use lock::WriteLock;
pub use read::{MOST_BYTES, read};
