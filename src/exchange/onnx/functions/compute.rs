//! What the nodes of a function compute, for numbers at certain points.

use super::{
    super::{
        constant::Constant,
        graph::Graph,
        proto::{Node, kind},
    },
    POINTS, Results,
};
use crate::nn::Activation;

/// What a node of a function takes or makes.
#[derive(Clone)]
pub(super) enum Value {
    /// A number for each point.
    Numbers(Box<Results>),
    /// The dimensions of the function's input.
    Shape,
}

impl Value {
    /// The same number for each point.
    pub fn of(number: f64) -> Self {
        [number; POINTS].into()
    }
}

impl From<Results> for Value {
    fn from(numbers: Results) -> Self {
        Self::Numbers(Box::new(numbers))
    }
}

/// What a node makes of these arguments.
pub(super) fn computed(graph: &Graph<'_>, node: &Node<'_>, arguments: &[Value]) -> Option<Value> {
    if !node.is_standard() {
        return None;
    }
    match (node.op, arguments) {
        ("Shape", [Value::Numbers(_)]) => {
            let attributes = node.attributes(&["start", "end"]).ok()?;
            let is_whole = matches!(attributes.int("start"), Ok(None | Some(0)))
                && matches!(attributes.int("end"), Ok(None));
            is_whole.then_some(Value::Shape)
        }
        ("ConstantOfShape", [Value::Shape]) => {
            let number = match node.attributes(&["value"]).ok()?.tensor("value").ok()? {
                None => 0.0,
                Some(tensor) => Constant::of_tensor("value", tensor, graph.store).float().ok()?,
            };
            Some(Value::of(number))
        }
        ("Expand", [x @ Value::Numbers(_), Value::Shape]) => Some(x.clone()),
        // A comparison or a constant, which every kind of numbers can hold.
        ("Cast", [Value::Numbers(x)]) => {
            let holds = |kind| kind == kind::BOOL || kind::is_float(kind) || kind::is_integer(kind);
            (is_truth(x) && is_cast_to(node, holds)).then(|| Value::Numbers(x.clone()))
        }
        ("CastLike", [Value::Numbers(x), Value::Numbers(_)]) => {
            let is_constant = x.iter().all(|y| *y == x[0]);
            node.attributes(&["saturate", "round_mode"]).ok()?;
            (is_truth(x) || is_constant).then(|| Value::Numbers(x.clone()))
        }
        _ => {
            node.attributes(&[]).ok()?;
            let numbers = arguments.iter().map(|argument| match argument {
                Value::Numbers(numbers) => Some(**numbers),
                Value::Shape => None,
            });
            arithmetic(node.op, &numbers.collect::<Option<Vec<_>>>()?).map(Value::from)
        }
    }
}

/// Whether these are the results of a comparison.
fn is_truth(x: &Results) -> bool {
    x.iter().all(|&x| x == 0.0 || x == 1.0)
}

/// What an operator makes of these arguments, number by number.
fn arithmetic(op: &str, arguments: &[Results]) -> Option<Results> {
    let truth = |is: bool| f64::from(u8::from(is));
    let one: Option<fn(f64) -> f64> = match op {
        "Sigmoid" => Some(|x| Activation::Logistic.value(x)),
        "Relu" => Some(|x| Activation::Relu.value(x)),
        "Tanh" => Some(libm::tanh),
        "Erf" => Some(libm::erf),
        "Exp" => Some(libm::exp),
        "Log" => Some(libm::log),
        "Softplus" => Some(|x| Activation::Softplus.value(x)),
        "Sqrt" => Some(f64::sqrt),
        "Abs" => Some(f64::abs),
        "Neg" => Some(|x| -x),
        "Not" => Some(|x| 1.0 - x),
        "Reciprocal" => Some(|x| 1.0 / x),
        "Identity" => Some(|x| x),
        _ => None,
    };
    if let (Some(f), [x]) = (one, arguments) {
        return Some(x.map(f));
    }
    let two: Option<fn(f64, f64) -> f64> = match op {
        "Add" => Some(|x, y| x + y),
        "Sub" => Some(|x, y| x - y),
        "Mul" => Some(|x, y| x * y),
        "Div" => Some(|x, y| x / y),
        "Pow" => Some(libm::pow),
        "Max" => Some(|x, y| if x.is_nan() || x > y { x } else { y }),
        "Min" => Some(|x, y| if x.is_nan() || x < y { x } else { y }),
        _ => None,
    };
    if let (Some(f), [x, y]) = (two, arguments) {
        return Some(std::array::from_fn(|i| f(x[i], y[i])));
    }
    let compare: Option<fn(&f64, &f64) -> bool> = match op {
        "Greater" => Some(f64::gt),
        "GreaterOrEqual" => Some(f64::ge),
        "Less" => Some(f64::lt),
        "LessOrEqual" => Some(f64::le),
        _ => None,
    };
    if let (Some(compare), [x, y]) = (compare, arguments) {
        return Some(std::array::from_fn(|i| truth(compare(&x[i], &y[i]))));
    }
    match (op, arguments) {
        ("Where", [which, x, y]) => {
            Some(std::array::from_fn(|i| if which[i] == 1.0 { x[i] } else { y[i] }))
        }
        _ => None,
    }
}

/// Whether a `Cast` is to a kind of numbers that is one of `kinds`.
pub(super) fn is_cast_to(node: &Node<'_>, kinds: impl Fn(i64) -> bool) -> bool {
    let attributes = node.attributes(&["to", "saturate", "round_mode"]);
    attributes.is_ok_and(|attributes| attributes.int("to").is_ok_and(|to| to.is_some_and(kinds)))
}
