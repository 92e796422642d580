//! The messages of ONNX that a graph of layers needs, of `onnx.proto3`, whose
//! field numbers these are. Fields that are not read are skipped.

use std::borrow::Cow;

use super::{
    external::{External, Stated},
    wire::{Fields, Value},
};
use crate::memory;

/// The most nodes, initialisers, inputs or outputs of a graph, each.
pub(super) const MOST: usize = 4000;

/// The most inputs, outputs or attributes of a node that is looked at, each.
const MAX_OF_NODE: usize = 16;

/// The most fields of a node or a tensor, which are gone through as
/// often as they are asked for.
const MAX_FIELDS: usize = 200;

/// The same of an attribute, which can hold a number for each input.
const MAX_NUMBERS: usize = 1 << 16;

/// The most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// The most whole numbers of an attribute.
const MAX_INTS: usize = 16;

/// The number of the element kinds in files.
pub(super) mod kind {
    pub const F32: i64 = 1;
    pub const I32: i64 = 6;
    pub const I64: i64 = 7;
    pub const F16: i64 = 10;
    pub const F64: i64 = 11;
    pub const BF16: i64 = 16;

    /// Whether numbers of this kind are floats.
    pub fn is_float(kind: i64) -> bool {
        matches!(kind, F32 | F16 | F64 | BF16)
    }

    /// Whether numbers of this kind are whole.
    pub fn is_integer(kind: i64) -> bool {
        // UINT8 to INT64 without STRING and BOOL, UINT32, UINT64.
        matches!(kind, 2..=7 | 12 | 13)
    }

    /// The name of an element kind in the format's definition.
    pub fn name(kind: i64) -> String {
        const NAMES: [&str; 17] = [
            "UNDEFINED",
            "FLOAT",
            "UINT8",
            "INT8",
            "UINT16",
            "INT16",
            "INT32",
            "INT64",
            "STRING",
            "BOOL",
            "FLOAT16",
            "DOUBLE",
            "UINT32",
            "UINT64",
            "COMPLEX64",
            "COMPLEX128",
            "BFLOAT16",
        ];
        let known = usize::try_from(kind).ok().and_then(|kind| NAMES.get(kind));
        known.map_or_else(|| format!("kind {kind}"), |name| (*name).to_owned())
    }

    /// The bits of an element where elements stand packed one behind the other, `None`
    /// of texts and of kinds that are not known.
    pub fn bits(kind: i64) -> Option<u64> {
        Some(match kind {
            // FLOAT, INT32, UINT32
            1 | 6 | 12 => 32,
            // UINT8, INT8, BOOL, and the kinds of floats of 8 bits
            2 | 3 | 9 | 17..=20 | 24 => 8,
            // UINT16, INT16, FLOAT16, BFLOAT16
            4 | 5 | 10 | 16 => 16,
            // INT64, DOUBLE, UINT64, COMPLEX64
            7 | 11 | 13 | 14 => 64,
            // COMPLEX128
            15 => 128,
            // UINT4, INT4, FLOAT4E2M1
            21..=23 => 4,
            // UINT2, INT2
            25 | 26 => 2,
            _ => return None,
        })
    }
}

/// A name as errors show it.
pub(super) fn short(name: &str) -> String {
    format!("`{}`", cut(name))
}

/// The beginning of a name that is long.
fn cut(name: &str) -> Cow<'_, str> {
    const MOST: usize = 80;
    match name.char_indices().nth(MOST) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}...", &name[..end])),
    }
}

/// Puts one more behind those that there may be.
fn push<T>(into: &mut Vec<T>, item: T, what: &str, most: usize) -> Result<(), String> {
    if into.len() == most {
        return Err(format!("more than {most} {what}"));
    }
    memory::push("list", into, item).map_err(|error| error.to_string())
}

/// `ModelProto`, and the `GraphProto` in it.
#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    /// The version of the standard operators.
    pub opset: Option<i64>,
    pub nodes: Vec<Node<'a>>,
    pub initialisers: Vec<Tensor<'a>>,
    pub inputs: Vec<ValueInfo<'a>>,
    pub outputs: Vec<ValueInfo<'a>>,
    /// What thinnet itself wrote of the network.
    pub metadata: Option<&'a str>,
}

impl<'a> Model<'a> {
    pub fn read(message: &'a [u8]) -> Result<Self, String> {
        let mut model = Self::default();
        let mut graph = None;
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                7 => {
                    let first = graph.replace(value.bytes("graph")?);
                    if first.is_some() {
                        return Err("a second graph: expected one".to_owned());
                    }
                }
                8 => model.opset_import(value.bytes("opset_import")?)?,
                14 => model.metadata(value.bytes("metadata_props")?)?,
                _ => {}
            }
        }
        model.graph(graph.ok_or("no graph: expected an ONNX model")?)?;
        Ok(model)
    }

    /// `OperatorSetIdProto`
    fn opset_import(&mut self, message: &[u8]) -> Result<(), String> {
        let (mut domain, mut version) = ("", None);
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => domain = value.text("domain")?,
                2 => version = Some(value.int("version")?),
                _ => {}
            }
        }
        if is_standard(domain) && self.opset.replace(version.unwrap_or(0)).is_some() {
            return Err("two opsets of the standard operators are stated: expected one".to_owned());
        }
        Ok(())
    }

    /// `StringStringEntryProto`
    fn metadata(&mut self, message: &'a [u8]) -> Result<(), String> {
        let (mut key, mut text): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => key = value.bytes("a key of the metadata")?,
                2 => text = value.bytes("a value of the metadata")?,
                _ => {}
            }
        }
        if key != super::export::KEY.as_bytes() {
            return Ok(());
        }
        let text = Value::Bytes(text).text("the metadata of thinnet")?;
        if self.metadata.replace(text).is_some() {
            return Err(format!("metadata `{}` twice: expected it once", super::export::KEY));
        }
        Ok(())
    }

    fn graph(&mut self, message: &'a [u8]) -> Result<(), String> {
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => push(&mut self.nodes, Node::read(value.bytes("node")?)?, "nodes", MOST)?,
                5 => {
                    let tensor = Tensor::read(value.bytes("initializer")?)?;
                    push(&mut self.initialisers, tensor, "initialisers", MOST)?;
                }
                11 => {
                    let info = ValueInfo::read(value.bytes("input")?)?;
                    push(&mut self.inputs, info, "inputs of the graph", MOST)?;
                }
                12 => {
                    let info = ValueInfo::read(value.bytes("output")?)?;
                    push(&mut self.outputs, info, "outputs of the graph", MOST)?;
                }
                15 => return Err("a sparse initialiser: expected dense ones".to_owned()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a domain is that of the standard operators.
pub(super) fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// `NodeProto`. Its inputs, outputs and attributes are read when they are asked
/// for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    pub name: &'a str,
    pub op: &'a str,
    pub domain: &'a str,
    message: &'a [u8],
}

impl<'a> Node<'a> {
    fn read(message: &'a [u8]) -> Result<Self, String> {
        let mut node = Self { name: "", op: "", domain: "", message };
        let mut fields = Fields::at_most(MAX_FIELDS, "a node", message);
        while let Some((number, value)) = fields.next()? {
            match number {
                3 => node.name = value.text("a node's name")?,
                4 => node.op = value.text("a node's op_type")?,
                7 => node.domain = value.text("a node's domain")?,
                _ => {}
            }
        }
        Ok(node)
    }

    /// Whether its operator is one of the standard's.
    pub fn is_standard(&self) -> bool {
        is_standard(self.domain)
    }

    /// The error of this node.
    pub fn refuse(&self, reason: impl std::fmt::Display) -> String {
        format!("{}: {reason}", self.describe())
    }

    /// Its name, or that of what it makes where it has none.
    pub fn title(&self) -> String {
        cut(self.output().filter(|_| self.name.is_empty()).unwrap_or(self.name)).into_owned()
    }

    /// What it makes first.
    fn output(&self) -> Option<&'a str> {
        self.outputs().ok()?.first().copied()
    }

    /// Its operator, with its domain unless that is the standard's.
    pub fn operator(&self) -> String {
        let op = cut(self.op);
        if self.is_standard() { op.into_owned() } else { format!("{}.{op}", cut(self.domain)) }
    }

    /// Its name and its operator.
    pub fn describe(&self) -> String {
        let makes =
            if self.name.is_empty() && self.output().is_some() { "that makes " } else { "" };
        format!("node {makes}`{}` (`{}`)", self.title(), self.operator())
    }

    fn texts(&self, field: u64, what: &str) -> Result<Vec<&'a str>, String> {
        let mut texts = Vec::new();
        let mut fields = Fields::new(self.message);
        while let Some((number, value)) = fields.next()? {
            if number == field {
                push(&mut texts, value.text(what)?, what, MAX_OF_NODE)?;
            }
        }
        Ok(texts)
    }

    /// The names of its inputs; one that is left out is empty. So is what says whether
    /// a `Dropout` is on, which may be an input of the graph or computed of one: the
    /// network's keep rates do not depend on it.
    pub fn inputs(&self) -> Result<Vec<&'a str>, String> {
        const TRAINING_MODE: usize = 2;
        let mut inputs = self.texts(1, "inputs of a node")?;
        if self.op == "Dropout"
            && self.is_standard()
            && let Some(mode) = inputs.get_mut(TRAINING_MODE)
        {
            *mode = "";
        }
        Ok(inputs)
    }

    /// The names of its outputs.
    pub fn outputs(&self) -> Result<Vec<&'a str>, String> {
        self.texts(2, "outputs of a node")
    }

    /// The tensors of its attributes that are kept in another file. What is wrong with
    /// others is for whoever asks for them.
    pub fn external(&self) -> Result<Vec<Tensor<'a>>, String> {
        let mut tensors = Vec::new();
        let mut fields = Fields::new(self.message);
        while let Some((number, value)) = fields.next()? {
            let (5, Value::Bytes(message)) = (number, value) else { continue };
            let mut attribute = Fields::new(message);
            while let Ok(Some((number, value))) = attribute.next() {
                let (5, Value::Bytes(message)) = (number, value) else { continue };
                if let Ok(tensor) = Tensor::read(message)
                    && tensor.external.is_some()
                {
                    push(&mut tensors, tensor, "tensors of a node", MAX_OF_NODE)?;
                }
            }
        }
        Ok(tensors)
    }

    /// Its attributes, each once and none besides those that are `known`.
    pub fn attributes(&self, known: &[&str]) -> Result<Attributes<'a>, String> {
        let mut all: Vec<Attribute<'a>> = Vec::new();
        let mut fields = Fields::new(self.message);
        while let Some((number, value)) = fields.next()? {
            if number != 5 {
                continue;
            }
            let attribute = Attribute::read(value.bytes("attribute")?)?;
            let name = short(attribute.name);
            if !known.contains(&attribute.name) {
                return Err(match known {
                    [] => format!("attribute {name}: expected none"),
                    _ => format!("attribute {name}: expected one of {}", known.join(", ")),
                });
            }
            if all.iter().any(|other| other.name == attribute.name) {
                return Err(format!("attribute {name} occurs twice"));
            }
            push(&mut all, attribute, "attributes of a node", MAX_OF_NODE)?;
        }
        Ok(Attributes { all })
    }
}

/// `AttributeProto`
#[derive(Debug, Default)]
struct Attribute<'a> {
    name: &'a str,
    float: Option<f32>,
    int: Option<i64>,
    tensor: Option<&'a [u8]>,
    ints: Option<Vec<i64>>,
    floats: Option<Vec<f32>>,
}

impl<'a> Attribute<'a> {
    fn read(message: &'a [u8]) -> Result<Self, String> {
        let mut attribute = Self::default();
        let mut fields = Fields::at_most(MAX_NUMBERS, "an attribute", message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => attribute.name = value.text("an attribute's name")?,
                2 => attribute.float = Some(value.float("an attribute's f")?),
                3 => attribute.int = Some(value.int("an attribute's i")?),
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
pub(super) struct Attributes<'a> {
    all: Vec<Attribute<'a>>,
}

impl<'a> Attributes<'a> {
    fn get(&self, name: &str) -> Option<&Attribute<'a>> {
        self.all.iter().find(|attribute| attribute.name == name)
    }

    /// A value of the attribute, or `None` where there is no such attribute.
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

/// `TensorProto`
#[derive(Clone, Copy, Debug)]
pub(super) struct Tensor<'a> {
    pub name: &'a str,
    /// One of [`kind`].
    pub kind: i64,
    dimensions: [usize; MAX_DIMENSIONS],
    rank: usize,
    /// The bytes of the one field that holds the elements, with its number:
    /// `float_data` 4, `int32_data` 5, `int64_data` 7, `raw_data` 9.
    pub data: Option<(u64, &'a [u8])>,
    /// Where they are instead, if they are in another file.
    pub external: Option<External<'a>>,
}

impl<'a> Tensor<'a> {
    fn read(message: &'a [u8]) -> Result<Self, String> {
        let (mut name, mut kind) = ("", 0);
        let (mut dims, mut data) = (Vec::new(), None);
        // With the name, which can stand behind, where it is refused.
        let (mut stated, mut refused) = (Stated::default(), Ok(()));
        let mut fields = Fields::at_most(MAX_FIELDS, "a tensor", message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => value.ints("dims of a tensor", &mut dims, MAX_DIMENSIONS)?,
                2 => kind = value.int("data_type of a tensor")?,
                8 => name = value.text("the name of a tensor")?,
                // Texts, of which there are as many fields.
                6 => {}
                4 | 5 | 7 | 9..=11 => {
                    let Value::Bytes(bytes) = value else {
                        return Err(format!("{} has data that is not packed", short(name)));
                    };
                    // An empty field holds nothing, wherever the rest is.
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

    /// The bytes that its shape and kind take where elements stand packed, as they do
    /// in another file.
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

    /// The same elements in another shape, where those are as many.
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

/// `ValueInfoProto`
#[derive(Debug)]
pub(super) struct ValueInfo<'a> {
    pub name: &'a str,
    /// Of a tensor: one of [`kind`]; 0 where it is not stated.
    pub kind: Option<i64>,
    /// The sizes of a tensor, where they are stated; one that is not a number is
    /// `None`.
    pub shape: Option<Vec<Option<i64>>>,
}

impl<'a> ValueInfo<'a> {
    fn read(message: &'a [u8]) -> Result<Self, String> {
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

    /// `TypeProto`, of which that of tensors.
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
