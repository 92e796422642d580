//! IDX, the format of MNIST, plain or gzipped.
//!
//! Big-endian: two zero bytes, the element type (8 = unsigned byte), the number
//! of dimensions, each dimension as u32, then the elements.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

use crate::error::Error;

/// What an IDX file of unsigned bytes holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Idx {
    /// The sizes of its dimensions, outermost first.
    pub dimensions: Vec<usize>,
    /// Its elements, row-major.
    pub elements: Vec<u8>,
}

/// The most elements that are read: 1 GiB.
pub const MOST_ELEMENTS: usize = 1 << 30;

/// The most that deflate can make of a byte (1032, by its format).
const MOST_EXPANSION: u64 = 1032;

/// Reads an IDX file of unsigned bytes with `dimensions` dimensions, plain or
/// gzipped (told apart by the first bytes, not the name).
///
/// # Errors
/// More than 255 dimensions are asked for, which the format cannot say; the
/// file cannot be read, is not such a file, is longer or shorter than its
/// header says, or says more than [`MOST_ELEMENTS`]. Memory stays within the
/// size that the file can really hold.
pub fn read(path: &Path, dimensions: usize) -> Result<Idx, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    parse(BufReader::new(file), size, dimensions, path)
}

/// Reads IDX bytes as [`read`] does; `path` names them in errors.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8], dimensions: usize, path: &Path) -> Result<Idx, Error> {
    parse(bytes, bytes.len() as u64, dimensions, path)
}

fn parse(
    mut from: impl std::io::BufRead,
    size: u64,
    dimensions: usize,
    path: &Path,
) -> Result<Idx, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if from.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]) {
        elements(MultiGzDecoder::new(from), size.saturating_mul(MOST_EXPANSION), dimensions, path)
    } else {
        elements(from, size, dimensions, path)
    }
}

/// Reads header and elements; the file holds at most `most` bytes.
fn elements(mut from: impl Read, most: u64, dimensions: usize, path: &Path) -> Result<Idx, Error> {
    let Ok(code) = u8::try_from(dimensions) else {
        return Err(Error::setting("dimensions of an IDX file", dimensions, "at most 255"));
    };
    let format = |reason: String| Error::Format { path: path.to_owned(), reason };
    let unreadable = |error: std::io::Error| format(format!("cannot be read whole: {error}"));
    let mut magic = [0; 4];
    from.read_exact(&mut magic).map_err(unreadable)?;
    let expected = [0, 0, 8, code];
    if magic != expected {
        return Err(format(format!(
            "not an IDX file of bytes with {dimensions} dimensions: expected the first bytes {expected:?}, got {magic:?}"
        )));
    }
    let mut sizes = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        let mut word = [0; 4];
        from.read_exact(&mut word).map_err(unreadable)?;
        sizes.push(u32::from_be_bytes(word) as usize);
    }
    let count = sizes
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size))
        .filter(|&count| count <= MOST_ELEMENTS)
        .ok_or_else(|| {
            format(format!(
                "sizes {sizes:?} are too large: expected at most {MOST_ELEMENTS} elements"
            ))
        })?;
    if count as u64 > most {
        return Err(format(format!(
            "truncated: sizes {sizes:?} need {count} bytes, the file can hold at most {most}"
        )));
    }
    // Grows with what really comes: a header cannot make it large.
    let mut elements = Vec::new();
    from.by_ref().take(count as u64).read_to_end(&mut elements).map_err(unreadable)?;
    if elements.len() != count {
        return Err(format(format!(
            "truncated: expected {count} elements, got {}",
            elements.len()
        )));
    }
    let mut beyond = [0];
    if from.read(&mut beyond).map_err(unreadable)? != 0 {
        return Err(format(format!(
            "bytes behind the {count} elements that its sizes {sizes:?} say"
        )));
    }
    Ok(Idx { dimensions: sizes, elements })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(magic: [u8; 4], sizes: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = magic.to_vec();
        sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        let path = Path::new("the-file");
        let plain = from_bytes(bytes, 2, path).unwrap_err().to_string();
        let zipped = from_bytes(&gzip(bytes), 2, path).unwrap_err().to_string();
        assert!(plain.starts_with("the-file: ") && zipped.starts_with("the-file: "));
        plain
    }

    #[test]
    fn reads_plain_and_gzipped() {
        let bytes = file([0, 0, 8, 2], &[2, 3], &[1, 2, 3, 4, 5, 255]);
        let want = Idx { dimensions: vec![2, 3], elements: vec![1, 2, 3, 4, 5, 255] };
        assert_eq!(from_bytes(&bytes, 2, Path::new("")).unwrap(), want);
        assert_eq!(from_bytes(&gzip(&bytes), 2, Path::new("")).unwrap(), want);
        let empty = file([0, 0, 8, 2], &[0, 3], &[]);
        assert!(from_bytes(&empty, 2, Path::new("")).unwrap().elements.is_empty());
    }

    #[test]
    fn refuses_a_wrong_magic_number() {
        assert!(refused(&file([0, 0, 9, 2], &[1, 1], &[0])).contains("[0, 0, 8, 2]"));
        assert!(refused(&file([0, 0, 8, 3], &[1, 1], &[0])).contains("[0, 0, 8, 3]"));
    }

    #[test]
    fn refuses_more_dimensions_than_the_format_can_say() {
        for dimensions in [256, 256 + 2, usize::MAX] {
            let error = from_bytes(&[0, 0, 8, 255], dimensions, Path::new("")).unwrap_err();
            assert!(error.to_string().contains(&dimensions.to_string()), "{error}");
        }
    }

    #[test]
    fn refuses_truncated_files() {
        let whole = file([0, 0, 8, 2], &[2, 3], &[0; 6]);
        for end in 0..whole.len() {
            refused(&whole[..end]);
        }
        let zipped = gzip(&whole);
        for end in 0..zipped.len() {
            assert!(from_bytes(&zipped[..end], 2, Path::new("")).is_err(), "{end}");
        }
    }

    #[test]
    fn refuses_bytes_behind_the_end() {
        assert!(refused(&file([0, 0, 8, 2], &[2, 3], &[0; 7])).contains("behind"));
    }

    #[test]
    fn refuses_sizes_that_no_file_holds() {
        let huge = file([0, 0, 8, 2], &[u32::MAX, u32::MAX], &[0; 6]);
        assert!(refused(&huge).contains("too large"));
        let large = file([0, 0, 8, 2], &[60_000, 784], &[0; 6]);
        assert!(refused(&large).contains("truncated"));
    }

    #[test]
    fn refuses_broken_gzip() {
        let mut bytes = gzip(&file([0, 0, 8, 2], &[2, 3], &[1; 6]));
        let crc = bytes.len() - 6;
        bytes[crc] ^= 1;
        assert!(from_bytes(&bytes, 2, Path::new("")).is_err());
        assert!(from_bytes(&[0x1f, 0x8b], 2, Path::new("")).is_err());
    }
}
