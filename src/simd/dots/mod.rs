//! Dot products of bytes with exact 32-bit sums, and the backends that have them.
//!
//! Weights and activations are whole numbers from -127 to 127. Four neighbouring inputs are a
//! **quad**, whose bytes share a 32-bit lane. The sum of at most 133,144 products fits 32
//! bits, so it is the same in any order and on every backend.
//!
//! A backend is a file with its implementation of [`Dots`] and a line in [`Dotter`].

mod avx2;
mod neon;
mod portable;
mod vnni;

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
    /// Adds the products of a row's quads and the weights of a tile. `quads` are the numbers of the
    /// quads within the tile, `x` their activations.
    #[inline(always)]
    fn add_quads(self, sums: &mut Sums, w: &QuadTile, quads: &[u8], x: &[[i8; 4]]) {
        let mut acc = self.load(sums);
        for (&quad, &x) in quads.iter().zip(x) {
            acc = self.add(acc, quad_of(w, quad), x);
        }
        self.store(acc, sums);
    }
}

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

/// The dot products of an instruction set that this CPU has.
#[derive(Clone, Copy)]
pub(crate) enum Dotter {
    Portable(portable::Portable),
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    Neon(neon::NeonDots),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2Dots),
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::VnniDots),
}

impl std::fmt::Debug for Dotter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Portable(_) => "portable",
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Self::Neon(_) => "neon",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(_) => "vnni",
        })
    }
}

impl Dotter {
    /// The fastest dot products of an instruction set. A CPU with AVX-512 may lack those of 512 bits.
    pub(crate) fn of(isa: Isa) -> Self {
        let portable = Self::Portable(portable::Portable);
        match isa {
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Isa::Neon => neon::NeonDots::detect().map_or(portable, Self::Neon),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => vnni::VnniDots::detect().map_or_else(|| Self::of(Isa::Avx2), Self::Vnni),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::Avx2Dots::detect().map_or(portable, Self::Avx2),
            _ => portable,
        }
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

    /// Runs the kernel.
    pub(crate) fn dispatch<K: DotKernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Portable(dots) => dots.run(kernel),
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Self::Neon(dots) => dots.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(dots) => dots.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(dots) => dots.run(kernel),
        }
    }
}

#[cfg(test)]
mod tests;
