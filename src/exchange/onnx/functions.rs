//! Activations that a graph spells out in several nodes, such as x * sigmoid(x).
//!
//! Exporters spell the same function in many ways, so the nodes are not compared with patterns:
//! they are computed for some numbers, and the results are compared with those of each
//! activation.

use std::collections::HashMap;

use super::{
    constant::{Constant, Operand},
    graph::Graph,
    proto::Node,
};
use crate::nn::{Activation, EluAlpha};

/// Nodes that together compute one activation of one value.
#[derive(Debug)]
pub(super) struct Function<'a> {
    /// The value that they take.
    pub input: &'a str,
    /// The nodes, in the order in which they run. The last one makes the activation's value.
    pub nodes: Vec<usize>,
    pub activation: Activation,
}

/// A function of more nodes is not looked for.
const MAX_NODES: usize = 16;
/// How many nodes of the graph are looked at for one function, most of them constants.
const MAX_LOOK: usize = 64;

/// The largest error relative to max(1, |x|), for constants that are rounded to f32.
const CLOSE: f64 = 2e-6;

/// From -12 to 12, in steps of 1/4, and some numbers further out.
const POINTS: usize = 101;

type Results = [f64; POINTS];

fn points() -> Results {
    std::array::from_fn(|i| match i {
        97 => -30.0,
        98 => -20.5,
        99 => 20.5,
        100 => 30.0,
        _ => (i as f64 - 48.0) / 4.0,
    })
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
    let mut rest = order;
    while let [first, after @ ..] = rest {
        let inputs = graph.nodes[*first].inputs()?;
        let several = |name: &&&str| uses.get(**name).is_some_and(|&uses| uses > 1);
        let mut names = inputs.iter().filter(several);
        let function = names.find_map(|name| spelled(graph, rest, name, &uses));
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
) -> Option<Function<'a>> {
    struct Made<'a> {
        name: &'a str,
        results: Results,
        uses: usize,
    }
    if input.is_empty() || graph.initialiser(input).is_some() {
        return None;
    }
    let of = |name: &str| uses.get(name).copied().unwrap_or(0);
    let mut made = vec![Made { name: input, results: points(), uses: of(input) }];
    let mut nodes = Vec::new();
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
                    made.results
                }
                None => [number(graph, name)?; POINTS],
            });
        }
        let results = computed(node, &arguments)?;
        let [name] = node.outputs().ok()?[..] else { return None };
        nodes.push(index);
        // Everything before it is used up here: the function can end.
        if made.iter().all(|made| made.uses == 0)
            && nodes.len() > 1
            && let Some(activation) = recognised(&results)
        {
            return Some(Function { input, nodes, activation });
        }
        if nodes.len() == MAX_NODES {
            return None;
        }
        made.push(Made { name, results, uses: of(name) });
    }
    None
}

/// A number that stands in the graph.
fn number<'a>(graph: &Graph<'a>, name: &'a str) -> Option<f64> {
    let constant = match graph.initialiser(name) {
        Some(constant) => constant,
        None => {
            let node = graph.maker(name).filter(|node| node.is_standard())?;
            if node.op != "Constant" {
                return None;
            }
            Constant::of_node(name, node, graph.store).ok()?
        }
    };
    match constant.operand().ok()? {
        Operand::Number(number) => Some(number),
        Operand::Floats(floats) => match floats.shape() {
            [] | [1] => floats.elements().ok()?.iter().next(),
            _ => None,
        },
    }
}

/// What a node makes of these arguments, number by number.
fn computed(node: &Node<'_>, arguments: &[Results]) -> Option<Results> {
    if !node.is_standard() || node.attributes(&[]).is_err() {
        return None;
    }
    let one: Option<fn(f64) -> f64> = match node.op {
        "Sigmoid" => Some(|x| Activation::Logistic.value(x)),
        "Tanh" => Some(libm::tanh),
        "Erf" => Some(libm::erf),
        "Exp" => Some(libm::exp),
        "Log" => Some(libm::log),
        "Softplus" => Some(|x| Activation::Softplus.value(x)),
        "Sqrt" => Some(f64::sqrt),
        "Neg" => Some(|x| -x),
        "Reciprocal" => Some(|x| 1.0 / x),
        "Identity" => Some(|x| x),
        _ => None,
    };
    if let (Some(f), [x]) = (one, arguments) {
        return Some(x.map(f));
    }
    let two: Option<fn(f64, f64) -> f64> = match node.op {
        "Add" => Some(|x, y| x + y),
        "Sub" => Some(|x, y| x - y),
        "Mul" => Some(|x, y| x * y),
        "Div" => Some(|x, y| x / y),
        "Pow" => Some(libm::pow),
        "Greater" => Some(|x, y| f64::from(u8::from(x > y))),
        "Less" => Some(|x, y| f64::from(u8::from(x < y))),
        _ => None,
    };
    if let (Some(f), [x, y]) = (two, arguments) {
        return Some(std::array::from_fn(|i| f(x[i], y[i])));
    }
    match (node.op, arguments) {
        ("Where", [which, x, y]) => {
            Some(std::array::from_fn(|i| if which[i] == 1.0 { x[i] } else { y[i] }))
        }
        _ => None,
    }
}

/// The activation with these results.
fn recognised(results: &Results) -> Option<Activation> {
    let at = points();
    // -alpha is ELU's limit for large -x.
    let alpha = EluAlpha::new(-results[97] as f32).ok();
    [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Softplus]
        .into_iter()
        .chain(alpha.map(Activation::Elu))
        .find(|f| {
            at.iter().zip(results).all(|(&x, &y)| {
                let error = (y - f.value(x)).abs();
                error <= CLOSE * x.abs().max(1.0)
            })
        })
}

#[cfg(test)]
mod tests;
