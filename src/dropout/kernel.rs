//! Mask words and the scaled copy in one pass.

use crate::{
    dropout::ROW,
    mask::{LaneWords, Streams},
    rate::Keep,
    simd::{Kernel, LANES, Lanes, Lines},
};

/// The number of words in a row of a flat slice.
const ROW_WORDS: usize = ROW / 64;

/// Up to eight rows with bits drawn here: y = r x / p; in place if x is `None`.
pub(super) struct Drawn<'a> {
    pub keep: Keep,
    pub streams: Streams,
    pub first_row: u64,
    pub x: Option<&'a [f32]>,
    pub y: &'a mut [f32],
    /// Whether y is written with streaming stores, bypassing the caches.
    pub stream: bool,
}

impl Kernel for Drawn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        // `[word][row]`: 4 KiB that stay in L1.
        let mut words = [[0; 8]; ROW_WORDS];
        let mut lanes =
            LaneWords::new(l, self.keep, std::array::from_fn(self.streams.hashes(self.first_row)));
        for column in words.iter_mut().take(self.y.len().div_ceil(64)) {
            l.store_words(lanes.next(l), column);
        }
        for (row, y) in self.y.chunks_mut(ROW).enumerate() {
            let x = self.x.map(|x| &x[row * ROW..][..y.len()]);
            let word = |word: usize| words[word][row];
            apply(l, self.keep.scale(), word, x, y, self.stream);
        }
    }
}

/// Elements with stored bits: y = r x / p; in place if x is `None`.
pub(super) struct Stored<'a> {
    pub keep: Keep,
    pub words: &'a [u64],
    pub x: Option<&'a [f32]>,
    pub y: &'a mut [f32],
    /// Whether y is written with streaming stores, bypassing the caches.
    pub stream: bool,
}

impl Kernel for Stored<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let word = |word: usize| self.words[word];
        apply(l, self.keep.scale(), word, self.x, self.y, self.stream);
    }
}

/// y = r x / p where element i has bit i mod 64 of `word(i / 64)`.
#[inline(always)]
fn apply<L: Lanes>(
    l: L,
    scale: f32,
    word: impl Fn(usize) -> u64,
    x: Option<&[f32]>,
    y: &mut [f32],
    stream: bool,
) {
    let factor = l.splat(scale);
    let (lines, rest) = y.as_chunks_mut::<LANES>();
    let from = x.map(|x| x.as_chunks::<LANES>());
    match from {
        Some((x, _)) if stream => l.stream_lines(lines, &Thinned { factor, word: &word, x }),
        _ => {
            for (i, to) in lines.iter_mut().enumerate() {
                let x = from.map_or(&*to, |(lines, _)| &lines[i]);
                let y = thin(l, factor, line_bits(&word, i), x);
                l.store(y, to);
            }
        }
    }
    if !rest.is_empty() {
        let i = lines.len();
        let bits = line_bits(&word, i);
        for (unit, y) in rest.iter_mut().enumerate() {
            let x = from.map_or(*y, |(_, rest)| rest[unit]);
            *y = if bits >> unit & 1 == 1 { x * scale } else { 0.0 };
        }
    }
}

/// r x / p, line by line.
struct Thinned<'a, F, W> {
    /// 1 / p in all lanes.
    factor: F,
    word: &'a W,
    x: &'a [[f32; LANES]],
}

impl<L: Lanes, W: Fn(usize) -> u64> Lines<L> for Thinned<'_, L::F, W> {
    #[inline(always)]
    fn line(&self, l: L, i: usize) -> L::F {
        thin(l, self.factor, line_bits(self.word, i), &self.x[i])
    }
}

/// The bits of line `i`.
#[inline(always)]
fn line_bits(word: &impl Fn(usize) -> u64, i: usize) -> u16 {
    (word(i / 4) >> (i % 4 * LANES)) as u16
}

/// r x / p for one line.
#[inline(always)]
fn thin<L: Lanes>(l: L, factor: L::F, bits: u16, x: &[f32; LANES]) -> L::F {
    l.keep(bits, l.mul(l.load(x), factor))
}
