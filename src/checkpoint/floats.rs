//! Numbers as files store them: f32, f16 and bfloat16, little-endian.

use half::{bf16, f16};

/// The storage format of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatType {
    /// IEEE 754's binary32.
    F32,
    /// IEEE 754's binary16.
    F16,
    /// The upper half of an f32.
    Bf16,
}

impl FloatType {
    /// The size of a number in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The numbers in `bytes`; an incomplete last one is ignored.
    pub fn read<'a>(self, bytes: &'a [u8]) -> impl Iterator<Item = f32> + use<'a> {
        bytes.chunks_exact(self.size()).map(move |number| match *number {
            [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
            [a, b] => self.half(u16::from_le_bytes([a, b])),
            // There are no other sizes.
            _ => f32::NAN,
        })
    }

    /// The number with these 16 bits; for f32, they are its upper half.
    pub fn half(self, bits: u16) -> f32 {
        match self {
            Self::F16 => f16::from_bits(bits).to_f32(),
            Self::F32 | Self::Bf16 => f32::from_bits(u32::from(bits) << 16),
        }
    }

    /// The decimal number meant by one in this format: the one with the fewest digits that rounds
    /// to it, so 0.2 and not 0.20000000298 or, in f16, 0.19995.
    pub fn decimal(self, number: f32) -> f64 {
        let nearest = |decimal: f64| match self {
            Self::F32 => decimal as f32,
            Self::F16 => f16::from_f64(decimal).to_f32(),
            Self::Bf16 => bf16::from_f64(decimal).to_f32(),
        };
        (0..9)
            .filter_map(|digits| format!("{number:.digits$e}").parse().ok())
            .find(|&decimal| nearest(decimal) == number)
            .unwrap_or(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian() {
        let read = |float: FloatType, bytes: &[u8]| float.read(bytes).collect::<Vec<_>>();
        assert_eq!(read(FloatType::F32, &[0, 0, 0xc0, 0x3f, 1, 2]), [1.5]);
        assert_eq!(read(FloatType::Bf16, &[0xc0, 0x3f, 0, 0xc0]), [1.5, -2.0]);
        assert_eq!(read(FloatType::F16, &[0, 0x3e, 0, 0xc0, 9]), [1.5, -2.0]);
    }

    #[test]
    fn a_decimal_is_what_was_written() {
        for meant in [0.0, 1.0, 0.2, 0.5, 0.35, 0.05, 1e-3, -0.1] {
            assert_eq!(FloatType::F32.decimal(meant as f32), meant);
            assert_eq!(FloatType::F16.decimal(f16::from_f64(meant).to_f32()), meant);
            assert_eq!(FloatType::Bf16.decimal(bf16::from_f64(meant).to_f32()), meant);
        }
        assert_eq!(FloatType::F32.decimal(0.123_456_79), 0.123_456_79);
        assert_eq!(FloatType::F32.decimal(f32::MAX), 3.4028235e38);
        assert!(FloatType::F32.decimal(f32::NAN).is_nan());
    }
}
