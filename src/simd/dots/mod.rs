//! Dot products of bytes with exact 32-bit sums, and the backends that have them.
//!
//! Weights and activations are whole numbers from -127 to 127. Four neighbouring inputs are a
//! **quad**, whose bytes share a 32-bit lane. The sum of at most 133,144 products fits 32
//! bits, so it is the same in any order and on every backend.
//!
//! A backend is a file with its implementation of [`Dots`] and a line in the list of [`Dotter`].

mod avx2;
mod avx512_vnni;
mod avx_vnni;
mod neon;
mod portable;

use std::fmt;

use super::Isa;

/// Outputs that are computed together: those of a panel.
const OUTPUTS: usize = 64;

/// The weights from a quad of inputs to the outputs of a panel, as a backend stores them.
pub(crate) type Quad = [[u8; 4]; OUTPUTS];

/// The weights from a block of 64 quads to the outputs of a panel.
pub(crate) type QuadTile = [Quad; 64];

/// A sum for each output of a panel.
pub(crate) type Sums = [i32; OUTPUTS];

/// A backend's dot products. A value of the type is proof that the CPU has the instructions.
pub(crate) trait Dots: Copy + Send + Sync {
    /// Sums in registers.
    type Acc: Copy;
    /// What is added to a weight, modulo 256, to store it. The sums of an unsigned byte with an
    /// offset are too large by the offset times the sum of the activations.
    const OFFSET: u8;

    /// Loads sums.
    fn load(self, from: &Sums) -> Self::Acc;
    /// Stores sums.
    fn store(self, sums: Self::Acc, to: &mut Sums);
    /// Adds the products of a quad's activations and its stored weights.
    fn add(self, sums: Self::Acc, w: &Quad, x: [i8; 4]) -> Self::Acc;
    /// Prefetches weights that will be needed soon. This is only a hint, and does nothing if the
    /// backend has no such instruction.
    #[inline(always)]
    fn prefetch(self, _w: &Quad) {}
    /// Adds the products of a row's quads and the weights of P tiles. `quads` are the numbers of the
    /// quads within the tiles, `x` their activations.
    #[inline(always)]
    fn add_quads<const P: usize>(
        self,
        sums: [&mut Sums; P],
        w: [&QuadTile; P],
        quads: &[u8],
        x: &[[i8; 4]],
    ) {
        for (sums, w) in sums.into_iter().zip(w) {
            let mut acc = self.load(sums);
            for (&quad, &x) in quads.iter().zip(x) {
                acc = self.add(acc, quad_of(w, quad), x);
            }
            self.store(acc, sums);
        }
    }
    /// Adds the products of several rows and the weights of a tile, of which every row has the first
    /// quads.
    #[inline(always)]
    fn add_rows(self, sums: [&mut Sums; TOGETHER], w: &QuadTile, x: [&[[i8; 4]]; TOGETHER]) {
        for (sums, x) in sums.into_iter().zip(x) {
            let mut acc = self.load(sums);
            for (w, &x) in w.iter().zip(x) {
                acc = self.add(acc, w, x);
            }
            self.store(acc, sums);
        }
    }
}

/// Rows that take their weights from registers together.
pub(crate) const TOGETHER: usize = 4;

/// The weights of a quad. Bytes past the end of a list are not valid numbers: the modulo keeps them
/// in range.
#[inline(always)]
fn quad_of(w: &QuadTile, quad: u8) -> &Quad {
    &w[usize::from(quad) % w.len()]
}

/// A kernel of dot products: the same code for every backend.
pub(crate) trait DotKernel {
    /// The return type of the kernel.
    type Output;
    /// Runs the kernel. Implementations are `#[inline(always)]`, so that they are compiled with the
    /// backend's instructions.
    fn run<D: Dots>(self, dots: D) -> Self::Output;
}

/// A backend that this CPU may have.
trait Backend: Copy {
    fn detect() -> Option<Self>;
    fn run<K: DotKernel>(self, kernel: K) -> K::Output;
}

/// Generates [`Dotter`] from the list of backends. A line `Token in module for Isa on target` says
/// that `module`, which exists if the build's target satisfies the condition `target`, contains the
/// backend `Token`, which kernels of `Isa` use if the CPU has it.
macro_rules! dotters {
    ($($token:ident in $module:ident for $isa:ident on $target:meta,)+) => {
        /// Dot products that this CPU has.
        #[derive(Clone, Copy)]
        pub(crate) enum Dotter {
            $(#[cfg($target)] $token($module::$token),)+
        }

        impl Dotter {
            /// Those that this CPU has, slowest first, with the instruction set that uses them.
            fn available() -> impl DoubleEndedIterator<Item = (Isa, Self)> {
                let all = [$(
                    #[cfg($target)]
                    $module::$token::detect().map(|dots| (Isa::$isa, Self::$token(dots))),
                )+];
                all.into_iter().flatten()
            }

            /// Runs the kernel.
            pub(crate) fn dispatch<K: DotKernel>(self, kernel: K) -> K::Output {
                match self {
                    $(#[cfg($target)] Self::$token(dots) => dots.run(kernel),)+
                }
            }
        }

        impl fmt::Debug for Dotter {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(#[cfg($target)] Self::$token(_) => stringify!($token),)+
                })
            }
        }
    };
}

dotters! {
    Portable in portable for Portable on all(),
    Neon in neon for Neon on all(target_arch = "aarch64", target_endian = "little"),
    Avx2 in avx2 for Avx2 on target_arch = "x86_64",
    AvxVnni in avx_vnni for Avx2 on target_arch = "x86_64",
    Avx512Vnni in avx512_vnni for Avx512 on target_arch = "x86_64",
}

impl Dotter {
    /// The fastest dot products for kernels of an instruction set. A CPU with AVX-512 may lack those
    /// of 512 bits; then it uses those for AVX2.
    pub(crate) fn of(isa: Isa) -> Self {
        let suits = |of| of == isa || of == Isa::Portable || (of, isa) == (Isa::Avx2, Isa::Avx512);
        let found = Self::available().rev().find(|&(of, _)| suits(of));
        found.map_or(Self::Portable(portable::Portable), |(_, dotter)| dotter)
    }

    /// The backend's [`Dots::OFFSET`].
    pub(crate) fn offset(self) -> u8 {
        struct Offset;
        impl DotKernel for Offset {
            type Output = u8;
            #[inline(always)]
            fn run<D: Dots>(self, _: D) -> u8 {
                D::OFFSET
            }
        }
        self.dispatch(Offset)
    }
}

#[cfg(test)]
mod tests;
