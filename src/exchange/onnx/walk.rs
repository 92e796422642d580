//! The path through a graph, from its input to its output.

use std::collections::HashMap;

use super::{
    functions::{self, Function},
    graph::Graph,
    inputs::Inputs,
    network::Draft,
    proto::{Node, ValueInfo, kind, short},
    report::{Report, Role},
    row::Row,
    steps::{self, Call, Step},
    values::{self, Known, Value, takes_no_elements},
};
use crate::error::Error;

const NO_MEMORY: &str = "not enough memory for the graph's values";

/// The conversion of a graph to a network.
pub(super) struct Walk<'g, 'a> {
    graph: &'g Graph<'a>,
    values: HashMap<&'a str, Value<'a>>,
    /// The graph's input, once a node has taken it.
    input: Option<&'a str>,
    pub draft: Draft<'a>,
    pub report: Report,
}

impl<'g, 'a> Walk<'g, 'a> {
    /// A walk that has not begun. `size` is that of the file in bytes.
    pub fn new(graph: &'g Graph<'a>, size: usize) -> Result<Self, Error> {
        Ok(Self {
            graph,
            values: HashMap::new(),
            input: None,
            draft: Draft::new(size),
            report: Report::new(&graph.nodes)?,
        })
    }

    /// Converts all nodes that the output depends on. The report says what became of each,
    /// also after an error.
    pub fn run(&mut self) -> Result<(), String> {
        let output = self.graph.output()?;
        let order = self.graph.order(output)?;
        for index in 0..self.graph.nodes.len() {
            self.report.set(index, Role::Unused, "the output does not depend on it");
        }
        for &index in &order {
            self.report.set(index, Role::Unknown, "");
        }
        let functions = functions::find(self.graph, &order)?;
        let mut part_of = HashMap::new();
        for function in &functions {
            part_of.try_reserve(function.nodes.len()).map_err(|_| NO_MEMORY)?;
            part_of.extend(function.nodes.iter().map(|&index| (index, function)));
        }
        for (done, &index) in order.iter().enumerate() {
            let node = &self.graph.nodes[index];
            let taken = match part_of.get(&index) {
                Some(function) => self.take_part(index, node, function),
                None => self.take(index, node),
            };
            if let Err(reason) = taken {
                self.report.set(index, Role::Refused, reason.clone());
                self.survey(&order[done + 1..]);
                return Err(node.refuse(reason));
            }
        }
        // Fails if the output is an unknown value, or not the first output of a node.
        self.value(output)?;
        self.draft.finish(&mut self.report).map_err(|(at, reason)| match at {
            None => reason,
            Some(index) => {
                self.report.set(index, Role::Refused, reason.clone());
                self.graph.nodes[index].refuse(reason)
            }
        })
    }

    /// Reports on the nodes after a refused one: whether their operators are known.
    fn survey(&mut self, rest: &[usize]) {
        for &index in rest {
            let node = &self.graph.nodes[index];
            let of_row = steps::operators(node).unwrap_or_default();
            let known =
                of_row.iter().any(|operator| operator.name == node.op) || values::knows(node);
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

    /// Converts the next node.
    fn take(&mut self, index: usize, node: &Node<'a>) -> Result<(), String> {
        let mut inputs = Vec::new();
        for name in node.inputs()? {
            inputs.push(if name.is_empty() { None } else { Some(self.value(name)?) });
        }
        let name = node.outputs()?.first().copied().unwrap_or_default();
        let Graph { opset, store, .. } = *self.graph;
        let rows = inputs.iter().flatten().filter(|value| value.is_row()).count();
        let value = if rows == 0 || takes_no_elements(node, &inputs) {
            let known = Known { inputs: Inputs { node, opset, values: &inputs }, name, store };
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
        self.values.try_reserve(1).map_err(|_| NO_MEMORY)?;
        self.values.insert(name, value);
        Ok(())
    }

    /// Converts the next node, which is a part of an activation if this takes the row.
    fn take_part(
        &mut self,
        index: usize,
        node: &Node<'a>,
        function: &Function<'a>,
    ) -> Result<(), String> {
        let (row, position) = match self.value(function.input)? {
            Value::Row { row, position } if row.integer.is_none() && function.keeps_shape(&row) => {
                (row, position)
            }
            _ => return self.take(index, node),
        };
        let activation = function.activation;
        if function.nodes.last() != Some(&index) {
            self.report.set(index, Role::Network, format!("part of the activation {activation}"));
            return Ok(());
        }
        self.check_only_path(function.input, position)?;
        let step = Step::Activation(activation);
        let row = self.draft.take(index, node, step, &row, &mut self.report)?;
        let value = Value::Row { row, position: self.draft.position() };
        let name = node.outputs()?.first().copied().unwrap_or_default();
        self.values.try_reserve(1).map_err(|_| NO_MEMORY)?;
        self.values.insert(name, value);
        Ok(())
    }

    /// Refuses a value of the row that is not its latest.
    fn check_only_path(&self, name: &str, position: usize) -> Result<(), String> {
        if position != self.draft.position() {
            return Err(format!(
                "takes {}, which another node takes too: expected a single path from the input to \
                 the output, without branches",
                short(name)
            ));
        }
        Ok(())
    }

    /// Converts a node that takes the row.
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
        let first = rows
            .next()
            .ok_or("none of its inputs depends on the graph's input: expected one that does")?;
        let second = rows.next();
        // Only p and 1 - p, or z and e^z, may come together, and the step continues from the later one.
        let (at, row, position) = match second {
            None => first,
            Some(second) => {
                let joins = match node.op {
                    "Concat" => self.draft.is_complement(),
                    "Where" => self.draft.is_exponential(),
                    _ => false,
                };
                let two = joins && node.is_standard() && rows.next().is_none();
                let (early, late) =
                    if first.2 < second.2 { (first, second) } else { (second, first) };
                if !two || early.2 + 1 != late.2 {
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
        self.check_only_path(node.inputs()?[at], position)?;
        let inputs = Inputs { node, opset: self.graph.opset, values: inputs };
        let step = Call { inputs, at, row }.step()?;
        if steps::is_in_training_mode(node) {
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

/// The row as the graph describes its input.
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
    // Some writers state 0 for an unknown size.
    let size = |size: &Option<i64>| usize::try_from((*size)?).ok().filter(|&size| size > 0);
    let (dims, rows) = (rest.iter().map(size).collect(), size(rows));
    Ok(Row { dims, integer, rows, fixed: None })
}
