//! Activations, by their names or as the arithmetic that they are.

use super::{Call, Step, scale::operand};
use crate::{
    exchange::onnx::{
        constant::{Constant, Operand},
        elementwise::broadcast,
        proto::short,
    },
    nn::{Activation, EluAlpha, NegativeSlope},
};

/// An activation that takes only the row.
pub(super) fn plain<'a>(call: &Call<'a, '_>, activation: Activation) -> Result<Step<'a>, String> {
    call.plain(Step::Activation(activation))
}

/// x for x above 0, and alpha x below.
pub(super) fn leaky<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let alpha = call.attributes(&["alpha"])?.float("alpha")?.unwrap_or(0.01);
    match alpha {
        0.0 => Ok(Step::Activation(Activation::Relu)),
        1.0 => Ok(Step::Nothing("a slope of 1 is the identity")),
        _ => NegativeSlope::new(alpha)
            .map(|slope| Step::Activation(Activation::LeakyRelu(slope)))
            .map_err(|e| e.to_string()),
    }
}

/// x for x above 0, and alpha (e^x - 1) below.
pub(super) fn elu<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    let alpha = call.attributes(&["alpha"])?.float("alpha")?.unwrap_or(1.0);
    match alpha {
        0.0 => Ok(Step::Activation(Activation::Relu)),
        _ => EluAlpha::new(alpha)
            .map(|alpha| Step::Activation(Activation::Elu(alpha)))
            .map_err(|e| e.to_string()),
    }
}

/// x times the normal integral up to x, exact or by a tanh.
pub(super) fn gelu<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(1)?;
    match call.attributes(&["approximate"])?.text("approximate")?.unwrap_or("none") {
        "none" => Ok(Step::Activation(Activation::Gelu)),
        "tanh" => Ok(Step::Activation(Activation::GeluTanh)),
        other => Err(format!("approximate {}: expected none or tanh", short(other))),
    }
}

/// min(max(x, least), most): a ReLU if that is max(x, 0). The bounds are attributes before
/// opset 11, and inputs from then on.
pub(super) fn clip<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (least, most) = if call.inputs.opset < 11 {
        call.check_inputs(1)?;
        let attributes = call.attributes(&["min", "max"])?;
        (attributes.float("min")?.map(f64::from), attributes.float("max")?.map(f64::from))
    } else {
        call.check_inputs(3)?;
        call.attributes(&[])?;
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
pub(super) fn maximum<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let (operand, _) = operand(call)?;
    let is_zero = match operand {
        Operand::Number(number) => number == 0.0,
        Operand::Floats(floats) => {
            // With more dimensions than the row has, the result would be larger.
            let mut dims = call.row.dims.clone();
            broadcast(&floats, &mut dims)?;
            dims == call.row.dims && operand.is_zero()?
        }
    };
    if is_zero {
        return Ok(Step::Activation(Activation::Relu));
    }
    Err("the maximum of a row and numbers other than 0: expected 0, which is a ReLU".to_owned())
}
