//! The inputs of a layer as bytes: for each row and block, the quads with an active unit.

use super::{BLOCK, PANEL, QUAD, QuadTiles, SHIFT, scale, shifted};
use crate::{
    error::Error,
    parallel::Runs,
    pass::Pass,
    simd::{Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
    thin::{
        Lists,
        lists::{ListRuns, ListWriter},
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
}

impl QuadLists {
    /// Allocates memory for at most `rows` rows of `width` inputs.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let bytes = width.next_multiple_of(BLOCK).checked_mul(rows);
        let too_large = Error::TooLarge { what: "bytes of a layer's inputs", shape: [rows, width] };
        Ok(Self {
            quads: Lists::with_capacity(rows, width.div_ceil(QUAD))?,
            scales: AlignedBuffer::zeroed(rows)?,
            totals: AlignedBuffer::zeroed(rows)?,
            bytes: AlignedBuffer::zeroed(bytes.ok_or(too_large)?)?,
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

    /// Rounds the inputs `x` of layer `w`, and puts them into the order of `w`. The caller has checked
    /// that they fit the capacity.
    pub(crate) fn fill(&mut self, pass: Pass, x: &Lists, w: &QuadTiles) {
        let (rows, places) = (x.rows(), w.places());
        self.quads.set_rows(rows);
        let size = x.width().next_multiple_of(BLOCK);
        let bytes = &mut self.bytes[..rows * size];
        let to = (
            Runs { data: &mut *bytes, size },
            Runs { data: &mut self.scales[..rows], size: 1 },
            Runs { data: &mut self.totals[..rows], size: 1 },
        );
        pass.each(to, &|row, (bytes, scales, totals)| {
            (scales.data[0], totals.data[0]) =
                pass.dispatch(Round { x, row, places, bytes: bytes.data });
        });
        let bytes = &*bytes;
        pass.each(self.quads.runs_mut(), &|block, quads| {
            pass.dispatch(Gather { bytes, size, block, quads });
        });
    }
}

/// Rounds the inputs of a row to bytes, and puts each at its place.
struct Round<'a> {
    x: &'a Lists,
    row: usize,
    places: &'a [[u32; PANEL]],
    bytes: &'a mut [i8],
}

impl Kernel for Round<'_> {
    /// The scale and the sum of the bytes.
    type Output = (f32, i32);

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> (f32, i32) {
        let Self { x, row, places, bytes } = self;
        bytes.fill(0);
        let max = largest(l, x, row);
        if !max.is_finite() {
            return (f32::NAN, 0);
        }
        let scale = scale(max);
        let (mut rounder, scales) = (Rounder { bytes, totals: [0; LANES] }, l.splat(scale));
        for (b, places) in places.iter().enumerate() {
            let (offsets, values) = x.of(b, row);
            let (lines, rest) = values.as_chunks();
            let (whole, last) = offsets.split_at(lines.len() * LANES);
            for (offsets, x) in whole.as_chunks::<LANES>().0.iter().zip(lines) {
                rounder.put(l, places, offsets, l.div(l.load(x), scales));
            }
            rounder.put(l, places, last, l.div(l.load_first(rest), scales));
        }
        (scale, rounder.totals.into_iter().sum())
    }
}

/// Puts rounded inputs at their places.
struct Rounder<'a> {
    bytes: &'a mut [i8],
    totals: [i32; LANES],
}

impl Rounder<'_> {
    /// Rounds the inputs in the first lanes of x, which have these offsets. The other lanes are 0.
    #[inline(always)]
    fn put<L: Lanes>(&mut self, l: L, places: &[u32; PANEL], offsets: &[u8], x: L::F) {
        let mut line = [0.0; LANES];
        l.store(l.add(x, l.splat(SHIFT)), &mut line);
        let mut whole = [0; LANES];
        for ((whole, total), x) in whole.iter_mut().zip(&mut self.totals).zip(line) {
            *whole = shifted(x);
            *total += *whole;
        }
        for (&offset, &byte) in offsets.iter().zip(&whole) {
            self.bytes[places[usize::from(offset) % PANEL] as usize] = byte as i8;
        }
    }
}

/// The largest of the absolute inputs of a row. It is not finite if one of them is not.
#[inline(always)]
fn largest<L: Lanes>(l: L, x: &Lists, row: usize) -> f32 {
    let mut most = [0; LANES];
    for b in 0..x.blocks() {
        let (lines, rest) = x.of(b, row).1.as_chunks();
        let mut last = [0.0; LANES];
        l.store(l.load_first(rest), &mut last);
        for line in lines.iter().chain([&last]) {
            // Without their signs, floats are in the order of their bits. NaN and infinity are the
            // largest.
            for (most, x) in most.iter_mut().zip(line) {
                *most = x.to_bits().wrapping_shl(1).max(*most);
            }
        }
    }
    f32::from_bits(most.into_iter().max().unwrap_or(0) >> 1)
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
        let zero = l.splat(0.0);
        let mut to = ListWriter::new(quads);
        for (row, bytes) in bytes.chunks(size.max(1)).enumerate() {
            let bytes = &bytes[block * BLOCK..][..BLOCK];
            for (c, some) in bytes.as_chunks::<{ LANES * QUAD }>().0.iter().enumerate() {
                // As floats, four bytes of 0 are the only ones equal to 0: -0.0 has the byte -128,
                // and denormal numbers are not 0.
                let x = l.load(&bytemuck::cast(*some));
                to.push(l, c, l.less(x, zero) | l.less(zero, x) | l.is_nan(x), x);
            }
            to.end_of_row(row);
        }
    }
}
