//! `BatchNormalization`.

use super::{Call, Step};
use crate::exchange::onnx::{
    elementwise::{Elementwise, Norm},
    proto::Node,
};

/// Its attributes.
const ATTRIBUTES: [&str; 4] = ["epsilon", "momentum", "spatial", "training_mode"];

/// y = scale (x - mean) / sqrt(variance + epsilon) + bias, with the statistics in the graph.
pub(super) fn norm<'a>(call: &Call<'a, '_>) -> Result<Step<'a>, String> {
    call.check_inputs(5)?;
    let attributes = call.attributes(&ATTRIBUTES)?;
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

/// Whether a node is a `BatchNormalization` that was exported in training mode.
pub(in crate::exchange::onnx) fn is_in_training_mode(node: &Node<'_>) -> bool {
    let mode = node.attributes(&ATTRIBUTES).and_then(|attributes| attributes.int("training_mode"));
    node.op == "BatchNormalization" && mode == Ok(Some(1))
}
