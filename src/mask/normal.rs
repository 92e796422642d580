//! Normal numbers from the same streams as the mask bits: [`scalar::normal_pair`] on vectors.
//!
//! [`scalar::normal_pair`]: super::scalar::normal_pair

use super::bernoulli::LaneDraws;
use crate::simd::{Kernel, LANES, Lanes};

/// The draws of a block.
pub(super) const DRAWS: usize = LANES;

/// The normal numbers of a block, two for each draw.
pub(crate) const BLOCK: usize = 2 * DRAWS;

/// The number of blocks for `width` units.
pub(crate) const fn blocks_of(width: usize) -> usize {
    width.div_ceil(BLOCK)
}

/// The bits of 1, the lower end of [1, 2), where the step between floats is 2^-23.
pub(super) const ONE: u32 = 0x3f80_0000;
/// The mantissa's bits.
pub(super) const MANTISSA: u32 = 0x007f_ffff;
/// The bits of sqrt(1/2), rounded down: from here on, ln x is ln of x itself.
pub(super) const ROOT_HALF: u32 = 0x3f35_04f3;
/// ln 2 as a sum: the product of the first part with an exponent is exact.
pub(super) const LN_2: [f32; 2] = [0.693_138_1, 9.058_001e-6];
/// ln(1 + f) = f - f²/2 + s (f²/2 + z (c0 + z (c1 + z (c2 + z c3)))) with s = f / (2 + f) and
/// z = s², from FreeBSD's `logf`.
pub(super) const LN: [f32; 4] = [0.666_666_6, 0.400_009_72, 0.284_987_87, 0.242_790_79];
/// sin a = a + a z (c0 + z (c1 + z (c2 + z c3))) with z = a², within 5e-9 for |a| < pi/2.
pub(super) const SIN: [f32; 4] = [-0.166_666_57, 0.008_333_017, -1.980_661_3e-4, 2.600_049e-6];
/// cos a = 1 + z (c0 + z (c1 + z (c2 + z (c3 + z c4)))) with z = a², within 3e-10 for
/// |a| < pi/2.
pub(super) const COS: [f32; 5] =
    [-0.5, 0.041_666_64, -0.001_388_840_4, 2.476_188_5e-5, -2.607_706e-7];

/// The streams of eight rows, one per lane, as blocks of normal numbers.
pub(crate) struct LaneNormals<L: Lanes>(LaneDraws<L>);

/// A block of eight rows, as draws.
pub(crate) struct Draws([[u64; 8]; DRAWS]);

impl<L: Lanes> LaneNormals<L> {
    /// The streams of the rows with these hashes.
    #[inline(always)]
    pub(crate) fn new(l: L, hashes: [u64; 8]) -> Self {
        Self(LaneDraws::new(l, hashes))
    }

    /// The next block of each row.
    #[inline(always)]
    pub(crate) fn next(&mut self, l: L) -> Draws {
        let mut draws = [[0; 8]; DRAWS];
        for draw in &mut draws {
            l.store_words(self.0.next(l), draw);
        }
        Draws(draws)
    }
}

impl Draws {
    /// The normal numbers of a row: units 0 to 15 of the block, and units 16 to 31.
    #[inline(always)]
    pub(crate) fn normals<L: Lanes>(&self, l: L, row: usize) -> [L::F; 2] {
        let (mut even, mut odd) = ([0; 8], [0; 8]);
        for (i, pair) in self.0.as_chunks::<2>().0.iter().enumerate() {
            (even[i], odd[i]) = (pair[0][row], pair[1][row]);
        }
        normals(l, l.load_words(&even), l.load_words(&odd))
    }
}

/// The same bits in both halves of each word.
#[inline(always)]
fn twice<L: Lanes>(l: L, half: u32) -> L::U {
    l.load_words(&[u64::from(half) | u64::from(half) << 32; 8])
}

/// c0 + z (c1 + z (c2 + ...))
#[inline(always)]
fn polynomial<L: Lanes, const N: usize>(l: L, z: L::F, c: [f32; N]) -> L::F {
    let mut y = l.splat(c[N - 1]);
    for c in c.into_iter().rev().skip(1) {
        y = l.add(l.mul(z, y), l.splat(c));
    }
    y
}

/// The two normal numbers of draw 2 i, `even[i]`, in lane 2 i, and of draw 2 i + 1, `odd[i]`,
/// in lane 2 i + 1.
#[inline(always)]
fn normals<L: Lanes>(l: L, even: L::U, odd: L::U) -> [L::F; 2] {
    let low = l.load_words(&[u64::from(MANTISSA); 8]);
    let high = l.load_words(&[u64::from(MANTISSA) << 32; 8]);
    let one = twice(l, ONE);

    // Bits 41 to 63, 23 to 40 and 0 to 22 of each draw.
    let coarse = l.or(l.shift_right(even, 41), l.and(l.shift_right(odd, 9), high));
    let fine = l.or(
        l.and(l.shift_right(even, 18), l.load_words(&[0x7f_ffe0; 8])),
        l.and(l.shift_left(odd, 14), l.load_words(&[0x7f_ffe0 << 32; 8])),
    );
    let turn = l.or(l.and(even, low), l.and(l.shift_left(odd, 32), high));

    let ones = l.splat(1.0);
    let coarse = l.sub(l.words_as_floats(l.or(coarse, one)), ones);
    let fine = l.sub(l.words_as_floats(l.or(fine, twice(l, ONE | 0x10))), ones);
    let uniform = l.add(coarse, l.mul(fine, l.splat(1.0 / (1 << 23) as f32)));
    let radius = l.sqrt(l.mul(l.splat(-2.0), ln(l, uniform)));

    let angle = l.words_as_floats(l.or(turn, twice(l, ONE | 1)));
    let angle = l.mul(l.sub(angle, l.splat(1.5)), l.splat(std::f32::consts::PI));
    let z = l.mul(angle, angle);
    let sin = l.add(angle, l.mul(l.mul(angle, z), polynomial(l, z, SIN)));
    let cos = l.add(ones, l.mul(z, polynomial(l, z, COS)));
    let sign = l.shift_left(l.and(turn, twice(l, 1)), 31);
    let cos = l.words_as_floats(l.xor(l.floats_as_words(cos), sign));
    [l.mul(radius, cos), l.mul(radius, sin)]
}

/// r = 1 + sigma z, the numbers that Gaussian noise multiplies by.
#[inline(always)]
pub(crate) fn factors<L: Lanes>(l: L, sigma: f32, [a, b]: [L::F; 2]) -> [L::F; 2] {
    let (one, sigma) = (l.splat(1.0), l.splat(sigma));
    // Not `map`: its closure would not be inlined.
    [l.add(one, l.mul(sigma, a)), l.add(one, l.mul(sigma, b))]
}

/// ln x for normal x from 2^-126 to 1.
#[inline(always)]
fn ln<L: Lanes>(l: L, x: L::F) -> L::F {
    // The halves do not overflow into each other: x is at most 1.
    let bits = l.add_words(l.floats_as_words(x), twice(l, ONE - ROOT_HALF));
    // 2^23 + exponent, as a float.
    let exponent = l.and(l.shift_right(bits, 23), twice(l, 0x1ff));
    let exponent = l.words_as_floats(l.or(exponent, twice(l, 0x4b00_0000)));
    let e = l.sub(exponent, l.splat((1 << 23) as f32 + 127.0));
    let mantissa = l.add_words(l.and(bits, twice(l, MANTISSA)), twice(l, ROOT_HALF));
    let f = l.sub(l.words_as_floats(mantissa), l.splat(1.0));

    let s = l.div(f, l.add(f, l.splat(2.0)));
    let z = l.mul(s, s);
    let tail = l.mul(z, polynomial(l, z, LN));
    let half = l.mul(l.mul(f, f), l.splat(0.5));
    let small = l.add(l.mul(s, l.add(half, tail)), l.mul(e, l.splat(LN_2[1])));
    l.add(l.sub(f, l.sub(half, small)), l.mul(e, l.splat(LN_2[0])))
}

/// Rows that receive their normal numbers block by block.
pub(crate) trait NormalRows {
    /// Takes the numbers of units `32 block` to `32 block + 15`, and of the 16 units after them.
    /// Implementations are `#[inline(always)]`.
    fn take<L: Lanes>(&mut self, l: L, row: usize, block: usize, normals: [L::F; 2]);
}

/// Makes the normal numbers of rows; `hash(i)` is the row hash of row i.
pub(crate) struct Normals<H, T> {
    pub hash: H,
    pub rows: usize,
    pub width: usize,
    pub to: T,
}

impl<H: Fn(usize) -> u64, T: NormalRows> Kernel for Normals<H, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { hash, rows, width, mut to } = self;
        for first in (0..rows).step_by(8) {
            let rows = first..rows.min(first + 8);
            let mut hashes = [0; 8];
            for (h, row) in hashes.iter_mut().zip(rows.clone()) {
                *h = hash(row);
            }
            let mut lanes = LaneNormals::new(l, hashes);
            for block in 0..blocks_of(width) {
                let draws = lanes.next(l);
                for row in rows.clone() {
                    to.take(l, row, block, draws.normals(l, row - first));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
