//! NPY, NumPy's file format for one array, versions 1.0 to 3.0.
//!
//! `\x93NUMPY`, two bytes of the version, the header's length (little-endian; u16, or u32 from
//! version 2.0 on), the header, which is a Python dictionary of `descr`, `fortran_order` and
//! `shape`, then the elements. They may be booleans, integers of 1 to 8 bytes or floats of 2, 4 or
//! 8, in C or in Fortran order, little- or big-endian. Objects, structures, strings, dates and
//! complex numbers are refused.

mod header;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use half::f16;

use super::{
    OwnedTargets,
    source::{MAX_ELEMENTS, Source, not_finite, shape_of_rows},
};
use crate::{
    abridged::Few,
    error::Error,
    files::write_atomically,
    named::names,
    nn::TargetKind,
    tensor::{Matrix, MatrixView},
};
use header::Header;

/// The type of an array's elements.
///
/// ```
/// use thinnet::data::npy::{Dtype, Npy, labels_to_bytes};
///
/// let array = Npy::from_bytes(&labels_to_bytes(&[7, 2, 1])?)?;
/// assert_eq!(array.dtype(), Dtype::U32);
/// assert_eq!((array.dtype().name(), array.dtype().size()), ("u4", 4));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
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

names! {
    /// Every element type.
    ALL of Dtype;
    /// NumPy's name without the byte order.
    name;
    Bool => "b1",
    U8 => "u1",
    U16 => "u2",
    U32 => "u4",
    U64 => "u8",
    I8 => "i1",
    I16 => "i2",
    I32 => "i4",
    I64 => "i8",
    F16 => "f2",
    F32 => "f4",
    F64 => "f8",
}

impl Dtype {
    /// The size of an element in bytes.
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
            // Converting through f64 would round twice.
            Self::U64 => bits as f32,
            Self::I64 => bits as i64 as f32,
            _ => self.number(bits) as f32,
        }
    }
}

/// An array as it is stored in a file.
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
#[derive(Clone)]
pub struct Npy {
    header: Header,
    elements: Vec<u8>,
    /// The path that errors name; `None` for bytes.
    path: Option<PathBuf>,
}

impl fmt::Debug for Npy {
    /// Shows the header's fields and the first few bytes of the elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, elements, path } = self;
        f.debug_struct("Npy")
            .field("header", header)
            .field("elements", &Few(elements.iter()))
            .field("path", path)
            .finish()
    }
}

impl Npy {
    /// Reads a file. Its elements are kept in their own type; [`read_inputs`] and [`read_labels`]
    /// need less memory.
    ///
    /// # Errors
    /// The file cannot be read, is not an NPY file, is longer or shorter than its header says, or
    /// declares more than [`MAX_ELEMENTS`] elements. Memory use stays within the file's size, or,
    /// for a pipe, within twice what was received.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Opened::new(Source::open(path.as_ref())?)?.whole()
    }

    /// Reads a file's bytes as [`Self::read`] does.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Opened::new(Source::of_bytes(bytes, None))?.whole()
    }

    /// The type of the elements.
    pub fn dtype(&self) -> Dtype {
        self.header.dtype
    }

    /// The sizes of the dimensions, outermost first.
    pub fn dimensions(&self) -> &[usize] {
        &self.header.dimensions
    }

    /// The array as rows of floats, each element the nearest f32. With more than two dimensions,
    /// the first is the number of rows, and each row holds the others in C order: images become
    /// rows of pixels. A row takes a multiple of 64 bytes, so a file of narrow rows can need 64
    /// times its size.
    ///
    /// # Errors
    /// There are fewer than two dimensions, rows without elements, or more than [`MAX_ELEMENTS`]
    /// floats including padding; or there is not enough memory.
    pub fn matrix(&self) -> Result<Matrix, Error> {
        self.opened().rows(Values::AsTheyAre)
    }

    /// The rows of a data set: like [`Self::matrix`], but bytes (`u1`) become x / 255, as in IDX;
    /// all others are not scaled.
    ///
    /// # Errors
    /// As for [`Self::matrix`]; or an element is NaN, infinite or beyond the range of f32.
    pub fn inputs(&self) -> Result<Matrix, Error> {
        self.opened().rows(Values::Inputs)
    }

    /// The array as classes.
    ///
    /// # Errors
    /// The array does not have exactly one dimension; an element is not an integer from 0 to 2^32 -
    /// 1; or there is not enough memory.
    pub fn labels(&self) -> Result<Vec<u32>, Error> {
        self.opened().labels()
    }

    fn opened(&self) -> Opened<'_> {
        let source = Source::of_bytes(&self.elements, self.path.as_deref());
        Opened { header: self.header.clone(), source }
    }
}

/// Reads a file as [`Npy::read`] and [`Npy::inputs`] do, straight into the matrix. For a pipe,
/// memory grows with what is received.
///
/// # Errors
/// As for both.
pub fn read_inputs(path: impl AsRef<Path>) -> Result<Matrix, Error> {
    Opened::new(Source::open(path.as_ref())?)?.rows(Values::Inputs)
}

/// Reads a file as [`Npy::read`] and [`Npy::labels`] do, straight into the labels.
///
/// # Errors
/// As for both.
pub fn read_labels(path: impl AsRef<Path>) -> Result<Vec<u32>, Error> {
    Opened::new(Source::open(path.as_ref())?)?.labels()
}

/// Reads a file with one number per row, such as the [weights](super::Dataset::with_weights) of a data
/// set. The numbers are not scaled and may be NaN or infinite; integers above 2^53 are rounded.
///
/// ```no_run
/// use thinnet::data::{Dataset, Split, npy};
///
/// let data = Dataset::from_npy_folder("folder", Split::Train)?;
/// let data = data.with_weights(npy::read_numbers("folder/weights.npy")?)?;
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// As for [`Npy::read`]; or the array does not have exactly one dimension.
pub fn read_numbers(path: impl AsRef<Path>) -> Result<Vec<f64>, Error> {
    Opened::new(Source::open(path.as_ref())?)?.numbers("numbers", |_, number| Ok(number))
}

/// Reads the targets of `rows` rows, which the file `inputs` has. Another number of targets is refused
/// before they are read.
pub(super) fn read_targets_of(
    path: &Path,
    inputs: &Path,
    rows: usize,
    kind: TargetKind,
) -> Result<OwnedTargets, Error> {
    let mut file = Opened::new(Source::open(path)?)?;
    let what = if kind == TargetKind::Classes { "labels" } else { "rows of targets" };
    let dimensions = &mut file.header.dimensions;
    let number = match dimensions[..] {
        [number] => Some(number),
        [number, _, ..] if kind != TargetKind::Classes => Some(number),
        _ => None,
    };
    if let Some(number) = number.filter(|&number| number != rows) {
        return Err(file.source.refuse(format!(
            "{number} {what}: expected {rows}, one for each row of {}",
            inputs.display()
        )));
    }
    // One target per row.
    if kind != TargetKind::Classes && dimensions.len() == 1 {
        dimensions.push(1);
    }
    match kind {
        TargetKind::Classes => file.labels().map(OwnedTargets::Classes),
        TargetKind::Values => file.rows(Values::Targets).map(OwnedTargets::Values),
        TargetKind::Binary => file.rows(Values::Targets).map(OwnedTargets::Binary),
    }
}

/// How the elements are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    AsTheyAre,
    /// All elements must be finite.
    Targets,
    /// Bytes divided by 255; all elements must be finite.
    Inputs,
}

/// A file whose header has been read.
struct Opened<'a> {
    header: Header,
    source: Source<'a>,
}

impl<'a> Opened<'a> {
    fn new(mut source: Source<'a>) -> Result<Self, Error> {
        let header = header::read(&mut source)?;
        Ok(Self { header, source })
    }

    /// The number of elements in the shape, if the file can hold them.
    fn count(&self) -> Result<usize, Error> {
        let Header { dtype, dimensions, .. } = &self.header;
        let product = dimensions.iter().try_fold(1usize, |all, &one| all.checked_mul(one));
        let Some(count) = product.filter(|&count| count <= MAX_ELEMENTS) else {
            return Err(self.source.refuse(format!(
                "shape {dimensions:?} is too large: expected at most {MAX_ELEMENTS} elements"
            )));
        };
        // Below 2^33.
        let bytes = count as u64 * dtype.size() as u64;
        let stated = format!("an array of {} with shape {dimensions:?}", dtype.name());
        self.source.bears(bytes, bytes, &stated)?;
        Ok(count)
    }

    fn end(&mut self) -> Result<(), Error> {
        self.source.end(&format!("the elements of shape {:?}", self.header.dimensions))
    }

    fn whole(mut self) -> Result<Npy, Error> {
        let bytes = self.count()?.checked_mul(self.header.dtype.size());
        let bytes = bytes.ok_or(Error::TooLarge { what: "an array", shape: [1, usize::MAX] })?;
        let elements = self.source.take(bytes)?;
        self.end()?;
        Ok(Npy { elements, path: self.source.path().map(Path::to_owned), header: self.header })
    }

    fn rows(mut self, values: Values) -> Result<Matrix, Error> {
        self.count()?;
        let Header { dtype, big_endian, fortran_order, ref dimensions } = self.header;
        let (rows, inner) = match &dimensions[..] {
            [rows, inner @ ..] if !inner.is_empty() => (rows, inner),
            [] => return Err(self.source.refuse("a single number: expected rows")),
            _ => {
                return Err(self.source.refuse(format!(
                    "shape {dimensions:?} has one dimension: expected two or more, rows first (is \
                     this the file of labels?)"
                )));
            }
        };
        // The full product is known not to overflow, unless there are no rows.
        let columns = inner.iter().fold(1usize, |all, &one| all.saturating_mul(one));
        let shape = [*rows, columns];
        shape_of_rows(shape, format!("shape {dimensions:?}"))
            .map_err(|reason| self.source.refuse(reason))?;
        let fill = |bytes: &[u8], to: &mut [f32]| fill(dtype, big_endian, values, bytes, to);
        let matrix = if fortran_order {
            columns_first(&mut self.source, shape, inner, dtype.size(), fill)?
        } else {
            self.source.rows(shape, dtype.size(), fill)?
        };
        self.end()?;
        Ok(matrix)
    }

    fn labels(self) -> Result<Vec<u32>, Error> {
        self.numbers("labels", |row, label| {
            if (0.0..=f64::from(u32::MAX)).contains(&label) && label.fract() == 0.0 {
                return Ok(label as u32);
            }
            // 1e300 would be 301 digits.
            let label = if label.abs() < 1e20 { label.to_string() } else { format!("{label:?}") };
            Err(format!(
                "label {label} at row {row}: expected a whole number from 0 to {}",
                u32::MAX
            ))
        })
    }

    /// Each element of an array of one dimension, converted together with its index.
    fn numbers<T>(
        mut self,
        what: &'static str,
        convert: impl Fn(usize, f64) -> Result<T, String>,
    ) -> Result<Vec<T>, Error> {
        let count = self.count()?;
        let Header { dtype, big_endian, ref dimensions, .. } = self.header;
        if dimensions.len() != 1 {
            let shape = format!("shape {dimensions:?}: expected one dimension of {what}");
            return Err(self.source.refuse(shape));
        }
        let numbers = self.source.numbers(what, count, dtype.size(), |row, bytes| {
            convert(row, dtype.number(word(bytes, big_endian)))
        })?;
        self.end()?;
        Ok(numbers)
    }
}

/// Converts elements to floats; if one is not finite, returns its index and value instead.
fn fill(
    dtype: Dtype,
    big_endian: bool,
    values: Values,
    bytes: &[u8],
    to: &mut [f32],
) -> Result<(), (usize, f64)> {
    let elements = bytes.chunks_exact(dtype.size()).map(|element| word(element, big_endian));
    to.iter_mut().zip(elements).for_each(|(to, bits)| *to = dtype.value(bits));
    if values == Values::AsTheyAre {
        return Ok(());
    }
    if dtype == Dtype::U8 && values == Values::Inputs {
        to.iter_mut().for_each(|x| *x /= 255.0);
    }
    match to.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let element = &bytes[at * dtype.size()..][..dtype.size()];
            Err((at, dtype.number(word(element, big_endian))))
        }
    }
}

/// Rows of elements in Fortran order, in which the first dimension varies fastest: whole columns
/// follow one another. `inner` holds the sizes of the other dimensions.
fn columns_first(
    source: &mut Source<'_>,
    [rows, columns]: [usize; 2],
    inner: &[usize],
    size: usize,
    fill: impl Fn(&[u8], &mut [f32]) -> Result<(), (usize, f64)>,
) -> Result<Matrix, Error> {
    let (count, path) = (rows * columns, source.path());
    if source.left().is_none() {
        // The first column needs every row, so the matrix is allocated only when all data has
        // arrived.
        let bytes = source.take(count * size)?;
        let mut source = Source::of_bytes(&bytes, path);
        return columns_first(&mut source, [rows, columns], inner, size, fill);
    }
    let mut matrix = Matrix::zeroed(rows, columns)?;
    let mut floats = [0.0; 256];
    source.pieces(count, size, |first, bytes| {
        let (mut at, mut rest) = (first, bytes);
        while !rest.is_empty() {
            // Up to the end of the column, of the piece, or of the buffer.
            let (row, column) = (at % rows, column(at / rows, inner));
            let run = (rows - row).min(rest.len() / size).min(floats.len());
            let (now, later) = rest.split_at(run * size);
            fill(now, &mut floats[..run])
                .map_err(|(beyond, x)| not_finite(path, row + beyond, column, x))?;
            for (row, &x) in (row..).zip(&floats[..run]) {
                matrix.at_mut(row)[column] = x;
            }
            (at, rest) = (at + run, later);
        }
        Ok(())
    })?;
    Ok(matrix)
}

/// The index in C order of element `number` in Fortran order, in an array with these dimensions.
fn column(number: usize, sizes: &[usize]) -> usize {
    let (mut rest, mut column, mut after) = (number, 0, sizes.iter().product::<usize>());
    for size in sizes {
        after /= size;
        column += rest % size * after;
        rest /= size;
    }
    column
}

/// The bytes of an element as one integer.
fn word(bytes: &[u8], big_endian: bool) -> u64 {
    let push = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
    if big_endian { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) }
}

/// A matrix as an NPY file: `<f4` in C order, version 1.0, the same bytes as `np.save` writes.
///
/// # Errors
/// There is not enough memory.
pub fn matrix_to_bytes(rows: MatrixView<'_>) -> Result<Vec<u8>, Error> {
    let shape = [rows.rows(), rows.columns()];
    let mut bytes = start(Dtype::F32, &shape)?;
    for row in 0..rows.rows() {
        bytes.extend(rows.at(row).iter().flat_map(|x| x.to_le_bytes()));
    }
    Ok(bytes)
}

/// Labels as an NPY file: `<u4`, version 1.0.
///
/// # Errors
/// There is not enough memory.
pub fn labels_to_bytes(labels: &[u32]) -> Result<Vec<u8>, Error> {
    let mut bytes = start(Dtype::U32, &[labels.len()])?;
    labels.iter().for_each(|label| bytes.extend(label.to_le_bytes()));
    Ok(bytes)
}

/// Writes the bytes of [`matrix_to_bytes`] to a file, completely or not at all.
///
/// # Errors
/// The system reports an error, or there is not enough memory.
pub fn write_matrix(path: impl AsRef<Path>, rows: MatrixView<'_>) -> Result<(), Error> {
    write_atomically(path, &matrix_to_bytes(rows)?)
}

/// Writes the bytes of [`labels_to_bytes`] to a file, completely or not at all.
///
/// # Errors
/// The system reports an error, or there is not enough memory.
pub fn write_labels(path: impl AsRef<Path>, labels: &[u32]) -> Result<(), Error> {
    write_atomically(path, &labels_to_bytes(labels)?)
}

/// The header of a file, with room for the elements after it.
fn start(dtype: Dtype, dimensions: &[usize]) -> Result<Vec<u8>, Error> {
    let head = header::to_bytes(dtype, dimensions);
    let elements = dimensions.iter().try_fold(dtype.size(), |all, &one| all.checked_mul(one));
    let size = elements.and_then(|elements| elements.checked_add(head.len()));
    let mut bytes = Vec::new();
    size.and_then(|size| bytes.try_reserve_exact(size).ok()).ok_or(Error::TooLarge {
        what: "an array",
        shape: dimensions.get(1).map_or([1, dimensions[0]], |&columns| [dimensions[0], columns]),
    })?;
    bytes.extend(head);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
