//! Vectors of the same width on every machine, and the choice of instruction set.
//!
//! A kernel is a struct whose [`Kernel::run`] is written once, generic over
//! [`Lanes`]. [`Isa::dispatch`] runs it with the backend that was chosen at run
//! time. The choice is checked only there, once per buffer or block.
//!
//! All backends offer the same two vector types, 16 f32 (a cache line) and 8 u64,
//! whatever their register width, so a kernel sums in the same order on each. AVX2
//! and AVX-512 give bitwise identical results. If the baseline CPU of the build has
//! no fused multiply-add, the portable backend rounds products before adding them.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
pub(crate) mod math;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use lanes::{Half, LANES, Lanes, Lines};

use std::{fmt, str::FromStr};

use crate::{
    error::Error,
    named::{from_name, names},
};

/// An instruction set that a kernel can run on.
///
/// ```
/// use thinnet::Isa;
///
/// assert!(Isa::detect().is_available());
/// assert!(Isa::available().any(|isa| isa == Isa::Portable));
/// assert_eq!("auto".parse::<Isa>()?, Isa::detect());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// The build's target CPU, through the `wide` crate: runs everywhere.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors (F, BW, DQ and VL: Skylake-X, Zen 4 and later).
    Avx512,
}

/// Proof that the CPU has an instruction set; the functions of a backend cannot be
/// called without it.
#[derive(Clone, Copy)]
enum Token {
    Portable(portable::Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
}

/// A kernel: the same code for every backend.
pub(crate) trait Kernel {
    /// The return type of the kernel.
    type Output;
    /// Runs the kernel. Implementations are `#[inline(always)]`, so that they are
    /// compiled with the backend's instructions.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

names! {
    /// Every instruction set that thinnet knows, slowest first.
    ALL of Isa, also "auto";
    /// The name, as the command line takes it.
    name;
    Portable => "portable",
    Avx2 => "avx2",
    Avx512 => "avx512",
}
from_name!(Isa, "instruction set");

impl Isa {
    /// The fastest instruction set that this CPU supports.
    pub fn detect() -> Self {
        Self::ALL.iter().copied().rev().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// The instruction sets that this CPU supports, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|isa| isa.is_available())
    }

    /// Whether this CPU supports the instruction set.
    pub fn is_available(self) -> bool {
        self.token().is_some()
    }

    /// Returns the instruction set if this CPU supports it.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn require(self) -> Result<Self, Error> {
        if self.is_available() {
            return Ok(self);
        }
        let available: Vec<_> = Self::available().map(Self::name).collect();
        Err(Error::IsaUnavailable { requested: self, available: available.join(", ") })
    }

    /// Whether multiply-add is fused, that is, does not round the product first. Tested
    /// by computing (1 + 2^-12)² - (1 + 2^-11): 2^-24 if fused, 0 if not.
    pub(crate) fn fuses(self) -> bool {
        struct Probe(f32);
        impl Kernel for Probe {
            type Output = f32;
            #[inline(always)]
            fn run<L: Lanes>(self, l: L) -> f32 {
                let x = l.splat(self.0);
                let minus = l.splat(-(2.0 * self.0 - 1.0));
                let mut line = [0.0; LANES];
                l.store(l.mul_add(x, x, minus), &mut line);
                line[0]
            }
        }
        self.dispatch(Probe(std::hint::black_box(1.0 + 1.0 / 4096.0))) != 0.0
    }

    fn token(self) -> Option<Token> {
        match self {
            Self::Portable => Some(Token::Portable(portable::Portable)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::detect().map(Token::Avx2),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::Avx512::detect().map(Token::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => None,
        }
    }

    /// Runs the kernel with this instruction set, or with the portable backend if the CPU
    /// does not support it (which the public entry points rule out beforehand).
    #[inline]
    pub(crate) fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
        match self.token() {
            #[cfg(target_arch = "x86_64")]
            Some(Token::Avx512(lanes)) => avx512::run(lanes, kernel),
            #[cfg(target_arch = "x86_64")]
            Some(Token::Avx2(lanes)) => avx2::run(lanes, kernel),
            Some(Token::Portable(lanes)) => kernel.run(lanes),
            None => kernel.run(portable::Portable),
        }
    }
}

impl Default for Isa {
    /// Same as [`Isa::detect`].
    fn default() -> Self {
        Self::detect()
    }
}

impl serde::Serialize for Isa {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Isa {
    /// Same as [`Isa::from_str`].
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    /// Parses one of the names; `auto` means [`Isa::detect`].
    fn from_str(name: &str) -> Result<Self, Error> {
        if name == "auto" {
            return Ok(Self::detect());
        }
        Self::from_name(name)
    }
}

#[cfg(test)]
pub(crate) mod tests;
