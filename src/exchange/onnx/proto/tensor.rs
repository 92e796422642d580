//! Tensors: initialisers, and the values of constants.

use super::{MAX_DIMENSIONS, MAX_FIELDS, kind, short};
use crate::exchange::onnx::{
    external::{External, Stated},
    wire::{Fields, Value},
};

/// `TensorProto`
#[derive(Clone, Copy, Debug)]
pub(in crate::exchange::onnx) struct Tensor<'a> {
    pub name: &'a str,
    /// One of [`kind`].
    pub kind: i64,
    dimensions: [usize; MAX_DIMENSIONS],
    rank: usize,
    /// The bytes of the one field that holds the elements, with its number:
    /// `float_data` 4, `int32_data` 5, `int64_data` 7, `raw_data` 9.
    pub data: Option<(u64, &'a [u8])>,
    /// The place of the elements if they are in another file.
    pub external: Option<External<'a>>,
}

impl<'a> Tensor<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, String> {
        let (mut name, mut kind) = ("", 0);
        let (mut dims, mut data) = (Vec::new(), None);
        // Errors are returned at the end, because the name may come after these fields.
        let (mut stated, mut refused) = (Stated::default(), Ok(()));
        let mut fields = Fields::at_most(MAX_FIELDS, "a tensor", message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => value.ints("dims of a tensor", &mut dims, MAX_DIMENSIONS)?,
                2 => kind = value.int("data_type of a tensor")?,
                8 => name = value.text("the name of a tensor")?,
                // Strings: one field each, so there may be many.
                6 => {}
                4 | 5 | 7 | 9..=11 => {
                    let Value::Bytes(bytes) = value else {
                        return Err(format!("{} has data that is not packed", short(name)));
                    };
                    // An empty field holds no data.
                    if !bytes.is_empty() && data.replace((number, bytes)).is_some() {
                        return Err(format!("{} has data in two places", short(name)));
                    }
                }
                3 => refused = Err("a segment of its data: expected all of it".to_owned()),
                13 => {
                    let entry = value.bytes("external_data of a tensor")?;
                    refused = refused.and_then(|()| stated.entry(entry));
                }
                14 => {
                    let at = value.int("data_location of a tensor")?;
                    refused = refused.and_then(|()| stated.data_location(at));
                }
                _ => {}
            }
        }
        let external = refused.and_then(|()| stated.place());
        let external = external.map_err(|reason| format!("{} has {reason}", short(name)))?;
        if external.is_some() && data.is_some() {
            return Err(format!("{} has data here and in another file", short(name)));
        }
        let mut dimensions = [0; MAX_DIMENSIONS];
        for (to, &size) in dimensions.iter_mut().zip(&dims) {
            *to = usize::try_from(size).map_err(|_| {
                let expected = if size < 0 { "expected at least 0" } else { "too large" };
                format!("{} has the size {size}: {expected}", short(name))
            })?;
        }
        Ok(Self { name, kind, dimensions, rank: dims.len(), data, external })
    }

    pub fn shape(&self) -> &[usize] {
        &self.dimensions[..self.rank]
    }

    /// The bytes that its elements take when packed, as they are in another file.
    pub fn size(&self) -> Result<u64, String> {
        let bits = kind::bits(self.kind).ok_or_else(|| {
            format!("is {}: expected elements of a known size", kind::name(self.kind))
        })?;
        let bits = self
            .shape()
            .iter()
            .try_fold(bits, |bits, &size| bits.checked_mul(u64::try_from(size).ok()?));
        bits.map(|bits| bits.div_ceil(8))
            .ok_or_else(|| format!("has shape {:?}: too large", self.shape()))
    }

    /// The same elements in another shape; `None` if the shape has another number of them.
    pub fn reshape(self, shape: &[usize]) -> Option<Self> {
        let count =
            |shape: &[usize]| shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        let count = (shape.len() <= MAX_DIMENSIONS && count(shape)? == count(self.shape())?)
            .then_some(shape.len())?;
        let mut dimensions = [0; MAX_DIMENSIONS];
        dimensions[..count].copy_from_slice(shape);
        Some(Self { dimensions, rank: count, ..self })
    }
}
