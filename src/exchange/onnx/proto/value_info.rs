//! The inputs and outputs of a graph.

use super::{MAX_DIMENSIONS, push};
use crate::exchange::onnx::wire::Fields;

/// `ValueInfoProto`
#[derive(Debug)]
pub(in crate::exchange::onnx) struct ValueInfo<'a> {
    pub name: &'a str,
    /// The kind of a tensor's elements, one of [`kind`](super::kind); 0 if it is not stated.
    pub kind: Option<i64>,
    /// The sizes of a tensor, if they are stated; a size that is not a number is `None`.
    pub shape: Option<Vec<Option<i64>>>,
}

impl<'a> ValueInfo<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, String> {
        let mut info = Self { name: "", kind: None, shape: None };
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => info.name = value.text("the name of an input or output")?,
                2 => info.read_type(value.bytes("a type")?)?,
                _ => {}
            }
        }
        Ok(info)
    }

    /// `TypeProto`, if it is that of a tensor.
    fn read_type(&mut self, message: &[u8]) -> Result<(), String> {
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            if number != 1 {
                continue;
            }
            self.kind = Some(0);
            let mut tensor = Fields::new(value.bytes("tensor_type")?);
            while let Some((number, value)) = tensor.next()? {
                match number {
                    1 => self.kind = Some(value.int("elem_type")?),
                    2 => self.shape = Some(shape(value.bytes("shape")?)?),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// `TensorShapeProto`
fn shape(message: &[u8]) -> Result<Vec<Option<i64>>, String> {
    let mut sizes = Vec::new();
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let mut size = None;
        let mut dimension = Fields::new(value.bytes("dim")?);
        while let Some((number, value)) = dimension.next()? {
            if number == 1 {
                size = Some(value.int("dim_value")?);
            }
        }
        push(&mut sizes, size, "dimensions of an input or output", MAX_DIMENSIONS)?;
    }
    Ok(sizes)
}
