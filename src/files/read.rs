//! Reading files up to a size limit.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::error::Error;

/// The largest file that is read: 16 GiB.
pub const MAX_BYTES: u64 = 1 << 34;

/// The number of bytes examined before the rest of a file is read.
const FIRST: u64 = 64;

/// The first 64 bytes of a file, or fewer if it is shorter, and its size; if it is not a regular
/// file, the number of bytes read instead.
///
/// # Errors
/// The system reports an error.
pub(crate) fn start(path: &Path) -> Result<(Vec<u8>, u64), Error> {
    let io = |source| Error::io(path, source);
    let file = File::open(path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    let mut bytes = Vec::new();
    file.take(FIRST).read_to_end(&mut bytes).map_err(io)?;
    let size = if about.is_file() { about.len() } else { bytes.len() as u64 };
    Ok((bytes, size))
}

/// Reads a file of at most `most` bytes if `begins` accepts its first 64 bytes (all, if there are
/// fewer). If it refuses them, it gives the reason, and nothing more is read.
///
/// # Errors
/// The system reports an error, the file is larger, its beginning is refused, or there is not
/// enough memory.
pub fn read_if(
    path: impl AsRef<Path>,
    most: u64,
    begins: impl FnOnce(&[u8]) -> Result<(), String>,
) -> Result<Vec<u8>, Error> {
    let path = path.as_ref();
    let refuse = |reason: String| Error::format(path, reason);
    let too_large = || refuse(format!("larger than {most} bytes, the maximum for such a file"));
    let io = |source| Error::io(path, source);
    let file = File::open(path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    // For a pipe, the length is 0 and means nothing.
    let stated = if about.is_file() { about.len() } else { 0 };

    let mut bytes = Vec::new();
    (&file).take(FIRST.min(most)).read_to_end(&mut bytes).map_err(io)?;
    begins(&bytes).map_err(refuse)?;
    if stated > most {
        return Err(too_large());
    }
    let no_memory = |size| Error::TooLarge { what: "the bytes of a file", shape: [1, size] };
    // At most 16 GiB; on a 32-bit machine, a size that does not fit fails to be reserved.
    let rest = usize::try_from(stated).unwrap_or(usize::MAX).saturating_sub(bytes.len());
    bytes.try_reserve_exact(rest).map_err(|_| no_memory(rest))?;
    let left = most.saturating_add(1).saturating_sub(bytes.len() as u64);
    match file.take(left).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > most => Err(too_large()),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(no_memory(bytes.len())),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for size in [0, 1, 63, 64, 65, 1000] {
            let bytes: Vec<u8> = (0..size).map(|i| i as u8).collect();
            fs::write(&path, &bytes).unwrap();
            assert_eq!(read_if(&path, MAX_BYTES, |_| Ok(())).unwrap(), bytes);
            assert_eq!(read_if(&path, size, |_| Ok(())).unwrap(), bytes);
            if size > 0 {
                let error = read_if(&path, size - 1, |_| Ok(())).unwrap_err().to_string();
                assert!(error.contains(&format!("larger than {} bytes", size - 1)), "{error}");
            }
        }
    }

    #[test]
    fn the_rest_is_not_read_where_the_beginning_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        // Sparse: reading all of it would take a while, and 8 GiB.
        File::create(&path).unwrap().set_len(1 << 33).unwrap();
        let refused = read_if(&path, MAX_BYTES, |first| {
            assert_eq!(first, [0; 64]);
            Err("no beginning".to_owned())
        });
        assert!(refused.unwrap_err().to_string().ends_with("large: no beginning"));
        let refused = read_if(&path, 1 << 20, |_| Ok(())).unwrap_err().to_string();
        assert!(refused.contains("larger than 1048576 bytes"), "{refused}");
    }

    /// Its reported length is 0.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_a_length_is_read_to_its_end() {
        let status = Path::new("/proc/self/status");
        assert!(read_if(status, MAX_BYTES, |_| Ok(())).unwrap().starts_with(b"Name:"));
        let error = read_if(status, 100, |first| {
            assert_eq!(first.len(), 64);
            Ok(())
        });
        assert!(error.unwrap_err().to_string().contains("larger than 100 bytes"));
    }
}
