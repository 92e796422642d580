//! Layers with weights: `Gemm` and `MatMul`.

use super::{Call, Step};
use crate::exchange::onnx::{
    constant::{Floats, Operand},
    proto::short,
};

/// y = alpha W x + beta b
#[derive(Clone, Debug)]
pub(in crate::exchange::onnx) struct Linear<'a> {
    pub weight: Floats<'a>,
    /// Whether the weights are stored as `[outputs, inputs]`, as the engine's are.
    pub by_output: bool,
    pub inputs: usize,
    pub outputs: usize,
    /// The factor of the weights.
    pub alpha: f32,
    /// The bias and its factor, beta.
    pub bias: Option<(Operand<'a>, f32)>,
}

/// y = alpha x B + beta C, with B transposed if transB says so.
pub(super) fn gemm<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(3)?;
    let attributes = call.attributes(&["alpha", "beta", "transA", "transB"])?;
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
pub(super) fn matmul<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(2)?;
    call.attributes(&[])?;
    if !call.row.is_vector() {
        return Err("takes more than two dimensions: expected a Flatten before it".to_owned());
    }
    let weight = call.constant(1, "weights")?.floats()?;
    linear(weight, false, 1.0, None)
}

/// A layer with this matrix, `[inputs, outputs]` unless `transposed`.
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
    // A `Transpose` in the graph and transB cancel each other.
    let by_output = transposed != weight.transposed;
    let (outputs, inputs) = if by_output { (rows, columns) } else { (columns, rows) };
    Ok(Step::Linear(Box::new(Linear { weight, by_output, inputs, outputs, alpha, bias })))
}
