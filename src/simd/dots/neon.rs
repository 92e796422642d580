//! Dot products with NEON: 4 sums per register.
#![cfg(all(target_arch = "aarch64", target_endian = "little"))]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::aarch64::*;

use super::{Backend, DotKernel, Dots, Quad, Sums};
use crate::simd::backend::backend;

backend! {
    /// Proof that the CPU has NEON: only `detect` makes one.
    Neon runs DotKernel as Backend: "neon"
}

impl Dots for Neon {
    type Acc = [int32x4_t; 16];
    const OFFSET: u8 = 0;

    #[inline(always)]
    fn load(self, from: &Sums) -> Self::Acc {
        // SAFETY: the sixteen vectors lie within the 64 elements; NEON by the token.
        unsafe {
            let mut sums = [vdupq_n_s32(0); 16];
            for (sum, from) in sums.iter_mut().zip(from.as_chunks::<4>().0) {
                *sum = vld1q_s32(from.as_ptr());
            }
            sums
        }
    }
    #[inline(always)]
    fn store(self, sums: Self::Acc, to: &mut Sums) {
        for (sum, to) in sums.into_iter().zip(to.as_chunks_mut::<4>().0) {
            // SAFETY: 4 elements are written of 4; NEON by the token.
            unsafe { vst1q_s32(to.as_mut_ptr(), sum) }
        }
    }
    #[inline(always)]
    fn add(self, mut sums: Self::Acc, w: &Quad, x: [i8; 4]) -> Self::Acc {
        // SAFETY: the sixteen vectors lie within the 256 bytes; NEON by the token.
        unsafe {
            let x = vreinterpret_s8_s32(vdup_n_s32(i32::from_ne_bytes(x.map(i8::cast_unsigned))));
            for (sum, w) in sums.iter_mut().zip(w.as_chunks::<4>().0) {
                let w = vld1q_s8(w.as_ptr().cast());
                // Two 16-bit products of one output are added to 32 bits, then the two sums.
                let low = vpaddlq_s16(vmull_s8(vget_low_s8(w), x));
                let high = vpaddlq_s16(vmull_s8(vget_high_s8(w), x));
                *sum = vaddq_s32(*sum, vpaddq_s32(low, high));
            }
            sums
        }
    }
}
