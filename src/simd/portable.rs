//! The portable backend: `wide`, whose vector types are chosen at compile time
//! (SSE2 on a generic x86-64 build, NEON, wasm, or plain arrays).

use wide::{f32x16, u64x8};

use super::{
    Kernel,
    lanes::{Backend, Half, LANES, Lanes},
};

/// The portable backend, which every CPU supports.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Backend for Portable {
    fn detect() -> Option<Self> {
        Some(Self)
    }
    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
}

/// A vector with all bits set in the lanes whose bit is set in `mask`.
#[inline(always)]
fn spread(mask: u16) -> f32x16 {
    f32x16::new(std::array::from_fn(|i| {
        f32::from_bits(0u32.wrapping_sub(u32::from(mask >> i) & 1))
    }))
}

impl Lanes for Portable {
    type F = f32x16;
    type U = u64x8;
    const REGISTERS: usize = 4;

    #[inline(always)]
    fn splat(self, x: f32) -> f32x16 {
        f32x16::splat(x)
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> f32x16 {
        f32x16::new(*from)
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> f32x16 {
        let mut line = [0.0; LANES];
        for (x, half) in line.iter_mut().zip(from) {
            *x = f32::from_bits(u32::from(*half) << 16);
        }
        f32x16::new(line)
    }
    #[inline(always)]
    fn store(self, x: f32x16, to: &mut [f32; LANES]) {
        *to = x.to_array();
    }
    #[inline(always)]
    fn add(self, x: f32x16, y: f32x16) -> f32x16 {
        x + y
    }
    #[inline(always)]
    fn sub(self, x: f32x16, y: f32x16) -> f32x16 {
        x - y
    }
    #[inline(always)]
    fn mul(self, x: f32x16, y: f32x16) -> f32x16 {
        x * y
    }
    #[inline(always)]
    fn div(self, x: f32x16, y: f32x16) -> f32x16 {
        x / y
    }
    #[inline(always)]
    fn sqrt(self, x: f32x16) -> f32x16 {
        x.sqrt()
    }
    #[inline(always)]
    fn mul_add(self, x: f32x16, y: f32x16, z: f32x16) -> f32x16 {
        x.mul_add(y, z)
    }
    #[inline(always)]
    fn round(self, x: f32x16) -> f32x16 {
        // 1.5 * 2^23: the last bit of the sum has the value 1, so adding rounds to an
        // integer, ties to even.
        let magic = f32x16::splat(12_582_912.0);
        (x + magic) - magic
    }
    #[inline(always)]
    fn exp2_whole(self, n: f32x16) -> f32x16 {
        // The low bits of n + 1.5 * 2^23 hold n.
        let magic = f32x16::splat(12_582_912.0);
        let bits = (n + magic).to_array();
        f32x16::new(bits.map(|x| f32::from_bits(x.to_bits().wrapping_add(127) << 23)))
    }
    #[inline(always)]
    fn less(self, x: f32x16, y: f32x16) -> u16 {
        x.simd_lt(y).to_bitmask() as u16
    }
    #[inline(always)]
    fn at_most(self, x: f32x16, high: f32x16) -> f32x16 {
        high.simd_lt(x).bitselect(high, x)
    }
    #[inline(always)]
    fn at_least(self, x: f32x16, low: f32x16) -> f32x16 {
        x.simd_lt(low).bitselect(low, x)
    }
    #[inline(always)]
    fn is_nan(self, x: f32x16) -> u16 {
        x.simd_ne(x).to_bitmask() as u16
    }
    #[inline(always)]
    fn select(self, mask: u16, yes: f32x16, no: f32x16) -> f32x16 {
        spread(mask).bitselect(yes, no)
    }
    #[inline(always)]
    fn keep(self, mask: u16, x: f32x16) -> f32x16 {
        spread(mask) & x
    }
    #[inline(always)]
    fn sum(self, x: f32x16) -> f32 {
        let x = x.to_array();
        let x: [f32; 8] = std::array::from_fn(|i| x[i] + x[i + 8]);
        let x: [f32; 4] = std::array::from_fn(|i| x[i] + x[i + 4]);
        (x[0] + x[2]) + (x[1] + x[3])
    }
    #[inline(always)]
    fn add_halves(self, x: f32x16, to: &mut Half) {
        let x = x.to_array();
        for (i, to) in to.iter_mut().enumerate() {
            *to += x[i] + x[i + LANES / 2];
        }
    }
    #[inline(always)]
    fn sum_halves(self, parts: &[Half; LANES]) -> f32x16 {
        let sum = |x: Half| {
            let x: [f32; 4] = std::array::from_fn(|i| x[i] + x[i + 4]);
            (x[0] + x[2]) + (x[1] + x[3])
        };
        f32x16::from(std::array::from_fn(|i| sum(parts[i])))
    }
    #[inline(always)]
    fn compress(
        self,
        mask: u16,
        x: f32x16,
        first: u8,
        values: &mut [f32; LANES],
        offsets: &mut [u8; LANES],
    ) {
        let x = x.to_array();
        let mut left = mask;
        let mut n = 0;
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            values[n & (LANES - 1)] = x[lane & (LANES - 1)];
            offsets[n & (LANES - 1)] = first.wrapping_add(lane as u8);
            left &= left - 1;
            n += 1;
        }
    }

    #[inline(always)]
    fn floats_as_words(self, x: f32x16) -> u64x8 {
        let x = x.to_array();
        let word =
            |i: usize| u64::from(x[2 * i].to_bits()) | u64::from(x[2 * i + 1].to_bits()) << 32;
        u64x8::new(std::array::from_fn(word))
    }
    #[inline(always)]
    fn words_as_floats(self, x: u64x8) -> f32x16 {
        let x = x.to_array();
        f32x16::new(std::array::from_fn(|i| f32::from_bits((x[i / 2] >> (i % 2 * 32)) as u32)))
    }
    #[inline(always)]
    fn load_words(self, from: &[u64; 8]) -> u64x8 {
        u64x8::new(*from)
    }
    #[inline(always)]
    fn store_words(self, x: u64x8, to: &mut [u64; 8]) {
        *to = x.to_array();
    }
    #[inline(always)]
    fn add_words(self, x: u64x8, y: u64x8) -> u64x8 {
        x + y
    }
    #[inline(always)]
    fn xor(self, x: u64x8, y: u64x8) -> u64x8 {
        x ^ y
    }
    #[inline(always)]
    fn and(self, x: u64x8, y: u64x8) -> u64x8 {
        x & y
    }
    #[inline(always)]
    fn or(self, x: u64x8, y: u64x8) -> u64x8 {
        x | y
    }
    #[inline(always)]
    fn shift_left(self, x: u64x8, n: u32) -> u64x8 {
        x << n
    }
    #[inline(always)]
    fn shift_right(self, x: u64x8, n: u32) -> u64x8 {
        x >> n
    }
}
