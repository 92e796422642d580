//! Dot products with AVX-512 VNNI: 16 sums per register, a quad per instruction.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::{Backend, DotKernel, Dots, OUTPUTS, Quad, QuadTile, Sums, quad_of};
use crate::simd::backend::backend;

backend! {
    /// Proof that the CPU has AVX-512 VNNI: only `detect` makes one.
    VnniDots runs DotKernel as Backend:
        "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512vnni"
}

impl Dots for VnniDots {
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
    /// Even and odd quads have sums of their own: a single set of four would wait for itself.
    #[inline(always)]
    fn add_quads(self, sums: &mut Sums, w: &QuadTile, quads: &[u8], x: &[[i8; 4]]) {
        let mut even = self.load(sums);
        let mut odd = self.load(&[0; OUTPUTS]);
        let (pairs, last) = quads.as_chunks::<2>();
        let (pairs_of_x, last_x) = x.as_chunks::<2>();
        for (quads, x) in pairs.iter().zip(pairs_of_x) {
            even = self.add(even, quad_of(w, quads[0]), x[0]);
            odd = self.add(odd, quad_of(w, quads[1]), x[1]);
        }
        for (&quad, &x) in last.iter().zip(last_x) {
            even = self.add(even, quad_of(w, quad), x);
        }
        for (even, odd) in even.iter_mut().zip(odd) {
            // SAFETY: AVX-512F by the token.
            *even = unsafe { _mm512_add_epi32(*even, odd) };
        }
        self.store(even, sums);
    }
}
