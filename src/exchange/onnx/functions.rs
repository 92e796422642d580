//! Activations that a graph spells out in several nodes, such as x * sigmoid(x).
//!
//! Exporters spell the same function in many ways, so the nodes are not compared with patterns:
//! they are computed for some numbers, and the results are compared with those of each
//! activation. For x that is NaN or infinite, the nodes may give something else: x * (x > 0) is
//! NaN for negative infinity, where a ReLU is 0.

mod compute;
mod numbers;

use std::collections::HashMap;

use self::{
    compute::{Value, computed},
    numbers::{Number, Numbers},
};
use super::{constant::Floats, elementwise::broadcast, graph::Graph, row::Row};
use crate::nn::{Activation, EluAlpha, NegativeSlope};

/// Nodes that together compute one activation of one value.
#[derive(Debug)]
pub(super) struct Function<'a> {
    /// The value that they take.
    pub input: &'a str,
    /// The nodes, in the order in which they run. The last one makes the activation's value.
    pub nodes: Vec<usize>,
    pub activation: Activation,
    /// The constants that are tensors of one repeated number.
    tensors: Vec<Floats<'a>>,
}

/// A function of more nodes is not looked for.
const MAX_NODES: usize = 16;
/// How many nodes of the graph are looked at for one function, most of them constants.
const MAX_LOOK: usize = 64;

/// The largest error relative to max(1, |x|), for constants that are rounded to f32.
const CLOSE: f64 = 2e-6;

/// The points from -12 to 12, in steps of 1/4.
const GRID: usize = 97;
/// More points, of both signs. The small ones tell a kink at 0 from one nearby, and from a curve
/// that bends sharply; the large ones show where a function is capped.
const MORE: [f64; 13] = [
    1.0 / 16.0,
    1.0 / 64.0,
    1.0 / 256.0,
    1.0 / 1024.0,
    1.0 / 4096.0,
    1.0 / 16384.0,
    1.0 / 65536.0,
    1.0 / 262_144.0,
    20.5,
    30.0,
    100.0,
    1e4,
    1e30,
];
const POINTS: usize = GRID + 2 * MORE.len();
/// For larger |x|, an intermediate result may overflow: only finite results are compared.
const FINITE: f64 = 30.0;

type Results = [f64; POINTS];

fn points() -> Results {
    std::array::from_fn(|i| match i.checked_sub(GRID) {
        None => (i as f64 - 48.0) / 4.0,
        Some(i) if i % 2 == 0 => MORE[i / 2],
        Some(i) => -MORE[i / 2],
    })
}

impl Function<'_> {
    /// Whether the results have the shape of `row`.
    pub fn keeps_shape(&self, row: &Row) -> bool {
        self.tensors.iter().all(|floats| {
            let mut dims = row.dims.clone();
            let is_of_row = broadcast(floats, &mut dims).is_ok() && dims == row.dims;
            is_of_row || floats.is_of_rows(row)
        })
    }
}

/// The functions that begin where several nodes take one value, or one takes it twice.
pub(super) fn find<'a>(graph: &Graph<'a>, order: &[usize]) -> Result<Vec<Function<'a>>, String> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for &index in order {
        for name in graph.nodes[index].inputs()? {
            uses.try_reserve(1).map_err(|_| "not enough memory for the graph's names")?;
            *uses.entry(name).or_default() += 1;
        }
    }
    let mut found: Vec<Function<'a>> = Vec::new();
    let mut numbers = Numbers::of(graph);
    let mut rest = order;
    while let [first, after @ ..] = rest {
        let inputs = graph.nodes[*first].inputs()?;
        let several = |name: &&&str| uses.get(**name).is_some_and(|&uses| uses > 1);
        let mut names = inputs.iter().filter(several);
        let function = names.find_map(|name| spelled(graph, rest, name, &uses, &mut numbers));
        rest = after;
        if let Some(function) = function {
            // Its nodes are no part of another one.
            while let [next, after @ ..] = rest
                && function.nodes.contains(next)
            {
                rest = after;
            }
            found.try_reserve(1).map_err(|_| "not enough memory for the graph's functions")?;
            found.push(function);
        }
    }
    Ok(found)
}

/// The function of `input` whose first node is the first in `order`.
fn spelled<'a>(
    graph: &Graph<'a>,
    order: &[usize],
    input: &'a str,
    uses: &HashMap<&str, usize>,
    numbers: &mut Numbers<'_, 'a>,
) -> Option<Function<'a>> {
    struct Made<'a> {
        name: &'a str,
        value: Value,
        uses: usize,
    }
    if input.is_empty() || graph.initialiser(input).is_some() {
        return None;
    }
    let of = |name: &str| uses.get(name).copied().unwrap_or(0);
    let mut made = vec![Made { name: input, value: points().into(), uses: of(input) }];
    let (mut nodes, mut tensors) = (Vec::new(), Vec::new());
    for &index in order.iter().take(MAX_LOOK) {
        let node = &graph.nodes[index];
        let names = node.inputs().ok()?;
        if !names.iter().any(|name| made.iter().any(|made| made.name == *name)) {
            if nodes.is_empty() {
                return None;
            }
            continue;
        }
        let mut arguments = Vec::new();
        for name in names {
            arguments.push(match made.iter_mut().find(|made| made.name == name) {
                Some(made) => {
                    made.uses = made.uses.checked_sub(1)?;
                    made.value.clone()
                }
                None => {
                    let Number { number, tensor } = numbers.get(name)?;
                    tensors.extend(tensor);
                    Value::of(number)
                }
            });
        }
        let value = computed(graph, node, &arguments)?;
        let [name] = node.outputs().ok()?[..] else { return None };
        nodes.push(index);
        // Everything before it is used up here: the function can end.
        if made.iter().all(|made| made.uses == 0)
            && nodes.len() > 1
            && let Value::Numbers(results) = &value
            && let Some(activation) = recognised(results)
        {
            return Some(Function { input, nodes, activation, tensors });
        }
        if nodes.len() == MAX_NODES {
            return None;
        }
        made.push(Made { name, value, uses: of(name) });
    }
    None
}

/// The activation with these results.
fn recognised(results: &Results) -> Option<Activation> {
    let at = points();
    let at_minus = |x: f64| at.iter().position(|&point| point == -x).map(|i| results[i]);
    // -alpha is ELU's limit for large -x, and leaky ReLU's slope is minus its value at -1.
    let alpha = EluAlpha::new(-at_minus(FINITE)? as f32).ok();
    let slope = NegativeSlope::new(-at_minus(1.0)? as f32).ok();
    // With a slope of 1, it is the identity.
    let slope = slope.filter(|slope| slope.get() != 1.0);
    [
        Activation::Silu,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Softplus,
        Activation::Relu,
    ]
    .into_iter()
    .chain(alpha.map(Activation::Elu))
    .chain(slope.map(Activation::LeakyRelu))
    .find(|f| {
        at.iter().zip(results).all(|(&x, &y)| {
            let error = (y - f.value(x)).abs();
            error <= CLOSE * x.abs().max(1.0) || x.abs() > FINITE && !y.is_finite()
        })
    })
}

#[cfg(test)]
mod tests;
