//! Vectors of the same width on every machine, and the choice of instruction set.
//!
//! A kernel is a struct whose [`Kernel::run`] is written once, generic over
//! [`Lanes`]. [`Isa::dispatch`] runs it with the backend that was chosen at run
//! time. The choice is checked only there, once per buffer or block.
//!
//! All backends offer the same two vector types, 16 f32 (a cache line) and 8 u64,
//! whatever their register width, so a kernel sums in the same order on each. All but the
//! portable one give bitwise identical results, except for the sign and payload of a NaN.
//! If the baseline CPU of the build has no fused multiply-add, the portable backend rounds
//! products before adding them.
//!
//! A backend is a file with its implementation of [`Lanes`], the `mod` line for that file,
//! and a line in the list of [`Isa`]. Everything else that depends on the set of backends
//! iterates over [`Isa::ALL`].

mod avx2;
mod avx512;
mod backend;
pub(crate) mod dots;
mod lanes;
pub(crate) mod math;
mod neon;
pub(crate) mod pages;
mod portable;
mod positions;
mod x86;

pub(crate) use lanes::{Half, LANES, Lanes, Lines};

use std::{fmt, str::FromStr};

use lanes::Backend;

use crate::{
    error::Error,
    named::{from_name, names},
};

/// Generates [`Isa`] from the list of backends. A line `Variant = "name" in module on target`
/// says that `module`, which exists if the build's target satisfies the condition `target`,
/// contains the backend's token, a type with the name of the variant.
macro_rules! backends {
    (
        $(#[$about_isa:meta])*
        pub enum Isa {
            $($(#[$about:meta])* $token:ident = $name:literal in $module:ident on $target:meta,)+
        }
    ) => {
        $(#[$about_isa])*
        pub enum Isa {
            $($(#[$about])* $token,)+
        }

        names! {
            /// Every instruction set that thinnet knows. Those that a single CPU can have are in
            /// order of speed, slowest first.
            ALL of Isa, also "auto";
            /// The name, as the command line takes it.
            name;
            $($token => $name,)+
        }

        #[derive(Clone, Copy)]
        enum Token {
            $(#[cfg($target)] $token($module::$token),)+
        }

        impl Isa {
            fn token(self) -> Option<Token> {
                match self {
                    $(
                        #[cfg($target)]
                        Self::$token => $module::$token::detect().map(Token::$token),
                        #[cfg(not($target))]
                        Self::$token => None,
                    )+
                }
            }

        }

        impl Supported {
            /// Runs the kernel with this instruction set.
            #[inline]
            pub(crate) fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
                match self.0 {
                    $(#[cfg($target)] Token::$token(lanes) => lanes.run(kernel),)+
                }
            }

            /// Its name.
            pub(crate) fn isa(self) -> Isa {
                match self.0 {
                    $(#[cfg($target)] Token::$token(_) => Isa::$token,)+
                }
            }
        }
    };
}

backends! {
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
        Portable = "portable" in portable on all(),
        /// 128-bit vectors with fused multiply-add (Arm, 64 bits).
        Neon = "neon" in neon on all(target_arch = "aarch64", target_endian = "little"),
        /// 256-bit vectors with fused multiply-add.
        Avx2 = "avx2" in avx2 on target_arch = "x86_64",
        /// 512-bit vectors (F, BW, DQ and VL: Skylake-X, Zen 4 and later).
        Avx512 = "avx512" in avx512 on target_arch = "x86_64",
    }
}
from_name!(Isa, "instruction set");

/// An instruction set that this CPU has: what [`Isa::supported`] found out is not asked again for
/// each kernel.
#[derive(Clone, Copy)]
pub(crate) struct Supported(Token);

impl fmt::Debug for Supported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.isa().fmt(f)
    }
}

/// A kernel: the same code for every backend.
pub(crate) trait Kernel {
    /// The return type of the kernel.
    type Output;
    /// Runs the kernel. Implementations are `#[inline(always)]`, so that they are
    /// compiled with the backend's instructions.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

impl Isa {
    /// The fastest instruction set that this CPU supports.
    pub fn detect() -> Self {
        Self::ALL.iter().copied().rev().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// The instruction sets that this CPU supports, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|isa| isa.is_available())
    }

    /// The instruction set, or the portable one if the CPU does not support it (which the public
    /// entry points rule out beforehand).
    pub(crate) fn supported(self) -> Supported {
        Supported(self.token().unwrap_or(Token::Portable(portable::Portable)))
    }

    /// Runs the kernel with this instruction set.
    #[inline]
    pub(crate) fn dispatch<K: Kernel>(self, kernel: K) -> K::Output {
        self.supported().dispatch(kernel)
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
