//! The NEON backend: 16 f32 in four registers, 8 u64 in four.
#![cfg(all(target_arch = "aarch64", target_endian = "little"))]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::{aarch64::*, asm};

use super::{
    Kernel,
    backend::backend,
    lanes::{Backend, Half, LANES, Lanes},
    positions::{offsets_of, positions_in},
};

backend! {
    /// Proof that the CPU has NEON: only `detect` makes one.
    Neon runs Kernel as Backend: "neon"
}

/// The bits of a lane mask, four lanes per vector.
#[inline(always)]
fn bits(_: Neon) -> [uint32x4_t; 4] {
    const BITS: [u32; LANES] = {
        let mut bits = [1; LANES];
        let mut lane = 1;
        while lane < LANES {
            bits[lane] = 2 * bits[lane - 1];
            lane += 1;
        }
        bits
    };
    let from = BITS.as_ptr();
    // SAFETY: all quarters lie within the 16 elements; NEON by the token.
    unsafe {
        [vld1q_u32(from), vld1q_u32(from.add(4)), vld1q_u32(from.add(8)), vld1q_u32(from.add(12))]
    }
}

/// Vectors with all bits set in the lanes whose bit is set in `mask`.
#[inline(always)]
fn spread(l: Neon, mask: u16) -> [uint32x4_t; 4] {
    let bits = bits(l);
    // SAFETY: the token proves that the CPU has NEON.
    unsafe {
        let mask = vdupq_n_u32(u32::from(mask));
        [
            vtstq_u32(mask, bits[0]),
            vtstq_u32(mask, bits[1]),
            vtstq_u32(mask, bits[2]),
            vtstq_u32(mask, bits[3]),
        ]
    }
}

/// The mask of the lanes in which all bits are set; in the others, none may be.
#[inline(always)]
fn gather(l: Neon, lanes: [uint32x4_t; 4]) -> u16 {
    let bits = bits(l);
    // SAFETY: the token proves that the CPU has NEON.
    unsafe {
        let low = vorrq_u32(vandq_u32(lanes[0], bits[0]), vandq_u32(lanes[1], bits[1]));
        let high = vorrq_u32(vandq_u32(lanes[2], bits[2]), vandq_u32(lanes[3], bits[3]));
        // No two lanes have a bit in common, so their sum is below 2^16.
        vaddvq_u32(vorrq_u32(low, high)) as u16
    }
}

/// The sums of lanes i and i + 8.
#[inline(always)]
fn fold(_: Neon, x: [float32x4_t; 4]) -> [float32x4_t; 2] {
    // SAFETY: the token proves that the CPU has NEON.
    unsafe { [vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3])] }
}

/// The sums of lanes i and i + 4 of a half.
#[inline(always)]
fn fold_half(_: Neon, half: &Half) -> float32x4_t {
    // SAFETY: 8 elements are read of 8; NEON by the token.
    unsafe { vaddq_f32(vld1q_f32(half.as_ptr()), vld1q_f32(half.as_ptr().add(4))) }
}

/// The sums of `parts[first]` to `parts[first + 3]`, each added up by halves.
#[inline(always)]
fn fold_parts(l: Neon, parts: &[Half; LANES], first: usize) -> float32x4_t {
    let (a, b) = (fold_half(l, &parts[first]), fold_half(l, &parts[first + 1]));
    let (c, d) = (fold_half(l, &parts[first + 2]), fold_half(l, &parts[first + 3]));
    // SAFETY: the token proves that the CPU has NEON.
    unsafe {
        // Two partial sums of a, then two of b; the same for c and d.
        let ab = vaddq_f32(
            vcombine_f32(vget_low_f32(a), vget_low_f32(b)),
            vcombine_f32(vget_high_f32(a), vget_high_f32(b)),
        );
        let cd = vaddq_f32(
            vcombine_f32(vget_low_f32(c), vget_low_f32(d)),
            vcombine_f32(vget_high_f32(c), vget_high_f32(d)),
        );
        vpaddq_f32(ab, cd)
    }
}

/// x << n, or x >> -n if n is negative.
#[inline(always)]
fn shift(_: Neon, x: [uint64x2_t; 4], n: i64) -> [uint64x2_t; 4] {
    // SAFETY: the token proves that the CPU has NEON.
    unsafe {
        let n = vdupq_n_s64(n);
        [vshlq_u64(x[0], n), vshlq_u64(x[1], n), vshlq_u64(x[2], n), vshlq_u64(x[3], n)]
    }
}

impl Lanes for Neon {
    type F = [float32x4_t; 4];
    type U = [uint64x2_t; 4];
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        let x = unsafe { vdupq_n_f32(x) };
        [x, x, x, x]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F {
        let from = from.as_ptr();
        // SAFETY: all quarters lie within the 16 elements; NEON by the token.
        unsafe {
            [
                vld1q_f32(from),
                vld1q_f32(from.add(4)),
                vld1q_f32(from.add(8)),
                vld1q_f32(from.add(12)),
            ]
        }
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> Self::F {
        // SAFETY: both halves lie within the 16 elements; NEON by the token.
        unsafe {
            let (low, high) = (vld1q_u16(from.as_ptr()), vld1q_u16(from.as_ptr().add(8)));
            [
                vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(low))),
                vreinterpretq_f32_u32(vshll_high_n_u16::<16>(low)),
                vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(high))),
                vreinterpretq_f32_u32(vshll_high_n_u16::<16>(high)),
            ]
        }
    }
    #[inline(always)]
    fn store(self, x: Self::F, to: &mut [f32; LANES]) {
        let to = to.as_mut_ptr();
        // SAFETY: all quarters lie within the 16 elements; NEON by the token.
        unsafe {
            vst1q_f32(to, x[0]);
            vst1q_f32(to.add(4), x[1]);
            vst1q_f32(to.add(8), x[2]);
            vst1q_f32(to.add(12), x[3]);
        }
    }
    #[inline(always)]
    fn add(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vaddq_f32(x[0], y[0]),
                vaddq_f32(x[1], y[1]),
                vaddq_f32(x[2], y[2]),
                vaddq_f32(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn sub(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vsubq_f32(x[0], y[0]),
                vsubq_f32(x[1], y[1]),
                vsubq_f32(x[2], y[2]),
                vsubq_f32(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn mul(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vmulq_f32(x[0], y[0]),
                vmulq_f32(x[1], y[1]),
                vmulq_f32(x[2], y[2]),
                vmulq_f32(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn div(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vdivq_f32(x[0], y[0]),
                vdivq_f32(x[1], y[1]),
                vdivq_f32(x[2], y[2]),
                vdivq_f32(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn sqrt(self, x: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe { [vsqrtq_f32(x[0]), vsqrtq_f32(x[1]), vsqrtq_f32(x[2]), vsqrtq_f32(x[3])] }
    }
    #[inline(always)]
    fn mul_add(self, x: Self::F, y: Self::F, z: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vfmaq_f32(z[0], x[0], y[0]),
                vfmaq_f32(z[1], x[1], y[1]),
                vfmaq_f32(z[2], x[2], y[2]),
                vfmaq_f32(z[3], x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn round(self, x: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe { [vrndnq_f32(x[0]), vrndnq_f32(x[1]), vrndnq_f32(x[2]), vrndnq_f32(x[3])] }
    }
    #[inline(always)]
    fn exp2_whole(self, n: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            let bias = vdupq_n_s32(127);
            [
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n[0]), bias))),
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n[1]), bias))),
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n[2]), bias))),
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n[3]), bias))),
            ]
        }
    }
    #[inline(always)]
    fn less(self, x: Self::F, y: Self::F) -> u16 {
        // SAFETY: the token proves that the CPU has NEON.
        let less = unsafe {
            [
                vcltq_f32(x[0], y[0]),
                vcltq_f32(x[1], y[1]),
                vcltq_f32(x[2], y[2]),
                vcltq_f32(x[3], y[3]),
            ]
        };
        gather(self, less)
    }
    #[inline(always)]
    fn at_most(self, x: Self::F, high: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vbslq_f32(vcltq_f32(high[0], x[0]), high[0], x[0]),
                vbslq_f32(vcltq_f32(high[1], x[1]), high[1], x[1]),
                vbslq_f32(vcltq_f32(high[2], x[2]), high[2], x[2]),
                vbslq_f32(vcltq_f32(high[3], x[3]), high[3], x[3]),
            ]
        }
    }
    #[inline(always)]
    fn at_least(self, x: Self::F, low: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vbslq_f32(vcltq_f32(x[0], low[0]), low[0], x[0]),
                vbslq_f32(vcltq_f32(x[1], low[1]), low[1], x[1]),
                vbslq_f32(vcltq_f32(x[2], low[2]), low[2], x[2]),
                vbslq_f32(vcltq_f32(x[3], low[3]), low[3], x[3]),
            ]
        }
    }
    #[inline(always)]
    fn is_nan(self, x: Self::F) -> u16 {
        // SAFETY: the token proves that the CPU has NEON.
        let equal = unsafe {
            [
                vceqq_f32(x[0], x[0]),
                vceqq_f32(x[1], x[1]),
                vceqq_f32(x[2], x[2]),
                vceqq_f32(x[3], x[3]),
            ]
        };
        !gather(self, equal)
    }
    #[inline(always)]
    fn select(self, mask: u16, yes: Self::F, no: Self::F) -> Self::F {
        let mask = spread(self, mask);
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vbslq_f32(mask[0], yes[0], no[0]),
                vbslq_f32(mask[1], yes[1], no[1]),
                vbslq_f32(mask[2], yes[2], no[2]),
                vbslq_f32(mask[3], yes[3], no[3]),
            ]
        }
    }
    #[inline(always)]
    fn keep(self, mask: u16, x: Self::F) -> Self::F {
        let mask = spread(self, mask);
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vreinterpretq_f32_u32(vandq_u32(mask[0], vreinterpretq_u32_f32(x[0]))),
                vreinterpretq_f32_u32(vandq_u32(mask[1], vreinterpretq_u32_f32(x[1]))),
                vreinterpretq_f32_u32(vandq_u32(mask[2], vreinterpretq_u32_f32(x[2]))),
                vreinterpretq_f32_u32(vandq_u32(mask[3], vreinterpretq_u32_f32(x[3]))),
            ]
        }
    }
    #[inline(always)]
    fn sum(self, x: Self::F) -> f32 {
        let x = fold(self, x);
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            let x = vaddq_f32(x[0], x[1]);
            vpadds_f32(vadd_f32(vget_low_f32(x), vget_high_f32(x)))
        }
    }
    #[inline(always)]
    fn add_halves(self, x: Self::F, to: &mut Half) {
        let x = fold(self, x);
        let to = to.as_mut_ptr();
        // SAFETY: 8 elements are read and written of 8; NEON by the token.
        unsafe {
            vst1q_f32(to, vaddq_f32(vld1q_f32(to), x[0]));
            vst1q_f32(to.add(4), vaddq_f32(vld1q_f32(to.add(4)), x[1]));
        }
    }
    #[inline(always)]
    fn sum_halves(self, parts: &[Half; LANES]) -> Self::F {
        [
            fold_parts(self, parts, 0),
            fold_parts(self, parts, 4),
            fold_parts(self, parts, 8),
            fold_parts(self, parts, 12),
        ]
    }
    #[inline(always)]
    fn prefetch(self, line: *const f32) {
        // The intrinsic is not stable yet.
        let line = line.addr();
        // SAFETY: a prefetch has no effect that a program can see.
        unsafe {
            asm!("prfm pldl1keep, [{}]", in(reg) line, options(nomem, nostack, preserves_flags));
        }
    }
    #[inline(always)]
    fn compress(
        self,
        mask: u16,
        x: Self::F,
        first: u8,
        values: &mut [f32; LANES],
        offsets: &mut [u8; LANES],
    ) {
        let [low, high] = mask.to_le_bytes();
        let n = low.count_ones() as usize;
        for (half, at, x, first) in
            [(low, 0, [x[0], x[1]], first), (high, n, [x[2], x[3]], first.wrapping_add(8))]
        {
            let positions = positions_in(half);
            offsets[at..at + 8].copy_from_slice(&offsets_of(positions, first));
            let values = values[at..at + 8].as_mut_ptr();
            // SAFETY: 8 elements are written of 8; NEON by the token.
            unsafe {
                let x = uint8x16x2_t(vreinterpretq_u8_f32(x[0]), vreinterpretq_u8_f32(x[1]));
                // The first bytes of the packed lanes, each four times, plus 0 to 3.
                let from = vshl_n_u8::<2>(vcreate_u8(positions));
                let from = vreinterpretq_u16_u8(vzip1q_u8(
                    vcombine_u8(from, from),
                    vcombine_u8(from, from),
                ));
                let bytes = vreinterpretq_u8_u32(vdupq_n_u32(0x0302_0100));
                let from = [
                    vorrq_u8(vreinterpretq_u8_u16(vzip1q_u16(from, from)), bytes),
                    vorrq_u8(vreinterpretq_u8_u16(vzip2q_u16(from, from)), bytes),
                ];
                vst1q_f32(values, vreinterpretq_f32_u8(vqtbl2q_u8(x, from[0])));
                vst1q_f32(values.add(4), vreinterpretq_f32_u8(vqtbl2q_u8(x, from[1])));
            }
        }
    }

    #[inline(always)]
    fn floats_as_words(self, x: Self::F) -> Self::U {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vreinterpretq_u64_f32(x[0]),
                vreinterpretq_u64_f32(x[1]),
                vreinterpretq_u64_f32(x[2]),
                vreinterpretq_u64_f32(x[3]),
            ]
        }
    }
    #[inline(always)]
    fn words_as_floats(self, x: Self::U) -> Self::F {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vreinterpretq_f32_u64(x[0]),
                vreinterpretq_f32_u64(x[1]),
                vreinterpretq_f32_u64(x[2]),
                vreinterpretq_f32_u64(x[3]),
            ]
        }
    }
    #[inline(always)]
    fn load_words(self, from: &[u64; 8]) -> Self::U {
        let from = from.as_ptr();
        // SAFETY: all quarters lie within the 8 words; NEON by the token.
        unsafe {
            [
                vld1q_u64(from),
                vld1q_u64(from.add(2)),
                vld1q_u64(from.add(4)),
                vld1q_u64(from.add(6)),
            ]
        }
    }
    #[inline(always)]
    fn store_words(self, x: Self::U, to: &mut [u64; 8]) {
        let to = to.as_mut_ptr();
        // SAFETY: all quarters lie within the 8 words; NEON by the token.
        unsafe {
            vst1q_u64(to, x[0]);
            vst1q_u64(to.add(2), x[1]);
            vst1q_u64(to.add(4), x[2]);
            vst1q_u64(to.add(6), x[3]);
        }
    }
    #[inline(always)]
    fn add_words(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vaddq_u64(x[0], y[0]),
                vaddq_u64(x[1], y[1]),
                vaddq_u64(x[2], y[2]),
                vaddq_u64(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn xor(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                veorq_u64(x[0], y[0]),
                veorq_u64(x[1], y[1]),
                veorq_u64(x[2], y[2]),
                veorq_u64(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn and(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vandq_u64(x[0], y[0]),
                vandq_u64(x[1], y[1]),
                vandq_u64(x[2], y[2]),
                vandq_u64(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn or(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has NEON.
        unsafe {
            [
                vorrq_u64(x[0], y[0]),
                vorrq_u64(x[1], y[1]),
                vorrq_u64(x[2], y[2]),
                vorrq_u64(x[3], y[3]),
            ]
        }
    }
    #[inline(always)]
    fn shift_left(self, x: Self::U, n: u32) -> Self::U {
        shift(self, x, i64::from(n))
    }
    #[inline(always)]
    fn shift_right(self, x: Self::U, n: u32) -> Self::U {
        shift(self, x, -i64::from(n))
    }
}
