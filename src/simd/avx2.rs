//! The AVX2 backend with fused multiply-add: 16 f32 in two registers, 8 u64 in two.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::{
    Kernel,
    backend::backend,
    lanes::{Backend, Half, LANES, Lanes, Lines},
    positions::{offsets_of, positions_in},
    x86::{Quarters, fold_parts, stream_lines},
};

backend! {
    /// Proof that the CPU has AVX2 and FMA: only `detect` makes one.
    Avx2 runs Kernel as Backend: "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma"
}

/// A vector with all bits set in the lanes whose bit is set in `mask`.
#[inline(always)]
fn spread(_: Avx2, mask: u8) -> __m256 {
    // SAFETY: the token proves that the CPU has AVX2.
    unsafe {
        let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        let here = _mm256_and_si256(_mm256_set1_epi32(i32::from(mask)), bits);
        _mm256_castsi256_ps(_mm256_cmpeq_epi32(here, bits))
    }
}

/// The two halves of a lane mask.
#[inline(always)]
fn halves(mask: u16) -> [u8; 2] {
    mask.to_le_bytes()
}

impl Quarters for Avx2 {
    #[inline(always)]
    fn quarters(self, x: [__m256; 2]) -> [__m128; 4] {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe {
            [
                _mm256_castps256_ps128(x[0]),
                _mm256_extractf128_ps::<1>(x[0]),
                _mm256_castps256_ps128(x[1]),
                _mm256_extractf128_ps::<1>(x[1]),
            ]
        }
    }
}

impl Lanes for Avx2 {
    type F = [__m256; 2];
    type U = [__m256i; 2];
    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        let x = unsafe { _mm256_set1_ps(x) };
        [x, x]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F {
        // SAFETY: both halves lie within the 16 elements; AVX by the token.
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))] }
    }
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> Self::F {
        const FIRST: [[i32; LANES]; 2] = [[-1; LANES], [0; LANES]];
        let mask = FIRST.as_flattened()[LANES - from.len().min(LANES)..].as_ptr();
        let from = from.as_ptr();
        // SAFETY: at least 16 elements follow in `FIRST`. Of `from`, only its elements are read,
        // those of the masks; the pointer to the second half is not used if there is none. AVX by
        // the token.
        unsafe {
            let low = _mm256_loadu_si256(mask.cast());
            let high = _mm256_loadu_si256(mask.add(8).cast());
            [_mm256_maskload_ps(from, low), _mm256_maskload_ps(from.wrapping_add(8), high)]
        }
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> Self::F {
        // SAFETY: both halves lie within the 16 elements; AVX2 by the token.
        unsafe {
            let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().cast()));
            let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().add(8).cast()));
            let float = [_mm256_slli_epi32::<16>(low), _mm256_slli_epi32::<16>(high)];
            [_mm256_castsi256_ps(float[0]), _mm256_castsi256_ps(float[1])]
        }
    }
    #[inline(always)]
    fn store(self, x: Self::F, to: &mut [f32; LANES]) {
        // SAFETY: both halves lie within the 16 elements; AVX by the token.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), x[1]);
        }
    }
    #[inline(always)]
    fn stream_lines(self, to: &mut [[f32; LANES]], lines: &impl Lines<Self>) {
        stream_lines(self, to, lines);
    }
    #[inline(always)]
    fn add(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_add_ps(x[0], y[0]), _mm256_add_ps(x[1], y[1])] }
    }
    #[inline(always)]
    fn sub(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_sub_ps(x[0], y[0]), _mm256_sub_ps(x[1], y[1])] }
    }
    #[inline(always)]
    fn mul(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_mul_ps(x[0], y[0]), _mm256_mul_ps(x[1], y[1])] }
    }
    #[inline(always)]
    fn div(self, x: Self::F, y: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_div_ps(x[0], y[0]), _mm256_div_ps(x[1], y[1])] }
    }
    #[inline(always)]
    fn sqrt(self, x: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_sqrt_ps(x[0]), _mm256_sqrt_ps(x[1])] }
    }
    #[inline(always)]
    fn mul_add(self, x: Self::F, y: Self::F, z: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has FMA.
        unsafe { [_mm256_fmadd_ps(x[0], y[0], z[0]), _mm256_fmadd_ps(x[1], y[1], z[1])] }
    }
    #[inline(always)]
    fn round(self, x: Self::F) -> Self::F {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_round_ps::<NEAREST>(x[0]), _mm256_round_ps::<NEAREST>(x[1])] }
    }
    #[inline(always)]
    fn exp2_whole(self, n: Self::F) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX2.
        unsafe {
            let bias = _mm256_set1_epi32(127);
            let low = _mm256_add_epi32(_mm256_cvtps_epi32(n[0]), bias);
            let high = _mm256_add_epi32(_mm256_cvtps_epi32(n[1]), bias);
            [
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(low)),
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(high)),
            ]
        }
    }
    #[inline(always)]
    fn less(self, x: Self::F, y: Self::F) -> u16 {
        // SAFETY: the token proves that the CPU has AVX.
        let half =
            |i: usize| unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(x[i], y[i])) as u8 };
        u16::from_le_bytes([half(0), half(1)])
    }
    #[inline(always)]
    fn at_most(self, x: Self::F, high: Self::F) -> Self::F {
        // If one of them is NaN, the result is the second operand.
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_min_ps(high[0], x[0]), _mm256_min_ps(high[1], x[1])] }
    }
    #[inline(always)]
    fn at_least(self, x: Self::F, low: Self::F) -> Self::F {
        // If one of them is NaN, the result is the second operand.
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_max_ps(low[0], x[0]), _mm256_max_ps(low[1], x[1])] }
    }
    #[inline(always)]
    fn is_nan(self, x: Self::F) -> u16 {
        // SAFETY: the token proves that the CPU has AVX.
        let half = |i: usize| unsafe {
            _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(x[i], x[i])) as u8
        };
        u16::from_le_bytes([half(0), half(1)])
    }
    #[inline(always)]
    fn select(self, mask: u16, yes: Self::F, no: Self::F) -> Self::F {
        let [low, high] = halves(mask);
        // SAFETY: the token proves that the CPU has AVX.
        unsafe {
            [
                _mm256_blendv_ps(no[0], yes[0], spread(self, low)),
                _mm256_blendv_ps(no[1], yes[1], spread(self, high)),
            ]
        }
    }
    #[inline(always)]
    fn keep(self, mask: u16, x: Self::F) -> Self::F {
        let [low, high] = halves(mask);
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_and_ps(spread(self, low), x[0]), _mm256_and_ps(spread(self, high), x[1])] }
    }
    #[inline(always)]
    fn sum(self, x: Self::F) -> f32 {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe {
            let x = _mm256_add_ps(x[0], x[1]);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }
    #[inline(always)]
    fn add_halves(self, x: Self::F, to: &mut Half) {
        // SAFETY: 8 elements are read and written of 8; AVX by the token.
        unsafe {
            let old = _mm256_loadu_ps(to.as_ptr());
            _mm256_storeu_ps(to.as_mut_ptr(), _mm256_add_ps(old, _mm256_add_ps(x[0], x[1])));
        }
    }
    #[inline(always)]
    fn sum_halves(self, parts: &[Half; LANES]) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe {
            [
                _mm256_set_m128(fold_parts(parts, 4), fold_parts(parts, 0)),
                _mm256_set_m128(fold_parts(parts, 12), fold_parts(parts, 8)),
            ]
        }
    }
    #[inline(always)]
    fn prefetch(self, line: *const f32) {
        // SAFETY: a prefetch has no effect that a program can see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
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
        let [low, high] = halves(mask);
        let n = low.count_ones() as usize;
        for (half, at, x, first) in [(low, 0, x[0], first), (high, n, x[1], first.wrapping_add(8))]
        {
            let positions = positions_in(half);
            offsets[at..at + 8].copy_from_slice(&offsets_of(positions, first));
            // SAFETY: `at` is at most 8, so 8 elements lie within the 16; the
            // token proves that the CPU has AVX2.
            unsafe {
                let order = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(positions as i64));
                let packed = _mm256_permutevar8x32_ps(x, order);
                _mm256_storeu_ps(values[at..at + 8].as_mut_ptr(), packed);
            }
        }
    }

    #[inline(always)]
    fn floats_as_words(self, x: Self::F) -> Self::U {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_castps_si256(x[0]), _mm256_castps_si256(x[1])] }
    }
    #[inline(always)]
    fn words_as_floats(self, x: Self::U) -> Self::F {
        // SAFETY: the token proves that the CPU has AVX.
        unsafe { [_mm256_castsi256_ps(x[0]), _mm256_castsi256_ps(x[1])] }
    }
    #[inline(always)]
    fn load_words(self, from: &[u64; 8]) -> Self::U {
        // SAFETY: both halves lie within the 8 words; AVX by the token.
        unsafe {
            [
                _mm256_loadu_si256(from.as_ptr().cast()),
                _mm256_loadu_si256(from.as_ptr().add(4).cast()),
            ]
        }
    }
    #[inline(always)]
    fn store_words(self, x: Self::U, to: &mut [u64; 8]) {
        // SAFETY: both halves lie within the 8 words; AVX by the token.
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), x[0]);
            _mm256_storeu_si256(to.as_mut_ptr().add(4).cast(), x[1]);
        }
    }
    #[inline(always)]
    fn add_words(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has AVX2.
        unsafe { [_mm256_add_epi64(x[0], y[0]), _mm256_add_epi64(x[1], y[1])] }
    }
    #[inline(always)]
    fn xor(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has AVX2.
        unsafe { [_mm256_xor_si256(x[0], y[0]), _mm256_xor_si256(x[1], y[1])] }
    }
    #[inline(always)]
    fn and(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has AVX2.
        unsafe { [_mm256_and_si256(x[0], y[0]), _mm256_and_si256(x[1], y[1])] }
    }
    #[inline(always)]
    fn or(self, x: Self::U, y: Self::U) -> Self::U {
        // SAFETY: the token proves that the CPU has AVX2.
        unsafe { [_mm256_or_si256(x[0], y[0]), _mm256_or_si256(x[1], y[1])] }
    }
    #[inline(always)]
    fn shift_left(self, x: Self::U, n: u32) -> Self::U {
        // SAFETY: the token proves that the CPU has AVX2.
        unsafe {
            let n = _mm_cvtsi32_si128(n as i32);
            [_mm256_sll_epi64(x[0], n), _mm256_sll_epi64(x[1], n)]
        }
    }
    #[inline(always)]
    fn shift_right(self, x: Self::U, n: u32) -> Self::U {
        // SAFETY: the token proves that the CPU has AVX2.
        unsafe {
            let n = _mm_cvtsi32_si128(n as i32);
            [_mm256_srl_epi64(x[0], n), _mm256_srl_epi64(x[1], n)]
        }
    }
}
