//! IDX, the format of MNIST, plain or gzipped.
//!
//! Big-endian: two zero bytes, the element type (8 = unsigned byte), the number
//! of dimensions, each dimension as u32, then the elements.

use std::{fmt, path::Path};

use super::source::{MAX_ELEMENTS, Source, shape_of_rows};
use crate::{abridged::Few, error::Error, tensor::Matrix};

/// The contents of an IDX file of unsigned bytes.
///
/// ```
/// use thinnet::data::idx;
///
/// // Type 8 (unsigned bytes), one dimension of three elements.
/// let labels = idx::from_bytes(&[0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1], 1)?;
/// assert_eq!((labels.dimensions, labels.elements), (vec![3], vec![7, 2, 1]));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Idx {
    /// The sizes of its dimensions, outermost first.
    pub dimensions: Vec<usize>,
    /// Its elements, row-major.
    pub elements: Vec<u8>,
}

impl fmt::Debug for Idx {
    /// Its dimensions and the first few elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idx")
            .field("dimensions", &self.dimensions)
            .field("elements", &Few(self.elements.iter()))
            .finish()
    }
}

/// Reads an IDX file of unsigned bytes with `dimensions` dimensions, plain or
/// gzipped (told apart by the first byte, not the name).
///
/// # Errors
/// More than 255 dimensions are requested, which the format cannot express; the file cannot be
/// read, is not an IDX file of bytes, is longer or shorter than its header says, or declares more
/// than [`MAX_ELEMENTS`] elements. A gzipped file may expand to at most 256 MiB plus 256 bytes for
/// each of its own.
pub fn read(path: impl AsRef<Path>, dimensions: usize) -> Result<Idx, Error> {
    Opened::new(Source::open(path.as_ref())?, dimensions)?.whole()
}

/// Reads IDX bytes as [`read`] does.
///
/// # Errors
/// As for [`read`].
pub fn from_bytes(bytes: &[u8], dimensions: usize) -> Result<Idx, Error> {
    Opened::new(Source::of_bytes(bytes, None), dimensions)?.whole()
}

/// The images of a file, one per row as pixels / 255, and their height and width.
pub(super) fn images(source: Source<'_>) -> Result<(Matrix, [usize; 2]), Error> {
    Opened::new(source, 3)?.images()
}

/// The labels of a file that must have `rows` of them.
pub(super) fn labels(source: Source<'_>, rows: usize) -> Result<Vec<u32>, Error> {
    Opened::new(source, 1)?.labels(rows)
}

/// A file whose header has been read.
struct Opened<'a> {
    sizes: Vec<usize>,
    /// The product of the dimensions.
    count: usize,
    source: Source<'a>,
}

impl<'a> Opened<'a> {
    fn new(source: Source<'a>, dimensions: usize) -> Result<Self, Error> {
        let Ok(code) = u8::try_from(dimensions) else {
            return Err(Error::TooMany {
                what: "dimensions of an IDX file",
                most: 255,
                got: dimensions,
            });
        };
        let mut source = source.unpacked()?;
        match source.magic("an IDX file")? {
            [0, 0, 8, got] if got == code => {}
            [0, 0, 8, got] => {
                return Err(source.refuse(format!(
                    "an IDX file whose number of dimensions is {got}: expected {code}"
                )));
            }
            magic => {
                return Err(source.refuse(format!(
                    "not an IDX file of unsigned bytes: expected the first bytes {:?}, got {magic:?}",
                    [0, 0, 8, code]
                )));
            }
        }
        let mut sizes = Vec::with_capacity(dimensions);
        for _ in 0..dimensions {
            let mut word = [0; 4];
            source.exactly(&mut word)?;
            sizes.push(u32::from_be_bytes(word) as usize);
        }
        let product = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let Some(count) = product.filter(|&count| count <= MAX_ELEMENTS) else {
            return Err(source.refuse(format!(
                "sizes {sizes:?} are too large: expected at most {MAX_ELEMENTS} elements"
            )));
        };
        Ok(Self { sizes, count, source })
    }

    /// Checks that the file can hold the elements, and that they may take so many bytes of memory.
    fn bears(&self, memory: u64) -> Result<(), Error> {
        let stated = format!("an array with sizes {:?}", self.sizes);
        self.source.bears(self.count as u64, memory, &stated)
    }

    fn end(&mut self) -> Result<(), Error> {
        self.source
            .end(&format!("the {} elements that its sizes {:?} state", self.count, self.sizes))
    }

    fn whole(mut self) -> Result<Idx, Error> {
        self.bears(self.count as u64)?;
        let elements = self.source.take(self.count)?;
        self.end()?;
        Ok(Idx { dimensions: self.sizes, elements })
    }

    fn images(mut self) -> Result<(Matrix, [usize; 2]), Error> {
        let (rows, image) = match self.sizes[..] {
            [rows, height, width] => (rows, [height, width]),
            _ => (0, [0, 0]),
        };
        let columns = image[0].saturating_mul(image[1]);
        let memory = shape_of_rows([rows, columns], format!("sizes {:?}", self.sizes))
            .map_err(|reason| self.source.refuse(reason))?;
        self.bears(memory)?;
        let matrix = self.source.rows([rows, columns], 1, |bytes, pixels| {
            pixels.iter_mut().zip(bytes).for_each(|(x, &byte)| *x = f32::from(byte) / 255.0);
            Ok(())
        })?;
        self.end()?;
        Ok((matrix, image))
    }

    fn labels(mut self, rows: usize) -> Result<Vec<u32>, Error> {
        if self.count != rows {
            let reason = format!("{} labels: expected {rows}, one per image", self.count);
            return Err(self.source.refuse(reason));
        }
        self.bears(rows as u64 * size_of::<u32>() as u64)?;
        let labels = self.source.numbers("labels", rows, 1, |_, bytes| Ok(u32::from(bytes[0])))?;
        self.end()?;
        Ok(labels)
    }
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
        let [plain, zipped] = [bytes, &gzip(bytes)].map(|bytes| {
            let error = from_bytes(bytes, 2).unwrap_err();
            let reason = error.to_string();
            assert_eq!(error.in_file("the-file").to_string(), format!("the-file: {reason}"));
            reason
        });
        assert!(!zipped.is_empty());
        plain
    }

    #[test]
    fn reads_plain_and_gzipped() {
        let bytes = file([0, 0, 8, 2], &[2, 3], &[1, 2, 3, 4, 5, 255]);
        let want = Idx { dimensions: vec![2, 3], elements: vec![1, 2, 3, 4, 5, 255] };
        assert_eq!(from_bytes(&bytes, 2).unwrap(), want);
        assert_eq!(from_bytes(&gzip(&bytes), 2).unwrap(), want);
        let empty = file([0, 0, 8, 2], &[0, 3], &[]);
        assert!(from_bytes(&empty, 2).unwrap().elements.is_empty());
    }

    #[test]
    fn refuses_a_wrong_magic_number() {
        assert!(refused(&file([0, 0, 9, 2], &[1, 1], &[0])).contains("[0, 0, 8, 2]"));
        // An IDX file of bytes all the same, such as images in place of labels.
        let images = refused(&file([0, 0, 8, 3], &[1, 1, 1], &[0]));
        assert_eq!(images, "an IDX file whose number of dimensions is 3: expected 2");
        assert_eq!(refused(&[]), "an empty file: expected an IDX file");
    }

    #[test]
    fn refuses_more_dimensions_than_the_format_can_say() {
        for dimensions in [256, 256 + 2, usize::MAX] {
            let error = from_bytes(&[0, 0, 8, 255], dimensions).unwrap_err();
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
            assert!(from_bytes(&zipped[..end], 2).is_err(), "{end}");
        }
    }

    #[test]
    fn refuses_bytes_after_the_end() {
        assert!(refused(&file([0, 0, 8, 2], &[2, 3], &[0; 7])).contains("extra bytes after"));
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
        assert!(from_bytes(&bytes, 2).is_err());
        assert!(from_bytes(&[0x1f, 0x8b], 2).is_err());
        assert!(from_bytes(&[0x1f], 2).is_err());
    }

    /// As zcat reads them.
    #[test]
    fn reads_several_members_and_zeros_after_the_last() {
        let bytes = file([0, 0, 8, 2], &[2, 3], &[1, 2, 3, 4, 5, 255]);
        let want = from_bytes(&bytes, 2).unwrap();
        let whole = gzip(&bytes);
        let parts = [gzip(&bytes[..7]), gzip(&[]), gzip(&bytes[7..]), gzip(&[])].concat();
        for file in [&whole, &parts] {
            for zeros in [0, 1, 511, 100_000] {
                let padded = [file.as_slice(), &vec![0; zeros]].concat();
                assert_eq!(from_bytes(&padded, 2).unwrap(), want, "{zeros}");
            }
        }
        for after in [b"x".as_slice(), b"\0\0x", &[0, 0, 0x1f, 0x8b], &[0xff; 100_000]] {
            let error = from_bytes(&[&whole, after].concat(), 2).unwrap_err();
            assert!(error.to_string().contains("after the last gzip member"), "{error}");
        }
        // An invalid member, and one more whole file.
        assert!(from_bytes(&[whole.as_slice(), &[0x1f, 0]].concat(), 2).is_err());
        let twice = from_bytes(&[whole.clone(), whole].concat(), 2).unwrap_err();
        assert!(twice.to_string().contains("extra bytes after the 6 elements"), "{twice}");
    }

    /// 1 KiB or so of zeros, a header of 1 GiB before them.
    #[test]
    fn refuses_a_gzipped_file_that_becomes_too_much() {
        let large = gzip(&file([0, 0, 8, 3], &[1024, 1024, 1024], &[0; 1024]));
        let narrow = gzip(&file([0, 0, 8, 3], &[5_000_000, 1, 1], &[0; 1024]));
        for (bytes, memory) in [(large, 4_294_967_296u64), (narrow, 320_000_000)] {
            let error = images(Source::of_bytes(&bytes, None)).unwrap_err().to_string();
            assert!(error.contains(&format!("take {memory} bytes of memory")), "{error}");
            let most = (256 << 20) + 256 * bytes.len();
            assert!(error.contains(&format!("at most {most} for a gzipped file")), "{error}");
        }
        let elements = gzip(&file([0, 0, 8, 1], &[1 << 29], &[0; 1024]));
        let error = from_bytes(&elements, 1).unwrap_err().to_string();
        assert!(error.contains("take 536870912 bytes of memory"), "{error}");
    }

    #[test]
    fn refuses_images_without_pixels_and_another_number_of_labels() {
        let images = |sizes: &[u32], bytes: &[u8]| {
            let bytes = file([0, 0, 8, 3], sizes, bytes);
            images(Source::of_bytes(&bytes, None)).map_err(|error| error.to_string())
        };
        assert!(images(&[2, 3, 0], &[]).unwrap_err().contains("at least one element"));
        assert!(images(&[67_108_865, 1, 1], &[]).unwrap_err().contains("too many floats"));
        assert_eq!(
            images(&[2, 1, 3], &[0, 51, 255, 1, 2, 3]).unwrap().0.row(0).unwrap(),
            [0.0, 0.2, 1.0]
        );
        let bytes = file([0, 0, 8, 1], &[1 << 29], &[]);
        let error = labels(Source::of_bytes(&bytes, None), 2).unwrap_err().to_string();
        assert!(error.contains("536870912 labels: expected 2, one per image"), "{error}");
    }
}
