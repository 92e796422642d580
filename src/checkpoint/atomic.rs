//! Files that appear whole or not at all.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
};

use super::MOST_BYTES;
use crate::error::Error;

/// How the names of temporary files start, and what is left over where a
/// process was killed in the middle of a write.
pub(super) const PREFIX: &str = ".thinnet-";

/// Writes a file so that it is there whole or not at all, and stays there after
/// a power cut.
///
/// # Errors
/// What the system says; a file that stood there stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |error: std::io::Error| Error::Io {
        path: path.to_owned(),
        // The system's own error, without the temporary file's name.
        source: error.raw_os_error().map_or(error, std::io::Error::from_raw_os_error),
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    // Readable as any new file, not by its owner alone; the umask applies.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|e| io(e.error))?;
    // The rename itself; systems that cannot open a folder have no need of it.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Reads a file of at most [`MOST_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
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
