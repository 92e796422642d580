//! The scalar definition of mask bits, which every vector path matches bit for bit.

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::Rng};

use super::stream::{GAMMA, mix};
use crate::{
    mask::{normal, valid_bits, words_of},
    rate::Keep,
};

/// One word: 64 bits, each 1 with probability k / 65536, as described in [`words`].
pub(super) fn word(keep: Keep, rng: &mut Xoshiro256PlusPlus) -> u64 {
    if !keep.drops() {
        return u64::MAX;
    }
    let mut word = 0;
    for bit in keep.k().trailing_zeros()..16 {
        let draw = rng.next_u64();
        word = if keep.k() >> bit & 1 == 1 { word | draw } else { word & draw };
    }
    word
}

/// The words of a row of `width` units, drawn one by one; bits beyond the width are 0.
///
/// A word is 64 bits, each 1 with probability k / 65536: 64 uniform 16-bit numbers are compared
/// with k bit by bit. Starting from 0, for each bit of k from its lowest set bit upwards, the word
/// is ORed with a draw if the bit is 1 and ANDed if it is 0. Keep 0.5 costs one draw, 0.75 two, 0.8
/// sixteen, 1 none.
///
/// After bit i the probability of a one is (k mod 2^(i+1)) / 2^(i+1): OR changes it from q to (q +
/// 1) / 2, AND to q / 2.
///
/// ```
/// use thinnet::{Keep, mask::{Domain, Streams, scalar}};
///
/// let streams = Streams::new(42, Domain::Training, 1, 0);
/// let words: Vec<u64> = scalar::words(Keep::HALF, &mut streams.rng(7), 100).collect();
/// assert_eq!(words.len(), 2);
/// assert_eq!(words[1] >> 36, 0);
/// ```
pub fn words(keep: Keep, rng: &mut Xoshiro256PlusPlus, width: usize) -> impl Iterator<Item = u64> {
    (0..words_of(width)).map(move |i| word(keep, rng) & valid_bits(width, i))
}

/// Whether a sparse site keeps `unit`, from the row hash alone.
#[inline]
pub const fn kept_at(keep: Keep, row_hash: u64, unit: u64) -> bool {
    let output = mix(row_hash.wrapping_add(GAMMA.wrapping_mul(unit.wrapping_add(1))));
    output >> 48 < keep.k() as u64
}

/// The two independent standard normal numbers of a draw, by the method of Box and Muller (1958):
/// `sqrt(-2 ln u) cos a` and `sqrt(-2 ln u) sin a`, with u uniform in (0, 1] and a uniform over
/// the circle.
///
/// All operations are those of IEEE 754 on f32, in the order written, and none are fused, so the
/// result has the same bits on every machine. With the draw's bits 41 to 63 as k, 23 to 40 as j,
/// and 0 to 22 as t:
///
/// - u = k 2^-23 + (2 j + 1) 2^-42, so |x| is at most sqrt(2 ln 2^42) = 7.63;
/// - a = ((t | 1) 2^-23 - 1/2) pi lies within a quarter turn of 0, where the cosine is positive;
///   bit 0 of t decides its sign;
/// - ln u is FreeBSD's `logf`; sin a and cos a are polynomials.
#[allow(clippy::suboptimal_flops, reason = "a fused operation would have other bits")]
pub fn normal_pair(draw: u64) -> [f32; 2] {
    let (coarse, fine) = ((draw >> 41) as u32, (draw >> 23) as u32 & 0x3_ffff);
    let turn = draw as u32 & normal::MANTISSA;
    let small = (2 * fine + 1) as f32 * (1.0 / (1 << 19) as f32);
    let u = coarse as f32 * (1.0 / (1 << 23) as f32) + small * (1.0 / (1 << 23) as f32);
    let radius = (-2.0 * ln(u)).sqrt();

    let a = ((turn | 1) as f32 * (1.0 / (1 << 23) as f32) - 0.5) * std::f32::consts::PI;
    let z = a * a;
    let sin = a + a * z * polynomial(z, &normal::SIN);
    let cos = 1.0 + z * polynomial(z, &normal::COS);
    let cos = if turn & 1 == 1 { -cos } else { cos };
    [radius * cos, radius * sin]
}

/// c0 + z (c1 + z (c2 + ...))
fn polynomial(z: f32, c: &[f32]) -> f32 {
    c.iter().rev().copied().reduce(|y, c| z * y + c).unwrap_or(0.0)
}

/// ln x for normal x in (0, 1]. With x = 2^e (1 + f) and 1 + f from sqrt(1/2) to sqrt 2,
/// it is `e ln 2 + ln(1 + f)`.
fn ln(x: f32) -> f32 {
    let bits = x.to_bits() + (normal::ONE - normal::ROOT_HALF);
    let e = (bits >> 23) as f32 - 127.0;
    let f = f32::from_bits((bits & normal::MANTISSA) + normal::ROOT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let tail = z * polynomial(z, &normal::LN);
    let half = f * f * 0.5;
    let small = s * (half + tail) + e * normal::LN_2[1];
    f - (half - small) + e * normal::LN_2[0]
}

/// The standard normal numbers of a row of `width` units.
///
/// Units come in blocks of 32, which take 16 draws: draw i of a block gives units i and i + 16 of
/// that block, as [`normal_pair`].
///
/// ```
/// use thinnet::mask::{Domain, Streams, scalar};
///
/// let streams = Streams::new(42, Domain::Training, 1, 0);
/// let normals: Vec<f32> = scalar::normals(&mut streams.rng(7), 100).collect();
/// assert_eq!(normals.len(), 100);
/// ```
pub fn normals(rng: &mut Xoshiro256PlusPlus, width: usize) -> impl Iterator<Item = f32> {
    (0..normal::blocks_of(width))
        .flat_map(move |_| {
            let mut block = [0.0; normal::BLOCK];
            for i in 0..normal::DRAWS {
                [block[i], block[i + normal::DRAWS]] = normal_pair(rng.next_u64());
            }
            block
        })
        .take(width)
}
