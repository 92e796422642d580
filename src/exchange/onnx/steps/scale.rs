//! Scales and shifts: arithmetic with constants, and scikit-learn's `Scaler`.

use super::{Call, Step};
use crate::exchange::onnx::{constant::Operand, elementwise::Elementwise, values::Value};

/// The constant operand of two, and whether the row is the first operand.
pub(super) fn operand<'a>(call: &Call<'a, '_>) -> Result<(Operand<'a>, bool), String> {
    // There was an attribute `broadcast` before opset 7.
    call.attributes(&[])?;
    let count = call.inputs.values.len();
    if count != 2 {
        return Err(format!("{count} inputs: expected 2"));
    }
    let is_first = call.at == 0;
    if let Some(Value::Filled { number, shape }) = call.inputs.get(1 - call.at) {
        if !call.row.covers(shape) {
            let reason = "the constant does not fit the shape of the rows: expected one number, or \
                          one for each element of a row";
            return Err(reason.to_owned());
        }
        return Ok((Operand::Number(*number), is_first));
    }
    let operand = call.constant(1 - call.at, "an operand")?.operand()?;
    Ok((operand.as_number_for(call.row)?, is_first))
}

/// x + c
pub(super) fn add<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, _) = operand(call)?;
    Ok(Step::Elementwise(Elementwise::Add(operand)))
}

/// x - c or c - x
pub(super) fn subtract<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, is_first) = operand(call)?;
    let op = if is_first { Elementwise::Subtract } else { Elementwise::SubtractFrom };
    Ok(Step::Elementwise(op(operand)))
}

/// c x
pub(super) fn multiply<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, _) = operand(call)?;
    Ok(Step::Elementwise(Elementwise::Multiply(operand)))
}

/// x / c
pub(super) fn divide<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, is_first) = operand(call)?;
    if !is_first {
        return Err("divides by the row: expected a constant to divide by".to_owned());
    }
    Ok(Step::Elementwise(Elementwise::Divide(operand)))
}

/// -x
pub(super) fn negate<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.plain(Step::Elementwise(Elementwise::Multiply(Operand::Number(-1.0))))
}

/// (x - offset) scale
pub(super) fn scaler<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let attributes = call.attributes(&["offset", "scale"])?;
    let vector = |name: &str| {
        let numbers =
            attributes.floats(name)?.ok_or_else(|| format!("attribute `{name}` is missing"))?;
        let count = numbers.len();
        if count != 1 && Some(count) != call.row.columns() {
            return Err(format!(
                "attribute `{name}` has {count} numbers: expected one for each column"
            ));
        }
        Ok(numbers)
    };
    Ok(Step::Elementwise(Elementwise::Scaler {
        offset: vector("offset")?,
        scale: vector("scale")?,
    }))
}
