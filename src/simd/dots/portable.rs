//! Dot products in plain Rust, which the compiler vectorises.

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
    type Acc = Sums;
    const OFFSET: u8 = 0;

    #[inline(always)]
    fn load(self, from: &Sums) -> Sums {
        *from
    }
    #[inline(always)]
    fn store(self, sums: Sums, to: &mut Sums) {
        *to = sums;
    }
    #[inline(always)]
    fn add(self, mut sums: Sums, w: &Quad, x: [i8; 4]) -> Sums {
        // The bytes of a weight's 32 bits, each with its sign: shifts that compilers vectorise.
        let [a, b, c, d] = x.map(i32::from);
        for (sum, w) in sums.iter_mut().zip(w) {
            let w = i32::from_le_bytes(*w);
            let products =
                (w << 24 >> 24) * a + (w << 16 >> 24) * b + (w << 8 >> 24) * c + (w >> 24) * d;
            *sum = sum.wrapping_add(products);
        }
        sums
    }
}
