//! The nodes of a graph.

use super::{
    MAX_FIELDS, MAX_OF_NODE,
    attribute::{Attribute, Attributes},
    cut, is_standard, push, short,
    tensor::Tensor,
};
use crate::exchange::onnx::wire::{Fields, Value};

/// `NodeProto`. Its inputs, outputs and attributes are read when they are asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchange::onnx) struct Node<'a> {
    pub name: &'a str,
    pub op: &'a str,
    pub domain: &'a str,
    message: &'a [u8],
}

impl<'a> Node<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, String> {
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

    /// Whether its operator belongs to the ONNX standard.
    pub fn is_standard(&self) -> bool {
        is_standard(self.domain)
    }

    /// The error of this node.
    pub fn refuse(&self, reason: impl std::fmt::Display) -> String {
        format!("{}: {reason}", self.describe())
    }

    /// Its name, or that of its first output if it has none.
    pub fn title(&self) -> String {
        cut(self.output().filter(|_| self.name.is_empty()).unwrap_or(self.name)).into_owned()
    }

    /// The name of its first output.
    fn output(&self) -> Option<&'a str> {
        self.outputs().ok()?.first().copied()
    }

    /// Its operator, with its domain if that is not the standard one.
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

    /// The names of its inputs; an omitted one is empty. The third input of `Dropout`, which
    /// switches it on, counts as omitted: it may be an input of the graph, or computed from
    /// one, and the keep rates of the network do not depend on it.
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

    /// The tensors among its attributes that are kept in another file. Errors in other
    /// attributes are reported when those are read.
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

    /// Its attributes: each occurs once, and all of them are `known`.
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
        Ok(Attributes::new(all))
    }
}
