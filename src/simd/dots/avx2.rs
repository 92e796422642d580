//! Dot products with AVX2: 8 sums per register.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::{Backend, DotKernel, Dots, Quad, QuadTile, Sums, quad_of};
use crate::simd::{backend::backend, x86::prefetch};

backend! {
    /// Proof that the CPU has AVX2: only `detect` makes one.
    Avx2 runs DotKernel as Backend: "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2"
}

impl Dots for Avx2 {
    type Acc = [__m256i; 8];
    const OFFSET: u8 = 0;

    #[inline(always)]
    fn load(self, from: &Sums) -> Self::Acc {
        // SAFETY: AVX by the token.
        unsafe { load(from) }
    }
    #[inline(always)]
    fn store(self, sums: Self::Acc, to: &mut Sums) {
        // SAFETY: AVX by the token.
        unsafe { store(sums, to) }
    }
    #[inline(always)]
    fn prefetch(self, w: &Quad) {
        prefetch(w.as_flattened());
    }
    #[inline(always)]
    fn add(self, sums: Self::Acc, w: &Quad, x: [i8; 4]) -> Self::Acc {
        add::<true>(self, sums, w, x)
    }
    /// Without negative activations, such as those of ReLU units, there are no signs to apply.
    #[inline(always)]
    fn add_quads<const P: usize>(
        self,
        sums: [&mut Sums; P],
        w: [&QuadTile; P],
        quads: &[u8],
        x: &[[i8; 4]],
    ) {
        let signed = x.iter().flatten().any(|x| x.is_negative());
        for (sums, w) in sums.into_iter().zip(w) {
            let mut acc = self.load(sums);
            if signed {
                for (&quad, &x) in quads.iter().zip(x) {
                    acc = add::<true>(self, acc, quad_of(w, quad), x);
                }
            } else {
                for (&quad, &x) in quads.iter().zip(x) {
                    acc = add::<false>(self, acc, quad_of(w, quad), x);
                }
            }
            self.store(acc, sums);
        }
    }
}

/// Loads sums.
///
/// # Safety
/// The CPU has AVX.
#[inline(always)]
pub(super) unsafe fn load(from: &Sums) -> [__m256i; 8] {
    // SAFETY: the eight vectors lie within the 64 elements; the caller promises AVX.
    unsafe {
        let mut sums = [_mm256_setzero_si256(); 8];
        for (sum, from) in sums.iter_mut().zip(from.as_chunks::<8>().0) {
            *sum = _mm256_loadu_si256(from.as_ptr().cast());
        }
        sums
    }
}

/// Stores sums.
///
/// # Safety
/// The CPU has AVX.
#[inline(always)]
pub(super) unsafe fn store(sums: [__m256i; 8], to: &mut Sums) {
    for (sum, to) in sums.into_iter().zip(to.as_chunks_mut::<8>().0) {
        // SAFETY: 8 elements are written of 8; the caller promises AVX.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), sum) }
    }
}

/// The absolute activations are the unsigned factors, and the weights get the activations' signs.
/// Two products fit 16 bits: 2 * 127 * 127 is below 2^15.
#[inline(always)]
fn add<const SIGNED: bool>(
    _: Avx2,
    mut sums: <Avx2 as Dots>::Acc,
    w: &Quad,
    x: [i8; 4],
) -> <Avx2 as Dots>::Acc {
    // SAFETY: the eight vectors lie within the 256 bytes; AVX2 by the token.
    unsafe {
        let x = _mm256_set1_epi32(i32::from_ne_bytes(x.map(i8::cast_unsigned)));
        let (size, ones) = (_mm256_abs_epi8(x), _mm256_set1_epi16(1));
        for (sum, w) in sums.iter_mut().zip(w.as_chunks::<8>().0) {
            let w = _mm256_loadu_si256(w.as_ptr().cast());
            let w = if SIGNED { _mm256_sign_epi8(w, x) } else { w };
            let pairs = _mm256_maddubs_epi16(size, w);
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
        }
        sums
    }
}
