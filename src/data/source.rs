//! The bytes of a data file, read in order.
//!
//! A header's claims are checked against the file's length before memory is allocated. If the
//! length is unknown (a pipe, or a gzipped file's contents), memory grows with the bytes that
//! actually arrive.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use super::gzip::{self, Members};
use crate::{
    error::Error,
    tensor::{AlignedBuffer, Matrix, padded},
};

/// The most elements that are read from a file, and the most floats that they become, with rows
/// padded to cache lines: 2^30.
pub const MAX_ELEMENTS: usize = 1 << 30;

/// The number of bytes read and converted at once.
const PIECE: usize = 16 << 10;

/// The initial capacity in bytes if the length is unknown.
const START: usize = 1 << 20;

/// The memory that any gzipped file may take, however short it is: 256 MiB, more than MNIST needs.
const UNPACKED: u64 = 256 << 20;

/// The memory that it may take in addition, for each of its bytes: enough for one-byte elements
/// that are compressed 64-fold and become floats.
const UNPACKED_EACH: u64 = 256;

/// What is known about the number of bytes left.
#[derive(Clone, Copy, Debug)]
enum Length {
    /// At most this many.
    Known(u64),
    /// A gzipped file of this many bytes; 0 if not even that is known.
    Gzipped(u64),
    /// A pipe or a device.
    Unknown,
}

/// See the top of this file.
pub(super) struct Source<'a> {
    from: Box<dyn BufRead + 'a>,
    length: Length,
    /// The path that errors name; `None` for bytes.
    path: Option<&'a Path>,
}

impl<'a> Source<'a> {
    /// Opens a file.
    pub fn open(path: &'a Path) -> Result<Self, Error> {
        let io = |source| Error::io(path, source);
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        // Files that the system generates on reading have length 0.
        let length = match about.len() {
            length @ 1.. if about.is_file() => Length::Known(length),
            _ => Length::Unknown,
        };
        Ok(Self { from: Box::new(BufReader::with_capacity(PIECE, file)), length, path: Some(path) })
    }

    /// Reads bytes in memory, of a file if that is known.
    pub fn of_bytes(bytes: &'a [u8], path: Option<&'a Path>) -> Self {
        Self { from: Box::new(bytes), length: Length::Known(bytes.len() as u64), path }
    }

    /// The contents of a gzipped file, recognised by its first byte; any other file as it is.
    pub fn unpacked(mut self) -> Result<Self, Error> {
        if gzip::peek(&mut self.from).map_err(|error| self.unreadable(error))?
            != Some(gzip::FIRST_BYTE)
        {
            return Ok(self);
        }
        let length = match self.length {
            Length::Known(length) | Length::Gzipped(length) => length,
            Length::Unknown => 0,
        };
        let from = BufReader::with_capacity(PIECE, Members::new(self.from));
        Ok(Self { from: Box::new(from), length: Length::Gzipped(length), path: self.path })
    }

    /// The file that the bytes come from, if known.
    pub fn path(&self) -> Option<&'a Path> {
        self.path
    }

    /// An error of these bytes.
    pub fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::format(self.path, reason)
    }

    /// The number of bytes left, if known.
    pub fn left(&self) -> Option<u64> {
        match self.length {
            Length::Known(left) => Some(left),
            Length::Gzipped(_) | Length::Unknown => None,
        }
    }

    /// Checks that `bytes` more can arrive and may take `memory` bytes; `stated` names the claim in
    /// errors.
    pub fn bears(&self, bytes: u64, memory: u64, stated: &str) -> Result<(), Error> {
        match self.length {
            Length::Known(left) if bytes > left => {
                Err(self
                    .refuse(format!("truncated: expected {bytes} bytes for {stated}, got {left}")))
            }
            Length::Gzipped(length) => {
                let most = UNPACKED.saturating_add(UNPACKED_EACH.saturating_mul(length));
                if memory <= most {
                    return Ok(());
                }
                let size = match length {
                    0 => "unknown size".to_owned(),
                    length => format!("{length} bytes"),
                };
                Err(self.refuse(format!(
                    "{stated} would take {memory} bytes of memory: expected at most {most} for a \
                     gzipped file of {size} (unpack it with gunzip to read it anyway)"
                )))
            }
            _ => Ok(()),
        }
    }

    /// The first bytes of a file that should be `what`.
    pub fn magic<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Error> {
        if gzip::peek(&mut self.from).map_err(|error| self.unreadable(error))?.is_none() {
            return Err(self.refuse(format!("an empty file: expected {what}")));
        }
        let mut magic = [0; N];
        self.exactly(&mut magic)?;
        Ok(magic)
    }

    /// Fills the start of `bytes`, and returns how much of it; 0 at the end.
    pub fn some(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.from.read(bytes) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        }
    }

    /// Fills `bytes`.
    pub fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let mut got = 0;
        while got < bytes.len() {
            match self.from.read(&mut bytes[got..]) {
                Ok(0) => {
                    let expected = bytes.len();
                    return Err(self
                        .refuse(format!("truncated: expected {expected} more bytes, got {got}")));
                }
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error)),
            }
        }
        if let Length::Known(left) = &mut self.length {
            *left = left.saturating_sub(got as u64);
        }
        Ok(())
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let from = bytes.len();
            let capacity = self.growth().capacity(from + 1, count, 1);
            bytes
                .try_reserve_exact(capacity - from)
                .map_err(|_| Error::TooLarge { what: "the bytes of a file", shape: [1, count] })?;
            bytes.resize(capacity, 0);
            self.exactly(&mut bytes[from..])?;
        }
        Ok(bytes)
    }

    /// The next `count` elements of `size` bytes, in pieces; `each` also gets the index of the
    /// piece's first element.
    pub fn pieces(
        &mut self,
        count: usize,
        size: usize,
        mut each: impl FnMut(usize, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut buffer = [0; PIECE];
        let most = PIECE / size;
        for first in (0..count).step_by(most) {
            let piece = &mut buffer[..most.min(count - first) * size];
            self.exactly(piece)?;
            each(first, piece)?;
        }
        Ok(())
    }

    /// The next `count` elements of `size` bytes, each converted to a number from its index and
    /// bytes.
    pub fn numbers<T>(
        &mut self,
        what: &'static str,
        count: usize,
        size: usize,
        number: impl Fn(usize, &[u8]) -> Result<T, String>,
    ) -> Result<Vec<T>, Error> {
        let (growth, path) = (self.growth(), self.path);
        let mut numbers = Vec::new();
        self.pieces(count, size, |first, bytes| {
            let needed = first + bytes.len() / size;
            if needed > numbers.capacity() {
                let capacity = growth.capacity(needed, count, size_of::<T>());
                numbers
                    .try_reserve_exact(capacity - first)
                    .map_err(|_| Error::TooLarge { what, shape: [1, count] })?;
            }
            for (place, bytes) in (first..).zip(bytes.chunks_exact(size)) {
                numbers.push(number(place, bytes).map_err(|reason| Error::format(path, reason))?);
            }
            Ok(())
        })?;
        Ok(numbers)
    }

    /// The next rows × columns elements of `size` bytes as rows of floats. `fill` converts bytes
    /// into the floats that it is given, or returns the index and value of one that does not fit.
    pub fn rows(
        &mut self,
        [rows, columns]: [usize; 2],
        size: usize,
        fill: impl Fn(&[u8], &mut [f32]) -> Result<(), (usize, f64)>,
    ) -> Result<Matrix, Error> {
        let too_large = || Error::TooLarge { what: "a matrix", shape: [rows, columns] };
        let stride = padded(columns).ok_or_else(too_large)?;
        let floats = rows.checked_mul(stride).ok_or_else(too_large)?;
        let (growth, path) = (self.growth(), self.path);
        let mut matrix = AlignedBuffer::zeroed(0)?;
        self.pieces(rows * columns, size, |first, bytes| {
            let end = first + bytes.len() / size;
            let needed = (end - 1) / columns * stride + (end - 1) % columns + 1;
            if needed > matrix.len() {
                let capacity = growth.capacity(needed, floats, size_of::<f32>());
                matrix.grow(capacity).map_err(|_| too_large())?;
            }
            let (mut at, mut rest) = (first, bytes);
            while !rest.is_empty() {
                // Up to the end of the row, or of the piece.
                let (row, column) = (at / columns, at % columns);
                let run = (columns - column).min(rest.len() / size);
                let (now, later) = rest.split_at(run * size);
                fill(now, &mut matrix[row * stride + column..][..run])
                    .map_err(|(beyond, x)| not_finite(path, row, column + beyond, x))?;
                (at, rest) = (at + run, later);
            }
            Ok(())
        })?;
        // The padding of the last row.
        matrix.grow(floats).map_err(|_| too_large())?;
        Matrix::from_padded(matrix, rows, columns)
    }

    /// Checks that the file ends here; `all` describes what came before.
    pub fn end(&mut self, all: &str) -> Result<(), Error> {
        match gzip::peek(&mut self.from) {
            Ok(None) => Ok(()),
            Ok(Some(_)) => {
                Err(self.refuse(format!("extra bytes after {all}: expected the end of the file")))
            }
            Err(error) => Err(self.unreadable(error)),
        }
    }

    fn growth(&self) -> Growth {
        Growth { length_known: matches!(self.length, Length::Known(_)) }
    }

    /// The system's error, or what is wrong with the gzip data.
    fn unreadable(&self, error: io::Error) -> Error {
        if error.raw_os_error().is_some() {
            return Error::transfer(self.path, error);
        }
        self.refuse(format!("truncated or damaged gzip data: {error}"))
    }
}

/// How memory grows.
#[derive(Clone, Copy)]
struct Growth {
    length_known: bool,
}

impl Growth {
    /// The capacity, out of `count` elements of `size` bytes in memory, to have when `needed` have
    /// arrived: all of them if the file is known to be long enough. Otherwise half of them, a
    /// quarter and so on: at most twice as many as arrived, and at the end no more than all.
    fn capacity(self, needed: usize, count: usize, size: usize) -> usize {
        let mut capacity = count;
        if !self.length_known {
            let least = needed.max(START / size);
            while capacity / 2 >= least {
                capacity = capacity.div_ceil(2);
            }
        }
        capacity
    }
}

/// Checks that a matrix may have this shape: rows that are not empty, and at most [`MAX_ELEMENTS`]
/// floats in total. `stated` is the shape as the file gives it. Returns the matrix's size in bytes.
pub(super) fn shape_of_rows(
    [rows, columns]: [usize; 2],
    stated: impl std::fmt::Display,
) -> Result<u64, String> {
    if columns == 0 {
        return Err(format!("{stated}: expected rows of at least one element"));
    }
    // Count at least one row: without rows, nothing in the file supports the width it claims.
    padded(columns)
        .and_then(|stride| stride.checked_mul(rows.max(1)))
        .filter(|&floats| floats <= MAX_ELEMENTS)
        .map(|floats| (floats * size_of::<f32>()) as u64)
        .ok_or_else(|| {
            format!(
                "{stated} takes too many floats, as each row is padded to a multiple of 16: \
                 expected at most {MAX_ELEMENTS}"
            )
        })
}

/// An element that is not a finite f32.
pub(super) fn not_finite(path: Option<&Path>, row: usize, column: usize, x: f64) -> Error {
    // `{:?}` prints 1e300 in this form, not as 301 digits.
    let reason = format!(
        "element {column} of row {row} is {x:?}: expected a finite number that an f32 can hold"
    );
    Error::format(path, reason)
}
