//! The messages of ONNX that describe a graph of layers, with the field numbers of
//! `onnx.proto3`. Other fields are skipped.

mod attribute;
pub(super) mod kind;
mod node;
mod tensor;
mod value_info;

use std::borrow::Cow;

use super::{
    export::KEY,
    wire::{Fields, Value},
};
use crate::{checkpoint::NOTES, memory};

pub(super) use attribute::Attributes;
pub(super) use node::Node;
pub(super) use tensor::Tensor;
pub(super) use value_info::ValueInfo;

/// The maximum number of nodes in a graph; also of initialisers, inputs and outputs.
pub(super) const MAX_OF_GRAPH: usize = 4000;

/// The maximum number of inputs of a node; also of outputs and attributes.
const MAX_OF_NODE: usize = 16;

/// The maximum number of fields of a node or a tensor, which are read again each time that one
/// of them is asked for.
const MAX_FIELDS: usize = 200;

/// The maximum number of fields of an attribute, which may hold a number for each input.
const MAX_NUMBERS: usize = 1 << 16;

/// The maximum number of dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// The maximum number of whole numbers in an attribute.
const MAX_INTS: usize = 16;

/// A name as errors show it.
pub(super) fn short(name: &str) -> String {
    format!("`{}`", cut(name))
}

/// A name, of which only the beginning is kept if it is long.
fn cut(name: &str) -> Cow<'_, str> {
    const MAX_CHARS: usize = 80;
    match name.char_indices().nth(MAX_CHARS) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}...", &name[..end])),
    }
}

/// Appends an item to a list of at most `most`.
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
    /// The description of the network that thinnet wrote.
    pub metadata: Option<&'a str>,
    /// The network's notes.
    pub notes: Option<&'a str>,
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

    /// An entry of `metadata_props`.
    fn metadata(&mut self, message: &'a [u8]) -> Result<(), String> {
        let (key, text) = entry(message, "metadata_props")?;
        for (name, place) in [(KEY, &mut self.metadata), (NOTES, &mut self.notes)] {
            if key != name.as_bytes() {
                continue;
            }
            let text = Value::Bytes(text).text("the metadata of thinnet")?;
            if place.replace(text).is_some() {
                return Err(format!("metadata `{name}` twice: expected it once"));
            }
        }
        Ok(())
    }

    fn graph(&mut self, message: &'a [u8]) -> Result<(), String> {
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => {
                    push(&mut self.nodes, Node::read(value.bytes("node")?)?, "nodes", MAX_OF_GRAPH)?
                }
                5 => {
                    let tensor = Tensor::read(value.bytes("initializer")?)?;
                    push(&mut self.initialisers, tensor, "initialisers", MAX_OF_GRAPH)?;
                }
                11 => {
                    let info = ValueInfo::read(value.bytes("input")?)?;
                    push(&mut self.inputs, info, "inputs of the graph", MAX_OF_GRAPH)?;
                }
                12 => {
                    let info = ValueInfo::read(value.bytes("output")?)?;
                    push(&mut self.outputs, info, "outputs of the graph", MAX_OF_GRAPH)?;
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

/// `StringStringEntryProto`: a key and its value, in an entry of the field `what`.
pub(super) fn entry<'a>(message: &'a [u8], what: &str) -> Result<(&'a [u8], &'a [u8]), String> {
    let (mut key, mut value) = (&[][..], &[][..]);
    let mut fields = Fields::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => key = field.bytes(&format!("a key of {what}"))?,
            2 => value = field.bytes(&format!("a value of {what}"))?,
            _ => {}
        }
    }
    Ok((key, value))
}
