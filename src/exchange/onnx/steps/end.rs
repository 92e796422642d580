//! The ends of networks: probabilities, and what is done to them.

use super::{Call, Step};
use crate::exchange::onnx::values::Value;

/// `Softmax` or `LogSoftmax` over the columns.
pub(super) fn softmax<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let axis = call.attributes(&["axis"])?.int("axis")?;
    let axis = axis.unwrap_or(if call.inputs.opset < 13 { 1 } else { -1 });
    if call.row.dims.len() != 1 {
        return Err("takes more than two dimensions: expected rows and columns".to_owned());
    }
    if axis != 1 && axis != -1 {
        return Err(format!("axis {axis}: expected 1 or -1, a row's columns"));
    }
    Ok(Step::Softmax { is_log: call.inputs.node.op == "LogSoftmax" })
}

/// p and 1 - p of one output, with which scikit-learn's converter ends if there are two classes.
pub(super) fn concat<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let axis = call.attributes(&["axis"])?.int("axis")?;
    match call.inputs.values {
        [Some(Value::Row { .. }), Some(Value::Row { .. })]
            if matches!(axis, Some(1 | -1)) && call.row.dims == [Some(1)] =>
        {
            Ok(Step::TwoClasses { complement_first: call.at == 0 })
        }
        _ => {
            let reason = "concatenates columns: expected a single path from the input to the \
                          output, without branches";
            Err(reason.to_owned())
        }
    }
}

/// The means of normal distributions from z, and their variances from e^z.
pub(super) fn choose<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.attributes(&[])?;
    if let ([Some(Value::Constant(is_mean)), Some(Value::Row { .. }), Some(Value::Row { .. })], 2) =
        (call.inputs.values, call.at)
        && let [Some(columns)] = call.row.dims[..]
        && is_mean.is_true_in_first_half(columns)?
    {
        return Ok(Step::Normals);
    }
    let reason = "chooses between values: expected the first half of the columns of the last layer's \
                  outputs z, which are means, and the second half of e^z, which are variances";
    Err(reason.to_owned())
}

/// The probabilities as a map from the names of the classes.
pub(super) fn zip_map<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    Ok(Step::Nothing("names the classes; the names are ignored"))
}
