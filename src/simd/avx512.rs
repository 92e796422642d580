//! The AVX-512 backend: 16 f32 in one register, 8 u64 in one, lane masks in mask registers.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::{
    Kernel,
    backend::backend,
    lanes::{Backend, Half, LANES, Lanes, Lines},
    x86::{Quarters, fold_parts, stream_lines},
};

backend! {
    /// Proof that the CPU has AVX-512: only `detect` makes one.
    Avx512 runs Kernel as Backend:
        "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma", "f16c",
        "avx512f", "avx512bw", "avx512dq", "avx512vl"
}

/// The sums of lanes i and i + 8.
///
/// # Safety
/// The CPU has AVX-512F and DQ.
#[inline(always)]
unsafe fn fold(x: __m512) -> __m256 {
    // SAFETY: the caller promises AVX-512F and DQ.
    unsafe { _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x)) }
}

impl Quarters for Avx512 {
    #[inline(always)]
    fn quarters(self, x: __m512) -> [__m128; 4] {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe {
            [
                _mm512_castps512_ps128(x),
                _mm512_extractf32x4_ps::<1>(x),
                _mm512_extractf32x4_ps::<2>(x),
                _mm512_extractf32x4_ps::<3>(x),
            ]
        }
    }
}

impl Lanes for Avx512 {
    type F = __m512;
    type U = __m512i;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        // SAFETY: 16 elements are read of 16; AVX-512F by the token.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> __m512 {
        let first = ((1u32 << from.len().min(LANES)) - 1) as u16;
        // SAFETY: only elements of `from` are read, those of the mask; AVX-512F by the token.
        unsafe { _mm512_maskz_loadu_ps(first, from.as_ptr()) }
    }
    #[inline(always)]
    fn load_bf16(self, from: &[u16; LANES]) -> __m512 {
        // SAFETY: 16 elements are read of 16; AVX2 and AVX-512F by the token.
        unsafe {
            let halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves))
        }
    }
    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; LANES]) {
        // SAFETY: 16 elements are written of 16; AVX-512F by the token.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), x) }
    }
    #[inline(always)]
    fn stream_lines(self, to: &mut [[f32; LANES]], lines: &impl Lines<Self>) {
        stream_lines(self, to, lines);
    }
    #[inline(always)]
    fn add(self, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_add_ps(x, y) }
    }
    #[inline(always)]
    fn sub(self, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_sub_ps(x, y) }
    }
    #[inline(always)]
    fn mul(self, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_mul_ps(x, y) }
    }
    #[inline(always)]
    fn div(self, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_div_ps(x, y) }
    }
    #[inline(always)]
    fn sqrt(self, x: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_sqrt_ps(x) }
    }
    #[inline(always)]
    fn mul_add(self, x: __m512, y: __m512, z: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_fmadd_ps(x, y, z) }
    }
    #[inline(always)]
    fn round(self, x: __m512) -> __m512 {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_roundscale_ps::<NEAREST>(x) }
    }
    #[inline(always)]
    fn exp2_whole(self, n: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }
    #[inline(always)]
    fn less(self, x: __m512, y: __m512) -> u16 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, y) }
    }
    #[inline(always)]
    fn at_most(self, x: __m512, high: __m512) -> __m512 {
        // If one of them is NaN, the result is the second operand.
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_min_ps(high, x) }
    }
    #[inline(always)]
    fn at_least(self, x: __m512, low: __m512) -> __m512 {
        // If one of them is NaN, the result is the second operand.
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_max_ps(low, x) }
    }
    #[inline(always)]
    fn is_nan(self, x: __m512) -> u16 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x) }
    }
    #[inline(always)]
    fn select(self, mask: u16, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_mask_blend_ps(mask, no, yes) }
    }
    #[inline(always)]
    fn keep(self, mask: u16, x: __m512) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_maskz_mov_ps(mask, x) }
    }
    #[inline(always)]
    fn sum(self, x: __m512) -> f32 {
        // SAFETY: the token proves that the CPU has AVX-512F, DQ and VL.
        unsafe {
            let x = fold(x);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }
    #[inline(always)]
    fn add_halves(self, x: __m512, to: &mut Half) {
        // SAFETY: 8 elements are read and written of 8; AVX-512F, DQ and AVX by
        // the token.
        unsafe {
            let old = _mm256_loadu_ps(to.as_ptr());
            _mm256_storeu_ps(to.as_mut_ptr(), _mm256_add_ps(old, fold(x)));
        }
    }
    #[inline(always)]
    fn add_halves_of_two(self, x: __m512, y: __m512, to: &mut [Half; 2]) {
        let to = to.as_flattened_mut().as_mut_ptr();
        // SAFETY: 16 elements are read and written of 16; AVX-512F by the token.
        unsafe {
            let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(x, y);
            let high = _mm512_shuffle_f32x4::<0b11_10_11_10>(x, y);
            let folded = _mm512_add_ps(low, high);
            _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), folded));
        }
    }
    #[inline(always)]
    fn sum_halves(self, parts: &[Half; LANES]) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F and AVX.
        unsafe {
            let x = _mm512_castps128_ps512(fold_parts(parts, 0));
            let x = _mm512_insertf32x4::<1>(x, fold_parts(parts, 4));
            let x = _mm512_insertf32x4::<2>(x, fold_parts(parts, 8));
            _mm512_insertf32x4::<3>(x, fold_parts(parts, 12))
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
        x: __m512,
        first: u8,
        values: &mut [f32; LANES],
        offsets: &mut [u8; LANES],
    ) {
        // Compress in a register and store it whole: the compressing store to
        // memory is microcoded on Zen 4.
        // SAFETY: 16 elements are written of 16; AVX-512F by the token.
        unsafe {
            _mm512_storeu_ps(values.as_mut_ptr(), _mm512_maskz_compress_ps(mask, x));
            let lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let lane = _mm512_add_epi32(lane, _mm512_set1_epi32(i32::from(first)));
            let packed = _mm512_cvtepi32_epi8(_mm512_maskz_compress_epi32(mask, lane));
            _mm_storeu_si128(offsets.as_mut_ptr().cast(), packed);
        }
    }

    #[inline(always)]
    fn floats_as_words(self, x: __m512) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_castps_si512(x) }
    }
    #[inline(always)]
    fn words_as_floats(self, x: __m512i) -> __m512 {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_castsi512_ps(x) }
    }
    #[inline(always)]
    fn load_words(self, from: &[u64; 8]) -> __m512i {
        // SAFETY: 8 words are read of 8; AVX-512F by the token.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_words(self, x: __m512i, to: &mut [u64; 8]) {
        // SAFETY: 8 words are written of 8; AVX-512F by the token.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), x) }
    }
    #[inline(always)]
    fn add_words(self, x: __m512i, y: __m512i) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_add_epi64(x, y) }
    }
    #[inline(always)]
    fn xor(self, x: __m512i, y: __m512i) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_xor_si512(x, y) }
    }
    #[inline(always)]
    fn and(self, x: __m512i, y: __m512i) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_and_si512(x, y) }
    }
    #[inline(always)]
    fn or(self, x: __m512i, y: __m512i) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_or_si512(x, y) }
    }
    #[inline(always)]
    fn shift_left(self, x: __m512i, n: u32) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_sll_epi64(x, _mm_cvtsi32_si128(n as i32)) }
    }
    #[inline(always)]
    fn shift_right(self, x: __m512i, n: u32) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_srl_epi64(x, _mm_cvtsi32_si128(n as i32)) }
    }
    #[inline(always)]
    fn rotate_left(self, x: __m512i, n: u32) -> __m512i {
        // SAFETY: the token proves that the CPU has AVX-512F.
        unsafe { _mm512_rolv_epi64(x, _mm512_set1_epi64(i64::from(n))) }
    }
}
