//! What each operator does to a row.

use super::{
    constant::{Constant, Floats, Operand},
    elementwise::{Applied, Elementwise, Norm},
    proto::{Node, kind, short},
    row::Row,
    values::Value,
};
use crate::{
    checkpoint::FloatType,
    nn::{Activation, NegativeSlope},
    rate::Keep,
};

/// One step of the way from the input to the output.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// y = W x + b
    Linear(Box<Linear<'a>>),
    /// Each element is scaled and shifted.
    Elementwise(Elementwise<'a>),
    /// y = f(x)
    Activation(Activation),
    /// Each element is dropped with 1 - keep.
    Dropout(Keep),
    /// The same elements in other dimensions.
    Reshape(Row),
    /// A softmax, or the logarithm of one.
    Softmax { is_log: bool },
    /// The logarithm of the softmax before it.
    Log,
    /// p beside 1 - p.
    TwoClasses { complement_first: bool },
    /// Nothing, and why.
    Nothing(&'static str),
}

impl Step<'_> {
    /// Whether it goes the same way where the elements of `row` are spread over another
    /// number of rows, or cannot go at all.
    pub fn is_of_any_rows(&self, row: &Row) -> bool {
        match self {
            Self::Activation(_) | Self::Dropout(_) | Self::Nothing(_) => true,
            Self::Elementwise(op) => op.is_uniform(),
            Self::Reshape(other) => other.dims == row.dims,
            // It takes no other columns.
            Self::Linear(_) => row.dims.len() == 1,
            Self::Softmax { .. } | Self::Log | Self::TwoClasses { .. } => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Linear<'a> {
    pub weight: Floats<'a>,
    /// Whether the weights stand `[outputs, inputs]`, as the engine's do.
    pub by_output: bool,
    pub inputs: usize,
    pub outputs: usize,
    /// What the weights are multiplied by.
    pub alpha: f32,
    /// The bias, and what it is multiplied by.
    pub bias: Option<(Operand<'a>, f32)>,
}

/// A node that takes the row, and its other inputs.
pub(super) struct Call<'a, 'v> {
    pub node: &'v Node<'a>,
    pub opset: i64,
    /// `None` where one is left out.
    pub inputs: &'v [Option<Value<'a>>],
    /// Which of them is the row, the later one where there are two.
    pub at: usize,
    pub row: &'v Row,
}

type Read = for<'a> fn(&Call<'a, '_>) -> Result<Step<'a>, String>;

/// The operators on rows. A new one is a line here and a function.
const OPERATORS: &[(&str, Read)] = &[
    ("Gemm", gemm),
    ("MatMul", matmul),
    ("Add", add),
    ("Sub", subtract),
    ("Mul", multiply),
    ("Div", divide),
    ("Neg", negate),
    ("BatchNormalization", norm),
    ("Relu", |call| activation(call, Activation::Relu)),
    ("LeakyRelu", leaky),
    ("Sigmoid", |call| activation(call, Activation::Logistic)),
    ("Tanh", |call| activation(call, Activation::Tanh)),
    ("Clip", clip),
    ("Max", maximum),
    ("Dropout", dropout),
    ("Softmax", softmax),
    ("LogSoftmax", softmax),
    ("Log", |call| call.plain(Step::Log)),
    ("Flatten", flatten),
    ("Reshape", reshape),
    ("Slice", slice),
    ("Squeeze", squeeze),
    ("Unsqueeze", unsqueeze),
    ("Transpose", transpose),
    ("Gather", gather),
    ("Identity", |call| call.plain(Step::Nothing("passes the row on"))),
    ("Cast", cast),
    ("Concat", concat),
];

/// The operators of scikit-learn's converter, of the domain `ai.onnx.ml`.
const ML_OPERATORS: &[(&str, Read)] = &[("Scaler", scaler), ("ZipMap", zip_map)];

/// The operators of the node's domain.
pub(super) fn operators(node: &Node<'_>) -> Option<&'static [(&'static str, Read)]> {
    match node.domain {
        _ if node.is_standard() => Some(OPERATORS),
        "ai.onnx.ml" => Some(ML_OPERATORS),
        _ => None,
    }
}

impl<'a> Call<'a, '_> {
    /// The step of the node.
    pub fn step(&self) -> Result<Step<'a>, String> {
        let operators = operators(self.node).ok_or(
            "operator of an unsupported domain: expected a standard one (if a runtime optimised \
             this graph, use the original)",
        )?;
        let found = operators.iter().find(|(name, _)| *name == self.node.op);
        let Some((_, read)) = found else {
            let names: Vec<_> = operators.iter().map(|(name, _)| *name).collect();
            return Err(format!("unsupported operator: expected one of {}", names.join(", ")));
        };
        if self.row.integer.is_some()
            && !matches!(
                self.node.op,
                "Cast" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Transpose" | "Identity"
            )
        {
            return Err("takes whole numbers: expected a Cast to floats before it".to_owned());
        }
        read(self)
    }

    fn optional(&self, place: usize) -> Option<&Value<'a>> {
        self.inputs.get(place)?.as_ref()
    }

    /// The constant input at `place`, where there is one.
    fn given(&self, place: usize) -> Result<Option<&Constant<'a>>, String> {
        match self.optional(place) {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(_) => Err(format!("input {place} depends on the rows: expected a constant")),
        }
    }

    /// The constant input at `place`, which has to be there.
    fn constant(&self, place: usize, what: &str) -> Result<&Constant<'a>, String> {
        self.given(place)?.ok_or_else(|| format!("expected {what} as constant input {place}"))
    }

    /// The axes at input `place`, or in the attribute before version `since`.
    fn axes(&self, place: usize, since: i64) -> Result<Option<Vec<i64>>, String> {
        if self.opset < since {
            self.check_inputs(1)?;
            return self.node.attributes(&["axes"])?.ints("axes");
        }
        self.check_inputs(place + 1)?;
        self.node.attributes(&[])?;
        self.given(place)?.map(|axes| axes.ints().map(|(axes, _)| axes)).transpose()
    }

    /// Whether the row comes in at the first of at most `most` inputs.
    fn check_inputs(&self, most: usize) -> Result<(), String> {
        if self.at != 0 {
            return Err(format!(
                "input {} is not constant: expected only the first input not to be constant",
                self.at
            ));
        }
        if self.inputs.len() > most {
            return Err(format!("{} inputs: expected at most {most}", self.inputs.len()));
        }
        Ok(())
    }

    /// A step of a node that takes the row and nothing else.
    fn plain(&self, step: Step<'a>) -> Result<Step<'a>, String> {
        self.check_inputs(1)?;
        self.node.attributes(&[])?;
        Ok(step)
    }

    /// The other operand of two, and whether the row is the first.
    fn operand(&self) -> Result<(Operand<'a>, bool), String> {
        // Before version 7 there was a `broadcast`.
        self.node.attributes(&[])?;
        if self.inputs.len() != 2 {
            return Err(format!("{} inputs: expected 2", self.inputs.len()));
        }
        if let Some(Value::Filled { number, shape }) = self.optional(1 - self.at) {
            if !self.row.covers(shape) {
                return Err("a number for each of more elements than a row has: expected as many"
                    .to_owned());
            }
            return Ok((Operand::Number(*number), self.at == 0));
        }
        let operand = self.constant(1 - self.at, "an operand")?.operand()?;
        let operand = operand.as_number_for(self.row)?;
        Ok((operand, self.at == 0))
    }
}

/// y = alpha x B + beta C, B transposed where transB says so.
fn gemm<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(3)?;
    let attributes = call.node.attributes(&["alpha", "beta", "transA", "transB"])?;
    if let Some(trans) = attributes.int("transA")?.filter(|trans| *trans != 0) {
        return Err(format!("transA {trans}: expected 0"));
    }
    let transposed = match attributes.int("transB")?.unwrap_or(0) {
        bit @ (0 | 1) => bit == 1,
        other => return Err(format!("transB {other}: expected 0 or 1")),
    };
    if call.row.dims.len() != 1 {
        return Err("takes more than two dimensions: expected a Flatten before it".to_owned());
    }
    let weight = call.constant(1, "weights")?.floats()?;
    let beta = attributes.float("beta")?.unwrap_or(1.0);
    let bias = call.given(2)?.map(|bias| Ok::<_, String>((bias.operand()?, beta)));
    let alpha = attributes.float("alpha")?.unwrap_or(1.0);
    linear(weight, transposed, alpha, bias.transpose()?)
}

/// y = x B
fn matmul<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(2)?;
    call.node.attributes(&[])?;
    if !call.row.is_vector() {
        return Err("takes more than two dimensions: expected a Flatten before it".to_owned());
    }
    let weight = call.constant(1, "weights")?.floats()?;
    linear(weight, false, 1.0, None)
}

fn add<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, _) = call.operand()?;
    Ok(Step::Elementwise(Elementwise::Add(operand)))
}

fn subtract<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, is_first) = call.operand()?;
    let op = if is_first { Elementwise::Subtract } else { Elementwise::SubtractFrom };
    Ok(Step::Elementwise(op(operand)))
}

fn multiply<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, _) = call.operand()?;
    Ok(Step::Elementwise(Elementwise::Multiply(operand)))
}

fn divide<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, is_first) = call.operand()?;
    if !is_first {
        return Err("divides by the row: expected a constant to divide by".to_owned());
    }
    Ok(Step::Elementwise(Elementwise::Divide(operand)))
}

fn negate<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.plain(Step::Elementwise(Elementwise::Multiply(Operand::Number(-1.0))))
}

fn norm<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(5)?;
    let attributes = call.node.attributes(&["epsilon", "momentum", "spatial", "training_mode"])?;
    if let Some(spatial) = attributes.int("spatial")?.filter(|spatial| *spatial != 1) {
        return Err(format!("spatial {spatial}: expected 1"));
    }
    let epsilon = attributes.float("epsilon")?.unwrap_or(1e-5);
    if epsilon < 0.0 {
        return Err(format!("epsilon {epsilon}: expected at least 0"));
    }
    let vector = |place: usize, what: &str| call.constant(place, what)?.floats();
    Ok(Step::Elementwise(Elementwise::Norm(Box::new(Norm {
        scale: vector(1, "the scale")?,
        bias: vector(2, "the bias")?,
        mean: vector(3, "the mean")?,
        variance: vector(4, "the variance")?,
        epsilon,
    }))))
}

/// Whether a `BatchNormalization` was exported in training mode.
pub(super) fn trains(node: &Node<'_>) -> bool {
    let known = ["epsilon", "momentum", "spatial", "training_mode"];
    let mode = node.attributes(&known).and_then(|attributes| attributes.int("training_mode"));
    node.op == "BatchNormalization" && mode == Ok(Some(1))
}

fn activation<'a>(call: &Call<'a, '_>, activation: Activation) -> Result<Step<'a>, String> {
    call.plain(Step::Activation(activation))
}

fn leaky<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let alpha = call.node.attributes(&["alpha"])?.float("alpha")?.unwrap_or(0.01);
    match alpha {
        0.0 => Ok(Step::Activation(Activation::Relu)),
        1.0 => Ok(Step::Nothing("a slope of 1 is the identity")),
        _ => NegativeSlope::new(alpha)
            .map(|slope| Step::Activation(Activation::LeakyRelu(slope)))
            .map_err(|e| e.to_string()),
    }
}

/// min(max(x, least), most): a ReLU where that is max(x, 0).
fn clip<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (least, most) = if call.opset < 11 {
        call.check_inputs(1)?;
        let attributes = call.node.attributes(&["min", "max"])?;
        (attributes.float("min")?.map(f64::from), attributes.float("max")?.map(f64::from))
    } else {
        call.check_inputs(3)?;
        call.node.attributes(&[])?;
        (bound(call.given(1)?)?, bound(call.given(2)?)?)
    };
    let least = least.filter(|&least| least > f32::MIN.into());
    let most = most.filter(|&most| most < f32::MAX.into());
    match (least, most) {
        (Some(0.0), None) => Ok(Step::Activation(Activation::Relu)),
        (None, None) => Ok(Step::Nothing("clips nothing")),
        _ => {
            let text = |end: Option<f64>| end.map_or("unbounded".to_owned(), |end| end.to_string());
            Err(format!(
                "clips from {} to {}: expected only a minimum of 0, which is a ReLU",
                text(least),
                text(most)
            ))
        }
    }
}

/// A bound, which may be infinite.
fn bound(constant: Option<&Constant<'_>>) -> Result<Option<f64>, String> {
    let Some(constant) = constant else { return Ok(None) };
    let one = match constant.operand()? {
        Operand::Number(number) => Some(number),
        Operand::Floats(floats) => match floats.shape() {
            [] | [1] => floats.elements()?.iter().next(),
            _ => None,
        },
    };
    let name = short(constant.name);
    one.filter(|x| !x.is_nan()).map(Some).ok_or_else(|| format!("{name} is not one number"))
}

/// max(x, 0), which is a ReLU.
fn maximum<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, _) = call.operand()?;
    let is_zero = match operand {
        Operand::Number(number) => number == 0.0,
        Operand::Floats(floats) => {
            // Its shape is held against the row's.
            let dims = &call.row.dims;
            let zeros = Elementwise::Add(Operand::Floats(floats));
            let (_, known) = Applied::new(zeros, dims, call.node.describe())?;
            known == *dims && operand.is_zero()?
        }
    };
    if is_zero {
        return Ok(Step::Activation(Activation::Relu));
    }
    Err("the maximum of a row and numbers other than 0: expected 0, which is a ReLU".to_owned())
}

/// The drop rate is an attribute before version 12, and an input from then
/// on. Whether the graph itself is to drop does not matter: the keep rate is
/// the network's.
fn dropout<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let drop = if call.opset < 12 {
        call.check_inputs(1)?;
        let ratio = call.node.attributes(&["ratio"])?.float("ratio")?;
        ratio.map(|ratio| FloatType::F32.decimal(ratio))
    } else {
        call.check_inputs(3)?;
        call.node.attributes(&["seed"])?;
        call.given(1)?.map(Constant::decimal).transpose()?
    };
    Keep::from_drop(drop.unwrap_or(0.5)).map(Step::Dropout).map_err(|e| e.to_string())
}

fn softmax<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let axis = call.node.attributes(&["axis"])?.int("axis")?;
    let axis = axis.unwrap_or(if call.opset < 13 { 1 } else { -1 });
    if call.row.dims.len() != 1 {
        return Err("takes more than two dimensions: expected rows and columns".to_owned());
    }
    if axis != 1 && axis != -1 {
        return Err(format!("axis {axis}: expected 1 or -1, a row's columns"));
    }
    Ok(Step::Softmax { is_log: call.node.op == "LogSoftmax" })
}

fn flatten<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let axis = call.node.attributes(&["axis"])?.int("axis")?.unwrap_or(1);
    call.row.flatten(axis).map(Step::Reshape)
}

fn reshape<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(2)?;
    let literal = call.node.attributes(&["allowzero"])?.int("allowzero")?.unwrap_or(0) != 0;
    let shape = call.optional(1).ok_or("expected the shape as input 1")?.sizes()?;
    call.row.reshape(&shape, literal).map(Step::Reshape)
}

/// All of each axis, as some exporters write `x[:]`.
fn slice<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    const NAMES: [&str; 3] = ["starts", "ends", "axes"];
    let part = |at: usize| -> Result<Option<Vec<i64>>, String> {
        // Attributes before version 10, inputs since then.
        if call.opset < 10 {
            return call.node.attributes(&NAMES)?.ints(NAMES[at]);
        }
        call.optional(at + 1).map(|value| value.sizes()?.numbers()).transpose()
    };
    if call.opset < 10 {
        call.check_inputs(1)?;
    } else {
        call.check_inputs(5)?;
        call.node.attributes(&[])?;
    }
    let starts = part(0)?.ok_or("`starts` is missing")?;
    let ends = part(1)?.ok_or("`ends` is missing")?;
    let axes = part(2)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = if call.opset < 10 { None } else { part(3)? };
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(format!("starts {starts:?} and ends {ends:?}: expected one for each axis"));
    }
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        if (start, step) != (0, 1) || !call.row.ends_within(axis, end) {
            return Err(format!(
                "takes {start} to {end} by {step} of axis {axis}: expected all of it"
            ));
        }
    }
    Ok(Step::Nothing("takes all of it"))
}

fn squeeze<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.row.squeeze(call.axes(1, 13)?.as_deref()).map(Step::Reshape)
}

fn unsqueeze<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let axes = call.axes(1, 13)?.ok_or("`axes` is missing")?;
    call.row.unsqueeze(&axes).map(Step::Reshape)
}

fn transpose<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let perm = call.node.attributes(&["perm"])?.ints("perm")?;
    // Without one the dimensions are reversed.
    let reversed = || (0..=call.row.dims.len() as i64).rev().collect();
    call.row.transpose(&perm.unwrap_or_else(reversed)).map(Step::Reshape)
}

fn gather<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(2)?;
    let axis = call.node.attributes(&["axis"])?.int("axis")?.unwrap_or(0);
    let index = call.optional(1).ok_or("expected the indices as input 1")?.sizes()?;
    call.row.gather(axis, &index).map(Step::Reshape)
}

fn cast<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let attributes = call.node.attributes(&["to", "saturate", "round_mode"])?;
    match attributes.int("to")? {
        Some(to) if kind::is_float(to) => {
            Ok(Step::Reshape(Row { integer: None, ..call.row.clone() }))
        }
        // No number is changed by it.
        Some(to) if call.row.integer == Some(to) => {
            Ok(Step::Nothing("leaves whole numbers as they are"))
        }
        Some(other) => Err(format!("casts to {}: expected a kind of float", kind::name(other))),
        None => Err("attribute `to` is missing: expected a kind of float".to_owned()),
    }
}

/// 1 - p beside p, of one output, as scikit-learn's converter ends with two classes.
fn concat<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let axis = call.node.attributes(&["axis"])?.int("axis")?;
    match call.inputs {
        [Some(Value::Row { .. }), Some(Value::Row { .. })]
            if matches!(axis, Some(1 | -1)) && call.row.dims == [Some(1)] =>
        {
            Ok(Step::TwoClasses { complement_first: call.at == 0 })
        }
        _ => Err("concatenates columns: expected a single path from the input to the output, \
             without branches"
            .to_owned()),
    }
}

/// y = (x - offset) scale
fn scaler<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let attributes = call.node.attributes(&["offset", "scale"])?;
    let vector = |name: &str| {
        let numbers =
            attributes.floats(name)?.ok_or_else(|| format!("attribute `{name}` is missing"))?;
        match (&numbers[..], call.row.columns()) {
            (&[one], _) => Ok(vec![one]),
            (all, Some(columns)) if all.len() == columns => Ok(numbers),
            (all, _) => Err(format!(
                "attribute `{name}` has {} numbers: expected one for each column",
                all.len()
            )),
        }
    };
    Ok(Step::Elementwise(Elementwise::Scaler {
        offset: vector("offset")?,
        scale: vector("scale")?,
    }))
}

/// The probabilities as a map by the names of the classes.
fn zip_map<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    Ok(Step::Nothing("names the classes; the names are ignored"))
}

/// A linear layer with this matrix, `[inputs, outputs]` unless `transposed`.
fn linear<'a>(
    weight: Floats<'a>,
    transposed: bool,
    alpha: f32,
    bias: Option<(Operand<'a>, f32)>,
) -> Result<Step<'a>, String> {
    let &[rows, columns] = weight.shape() else {
        let (name, shape) = (short(weight.name), weight.shape());
        return Err(format!("{name} has shape {shape:?}: expected two dimensions"));
    };
    if rows == 0 || columns == 0 {
        let name = short(weight.name);
        return Err(format!("{name} has shape [{rows}, {columns}]: expected sizes above 0"));
    }
    // A `Transpose` in the graph and transB are two turns.
    let by_output = transposed != weight.transposed;
    let (outputs, inputs) = if by_output { (rows, columns) } else { (columns, rows) };
    Ok(Step::Linear(Box::new(Linear { weight, by_output, inputs, outputs, alpha, bias })))
}
