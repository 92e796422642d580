//! A graph's values by name, and the chain of nodes that its output comes from.

use std::collections::{HashMap, hash_map::Entry};

use super::proto::{Model, Node, Tensor, ValueInfo, is_standard, kind, short};
use crate::{
    checkpoint::Kind,
    error::Error,
    memory::{self, zeros},
};

/// The versions of the standard operators whose nodes mean what is read here.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=28;

/// The most whole numbers of a constant, which is a shape or an axis.
const MOST_INTS: usize = 16;

/// The most nodes that a constant stands behind, such as a `Transpose` of it.
const MOST_BEHIND: usize = 8;

/// The most bytes of a packed number.
const LONGEST_VARINT: usize = 10;

/// A model whose values can be asked for by name.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub opset: i64,
    nodes: Vec<Node<'a>>,
    /// The node that makes a value, and which of its outputs it is.
    makers: HashMap<&'a str, (usize, usize)>,
    initialisers: HashMap<&'a str, Tensor<'a>>,
    inputs: Vec<ValueInfo<'a>>,
    outputs: Vec<ValueInfo<'a>>,
}

/// A node of the chain, with the inputs that are not the chain's.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub node: Node<'a>,
    /// The other inputs in their places, `None` where one is left out.
    pub others: Vec<Option<Constant<'a>>>,
    /// Which input the chain comes in at.
    pub at: usize,
}

/// A value that is known before the graph runs.
#[derive(Clone, Debug)]
pub(super) struct Constant<'a> {
    pub name: &'a str,
    value: Known<'a>,
    /// Whether a matrix stands there the other way round.
    pub transposed: bool,
}

#[derive(Clone, Debug)]
enum Known<'a> {
    Tensor(Tensor<'a>),
    Float(f32),
    Ints(Vec<i64>),
}

impl<'a> Graph<'a> {
    pub fn new(model: Model<'a>) -> Result<Self, String> {
        let opset = model.opset.ok_or("no version of the standard operators: expected one")?;
        if !OPSETS.contains(&opset) {
            let (first, last) = OPSETS.into_inner();
            return Err(format!("standard operators {opset}: expected version {first} to {last}"));
        }
        let no_memory = |_| "more names than there is memory for".to_owned();
        let mut initialisers = HashMap::new();
        initialisers.try_reserve(model.initialisers.len()).map_err(no_memory)?;
        for tensor in model.initialisers {
            if initialisers.insert(tensor.name, tensor).is_some() {
                return Err(format!("initialiser {} stands there twice", short(tensor.name)));
            }
        }
        let mut makers = HashMap::new();
        makers.try_reserve(model.nodes.len()).map_err(no_memory)?;
        for (index, node) in model.nodes.iter().enumerate() {
            for (place, name) in node.outputs()?.into_iter().enumerate() {
                // An output that is left out.
                if name.is_empty() {
                    continue;
                }
                // A node can have many outputs.
                makers.try_reserve(1).map_err(no_memory)?;
                match makers.entry(name) {
                    Entry::Vacant(entry) if !initialisers.contains_key(name) => {
                        entry.insert((index, place));
                    }
                    _ => return Err(node.refuse(format!("makes {} again", short(name)))),
                }
            }
        }
        let Model { nodes, inputs, outputs, .. } = model;
        Ok(Self { opset, nodes, makers, initialisers, inputs, outputs })
    }

    /// The output that is followed: the only one, or the only one of floats.
    fn output(&self) -> Result<&'a str, String> {
        let is_float = |kind: Option<i64>| {
            matches!(kind, Some(kind::F32 | kind::F16 | kind::F64 | kind::BF16))
        };
        match self.outputs.as_slice() {
            [] => return Err("no output: expected one".to_owned()),
            [one] => return Ok(one.name),
            _ => {}
        }
        let mut floats = self.outputs.iter().filter(|output| is_float(output.kind));
        match (floats.next(), floats.next()) {
            (Some(one), None) => Ok(one.name),
            _ => {
                let names: Vec<_> = self.outputs.iter().take(4).map(|o| short(o.name)).collect();
                let (got, names) = (self.outputs.len(), names.join(", "));
                Err(format!("{got} outputs ({names}): expected one of floats"))
            }
        }
    }

    /// The chain of nodes from the graph's input to its output, and that input.
    pub fn chain(&self) -> Result<(Vec<Link<'a>>, &ValueInfo<'a>), String> {
        let mut value = self.output()?;
        let text = |error: Error| error.to_string();
        let mut chain = Vec::new();
        let mut seen = zeros("nodes", [1, self.nodes.len()]).map_err(text)?;
        while let Some(&(index, place)) = self.makers.get(value) {
            let node = self.nodes[index];
            let refuse = |reason: String| node.refuse(reason);
            if std::mem::replace(&mut seen[index], 1_u8) == 1 {
                return Err(refuse("stands in a circle".to_owned()));
            }
            if place != 0 {
                return Err(refuse(format!("{} is not its first output", short(value))));
            }
            if !is_standard(node.domain) {
                return Err(refuse("expected a standard operator".to_owned()));
            }
            let link = self.link(node).map_err(refuse)?;
            value = link.1;
            memory::push("nodes", &mut chain, link.0).map_err(text)?;
        }
        chain.reverse();
        let input = self.inputs.iter().find(|input| input.name == value);
        let input = input.ok_or_else(|| {
            format!("{} is neither a node's output nor an input of the graph", short(value))
        })?;
        Ok((chain, input))
    }

    /// The node with its constants, and the name of the one input that is none.
    fn link(&self, node: Node<'a>) -> Result<(Link<'a>, &'a str), String> {
        let inputs = node.inputs()?;
        let mut data = None;
        let mut others = Vec::with_capacity(inputs.len());
        for (at, name) in inputs.into_iter().enumerate() {
            let constant = if name.is_empty() { None } else { self.constant(name)? };
            if !name.is_empty() && constant.is_none() {
                if let Some((_, first)) = data {
                    let (first, second) = (short(first), short(name));
                    return Err(format!(
                        "takes {first} and {second}, neither of which is constant: expected one \
                         such input"
                    ));
                }
                data = Some((at, name));
            }
            others.push(constant);
        }
        let (at, name) = data.ok_or("takes nothing that is not constant")?;
        Ok((Link { node, others, at }, name))
    }

    /// The constant of this name: an initialiser or a `Constant`, also behind
    /// nodes that leave its elements as they are.
    fn constant(&self, name: &'a str) -> Result<Option<Constant<'a>>, String> {
        let mut transposed = false;
        let mut value = name;
        for _ in 0..=MOST_BEHIND {
            if let Some(&tensor) = self.initialisers.get(value) {
                return Ok(Some(Constant { name, value: Known::Tensor(tensor), transposed }));
            }
            let Some(&(index, _)) = self.makers.get(value) else { return Ok(None) };
            let node = self.nodes[index];
            if !is_standard(node.domain) {
                return Ok(None);
            }
            match node.op {
                "Constant" => {
                    let value = of_node(&node).map_err(|reason| node.refuse(reason))?;
                    return Ok(Some(Constant { name, value, transposed }));
                }
                "Identity" => {}
                "Cast" => {
                    let attributes = node.attributes(&["to", "saturate", "round_mode"])?;
                    // Rounded otherwise, which is not done here.
                    if !matches!(attributes.int("to")?, Some(kind::F32 | kind::F64)) {
                        return Ok(None);
                    }
                }
                "Transpose" => {
                    let perm = node.attributes(&["perm"])?.ints("perm")?;
                    if perm.is_some_and(|perm| perm != [1, 0]) {
                        return Ok(None);
                    }
                    transposed = !transposed;
                }
                _ => return Ok(None),
            }
            let inputs = node.inputs()?;
            let [one] = inputs[..] else { return Ok(None) };
            value = one;
        }
        Ok(None)
    }
}

/// The value of a `Constant`.
fn of_node<'a>(node: &Node<'a>) -> Result<Known<'a>, String> {
    let attributes =
        node.attributes(&["value", "value_float", "value_int", "value_ints", "value_floats"])?;
    if let Some(tensor) = attributes.tensor("value")? {
        return Ok(Known::Tensor(tensor));
    }
    if let Some(value) = attributes.float("value_float")? {
        return Ok(Known::Float(value));
    }
    if let Some(value) = attributes.int("value_int")? {
        return Ok(Known::Ints(vec![value]));
    }
    let ints = attributes.ints("value_ints")?;
    ints.map(Known::Ints).ok_or_else(|| "expected a tensor, a float or whole numbers".to_owned())
}

/// The elements of a tensor of floats, as they stand in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floats<'a> {
    pub name: &'a str,
    /// What a `Transpose` made of its shape.
    pub transposed: bool,
    tensor: Tensor<'a>,
}

impl<'a> Constant<'a> {
    /// A tensor of f32, f16 or bfloat16 in this file.
    pub fn floats(&self) -> Result<Floats<'a>, String> {
        let name = short(self.name);
        let Known::Tensor(tensor) = self.value else {
            return Err(format!("{name} is a number: expected a tensor"));
        };
        if tensor.external.is_some() {
            return Err(format!(
                "{name} is kept in another file: expected it in this one (PyTorch writes so with \
                 external_data=False)"
            ));
        }
        if !matches!(tensor.kind, kind::F32 | kind::F16 | kind::BF16) {
            let got = kind::name(tensor.kind);
            return Err(format!("{name} is {got}: expected FLOAT, FLOAT16 or BFLOAT16"));
        }
        let floats = Floats { name: self.name, transposed: self.transposed, tensor };
        floats.check_size().map_err(|reason| format!("{name} {reason}"))?;
        Ok(floats)
    }

    /// One finite f32.
    pub fn float(&self) -> Result<f32, String> {
        if let Known::Float(value) = self.value {
            return Ok(value);
        }
        let many = || format!("{} is not one finite number", short(self.name));
        // Before its elements are counted, as a large one may be asked for often.
        if let Known::Tensor(tensor) = self.value
            && tensor.shape().iter().any(|&size| size != 1)
        {
            return Err(many());
        }
        let floats = self.floats()?;
        let mut elements = floats.elements();
        match (elements.next(), elements.next()) {
            (Some(one), None) if one.is_finite() => Ok(one),
            _ => Err(many()),
        }
    }

    /// One finite number as it was written: 0.2 is no neighbour of it.
    pub fn decimal(&self) -> Result<f64, String> {
        let number = self.float()?;
        let kind = match self.value {
            Known::Tensor(_) => self.floats()?.kind(),
            _ => Kind::F32,
        };
        Ok(kind.decimal(number))
    }

    /// A few whole numbers.
    pub fn ints(&self) -> Result<Vec<i64>, String> {
        let tensor = match &self.value {
            Known::Ints(ints) => return Ok(ints.clone()),
            Known::Tensor(tensor) => tensor,
            Known::Float(_) => return Err(format!("{} is a float", short(self.name))),
        };
        let name = short(self.name);
        let mut ints = Vec::new();
        match tensor.data {
            None => {}
            _ if tensor.kind != kind::I64 || tensor.external.is_some() => {
                let got = kind::name(tensor.kind);
                return Err(format!("{name} is {got}: expected INT64 in this file"));
            }
            Some((9, raw)) if raw.len() <= 8 * MOST_INTS => {
                ints.extend(raw.as_chunks::<8>().0.iter().map(|raw| i64::from_le_bytes(*raw)));
            }
            Some((7, packed)) => {
                super::wire::Value::Bytes(packed).ints(&name, &mut ints, MOST_INTS)?;
            }
            Some(_) => return Err(format!("{name}: expected at most {MOST_INTS} INT64")),
        }
        let stated = tensor.shape().iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        if stated != Some(ints.len()) {
            let (shape, got) = (tensor.shape(), ints.len());
            return Err(format!("{name} has shape {shape:?} and {got} elements"));
        }
        Ok(ints)
    }
}

impl<'a> Floats<'a> {
    /// The shape, of which `transposed` is not taken into account.
    pub fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }

    /// Whether the data are as many as the shape says.
    fn check_size(&self) -> Result<(), String> {
        let shape = self.shape();
        let stated = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        let stated =
            stated.ok_or_else(|| format!("has shape {shape:?}: more than there can be"))?;
        let (got, whole) = match self.tensor.data {
            None => (0, true),
            Some((5, packed)) if self.kind() != Kind::F32 => {
                // Not counted where it is too long: a large one may be asked for often.
                if packed.len() / LONGEST_VARINT > stated {
                    let got = packed.len();
                    return Err(format!("has data of {got} bytes: expected {stated} numbers"));
                }
                // A varint ends with the byte that has no highest bit.
                let ends = packed.iter().filter(|&&byte| byte < 128).count();
                (ends, packed.last().is_none_or(|&last| last < 128))
            }
            Some((number, bytes)) => {
                if number != 9 && !(number == 4 && self.kind() == Kind::F32) {
                    let got = kind::name(self.tensor.kind);
                    return Err(format!("is {got} and has its data in field {number}"));
                }
                let size = self.kind().size();
                (bytes.len() / size, bytes.len() % size == 0)
            }
        };
        if got == stated && whole {
            return Ok(());
        }
        let rest = if whole { "" } else { " and a part of one" };
        Err(format!("has data of {got} elements{rest}: expected {stated}, of shape {shape:?}"))
    }

    fn kind(&self) -> Kind {
        match self.tensor.kind {
            kind::F16 => Kind::F16,
            kind::BF16 => Kind::Bf16,
            _ => Kind::F32,
        }
    }

    /// The elements in the order of the file.
    pub fn elements(&self) -> impl Iterator<Item = f32> + use<'a> {
        let kind = self.kind();
        let (mut packed, bytes): (&[u8], &[u8]) = match self.tensor.data {
            Some((5, packed)) => (packed, &[]),
            Some((_, bytes)) => (&[], bytes),
            None => (&[], &[]),
        };
        let halves = std::iter::from_fn(move || {
            if packed.is_empty() {
                return None;
            }
            // A number that is none of 16 bits is as wrong as one that is not finite.
            let bits = super::wire::varint(&mut packed).ok().and_then(|bits| bits.try_into().ok());
            Some(bits.map_or(f32::NAN, |bits| kind.half(bits)))
        });
        halves.chain(kind.read(bytes))
    }
}
