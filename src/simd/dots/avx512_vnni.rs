//! Dot products with AVX-512 VNNI: 16 sums per register, a quad per instruction.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::{Backend, DotKernel, Dots, OUTPUTS, Quad, QuadTile, Sums, TOGETHER, quad_of};
use crate::simd::{backend::backend, x86::prefetch};

backend! {
    /// Proof that the CPU has AVX-512 VNNI: only `detect` makes one.
    Avx512Vnni runs DotKernel as Backend:
        "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512vnni"
}

impl Dots for Avx512Vnni {
    type Acc = [__m512i; 4];
    /// The instruction multiplies unsigned bytes by signed ones. Its sums are modulo 2^32, so the
    /// products of the offset may overflow.
    const OFFSET: u8 = 128;

    #[inline(always)]
    fn load(self, from: &Sums) -> Self::Acc {
        // SAFETY: the four vectors lie within the 64 elements; AVX-512F by the token.
        unsafe {
            let mut sums = [_mm512_setzero_si512(); 4];
            for (sum, from) in sums.iter_mut().zip(from.as_chunks::<16>().0) {
                *sum = _mm512_loadu_si512(from.as_ptr().cast());
            }
            sums
        }
    }
    #[inline(always)]
    fn store(self, sums: Self::Acc, to: &mut Sums) {
        for (sum, to) in sums.into_iter().zip(to.as_chunks_mut::<16>().0) {
            // SAFETY: 16 elements are written of 16; AVX-512F by the token.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), sum) }
        }
    }
    #[inline(always)]
    fn prefetch(self, w: &Quad) {
        prefetch(w.as_flattened());
    }
    #[inline(always)]
    fn add(self, mut sums: Self::Acc, w: &Quad, x: [i8; 4]) -> Self::Acc {
        // SAFETY: the four vectors lie within the 256 bytes; AVX-512F and VNNI by the token.
        unsafe {
            let x = _mm512_set1_epi32(i32::from_ne_bytes(x.map(i8::cast_unsigned)));
            for (sum, w) in sums.iter_mut().zip(w.as_chunks::<16>().0) {
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_loadu_si512(w.as_ptr().cast()), x);
            }
            sums
        }
    }
    /// The registers have room for the sums of several tiles, and a single set of four would wait
    /// for itself.
    #[inline(always)]
    fn add_quads<const P: usize>(
        self,
        sums: [&mut Sums; P],
        w: [&QuadTile; P],
        quads: &[u8],
        x: &[[i8; 4]],
    ) {
        let mut acc = [self.load(&[0; OUTPUTS]); P];
        for (acc, sums) in acc.iter_mut().zip(&sums) {
            *acc = self.load(sums);
        }
        for (&quad, &x) in quads.iter().zip(x) {
            for (acc, w) in acc.iter_mut().zip(w) {
                *acc = self.add(*acc, quad_of(w, quad), x);
            }
        }
        for (acc, sums) in acc.into_iter().zip(sums) {
            self.store(acc, sums);
        }
    }
    /// Weights are loaded once for all rows: with one row, loads take longer than products.
    #[inline(always)]
    fn add_rows(self, sums: [&mut Sums; TOGETHER], w: &QuadTile, x: [&[[i8; 4]]; TOGETHER]) {
        let mut acc = [self.load(&[0; OUTPUTS]); TOGETHER];
        for (acc, sums) in acc.iter_mut().zip(&sums) {
            *acc = self.load(sums);
        }
        let [a, b, c, d] = x;
        for ((((w, &a), &b), &c), &d) in w.iter().zip(a).zip(b).zip(c).zip(d) {
            for (acc, x) in acc.iter_mut().zip([a, b, c, d]) {
                *acc = self.add(*acc, w, x);
            }
        }
        for (acc, sums) in acc.into_iter().zip(sums) {
            self.store(acc, sums);
        }
    }
}
