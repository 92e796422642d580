//! The types of elements that the tensors of a file can have.

use safetensors::Dtype;

use super::floats::FloatType;
use crate::bytes::write_little_endian;

/// The type of a tensor's elements. They are all read and written as f32, which holds every 8-bit
/// integer exactly, and every index of a unit that a network in such a file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElementType {
    /// Floating-point numbers.
    Float(FloatType),
    /// 8-bit integers in two's complement.
    I8,
    /// Integers of 32 bits without a sign.
    U32,
}

impl ElementType {
    /// The type of most tensors.
    pub const F32: Self = Self::Float(FloatType::F32);

    /// The type with this name in a header, if a network can be stored in it.
    pub fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::Float(FloatType::F16)),
            Dtype::BF16 => Some(Self::Float(FloatType::Bf16)),
            Dtype::I8 => Some(Self::I8),
            Dtype::U32 => Some(Self::U32),
            _ => None,
        }
    }

    /// The name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float(FloatType::F32) => "F32",
            Self::Float(FloatType::F16) => "F16",
            Self::Float(FloatType::Bf16) => "BF16",
            Self::I8 => "I8",
            Self::U32 => "U32",
        }
    }

    /// The size of an element in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Float(float) => float.size(),
            Self::I8 => 1,
            Self::U32 => 4,
        }
    }

    /// Reads the elements in `bytes` to the start of `to`, and returns their number.
    pub fn read(self, bytes: &[u8], to: &mut [f32]) -> usize {
        match self {
            Self::Float(float) => fill(to, float.read(bytes)),
            Self::I8 => fill(to, bytes.iter().map(|&byte| f32::from(byte.cast_signed()))),
            Self::U32 => {
                let words = bytes.as_chunks().0.iter();
                fill(to, words.map(|&word| u32::from_le_bytes(word) as f32))
            }
        }
    }

    /// The elements as little-endian bytes, written to the start of `to`, which must be long
    /// enough.
    pub fn write<'b>(self, x: &[f32], to: &'b mut [u8]) -> &'b [u8] {
        match self {
            Self::I8 => {
                for (x, to) in x.iter().zip(&mut *to) {
                    *to = (*x as i8).cast_unsigned();
                }
                &to[..x.len()]
            }
            Self::U32 => {
                for (x, to) in x.iter().zip(to.as_chunks_mut().0) {
                    *to = (*x as u32).to_le_bytes();
                }
                &to[..size_of_val(x)]
            }
            // Nothing is written in half precision.
            Self::Float(_) => write_little_endian(x, to),
        }
    }
}

/// Copies elements to the start of `to`, and returns their number.
fn fill(to: &mut [f32], from: impl Iterator<Item = f32>) -> usize {
    let mut filled = 0;
    for (to, x) in to.iter_mut().zip(from) {
        *to = x;
        filled += 1;
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_little_endian() {
        let mut numbers = [0.0; 4];
        assert_eq!(ElementType::I8.read(&[0, 1, 0x80, 0x7f], &mut numbers), 4);
        assert_eq!(numbers, [0.0, 1.0, -128.0, 127.0]);
        assert_eq!(ElementType::U32.read(&[1, 2, 0, 0, 0xff, 0xff, 0xff, 0xff], &mut numbers), 2);
        assert_eq!(numbers[..2], [513.0, 4294967296.0]);
        let mut bytes = [9; 8];
        assert_eq!(ElementType::I8.write(&[-127.0, 5.0], &mut bytes), [0x81, 5]);
        assert_eq!(ElementType::U32.write(&[513.0], &mut bytes), [1, 2, 0, 0]);
    }

    #[test]
    fn types_have_the_names_and_sizes_of_the_format() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::I8, Dtype::U32] {
            let element = ElementType::of(dtype).unwrap();
            assert_eq!(element.name(), format!("{dtype:?}"));
            assert_eq!(8 * element.size(), dtype.bitsize());
        }
        assert_eq!(ElementType::of(Dtype::F64), None);
    }
}
