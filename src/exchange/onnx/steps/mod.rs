//! What each operator does to a row.
//!
//! A new operator is a function in one of the files here, and its line in [`OPERATORS`].

mod activation;
mod dropout;
mod end;
mod linear;
mod norm;
mod scale;
mod shape;

pub(super) use linear::Linear;
pub(super) use norm::is_in_training_mode;

use super::{
    constant::Constant,
    elementwise::Elementwise,
    inputs::Inputs,
    proto::{Attributes, Node},
    row::Row,
    values::Value,
};
use crate::{nn::Activation, rate::Keep};

/// One step on the path from the input to the output.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// y = W x + b
    Linear(Box<Linear<'a>>),
    /// Each element is scaled and shifted.
    Elementwise(Elementwise<'a>),
    /// y = f(x)
    Activation(Activation),
    /// Each element is dropped with probability 1 - keep.
    Dropout(Keep),
    /// The same elements in other dimensions.
    Reshape(Row),
    /// A softmax, or the logarithm of one.
    Softmax { is_log: bool },
    /// The logarithm of the softmax before it.
    Log,
    /// e^x, after the last layer.
    Exp,
    /// Means, and variances from the exponentials of the step before it.
    Normals,
    /// p and 1 - p as two columns.
    TwoClasses { complement_first: bool },
    /// Nothing, and why.
    Nothing(&'static str),
}

impl Step<'_> {
    /// Whether the step stays the same, or fails, if the elements of `row` are spread over
    /// another number of rows.
    pub fn is_of_any_rows(&self, row: &Row) -> bool {
        match self {
            Self::Activation(_) | Self::Dropout(_) | Self::Exp | Self::Nothing(_) => true,
            Self::Elementwise(op) => op.is_uniform(),
            Self::Reshape(other) => other.dims == row.dims,
            // It fails for another number of columns.
            Self::Linear(_) => row.dims.len() == 1,
            Self::Softmax { .. } | Self::Log | Self::Normals | Self::TwoClasses { .. } => false,
        }
    }
}

type Read = for<'a> fn(&Call<'a, '_>) -> Result<Step<'a>, String>;

/// An operator on rows.
pub(super) struct Operator {
    pub name: &'static str,
    read: Read,
    /// Whether the elements may be whole numbers.
    takes_integers: bool,
}

impl Operator {
    /// An operator that computes with the elements, which have to be floats.
    const fn computes(name: &'static str, read: Read) -> Self {
        Self { name, read, takes_integers: false }
    }

    /// An operator that only moves or converts the elements.
    const fn moves(name: &'static str, read: Read) -> Self {
        Self { name, read, takes_integers: true }
    }
}

/// The standard operators.
const OPERATORS: &[Operator] = &[
    Operator::computes("Gemm", linear::gemm),
    Operator::computes("MatMul", linear::matmul),
    Operator::computes("Add", scale::add),
    Operator::computes("Sub", scale::subtract),
    Operator::computes("Mul", scale::multiply),
    Operator::computes("Div", scale::divide),
    Operator::computes("Neg", scale::negate),
    Operator::computes("BatchNormalization", norm::norm),
    Operator::computes("Relu", |call| activation::plain(call, Activation::Relu)),
    Operator::computes("LeakyRelu", activation::leaky),
    Operator::computes("Sigmoid", |call| activation::plain(call, Activation::Logistic)),
    Operator::computes("Tanh", |call| activation::plain(call, Activation::Tanh)),
    Operator::computes("Gelu", activation::gelu),
    Operator::computes("Elu", activation::elu),
    Operator::computes("Softplus", |call| activation::plain(call, Activation::Softplus)),
    Operator::computes("Clip", activation::clip),
    Operator::computes("Max", activation::maximum),
    Operator::computes("Dropout", dropout::dropout),
    Operator::computes("Softmax", end::softmax),
    Operator::computes("LogSoftmax", end::softmax),
    Operator::computes("Log", |call| call.plain(Step::Log)),
    Operator::computes("Exp", |call| call.plain(Step::Exp)),
    Operator::moves("Flatten", shape::flatten),
    Operator::moves("Reshape", shape::reshape),
    Operator::moves("Slice", shape::slice),
    Operator::moves("Squeeze", shape::squeeze),
    Operator::moves("Unsqueeze", shape::unsqueeze),
    Operator::moves("Transpose", shape::transpose),
    Operator::moves("Gather", shape::gather),
    Operator::moves("Identity", |call| call.plain(Step::Nothing("passes the row on"))),
    Operator::moves("Cast", shape::cast),
    Operator::computes("Concat", end::concat),
    Operator::computes("Where", end::choose),
];

/// The operators of scikit-learn's converter, of the domain `ai.onnx.ml`.
const ML_OPERATORS: &[Operator] =
    &[Operator::computes("Scaler", scale::scaler), Operator::computes("ZipMap", end::zip_map)];

/// The operators of the node's domain.
pub(super) fn operators(node: &Node<'_>) -> Option<&'static [Operator]> {
    match node.domain {
        _ if node.is_standard() => Some(OPERATORS),
        "ai.onnx.ml" => Some(ML_OPERATORS),
        _ => None,
    }
}

/// A node that takes the row.
pub(super) struct Call<'a, 'v> {
    pub inputs: Inputs<'a, 'v>,
    /// Which input is the row; the later one if there are two.
    pub at: usize,
    pub row: &'v Row,
}

impl<'a, 'v> Call<'a, 'v> {
    /// The step of the node.
    pub fn step(&self) -> Result<Step<'a>, String> {
        let node = self.inputs.node;
        let operators = operators(node).ok_or(
            "operator of an unsupported domain: expected a standard one (if a runtime optimised \
             this graph, use the original)",
        )?;
        let Some(operator) = operators.iter().find(|operator| operator.name == node.op) else {
            let names: Vec<_> = operators.iter().map(|operator| operator.name).collect();
            return Err(format!("unsupported operator: expected one of {}", names.join(", ")));
        };
        if self.row.integer.is_some() && !operator.takes_integers {
            return Err("takes whole numbers: expected a Cast to floats before it".to_owned());
        }
        (operator.read)(self)
    }

    /// The attributes of the node, which are all `known`.
    fn attributes(&self, known: &[&str]) -> Result<Attributes<'a>, String> {
        self.inputs.node.attributes(known)
    }

    /// The constant input at `place`, if there is one.
    fn given(&self, place: usize) -> Result<Option<&'v Constant<'a>>, String> {
        match self.inputs.get(place) {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(_) => Err(format!("input {place} depends on the rows: expected a constant")),
        }
    }

    /// The constant input at `place`, which must be there.
    fn constant(&self, place: usize, what: &str) -> Result<&'v Constant<'a>, String> {
        self.given(place)?.ok_or_else(|| format!("expected {what} as constant input {place}"))
    }

    /// Refuses a node whose row is not its first input.
    fn check_first(&self) -> Result<(), String> {
        if self.at != 0 {
            return Err(format!(
                "input {} depends on the rows: expected a constant for every input but the first",
                self.at
            ));
        }
        Ok(())
    }

    /// The same, and refuses more than `most` inputs.
    fn check_inputs(&self, most: usize) -> Result<(), String> {
        self.check_first()?;
        self.inputs.at_most(most)
    }

    /// A step of a node that takes only the row.
    fn plain(&self, step: Step<'a>) -> Result<Step<'a>, String> {
        self.check_inputs(1)?;
        self.attributes(&[])?;
        Ok(step)
    }
}
