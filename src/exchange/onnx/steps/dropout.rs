//! `Dropout`.

use super::{Call, Step};
use crate::{checkpoint::FloatType, exchange::onnx::constant::Constant, rate::Keep};

/// The drop rate is an attribute before opset 12, and an input from then on. It becomes the
/// keep rate of the network, whether or not the graph itself drops units.
pub(super) fn dropout<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    let drop = if call.inputs.opset < 12 {
        call.check_inputs(1)?;
        let ratio = call.attributes(&["ratio"])?.float("ratio")?;
        ratio.map(|ratio| FloatType::F32.decimal(ratio))
    } else {
        call.check_inputs(3)?;
        call.attributes(&["seed"])?;
        call.given(1)?.map(Constant::decimal).transpose()?
    };
    Keep::from_drop(drop.unwrap_or(0.5)).map(Step::Dropout).map_err(|e| e.to_string())
}
