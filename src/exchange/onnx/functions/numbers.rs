//! The constants of a graph that are one number.

use std::collections::HashMap;

use super::{
    super::{
        constant::{Constant, Floats, Operand},
        graph::Graph,
        proto::kind,
    },
    compute::is_cast_to,
};

/// A constant of one number.
#[derive(Clone, Copy)]
pub(super) struct Number<'a> {
    pub number: f64,
    /// The tensor, if the number is repeated in one.
    pub tensor: Option<Floats<'a>>,
}

/// The constants of a graph that have been asked for. Each is read only once: many nodes may take
/// the same large tensor.
pub(super) struct Numbers<'g, 'a> {
    graph: &'g Graph<'a>,
    read: HashMap<&'a str, Option<Number<'a>>>,
}

/// How many casts of a constant are followed.
const MAX_CASTS: usize = 4;

impl<'g, 'a> Numbers<'g, 'a> {
    pub fn of(graph: &'g Graph<'a>) -> Self {
        Self { graph, read: HashMap::new() }
    }

    /// The constant of this name, if it is one number.
    pub fn get(&mut self, name: &'a str) -> Option<Number<'a>> {
        if let Some(read) = self.read.get(name) {
            return *read;
        }
        self.read.try_reserve(1).ok()?;
        *self.read.entry(name).or_insert(number(self.graph, name))
    }
}

/// The number that stands in the graph as `name`, or is cast from one that does.
fn number<'a>(graph: &Graph<'a>, mut name: &'a str) -> Option<Number<'a>> {
    for _ in 0..MAX_CASTS {
        let constant = match graph.initialiser(name) {
            Some(constant) => constant,
            None => {
                let node = graph.maker(name).filter(|node| node.is_standard())?;
                // A cast to 16 bits would round the number.
                let is_exact = |to| matches!(to, kind::F32 | kind::F64);
                if node.op == "Cast" && is_cast_to(node, is_exact) {
                    name = node.inputs().ok()?.first()?;
                    continue;
                }
                if node.op != "Constant" {
                    return None;
                }
                Constant::of_node(name, node, graph.store).ok()?
            }
        };
        if constant.is_integer() {
            let (numbers, _) = constant.ints().ok()?;
            let &[number] = &numbers[..] else { return None };
            return Some(Number { number: number as f64, tensor: None });
        }
        return match constant.operand().ok()? {
            Operand::Number(number) => Some(Number { number, tensor: None }),
            Operand::Floats(floats) => {
                let number = floats.repeated().ok()??;
                let is_one = matches!(floats.shape(), [] | [1]);
                Some(Number { number, tensor: (!is_one).then_some(floats) })
            }
        };
    }
    None
}
