//! The attributes of a node.

use super::{MAX_INTS, MAX_NUMBERS, tensor::Tensor};
use crate::exchange::onnx::wire::Fields;

/// `AttributeProto`
#[derive(Debug, Default)]
pub(super) struct Attribute<'a> {
    pub name: &'a str,
    float: Option<f32>,
    int: Option<i64>,
    text: Option<&'a [u8]>,
    tensor: Option<&'a [u8]>,
    ints: Option<Vec<i64>>,
    floats: Option<Vec<f32>>,
}

impl<'a> Attribute<'a> {
    pub fn read(message: &'a [u8]) -> Result<Self, String> {
        let mut attribute = Self::default();
        let mut fields = Fields::at_most(MAX_NUMBERS, "an attribute", message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => attribute.name = value.text("an attribute's name")?,
                2 => attribute.float = Some(value.float("an attribute's f")?),
                3 => attribute.int = Some(value.int("an attribute's i")?),
                4 => attribute.text = Some(value.bytes("an attribute's s")?),
                5 => attribute.tensor = Some(value.bytes("an attribute's t")?),
                8 => {
                    let ints = attribute.ints.get_or_insert_default();
                    value.ints("an attribute's ints", ints, MAX_INTS)?;
                }
                7 => {
                    let floats = attribute.floats.get_or_insert_default();
                    value.floats("an attribute's floats", floats, MAX_NUMBERS)?;
                }
                21 => return Err("an attribute of a function: expected a value".to_owned()),
                _ => {}
            }
        }
        Ok(attribute)
    }
}

/// The attributes of a node.
#[derive(Debug)]
pub(in crate::exchange::onnx) struct Attributes<'a> {
    all: Vec<Attribute<'a>>,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(all: Vec<Attribute<'a>>) -> Self {
        Self { all }
    }

    fn get(&self, name: &str) -> Option<&Attribute<'a>> {
        self.all.iter().find(|attribute| attribute.name == name)
    }

    /// The value of an attribute; `None` if there is no such attribute.
    fn value<T>(
        &self,
        name: &str,
        expected: &str,
        of: impl Fn(&Attribute<'a>) -> Option<T>,
    ) -> Result<Option<T>, String> {
        self.get(name)
            .map(|found| {
                of(found).ok_or_else(|| format!("attribute `{name}`: expected {expected}"))
            })
            .transpose()
    }

    /// A finite f32.
    pub fn float(&self, name: &str) -> Result<Option<f32>, String> {
        let finite = |found: &Attribute<'_>| found.float.filter(|x| x.is_finite());
        self.value(name, "a finite f32", finite)
    }

    pub fn int(&self, name: &str) -> Result<Option<i64>, String> {
        self.value(name, "a whole number", |found| found.int)
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        self.value(name, "text", |found| str::from_utf8(found.text?).ok())
    }

    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, String> {
        self.value(name, "whole numbers", |found| found.ints.clone())
    }

    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, String> {
        self.value(name, "floats", |found| found.floats.clone())
    }

    pub fn tensor(&self, name: &str) -> Result<Option<Tensor<'a>>, String> {
        let tensor = self.value(name, "a tensor", |found| found.tensor)?;
        tensor.map(Tensor::read).transpose()
    }
}
