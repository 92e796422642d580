//! Dot products through the `wide` crate: the build's target CPU.

use wide::{i16x8, i32x4};

use super::{Backend, DotKernel, Dots, Quad, Sums};

/// The portable dot products, which every CPU has.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Backend for Portable {
    fn detect() -> Option<Self> {
        Some(Self)
    }
    #[inline(always)]
    fn run<K: DotKernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
}

impl Dots for Portable {
    type Acc = [i32x4; 16];
    const OFFSET: u8 = 0;

    #[inline(always)]
    fn load(self, from: &Sums) -> Self::Acc {
        let mut sums = [i32x4::ZERO; 16];
        for (sum, from) in sums.iter_mut().zip(from.as_chunks().0) {
            *sum = i32x4::new(*from);
        }
        sums
    }
    #[inline(always)]
    fn store(self, sums: Self::Acc, to: &mut Sums) {
        for (sum, to) in sums.into_iter().zip(to.as_chunks_mut().0) {
            *to = sum.to_array();
        }
    }
    /// Every other byte is a number of 16 bits of its own: pairs of them are multiplied and added to
    /// 32 bits.
    #[inline(always)]
    fn add(self, mut sums: Self::Acc, w: &Quad, x: [i8; 4]) -> Self::Acc {
        let [a, b, c, d] = x.map(i16::from);
        let even_x = i16x8::new([a, c, a, c, a, c, a, c]);
        let odd_x = i16x8::new([b, d, b, d, b, d, b, d]);
        for (sum, w) in sums.iter_mut().zip(w.as_chunks::<4>().0) {
            let pairs = w.as_flattened().as_chunks().0;
            let w = i16x8::new(std::array::from_fn(|i| i16::from_le_bytes(pairs[i])));
            let (even, odd): (i16x8, i16x8) = ((w << 8) >> 8, w >> 8);
            *sum = *sum + even.dot(even_x) + odd.dot(odd_x);
        }
        sums
    }
}
