//! The inputs of a layer as bytes: for each row and block, the quads with an active unit.

use super::{
    BLOCK, QUAD, SHIFT,
    inputs::{Inputs, nonzero},
    scale, shifted,
};
use crate::{
    error::Error,
    parallel::{PerThread, Runs},
    pass::Pass,
    simd::{Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
    thin::{
        Lists, Panel, VECTORS,
        lists::{ListRuns, ListWriter},
        load,
    },
};

/// The inputs of a layer, rounded to bytes.
#[derive(Clone, Debug)]
pub(crate) struct QuadLists {
    /// The quads that are not 0, with the bits of their four bytes as values.
    quads: Lists,
    /// `[rows]`: t, what 1 stands for; NaN if an input is not finite.
    scales: AlignedBuffer<f32>,
    /// `[rows]`: the sum of the bytes.
    totals: AlignedBuffer<i32>,
    /// `[rows][blocks][256]`: all bytes.
    bytes: AlignedBuffer<i8>,
    /// `[blocks][256]`: a row of floats.
    row: PerThread<AlignedBuffer<f32>>,
    /// `blocks * 256`
    size: usize,
}

impl QuadLists {
    /// Allocates memory for at most `rows` rows of `width` inputs.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let size = width.next_multiple_of(BLOCK);
        let bytes = size.checked_mul(rows);
        let too_large = Error::TooLarge { what: "bytes of a layer's inputs", shape: [rows, width] };
        Ok(Self {
            quads: Lists::with_capacity(rows, width.div_ceil(QUAD))?,
            scales: AlignedBuffer::zeroed(rows)?,
            totals: AlignedBuffer::zeroed(rows)?,
            bytes: AlignedBuffer::zeroed(bytes.ok_or(too_large)?)?,
            row: PerThread::new(AlignedBuffer::zeroed(if rows == 0 { 0 } else { size })?),
            size,
        })
    }

    /// The number of rows that it has memory for.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.scales.len()
    }

    #[inline]
    pub(super) fn rows(&self) -> usize {
        self.quads.rows()
    }

    /// t of a row.
    #[inline(always)]
    pub(super) fn scale(&self, row: usize) -> f32 {
        self.scales[row]
    }

    /// The sum of a row's bytes.
    #[inline(always)]
    pub(super) fn total(&self, row: usize) -> i32 {
        self.totals[row]
    }

    /// The quads that are not 0.
    #[inline(always)]
    pub(super) fn quads(&self) -> &Lists {
        &self.quads
    }

    /// Prepares memory for the threads of the caller's pool.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn prepare(&mut self) -> Result<(), Error> {
        let size = self.size;
        self.row.prepare(|| AlignedBuffer::zeroed(size))
    }

    /// Rounds the inputs `x`. The caller has checked that they fit the capacity.
    pub(crate) fn fill(&mut self, pass: Pass, x: &impl Inputs) {
        let (rows, size, scratch) = (x.rows(), self.size, &self.row);
        self.quads.set_rows(rows);
        let bytes = &mut self.bytes[..rows * size];
        let to = (
            Runs { data: &mut *bytes, size: size.max(1) },
            Runs { data: &mut self.scales[..rows], size: 1 },
            Runs { data: &mut self.totals[..rows], size: 1 },
        );
        pass.each(to, &|row, (bytes, scales, totals)| {
            scratch.with(|scratch| {
                (scales.data[0], totals.data[0]) =
                    pass.dispatch(Round { x, row, scratch, bytes: bytes.data });
            });
        });
        let bytes = &*bytes;
        pass.each(self.quads.runs_mut(), &|block, quads| {
            pass.dispatch(Gather { bytes, size, block, quads });
        });
    }
}

/// Rounds the inputs of a row to bytes.
struct Round<'a, X> {
    x: &'a X,
    row: usize,
    /// Memory for the row.
    scratch: &'a mut [f32],
    bytes: &'a mut [i8],
}

impl<X: Inputs> Kernel for Round<'_, X> {
    /// The scale and the sum of the bytes.
    type Output = (f32, i32);

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> (f32, i32) {
        let Self { x, row, scratch, bytes } = self;
        x.write(l, row, scratch.as_chunks_mut().0);
        let max = largest(l, scratch.as_chunks().0);
        if max.is_nan() {
            bytes.fill(0);
            return (f32::NAN, 0);
        }
        let scale = scale(max);
        let (scales, shift) = (l.splat(scale), l.splat(SHIFT));
        let mut totals = [0; LANES];
        let lines = scratch.as_chunks().0;
        for (bytes, x) in bytes.as_chunks_mut().0.iter_mut().zip(lines) {
            put(l, l.add(l.div(l.load(x), scales), shift), bytes, &mut totals);
        }
        (scale, totals.into_iter().sum())
    }
}

/// Stores the whole numbers in x, to which [`SHIFT`] was added, as bytes, and adds them to the totals.
/// Two loops over arrays, which compile to vectors; one over both does not.
#[inline(always)]
fn put<L: Lanes>(l: L, x: L::F, bytes: &mut [i8; LANES], totals: &mut [i32; LANES]) {
    let mut line = [0.0; LANES];
    l.store(x, &mut line);
    let whole = line.map(shifted);
    *bytes = whole.map(|whole| whole as i8);
    for (total, whole) in totals.iter_mut().zip(whole) {
        *total += whole;
    }
}

/// The largest of the absolute inputs of a row, or NaN if one of them is not finite.
#[inline(always)]
fn largest<L: Lanes>(l: L, row: &[Panel]) -> f32 {
    let zero = l.splat(0.0);
    let (mut most, mut sums) = ([zero; VECTORS], [zero; VECTORS]);
    let magnitude = l.load_words(&[0x7fff_ffff_7fff_ffff; LANES / 2]);
    for x in row {
        let x: [L::F; VECTORS] = load(l, x);
        for ((most, sum), x) in most.iter_mut().zip(&mut sums).zip(x) {
            // 0 times infinity or NaN is NaN.
            *sum = l.mul_add(x, zero, *sum);
            let x = l.words_as_floats(l.and(l.floats_as_words(x), magnitude));
            *most = l.at_least(*most, x);
        }
    }
    let [mut max, mut sum] = [zero; 2];
    for (most, of) in most.into_iter().zip(sums) {
        max = l.at_least(max, most);
        sum = l.add(sum, of);
    }
    let mut line = [0.0; LANES];
    l.store(max, &mut line);
    let max = line.into_iter().fold(0.0, f32::max);
    if l.is_nan(sum) == 0 { max } else { f32::NAN }
}

/// Lists the quads of a block that are not 0.
struct Gather<'a> {
    /// All bytes, `size` per row.
    bytes: &'a [i8],
    size: usize,
    block: usize,
    quads: ListRuns<'a>,
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { bytes, size, block, quads } = self;
        let mut to = ListWriter::new(quads);
        for (row, bytes) in bytes.chunks(size.max(1)).enumerate() {
            let bytes = &bytes[block * BLOCK..][..BLOCK];
            for (c, some) in bytes.as_chunks::<{ LANES * QUAD }>().0.iter().enumerate() {
                // As floats, four bytes of 0 are the only ones equal to 0: -0.0 has the byte -128,
                // and denormal numbers are not 0.
                let x = l.load(&bytemuck::cast(*some));
                to.push(l, c, nonzero(l, x), x);
            }
            to.end_of_row(row);
        }
    }
}
