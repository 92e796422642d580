//! What each node of a chain does to a row.

use super::{
    graph::{Constant, Floats, Link},
    proto::kind,
};
use crate::{
    checkpoint::Kind,
    nn::{Activation, Slope},
    rate::Keep,
};

/// One step of the way from the input to the output.
#[derive(Clone, Debug)]
pub(super) enum Step<'a> {
    /// y = W x + b
    Linear(Box<Linear<'a>>),
    /// y = x + b
    Add(Floats<'a>),
    /// y = s (x - m) / sqrt(v + ε) + b
    Norm(Box<Norm<'a>>),
    /// y = f(x)
    Activation(Activation),
    /// Each element is dropped with 1 - keep.
    Dropout(Keep),
    /// A row's elements side by side.
    Flatten,
    /// The same, as many as this in a row, or as many as there are.
    Reshape(Option<usize>),
    /// Softmax, or its logarithm.
    Softmax { axis: i64 },
    /// Nothing.
    Identity,
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
    pub bias: Option<(Floats<'a>, f32)>,
}

#[derive(Clone, Debug)]
pub(super) struct Norm<'a> {
    pub scale: Floats<'a>,
    pub bias: Floats<'a>,
    pub mean: Floats<'a>,
    pub variance: Floats<'a>,
    pub epsilon: f32,
}

impl<'a> Link<'a> {
    /// The constant input at `place`, which has to be there.
    fn constant(&self, place: usize, what: &str) -> Result<&Constant<'a>, String> {
        self.optional(place).ok_or_else(|| format!("expected {what} as constant input {place}"))
    }

    fn optional(&self, place: usize) -> Option<&Constant<'a>> {
        self.others.get(place)?.as_ref()
    }

    /// Whether the chain comes in at the first of at most `most` inputs.
    fn check_inputs(&self, most: usize) -> Result<(), String> {
        if self.at != 0 {
            return Err(format!("input {} is not constant: expected the first alone", self.at));
        }
        if self.others.len() > most {
            return Err(format!("{} inputs: expected at most {most}", self.others.len()));
        }
        Ok(())
    }

    /// The step of this node, of version `opset` of the standard operators.
    pub fn step(&self, opset: i64) -> Result<Step<'a>, String> {
        let node = &self.node;
        let plain = |step: Step<'a>| {
            self.check_inputs(1)?;
            node.attributes(&[])?;
            Ok(step)
        };
        match node.op {
            "Gemm" => self.gemm(),
            "MatMul" => self.matmul(),
            "Add" => self.add(),
            "BatchNormalization" => self.norm(),
            "Relu" => plain(Step::Activation(Activation::Relu)),
            "Sigmoid" => plain(Step::Activation(Activation::Logistic)),
            "Tanh" => plain(Step::Activation(Activation::Tanh)),
            "Identity" => plain(Step::Identity),
            "LeakyRelu" => self.leaky(),
            "Softmax" | "LogSoftmax" => {
                self.check_inputs(1)?;
                let axis = node.attributes(&["axis"])?.int("axis")?;
                Ok(Step::Softmax { axis: axis.unwrap_or(if opset < 13 { 1 } else { -1 }) })
            }
            "Dropout" => self.dropout(opset),
            "Flatten" => self.flatten(),
            "Reshape" => self.reshape(),
            "Cast" => self.cast(),
            _ => Err("expected one of Gemm, MatMul, Add, BatchNormalization, Relu, LeakyRelu, \
                      Sigmoid, Tanh, Softmax, LogSoftmax, Dropout, Flatten, Reshape, Identity, \
                      Cast"
                .to_owned()),
        }
    }

    /// y = alpha x B + beta C, B transposed where transB says so.
    fn gemm(&self) -> Result<Step<'a>, String> {
        self.check_inputs(3)?;
        let attributes = self.node.attributes(&["alpha", "beta", "transA", "transB"])?;
        if let Some(trans) = attributes.int("transA")?.filter(|trans| *trans != 0) {
            return Err(format!("transA {trans}: expected 0"));
        }
        let transposed = match attributes.int("transB")?.unwrap_or(0) {
            bit @ (0 | 1) => bit == 1,
            other => return Err(format!("transB {other}: expected 0 or 1")),
        };
        let weight = self.constant(1, "weights")?.floats()?;
        let beta = attributes.float("beta")?.unwrap_or(1.0);
        let bias = self.optional(2).map(|bias| Ok::<_, String>((bias.floats()?, beta)));
        let alpha = attributes.float("alpha")?.unwrap_or(1.0);
        linear(weight, transposed, alpha, bias.transpose()?)
    }

    /// y = x B
    fn matmul(&self) -> Result<Step<'a>, String> {
        self.check_inputs(2)?;
        self.node.attributes(&[])?;
        let weight = self.constant(1, "weights")?.floats()?;
        linear(weight, false, 1.0, None)
    }

    fn add(&self) -> Result<Step<'a>, String> {
        self.node.attributes(&[])?;
        if self.others.len() != 2 {
            return Err(format!("{} inputs: expected 2", self.others.len()));
        }
        self.constant(1 - self.at, "a bias")?.floats().map(Step::Add)
    }

    fn norm(&self) -> Result<Step<'a>, String> {
        self.check_inputs(5)?;
        let attributes =
            self.node.attributes(&["epsilon", "momentum", "spatial", "training_mode"])?;
        if let Some(spatial) = attributes.int("spatial")?.filter(|spatial| *spatial != 1) {
            return Err(format!("spatial {spatial}: expected 1"));
        }
        let epsilon = attributes.float("epsilon")?.unwrap_or(1e-5);
        if epsilon < 0.0 {
            return Err(format!("epsilon {epsilon}: expected at least 0"));
        }
        let vector = |place: usize, what: &str| self.constant(place, what)?.floats();
        Ok(Step::Norm(Box::new(Norm {
            scale: vector(1, "the scale")?,
            bias: vector(2, "the bias")?,
            mean: vector(3, "the mean")?,
            variance: vector(4, "the variance")?,
            epsilon,
        })))
    }

    fn leaky(&self) -> Result<Step<'a>, String> {
        self.check_inputs(1)?;
        let alpha = self.node.attributes(&["alpha"])?.float("alpha")?.unwrap_or(0.01);
        match alpha {
            0.0 => Ok(Step::Activation(Activation::Relu)),
            1.0 => Ok(Step::Identity),
            _ => Slope::new(alpha)
                .map(|slope| Step::Activation(Activation::LeakyRelu(slope)))
                .map_err(|e| e.to_string()),
        }
    }

    /// The drop rate is an attribute before version 12, and an input from then
    /// on. Whether the graph itself is to drop does not matter: the keep rate is
    /// the network's.
    fn dropout(&self, opset: i64) -> Result<Step<'a>, String> {
        let drop = if opset < 12 {
            self.check_inputs(1)?;
            let ratio = self.node.attributes(&["ratio"])?.float("ratio")?;
            ratio.map(|ratio| Kind::F32.decimal(ratio))
        } else {
            self.check_inputs(3)?;
            self.node.attributes(&["seed"])?;
            self.optional(1).map(Constant::decimal).transpose()?
        };
        Keep::from_drop(drop.unwrap_or(0.5)).map(Step::Dropout).map_err(|e| e.to_string())
    }

    fn flatten(&self) -> Result<Step<'a>, String> {
        self.check_inputs(1)?;
        match self.node.attributes(&["axis"])?.int("axis")?.unwrap_or(1) {
            1 => Ok(Step::Flatten),
            axis => Err(format!("axis {axis}: expected 1, which keeps the rows")),
        }
    }

    fn reshape(&self) -> Result<Step<'a>, String> {
        self.check_inputs(2)?;
        let literal = self.node.attributes(&["allowzero"])?.int("allowzero")?.unwrap_or(0) != 0;
        let shape = self.constant(1, "the shape")?.ints()?;
        match shape[..] {
            [0, _] if literal => Err(format!("shape {shape:?} with allowzero: no rows")),
            [0, -1] => Ok(Step::Reshape(None)),
            // As many rows as there are, or as the graph was made for.
            [rows, columns] if rows >= -1 && columns >= 1 => {
                Ok(Step::Reshape(columns.try_into().ok()))
            }
            [rows, -1] if rows >= 1 => Err(format!(
                "shape [{rows}, -1]: expected the number of columns, or 0 for the rows"
            )),
            _ => Err(format!("shape {shape:?}: expected two dimensions, rows and columns")),
        }
    }

    fn cast(&self) -> Result<Step<'a>, String> {
        self.check_inputs(1)?;
        let attributes = self.node.attributes(&["to", "saturate", "round_mode"])?;
        match attributes.int("to")? {
            Some(kind::F32 | kind::F16 | kind::F64 | kind::BF16) => Ok(Step::Identity),
            Some(other) => Err(format!("to {}: expected a kind of float", kind::name(other))),
            None => Err("no attribute `to`: expected a kind of float".to_owned()),
        }
    }
}

/// A linear layer with this matrix, `[inputs, outputs]` unless `transposed`.
fn linear<'a>(
    weight: Floats<'a>,
    transposed: bool,
    alpha: f32,
    bias: Option<(Floats<'a>, f32)>,
) -> Result<Step<'a>, String> {
    let &[rows, columns] = weight.shape() else {
        let (name, shape) = (super::proto::short(weight.name), weight.shape());
        return Err(format!("{name} has shape {shape:?}: expected two dimensions"));
    };
    if rows == 0 || columns == 0 {
        let name = super::proto::short(weight.name);
        return Err(format!("{name} has shape [{rows}, {columns}]: expected no 0"));
    }
    // A `Transpose` in the graph and transB are two turns.
    let by_output = transposed != weight.transposed;
    let (outputs, inputs) = if by_output { (rows, columns) } else { (columns, rows) };
    Ok(Step::Linear(Box::new(Linear { weight, by_output, inputs, outputs, alpha, bias })))
}
