//! Tensors in files and the memory that they are read into and written from.

use super::elements::ElementType;
use crate::{error::Error, nn::SCALES, thin::Tiles};

/// The number of elements copied at once.
pub(super) const AT_ONCE: usize = 4096;

/// A tensor in a file; P is the memory of its elements.
pub(crate) struct Tensor<P> {
    pub name: String,
    pub shape: Vec<usize>,
    /// The factor, in f64, by which its elements are multiplied when copied.
    pub factor: f64,
    /// Which values the file may contain.
    pub allowed: Allowed,
    pub memory: P,
}

impl<P> Tensor<P> {
    /// A tensor of finite numbers, not scaled.
    pub fn new(name: String, shape: Vec<usize>, memory: P) -> Self {
        Self { name, shape, factor: 1.0, allowed: Allowed::Finite, memory }
    }

    /// The same tensor with other permitted values.
    pub fn allowing(self, allowed: Allowed) -> Self {
        Self { allowed, ..self }
    }

    /// The same tensor with a factor applied when copied.
    pub fn times(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// An element as copied, or why it is not permitted.
    pub(super) fn convert(&self, x: f32) -> Result<f32, String> {
        let scaled = if self.factor == 1.0 { x } else { (f64::from(x) * self.factor) as f32 };
        if self.allowed.allows(x) && scaled.is_finite() {
            return Ok(scaled);
        }
        Err(format!("{} holds {x}: expected {}", self.name, self.allowed.text()))
    }
}

impl Tensor<WriteFrom<'_>> {
    /// The type of its elements in the file.
    pub fn element(&self) -> ElementType {
        match self.memory {
            WriteFrom::Weights(_) | WriteFrom::Values(_) => ElementType::F32,
            WriteFrom::EightBits(_) => ElementType::I8,
            WriteFrom::Indices(_) => ElementType::U32,
        }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        let elements = self.shape.iter().fold(1_u64, |n, &size| n.saturating_mul(size as u64));
        elements.saturating_mul(self.element().size() as u64)
    }

    /// Passes its elements to `to` as little-endian bytes, piece by piece.
    ///
    /// # Errors
    /// Those of `to`, or a value that a file may not contain.
    pub fn write(&self, mut to: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let (mut numbers, mut bytes) = ([0.0; AT_ONCE], [0; AT_ONCE * size_of::<f32>()]);
        let count: usize = self.shape.iter().product();
        for start in (0..count).step_by(AT_ONCE) {
            let part = &mut numbers[..AT_ONCE.min(count - start)];
            self.memory.copy(start, part);
            for x in &mut *part {
                let unwritable = |reason| Error::UnwritableParameters { reason };
                *x = self.convert(*x).map_err(unwritable)?;
            }
            to(self.element().write(part, &mut bytes))?;
        }
        Ok(())
    }
}

/// The memory that a tensor is written from.
#[derive(Clone, Copy)]
pub(crate) enum WriteFrom<'m> {
    /// Weights, written and read without padding.
    Weights(&'m Tiles),
    Values(&'m [f32]),
    /// 8-bit weights.
    EightBits(&'m [i8]),
    /// Indices of units.
    Indices(&'m [u32]),
}

/// The memory that a tensor is read into.
pub(crate) enum ReadInto<'m> {
    /// Weights, written and read without padding.
    Weights(&'m mut Tiles),
    Values(&'m mut [f32]),
    /// 8-bit weights.
    EightBits(&'m mut [i8]),
    /// Indices of units.
    Indices(&'m mut [u32]),
    /// The elements are checked and discarded.
    Nowhere,
}

impl WriteFrom<'_> {
    /// Copies the elements from index `start` on.
    fn copy(self, start: usize, to: &mut [f32]) {
        match self {
            Self::Weights(tiles) => tiles.copy_rows(start, to),
            Self::Values(values) => to.copy_from_slice(&values[start..][..to.len()]),
            Self::EightBits(weights) => {
                for (to, &weight) in to.iter_mut().zip(&weights[start..]) {
                    *to = weight.into();
                }
            }
            Self::Indices(indices) => {
                for (to, &index) in to.iter_mut().zip(&indices[start..]) {
                    *to = index as f32;
                }
            }
        }
    }
}

impl ReadInto<'_> {
    /// Stores the elements from index `start` on.
    pub(super) fn put(&mut self, start: usize, from: &[f32]) {
        match self {
            Self::Weights(tiles) => tiles.put_rows(start, from),
            Self::Values(values) => values[start..][..from.len()].copy_from_slice(from),
            Self::EightBits(weights) => {
                for (to, &weight) in weights[start..].iter_mut().zip(from) {
                    *to = weight as i8;
                }
            }
            Self::Indices(indices) => {
                for (to, &index) in indices[start..].iter_mut().zip(from) {
                    *to = index as u32;
                }
            }
            Self::Nowhere => {}
        }
    }
}

/// Which values a tensor may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Allowed {
    /// Any finite number.
    Finite,
    /// Finite numbers of at least 0, such as sums of squares.
    NotNegative,
    /// Only this value.
    Only(f32),
    /// Factors of max-norm: above 0 and at most 1.
    Factors,
    /// 8-bit weights: from -127 to 127.
    EightBits,
    /// The possible scales of 8-bit weights.
    Scales,
}

impl Allowed {
    fn allows(self, x: f32) -> bool {
        match self {
            Self::Finite => x.is_finite(),
            Self::NotNegative => x.is_finite() && x.is_sign_positive(),
            Self::Only(one) => x == one,
            Self::Factors => x > 0.0 && x <= 1.0,
            Self::EightBits => x >= -127.0,
            Self::Scales => SCALES.contains(&x),
        }
    }

    /// What was expected, for errors.
    fn text(self) -> String {
        match self {
            Self::Finite => "finite numbers".to_owned(),
            Self::NotNegative => "finite numbers of at least 0".to_owned(),
            Self::Only(one) => format!("only {one}"),
            Self::Factors => "factors above 0 and at most 1".to_owned(),
            Self::EightBits => "8-bit weights from -127 to 127".to_owned(),
            Self::Scales => {
                let (least, most) = (SCALES.start(), SCALES.end());
                format!("scales from {least:e} to {most:e}")
            }
        }
    }
}
