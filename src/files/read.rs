//! Files read up to a bound.

use std::{fs::File, io::Read, path::Path};

use crate::error::Error;

/// The largest file that is read: 16 GiB.
pub const MOST_BYTES: u64 = 1 << 34;

/// Reads a file of at most [`MOST_BYTES`].
///
/// # Errors
/// What the system says, or a larger file.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > MOST_BYTES {
        let reason = format!("larger than {MOST_BYTES} bytes");
        return Err(Error::Format { path: path.to_owned(), reason });
    }
    Ok(bytes)
}
