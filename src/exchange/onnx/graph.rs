//! The values of a graph by name, and the nodes that its output depends on.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    constant::Constant,
    external::Store,
    proto::{Model, Node, Tensor, ValueInfo, kind, short},
};
use crate::{
    error::Error,
    memory::{self, zeros},
};

/// The supported versions of the standard operators.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// A model with its values by name.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub opset: i64,
    pub nodes: Vec<Node<'a>>,
    /// The description of the network that thinnet wrote.
    pub metadata: Option<&'a str>,
    /// The network's notes.
    pub notes: Option<&'a str>,
    /// The index of the node that computes a value, and which of its outputs it is.
    makers: HashMap<&'a str, (usize, usize)>,
    initialisers: HashMap<&'a str, Tensor<'a>>,
    inputs: Vec<ValueInfo<'a>>,
    outputs: Vec<ValueInfo<'a>>,
    /// The tensors in other files.
    pub store: &'a Store<'a>,
}

impl<'a> Graph<'a> {
    pub fn new(model: Model<'a>, store: &'a Store<'a>) -> Result<Self, String> {
        let opset =
            model.opset.ok_or("no opset of the standard operators is stated: expected one")?;
        if !OPSETS.contains(&opset) {
            let (first, last) = OPSETS.into_inner();
            return Err(format!(
                "opset {opset}: expected {first} to {last} (export again with another \
                 opset_version)"
            ));
        }
        let no_memory = |_| "not enough memory for the graph's names".to_owned();
        let mut initialisers = HashMap::new();
        initialisers.try_reserve(model.initialisers.len()).map_err(no_memory)?;
        for tensor in model.initialisers {
            if initialisers.insert(tensor.name, tensor).is_some() {
                return Err(format!("initialiser {} occurs twice", short(tensor.name)));
            }
        }
        let mut makers = HashMap::new();
        makers.try_reserve(model.nodes.len()).map_err(no_memory)?;
        for (index, node) in model.nodes.iter().enumerate() {
            for (place, name) in node.outputs()?.into_iter().enumerate() {
                // An omitted output.
                if name.is_empty() {
                    continue;
                }
                // A node can have many outputs.
                makers.try_reserve(1).map_err(no_memory)?;
                match makers.entry(name) {
                    Entry::Vacant(entry) if !initialisers.contains_key(name) => {
                        entry.insert((index, place));
                    }
                    _ => {
                        return Err(
                            node.refuse(format!("makes {}, which is already defined", short(name)))
                        );
                    }
                }
            }
        }
        let Model { nodes, inputs, outputs, metadata, notes, .. } = model;
        Ok(Self { opset, nodes, metadata, notes, makers, initialisers, inputs, outputs, store })
    }

    /// The output of the network: the only one, the only one of floats, or the only one of a
    /// `ZipMap`, which holds probabilities by the names of the classes.
    pub fn output(&self) -> Result<&'a str, String> {
        if self.outputs.is_empty() {
            return Err("no output: expected one".to_owned());
        }
        let is_float = |output: &&ValueInfo<'_>| output.kind.is_some_and(kind::is_float);
        let is_map = |output: &&ValueInfo<'_>| {
            let maker = self.makers.get(output.name);
            maker.is_some_and(|&(index, _)| self.nodes[index].op == "ZipMap")
        };
        let all = || self.outputs.iter();
        let one = only(all()).or_else(|| only(all().filter(is_float)));
        let one = one.or_else(|| only(all().filter(is_map)));
        one.map(|output| output.name).ok_or_else(|| {
            let names: Vec<_> = all().take(4).map(|output| short(output.name)).collect();
            let (got, names) = (self.outputs.len(), names.join(", "));
            format!("{got} outputs ({names}): expected exactly one output of floats")
        })
    }

    /// The node of which a value is an output, but not the first.
    pub fn maker_of_more(&self, value: &str) -> Option<&Node<'a>> {
        let &(index, place) = self.makers.get(value)?;
        (place != 0).then(|| &self.nodes[index])
    }

    /// The node that makes a value as its first output.
    pub fn maker(&self, value: &str) -> Option<&Node<'a>> {
        let &(index, place) = self.makers.get(value)?;
        (place == 0).then(|| &self.nodes[index])
    }

    /// The initialiser of this name.
    pub fn initialiser(&self, name: &'a str) -> Option<Constant<'a>> {
        self.initialisers.get(name).map(|&tensor| Constant::of_tensor(name, tensor, self.store))
    }

    /// The input of this name, if it is not an initialiser.
    pub fn input(&self, name: &str) -> Result<&ValueInfo<'a>, String> {
        self.inputs.iter().find(|input| input.name == name).ok_or_else(|| {
            format!("{} is neither a node's output nor an input of the graph", short(name))
        })
    }

    /// The indices of the nodes that a value depends on, each after those whose outputs it takes.
    pub fn order(&self, value: &str) -> Result<Vec<usize>, String> {
        /// A node whose inputs are being visited.
        struct Open<'a> {
            index: usize,
            inputs: std::vec::IntoIter<&'a str>,
        }
        const SEEN: u8 = 1;
        const DONE: u8 = 2;
        let text = |error: Error| error.to_string();
        let mut order = Vec::new();
        let mut open = Vec::new();
        let mut states: Vec<u8> = zeros("nodes", [1, self.nodes.len()]).map_err(text)?;
        let enter = |value: &str, states: &mut [u8]| {
            let Some(&(index, _)) = self.makers.get(value) else { return Ok(None) };
            let node = &self.nodes[index];
            match std::mem::replace(&mut states[index], SEEN) {
                0 => {
                    let inputs = node.inputs().map_err(|reason| node.refuse(reason))?;
                    Ok(Some(Open { index, inputs: inputs.into_iter() }))
                }
                DONE => {
                    states[index] = DONE;
                    Ok(None)
                }
                _ => Err(node.refuse("is part of a cycle")),
            }
        };
        open.extend(enter(value, &mut states)?);
        while let Some(Open { index, inputs }) = open.last_mut() {
            if let Some(input) = inputs.next() {
                if let Some(more) = enter(input, &mut states)? {
                    memory::push("nodes", &mut open, more).map_err(text)?;
                }
                continue;
            }
            states[*index] = DONE;
            memory::push("nodes", &mut order, *index).map_err(text)?;
            open.pop();
        }
        Ok(order)
    }
}

/// The only one of them.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
