//! Operators that move or convert the elements of a row.

use super::{Call, Step};
use crate::exchange::onnx::{inputs::Slice, proto::kind, row::Row};

pub(super) fn flatten<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let axis = call.attributes(&["axis"])?.int("axis")?.unwrap_or(1);
    call.row.flatten(axis).map(Step::Reshape)
}

pub(super) fn reshape<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(2)?;
    let literal = call.attributes(&["allowzero"])?.int("allowzero")?.unwrap_or(0) != 0;
    let shape = call.inputs.get(1).ok_or("expected the shape as input 1")?.sizes()?;
    call.row.reshape(&shape, literal).map(Step::Reshape)
}

/// All of each axis, as some exporters write `x[:]`.
pub(super) fn slice<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_first()?;
    for Slice { start, end, axis, step } in call.inputs.slices()? {
        if (start, step) != (0, 1) || !call.row.ends_within(axis, end) {
            return Err(format!(
                "takes {start} to {end} by {step} of axis {axis}: expected all of it"
            ));
        }
    }
    Ok(Step::Nothing("takes all of it"))
}

/// The axes are an attribute before opset 13, and an input from then on.
fn axes(call: &Call<'_, '_>) -> Result<Option<Vec<i64>>, String> {
    call.check_first()?;
    call.inputs.parameters(13, &["axes"], 1, &[])?.ints("axes", 1)
}

pub(super) fn squeeze<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.row.squeeze(axes(call)?.as_deref()).map(Step::Reshape)
}

pub(super) fn unsqueeze<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let axes = axes(call)?.ok_or("`axes` is missing")?;
    call.row.unsqueeze(&axes).map(Step::Reshape)
}

pub(super) fn transpose<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let perm = call.attributes(&["perm"])?.ints("perm")?;
    // By default the dimensions are reversed.
    let reversed = || (0..=call.row.dims.len() as i64).rev().collect();
    call.row.transpose(&perm.unwrap_or_else(reversed)).map(Step::Reshape)
}

/// The only item of an axis.
pub(super) fn gather<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    if call.at != 0 {
        let reason = "looks up the rows in a table, as an embedding does: expected the rows as \
                      input 0 and constant indices";
        return Err(reason.to_owned());
    }
    call.check_inputs(2)?;
    let axis = call.attributes(&["axis"])?.int("axis")?.unwrap_or(0);
    let index = call.inputs.get(1).ok_or("expected the indices as input 1")?.sizes()?;
    call.row.gather(axis, &index).map(Step::Reshape)
}

pub(super) fn cast<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let attributes = call.attributes(&["to", "saturate", "round_mode"])?;
    match attributes.int("to")? {
        Some(to) if kind::is_float(to) => {
            Ok(Step::Reshape(Row { integer: None, ..call.row.clone() }))
        }
        Some(to) if call.row.integer == Some(to) => {
            Ok(Step::Nothing("leaves whole numbers as they are"))
        }
        Some(other) => Err(format!("casts to {}: expected a kind of float", kind::name(other))),
        None => Err("attribute `to` is missing: expected a kind of float".to_owned()),
    }
}
