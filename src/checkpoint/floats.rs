//! Numbers as files keep them: f32, f16 and bfloat16, little-endian.

use half::f16;

/// How a number is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// IEEE 754's binary32.
    F32,
    /// IEEE 754's binary16.
    F16,
    /// The upper half of an f32.
    Bf16,
}

impl Kind {
    /// Bytes of a number.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The numbers that `bytes` hold; what is left of a last one is not looked at.
    pub fn read<'a>(self, bytes: &'a [u8]) -> impl Iterator<Item = f32> + use<'a> {
        bytes.chunks_exact(self.size()).map(move |number| match *number {
            [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
            [a, b] => self.half(u16::from_le_bytes([a, b])),
            // There are no other sizes.
            _ => f32::NAN,
        })
    }

    /// The number of 16 bits; of an f32 its upper half.
    pub fn half(self, bits: u16) -> f32 {
        match self {
            Self::F16 => f16::from_bits(bits).to_f32(),
            Self::F32 | Self::Bf16 => f32::from_bits(u32::from(bits) << 16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian() {
        let read = |kind: Kind, bytes: &[u8]| kind.read(bytes).collect::<Vec<_>>();
        assert_eq!(read(Kind::F32, &[0, 0, 0xc0, 0x3f, 1, 2]), [1.5]);
        assert_eq!(read(Kind::Bf16, &[0xc0, 0x3f, 0, 0xc0]), [1.5, -2.0]);
        assert_eq!(read(Kind::F16, &[0, 0x3e, 0, 0xc0, 9]), [1.5, -2.0]);
    }
}
