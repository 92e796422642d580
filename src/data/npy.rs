//! NPY, NumPy's file of one array, versions 1.0 to 3.0.
//!
//! `\x93NUMPY`, two bytes of the version, the header's length (little-endian, u16,
//! from version 2.0 on u32), the header, which is a Python dictionary of `descr`,
//! `fortran_order` and `shape`, then the elements. They may be booleans, whole
//! numbers of 1 to 8 bytes or floats of 2, 4 or 8, in C or in Fortran order, little-
//! or big-endian. Objects, structures, texts, dates and complex numbers are refused.

mod header;

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use half::f16;

use crate::{
    error::Error,
    files::write_atomically,
    tensor::{Matrix, MatrixView},
};
use header::Header;

/// The most elements that are read, and the most floats that a matrix may take,
/// whose rows are padded to cache lines: 2^30.
pub const MOST_ELEMENTS: usize = 1 << 30;

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `b1`
    Bool,
    /// `u1`
    U8,
    /// `u2`
    U16,
    /// `u4`
    U32,
    /// `u8`
    U64,
    /// `i1`
    I8,
    /// `i2`
    I16,
    /// `i4`
    I32,
    /// `i8`
    I64,
    /// `f2`
    F16,
    /// `f4`
    F32,
    /// `f8`
    F64,
}

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Bool,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::F16,
        Self::F32,
        Self::F64,
    ];

    /// NumPy's name without the byte order.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "b1",
            Self::U8 => "u1",
            Self::U16 => "u2",
            Self::U32 => "u4",
            Self::U64 => "u8",
            Self::I8 => "i1",
            Self::I16 => "i2",
            Self::I32 => "i4",
            Self::I64 => "i8",
            Self::F16 => "f2",
            Self::F32 => "f4",
            Self::F64 => "f8",
        }
    }

    /// Bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The element with these bits; integers beyond 2^53 are rounded.
    fn number(self, bits: u64) -> f64 {
        match self {
            Self::Bool => f64::from(bits != 0),
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => bits as f64,
            Self::I8 => f64::from(bits as i8),
            Self::I16 => f64::from(bits as i16),
            Self::I32 => f64::from(bits as i32),
            Self::I64 => bits as i64 as f64,
            Self::F16 => f16::from_bits(bits as u16).to_f64(),
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
        }
    }

    /// The f32 nearest to the element with these bits.
    fn value(self, bits: u64) -> f32 {
        match self {
            // By way of f64 they would be rounded twice.
            Self::U64 => bits as f32,
            Self::I64 => bits as i64 as f32,
            _ => self.number(bits) as f32,
        }
    }
}

/// An array as a file holds it.
///
/// ```
/// use thinnet::{data::npy::{self, Npy}, tensor::Matrix};
///
/// let path = std::env::temp_dir().join("thinnet-rows.npy");
/// let rows = Matrix::from_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3)?;
/// npy::write_matrix(&path, rows.view())?; // np.load reads it
/// assert_eq!(Npy::read(&path)?.matrix()?, rows);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Npy {
    header: Header,
    elements: Vec<u8>,
    /// For errors.
    path: PathBuf,
}

impl Npy {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, is no such file, is longer or shorter than its
    /// header says, or says more than [`MOST_ELEMENTS`]. Memory stays within the
    /// file's size.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        Self::parse(BufReader::new(file), size, path)
    }

    /// Reads a file's bytes as [`Self::read`] does; `path` names them in errors.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        Self::parse(bytes, bytes.len() as u64, path)
    }

    fn parse(mut from: impl Read, size: u64, path: &Path) -> Result<Self, Error> {
        let format = |reason| Error::Format { path: path.to_owned(), reason };
        let (header, length) = header::read(&mut from, size).map_err(format)?;
        let (kind, dimensions) = (header.kind, &header.dimensions);
        let product = dimensions.iter().try_fold(1usize, |all, &one| all.checked_mul(one));
        let count = product.filter(|&count| count <= MOST_ELEMENTS).ok_or_else(|| {
            format(format!(
                "shape {dimensions:?} is too large: expected at most {MOST_ELEMENTS} elements"
            ))
        })?;
        // Below 2^33.
        let (bytes, there) = (count as u64 * kind.size() as u64, size.saturating_sub(length));
        if bytes > there {
            return Err(format(format!(
                "truncated: shape {dimensions:?} of {}: expected {bytes} bytes, there are {there}",
                kind.name()
            )));
        }
        let mut elements = Vec::new();
        elements
            .try_reserve_exact(bytes as usize)
            .map_err(|_| Error::TooLarge { what: "array", shape: [1, count] })?;
        let unreadable = |error| format(format!("cannot be read whole: {error}"));
        from.by_ref().take(bytes).read_to_end(&mut elements).map_err(unreadable)?;
        if elements.len() as u64 != bytes {
            return Err(format(format!(
                "truncated: expected {bytes} bytes of elements, got {}",
                elements.len()
            )));
        }
        if from.read(&mut [0]).map_err(unreadable)? != 0 {
            return Err(format(format!(
                "bytes behind the {count} elements: expected as many as its shape {dimensions:?} says"
            )));
        }
        Ok(Self { header, elements, path: path.to_owned() })
    }

    /// What the elements are.
    pub fn kind(&self) -> Kind {
        self.header.kind
    }

    /// The sizes of the dimensions, outermost first.
    pub fn dimensions(&self) -> &[usize] {
        &self.header.dimensions
    }

    /// The array as rows of floats, each element the nearest f32. Of more than two
    /// dimensions the first counts the rows, and a row holds the others in C order:
    /// images become rows of pixels. A row takes a multiple of 64 bytes: of a file of
    /// narrow rows it can be 64 times the file's size.
    ///
    /// # Errors
    /// Fewer than two dimensions, rows without elements, or more floats than
    /// [`MOST_ELEMENTS`], padding counted, or than can be allocated.
    pub fn matrix(&self) -> Result<Matrix, Error> {
        let [rows, inner @ ..] = self.dimensions() else {
            return Err(self.refused("a single number: expected rows"));
        };
        // The product of all is known not to overflow, unless there are no rows.
        let columns = inner.iter().try_fold(1usize, |all, &one| all.checked_mul(one));
        let dimensions = self.dimensions();
        if inner.is_empty() || columns == Some(0) {
            let shape = format!("shape {dimensions:?}: expected rows of at least one element");
            return Err(self.refused(shape));
        }
        let padded = columns
            .and_then(|columns| columns.checked_next_multiple_of(16)?.checked_mul((*rows).max(1)));
        let (Some(columns), Some(_)) = (columns, padded.filter(|&floats| floats <= MOST_ELEMENTS))
        else {
            return Err(self.refused(format!(
                "shape {dimensions:?} takes too many floats, as each row is padded to a multiple \
                 of 16: expected at most {MOST_ELEMENTS}"
            )));
        };
        let mut matrix = Matrix::zeroed(*rows, columns)?;
        if *rows == 0 {
            // As wide as it says it is, which nothing in the file bears out.
            return Ok(matrix);
        }
        let Header { kind, big_endian, fortran_order, .. } = self.header;
        let value = |element: &[u8]| kind.value(word(element, big_endian));
        let along = if fortran_order { *rows } else { columns };
        for (i, elements) in self.elements.chunks_exact(along * kind.size()).enumerate() {
            let elements = elements.chunks_exact(kind.size()).map(value);
            if fortran_order {
                // The first dimension runs fastest: whole columns follow each other.
                let column = column(i, inner);
                elements.enumerate().for_each(|(row, x)| matrix.at_mut(row)[column] = x);
            } else {
                matrix.at_mut(i).iter_mut().zip(elements).for_each(|(to, x)| *to = x);
            }
        }
        Ok(matrix)
    }

    /// The rows of a data set: as [`Self::matrix`], where bytes (`u1`) become
    /// x / 255, as those of IDX, and all others stay as they are.
    ///
    /// # Errors
    /// As [`Self::matrix`]; NaN, infinity, or a number beyond the range of f32.
    pub fn inputs(&self) -> Result<Matrix, Error> {
        let mut matrix = self.matrix()?;
        if self.kind() == Kind::U8 {
            for row in 0..matrix.rows() {
                matrix.at_mut(row).iter_mut().for_each(|x| *x /= 255.0);
            }
        }
        if let Some((row, column, value)) = matrix.view().find_non_finite() {
            return Err(self.refused(format!(
                "element {column} of row {row} is {value}: expected a number that an f32 can hold"
            )));
        }
        Ok(matrix)
    }

    /// The array as classes.
    ///
    /// # Errors
    /// Not one dimension, or an element that is no whole number of at least 0, or one
    /// above 2^32 - 1; more than can be allocated.
    pub fn labels(&self) -> Result<Vec<u32>, Error> {
        let [rows] = self.dimensions()[..] else {
            let shape = format!("shape {:?}: expected one dimension of labels", self.dimensions());
            return Err(self.refused(shape));
        };
        let (kind, big_endian) = (self.header.kind, self.header.big_endian);
        let mut labels = Vec::new();
        labels
            .try_reserve_exact(rows)
            .map_err(|_| Error::TooLarge { what: "labels", shape: [1, rows] })?;
        for (row, bytes) in self.elements.chunks_exact(kind.size()).enumerate() {
            let label = kind.number(word(bytes, big_endian));
            if !(0.0..=f64::from(u32::MAX)).contains(&label) || label.fract() != 0.0 {
                return Err(self.refused(format!(
                    "label {label} at row {row}: expected a whole number from 0 to {}",
                    u32::MAX
                )));
            }
            labels.push(label as u32);
        }
        Ok(labels)
    }

    fn refused(&self, reason: impl Into<String>) -> Error {
        Error::Format { path: self.path.clone(), reason: reason.into() }
    }
}

/// The place in C order of the `number`th place in Fortran order, in an array of
/// these sizes.
fn column(number: usize, sizes: &[usize]) -> usize {
    let (mut rest, mut column, mut after) = (number, 0, sizes.iter().product::<usize>());
    for size in sizes {
        after /= size;
        column += rest % size * after;
        rest /= size;
    }
    column
}

/// The bytes of an element as one number.
fn word(bytes: &[u8], big_endian: bool) -> u64 {
    let push = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
    if big_endian { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) }
}

/// The file of a matrix: `<f4` in C order, version 1.0, the bytes that `np.save`
/// writes.
///
/// # Errors
/// More than can be allocated.
pub fn matrix_to_bytes(rows: MatrixView<'_>) -> Result<Vec<u8>, Error> {
    let shape = [rows.rows(), rows.columns()];
    let mut bytes = start(Kind::F32, &shape)?;
    for row in 0..rows.rows() {
        bytes.extend(crate::bytes::little_endian(rows.at(row)));
    }
    Ok(bytes)
}

/// The file of labels: `<u4`, version 1.0.
///
/// # Errors
/// More than can be allocated.
pub fn labels_to_bytes(labels: &[u32]) -> Result<Vec<u8>, Error> {
    let mut bytes = start(Kind::U32, &[labels.len()])?;
    labels.iter().for_each(|label| bytes.extend(label.to_le_bytes()));
    Ok(bytes)
}

/// Writes what [`matrix_to_bytes`] says, whole or not at all.
///
/// # Errors
/// What the system says, or more than can be allocated.
pub fn write_matrix(path: &Path, rows: MatrixView<'_>) -> Result<(), Error> {
    write_atomically(path, &matrix_to_bytes(rows)?)
}

/// Writes what [`labels_to_bytes`] says, whole or not at all.
///
/// # Errors
/// What the system says, or more than can be allocated.
pub fn write_labels(path: &Path, labels: &[u32]) -> Result<(), Error> {
    write_atomically(path, &labels_to_bytes(labels)?)
}

/// What stands before the elements, with room for them.
fn start(kind: Kind, dimensions: &[usize]) -> Result<Vec<u8>, Error> {
    let head = header::to_bytes(kind, dimensions);
    let elements = dimensions.iter().try_fold(kind.size(), |all, &one| all.checked_mul(one));
    let size = elements.and_then(|elements| elements.checked_add(head.len()));
    let mut bytes = Vec::new();
    size.and_then(|size| bytes.try_reserve_exact(size).ok()).ok_or(Error::TooLarge {
        what: "array",
        shape: [dimensions[0], dimensions.get(1).copied().unwrap_or(1)],
    })?;
    bytes.extend(head);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
