//! Quads with an active unit, for each row and block of 256 inputs.

use super::{BLOCK, PANEL, QUAD, QUADS, QuadTiles, SHIFT, scale, shifted};
use crate::{
    error::Error,
    parallel::Runs,
    pass::Pass,
    simd::{Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
    thin::Lists,
};

/// The activations of rows as bytes: the quads that are not 0, in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct QuadLists {
    /// `[rows][blocks + 1]`: where the entries of each block start and end within the row's.
    ends: AlignedBuffer<u32>,
    /// `[rows][room]`: the numbers of the quads within their block.
    quads: AlignedBuffer<u8>,
    /// `[rows][room]`: the bits of four bytes.
    bytes: AlignedBuffer<f32>,
    /// `[rows]`: t, what 1 stands for; NaN if an activation is not finite.
    scales: AlignedBuffer<f32>,
    /// `[rows]`: the sum of the bytes.
    totals: AlignedBuffer<i32>,
    /// `[rows][blocks][256]`: scratch memory for all bytes of a row.
    all: AlignedBuffer<i8>,
    rows: usize,
    width: usize,
}

/// The number of blocks of `width` inputs.
fn blocks(width: usize) -> usize {
    width.div_ceil(BLOCK)
}

/// The number of entries allocated per row. It leaves room to write full vectors beyond the last
/// entry, and is no power of two, so that the rows do not map to the same few cache sets.
fn room(width: usize) -> usize {
    blocks(width) * QUADS + LANES
}

impl QuadLists {
    /// Allocates memory for at most `rows` rows of at most `width` inputs.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let too_large = || Error::TooLarge { what: "active quads", shape: [rows, width] };
        let each = |size: usize| rows.checked_mul(size).ok_or_else(too_large);
        Ok(Self {
            ends: AlignedBuffer::zeroed(each(blocks(width) + 1)?)?,
            quads: AlignedBuffer::zeroed(each(room(width))?)?,
            bytes: AlignedBuffer::zeroed(each(room(width))?)?,
            scales: AlignedBuffer::zeroed(rows)?,
            totals: AlignedBuffer::zeroed(rows)?,
            all: AlignedBuffer::zeroed(each(blocks(width) * BLOCK)?)?,
            rows: 0,
            width,
        })
    }

    /// The number of rows that it has memory for.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.scales.len()
    }

    #[inline]
    pub(super) fn rows(&self) -> usize {
        self.rows
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

    /// The quads of a row in block `b`, and their bytes.
    #[inline(always)]
    pub(super) fn of(&self, row: usize, b: usize) -> (&[u8], &[[i8; QUAD]]) {
        let ends = &self.ends[row * (blocks(self.width) + 1)..][b..b + 2];
        let range = ends[0] as usize..ends[1] as usize;
        let first = row * room(self.width);
        let bytes = &self.bytes[first..][range.clone()];
        (&self.quads[first..][range], bytemuck::cast_slice(bytes))
    }

    /// Rounds the activations in `x`, the inputs of layer `w`, and puts them into the order of `w`.
    /// The caller has checked that they fit the capacity.
    pub(crate) fn fill(&mut self, pass: Pass, x: &Lists, w: &QuadTiles) {
        (self.rows, self.width) = (x.rows(), x.width());
        let (rows, ends, room) = (self.rows, blocks(self.width) + 1, room(self.width));
        let places = w.places();
        let lists = (
            Runs { data: &mut self.ends[..rows * ends], size: ends },
            Runs { data: &mut self.quads[..rows * room], size: room },
            Runs { data: &mut self.bytes[..rows * room], size: room },
        );
        let all = (ends - 1) * BLOCK;
        let row = (
            Runs { data: &mut self.totals[..rows], size: 1 },
            Runs { data: &mut self.scales[..rows], size: 1 },
            Runs { data: &mut self.all[..rows * all], size: all.max(1) },
        );
        pass.each((lists, row), &|row, ((ends, quads, bytes), (totals, scales, all))| {
            let to = (ends.data, quads.data, bytes.data);
            (scales.data[0], totals.data[0]) =
                pass.dispatch(Round { x, row, places, all: all.data, to });
        });
    }
}

/// Rounds the activations of a row to bytes, puts each at its place in `all`, and lists the quads
/// that are not 0.
struct Round<'a> {
    x: &'a Lists,
    row: usize,
    places: &'a [[u32; PANEL]],
    all: &'a mut [i8],
    to: (&'a mut [u32], &'a mut [u8], &'a mut [f32]),
}

impl Kernel for Round<'_> {
    /// The scale and the sum of the bytes.
    type Output = (f32, i32);

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> (f32, i32) {
        let Self { x, row, places, all, to } = self;
        all.fill(0);
        let max = largest(l, x, row);
        let rounding = if max.is_finite() {
            let scale = scale(max);
            (scale, round(l, x, row, scale, places, all))
        } else {
            (f32::NAN, 0)
        };
        gather(l, all, to);
        rounding
    }
}

/// The largest of the absolute activations of a row. It is not finite if one of them is not.
#[inline(always)]
fn largest<L: Lanes>(l: L, x: &Lists, row: usize) -> f32 {
    // Without their signs, floats are in the order of their bits. NaN and infinity are the largest.
    let mut most = [0; LANES];
    for b in 0..x.blocks() {
        let (_, values) = x.block(b).of(row);
        for values in values.chunks(LANES) {
            let mut line = [0.0; LANES];
            l.store(l.load_first(values), &mut line);
            for (most, x) in most.iter_mut().zip(line) {
                *most = x.to_bits().wrapping_shl(1).max(*most);
            }
        }
    }
    f32::from_bits(most.into_iter().max().unwrap_or(0) >> 1)
}

/// Rounds the activations of a row, and returns the sum of its bytes.
#[inline(always)]
fn round<L: Lanes>(
    l: L,
    x: &Lists,
    row: usize,
    scale: f32,
    places: &[[u32; PANEL]],
    all: &mut [i8],
) -> i32 {
    let (scale, shift) = (l.splat(scale), l.splat(SHIFT));
    let mut totals = [0; LANES];
    for (b, places) in places.iter().enumerate() {
        let (offsets, values) = x.block(b).of(row);
        for (offsets, values) in offsets.chunks(LANES).zip(values.chunks(LANES)) {
            let mut line = [0.0; LANES];
            l.store(l.add(l.div(l.load_first(values), scale), shift), &mut line);
            let bytes = line.map(shifted);
            for (total, &byte) in totals.iter_mut().zip(&bytes) {
                *total += byte;
            }
            for (&offset, &byte) in offsets.iter().zip(&bytes) {
                all[places[usize::from(offset) % PANEL] as usize] = byte as i8;
            }
        }
    }
    totals.into_iter().sum()
}

/// Lists the quads that are not 0.
#[inline(always)]
fn gather<L: Lanes>(l: L, all: &[i8], to: (&mut [u32], &mut [u8], &mut [f32])) {
    let (ends, quads, bytes) = to;
    let zero = l.splat(0.0);
    let mut at = 0;
    ends[0] = 0;
    for (block, end) in all.as_chunks::<BLOCK>().0.iter().zip(&mut ends[1..]) {
        for (c, some) in block.as_chunks::<{ LANES * QUAD }>().0.iter().enumerate() {
            // As floats, four bytes of 0 are the only ones equal to 0: -0.0 has the byte -128, and
            // denormal numbers are not 0.
            let some: [f32; LANES] = bytemuck::cast(*some);
            let x = l.load(&some);
            let active = l.less(x, zero) | l.less(zero, x) | l.is_nan(x);
            if let (Some(bytes), Some(quads)) =
                (bytes[at..].first_chunk_mut(), quads[at..].first_chunk_mut())
            {
                l.compress(active, x, (c * LANES) as u8, bytes, quads);
            }
            at += active.count_ones() as usize;
        }
        *end = at as u32;
    }
}
