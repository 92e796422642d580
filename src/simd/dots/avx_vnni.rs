//! Dot products with AVX-VNNI: 8 sums per register, a quad per instruction.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::{Backend, DotKernel, Dots, Quad, Sums, avx2};
use crate::simd::{backend::backend, x86::prefetch};

backend! {
    /// Proof that the CPU has AVX-VNNI: only `detect` makes one.
    AvxVnni runs DotKernel as Backend:
        "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "avxvnni"
}

impl Dots for AvxVnni {
    type Acc = [__m256i; 8];
    /// As for [`Avx512Vnni`](super::avx512_vnni::Avx512Vnni).
    const OFFSET: u8 = 128;

    #[inline(always)]
    fn load(self, from: &Sums) -> Self::Acc {
        // SAFETY: AVX by the token.
        unsafe { avx2::load(from) }
    }
    #[inline(always)]
    fn store(self, sums: Self::Acc, to: &mut Sums) {
        // SAFETY: AVX by the token.
        unsafe { avx2::store(sums, to) }
    }
    #[inline(always)]
    fn prefetch(self, w: &Quad) {
        prefetch(w.as_flattened());
    }
    #[inline(always)]
    fn add(self, mut sums: Self::Acc, w: &Quad, x: [i8; 4]) -> Self::Acc {
        // SAFETY: the eight vectors lie within the 256 bytes; AVX2 and AVX-VNNI by the token.
        unsafe {
            let x = _mm256_set1_epi32(i32::from_ne_bytes(x.map(i8::cast_unsigned)));
            for (sum, w) in sums.iter_mut().zip(w.as_chunks::<8>().0) {
                let w = _mm256_loadu_si256(w.as_ptr().cast());
                *sum = _mm256_dpbusd_avx_epi32(*sum, w, x);
            }
            sums
        }
    }
}
