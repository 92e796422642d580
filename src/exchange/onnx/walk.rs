//! The way through a graph, from its input to its output.

use std::collections::HashMap;

use super::{
    graph::Graph,
    network::Draft,
    proto::{Node, ValueInfo, kind, short},
    report::{Report, Role},
    row::Row,
    steps::{self, Call},
    values::{self, Known, Value, takes_no_elements},
};
use crate::error::Error;

/// A graph on the way to a network.
pub(super) struct Walk<'g, 'a> {
    graph: &'g Graph<'a>,
    values: HashMap<&'a str, Value<'a>>,
    /// The graph's input, once a node has taken it.
    input: Option<&'a str>,
    pub draft: Draft<'a>,
    pub report: Report,
}

impl<'g, 'a> Walk<'g, 'a> {
    /// A walk that has not begun. `size` is that of the file.
    pub fn new(graph: &'g Graph<'a>, size: usize) -> Result<Self, Error> {
        Ok(Self {
            graph,
            values: HashMap::new(),
            input: None,
            draft: Draft::new(size),
            report: Report::new(&graph.nodes)?,
        })
    }

    /// Goes all the way. What it learns on it is in the report, also where it
    /// comes to no end.
    pub fn run(&mut self) -> Result<(), String> {
        let output = self.graph.output()?;
        let order = self.graph.order(output)?;
        for index in 0..self.graph.nodes.len() {
            self.report.set(index, Role::Unused, "the output does not depend on it");
        }
        for &index in &order {
            self.report.set(index, Role::Unknown, "");
        }
        for (done, &index) in order.iter().enumerate() {
            let node = &self.graph.nodes[index];
            if let Err(reason) = self.take(index, node) {
                self.report.set(index, Role::Refused, reason.clone());
                self.survey(&order[done + 1..]);
                return Err(node.refuse(reason));
            }
        }
        // Also where the output is the input itself, or no node's first one.
        self.value(output)?;
        self.draft.finish(&mut self.report).map_err(|(at, reason)| match at {
            None => reason,
            Some(index) => {
                self.report.set(index, Role::Refused, reason.clone());
                self.graph.nodes[index].refuse(reason)
            }
        })
    }

    /// What can be said of nodes behind one that is refused: whether their
    /// operators are known at all.
    fn survey(&mut self, rest: &[usize]) {
        for &index in rest {
            let node = &self.graph.nodes[index];
            let of_row = steps::operators(node).unwrap_or_default();
            let known = of_row.iter().any(|(name, _)| *name == node.op) || values::knows(node);
            if known {
                self.report.set(index, Role::Unknown, "after a refused node");
            } else {
                self.report.set(index, Role::Refused, "unsupported operator");
            }
        }
    }

    /// The value of this name.
    fn value(&mut self, name: &'a str) -> Result<Value<'a>, String> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        if let Some(constant) = self.graph.initialiser(name) {
            return Ok(Value::Constant(constant));
        }
        if let Some(maker) = self.graph.maker_of_more(name) {
            let (name, maker) = (short(name), maker.describe());
            return Err(format!("takes {name}, which is not the first output of {maker}"));
        }
        let info = self.graph.input(name)?;
        if let Some(first) = self.input.replace(info.name)
            && first != name
        {
            return Err(format!(
                "takes {} and {}, which are both inputs of the graph: expected one",
                short(name),
                short(first)
            ));
        }
        Ok(Value::Row { row: input(info)?, position: 0 })
    }

    /// Takes the next node.
    fn take(&mut self, index: usize, node: &Node<'a>) -> Result<(), String> {
        let mut inputs = Vec::new();
        for name in node.inputs()? {
            inputs.push(if name.is_empty() { None } else { Some(self.value(name)?) });
        }
        let name = node.outputs()?.first().copied().unwrap_or_default();
        let rows = inputs.iter().flatten().filter(|value| value.is_row()).count();
        let value = if rows == 0 || takes_no_elements(node, &inputs) {
            let Graph { opset, store, .. } = *self.graph;
            let known = Known { node, opset, name, inputs: &inputs, store };
            let value = known.value()?;
            let what = match &value {
                Value::Constant(_) | Value::Filled { .. } => "a constant",
                Value::Sizes(_) | Value::Row { .. } => "computes a shape",
            };
            self.report.set(index, Role::Constant, what);
            value
        } else {
            self.step(index, node, &inputs)?
        };
        self.values.try_reserve(1).map_err(|_| "not enough memory for the graph's values")?;
        self.values.insert(name, value);
        Ok(())
    }

    /// Takes a node on the way of the row.
    fn step(
        &mut self,
        index: usize,
        node: &Node<'a>,
        inputs: &[Option<Value<'a>>],
    ) -> Result<Value<'a>, String> {
        let mut rows = inputs.iter().enumerate().filter_map(|(at, value)| match value {
            Some(Value::Row { row, position }) => Some((at, row, *position)),
            _ => None,
        });
        let first = rows.next().ok_or("takes no row: expected one")?;
        let second = rows.next();
        // The later one where 1 - p stands beside p, and nothing else does.
        let (at, row, position) = match second {
            None => first,
            Some(second) => {
                let two = node.is_standard() && node.op == "Concat" && rows.next().is_none();
                let (early, late) =
                    if first.2 < second.2 { (first, second) } else { (second, first) };
                if !two || early.2 + 1 != late.2 || !self.draft.is_complement() {
                    let names = node.inputs()?;
                    let (first, second) = (short(names[first.0]), short(names[second.0]));
                    return Err(format!(
                        "takes {first} and {second}, neither of which is constant: expected only \
                         one input that is not constant"
                    ));
                }
                late
            }
        };
        if position != self.draft.position() {
            let name = short(node.inputs()?[at]);
            return Err(format!(
                "takes {name}, which another node takes too: expected a single path from the \
                 input to the output, without branches"
            ));
        }
        let call = Call { node, opset: self.graph.opset, inputs, at, row };
        let step = call.step()?;
        if steps::trains(node) {
            self.report.notes.push(format!(
                "{} was exported in training mode, which changes the running statistics: call \
                 model.eval() before the export, and train() only on the dropout modules",
                node.describe()
            ));
        }
        let row = self.draft.take(index, node, step, row, &mut self.report)?;
        Ok(Value::Row { row, position: self.draft.position() })
    }
}

/// What the graph says of its input.
fn input(input: &ValueInfo<'_>) -> Result<Row, String> {
    let name = short(input.name);
    let integer = input.kind.filter(|&kind| kind::is_integer(kind));
    match input.kind {
        None => {}
        Some(kind) if integer.is_some() || kind::is_float(kind) => {}
        Some(other) => {
            let got = kind::name(other);
            return Err(format!("input {name} is {got}: expected numbers"));
        }
    }
    let Some(shape) = &input.shape else {
        return Ok(Row { integer, ..Row::flat(None) });
    };
    let [rows, rest @ ..] = &shape[..] else {
        return Err(format!("input {name} has no dimensions: expected rows and columns"));
    };
    if rest.is_empty() {
        return Err(format!("input {name} has one dimension: expected rows and columns"));
    }
    // Some writers state 0 where they do not know the size.
    let size = |size: &Option<i64>| usize::try_from((*size)?).ok().filter(|&size| size > 0);
    let (dims, rows) = (rest.iter().map(size).collect(), size(rows));
    Ok(Row { dims, integer, rows, fixed: None })
}
