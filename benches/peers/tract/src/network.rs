//! The network as tract's model: what its reader of ONNX makes of Gemm, Relu, and Softmax or
//! Sigmoid.

use peer_protocol::{Outcome, case, files};
use tract_core::{
    internal::*,
    ops::{
        einsum::EinSum,
        math,
        nn::{Softmax, SoftmaxKind, sigmoid},
    },
};

/// Predictions for `batch` rows; weights `[outputs][inputs]`.
pub fn load(network: &case::Network, batch: usize) -> Outcome<TypedModel> {
    if network.activation != "relu" {
        return Err(format!("activation {}: expected relu", network.activation).into());
    }
    let values = files::floats(&network.weights)?;
    let widths = &network.widths;
    let expected: usize = widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum();
    if values.len() != expected {
        let got = values.len();
        return Err(format!("{got} parameters in the file, expected {expected}").into());
    }
    let link: Option<Box<dyn TypedOp>> = match network.loss.as_str() {
        "softmax_cross_entropy" => {
            Some(Box::new(Softmax::new(tvec!(1), None, SoftmaxKind::Softmax)))
        }
        "binary_cross_entropy" => Some(Box::new(sigmoid())),
        "squared_error" => None,
        name => return Err(format!("loss {name}: tract's worker does not know it").into()),
    };
    Ok(model(widths, &values, link, batch)?)
}

fn model(
    widths: &[usize],
    mut rest: &[f32],
    link: Option<Box<dyn TypedOp>>,
    batch: usize,
) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let product: AxesMapping = "bk,nk->bn".parse()?;
    let zero = model.add_const("zero", tensor2(&[[0f32]]))?;
    let mut x = model.add_source("x", f32::fact([batch, widths[0]]))?;
    for (layer, pair) in widths.windows(2).enumerate() {
        let (weights, after) = rest.split_at(pair[0] * pair[1]);
        let (bias, after) = after.split_at(pair[1]);
        let weights = Tensor::from_shape(&[pair[1], pair[0]], weights)?;
        let bias = Tensor::from_shape(&[1, pair[1]], bias)?;
        let weights = model.add_const(format!("weights {layer}"), weights)?;
        let bias = model.add_const(format!("bias {layer}"), bias)?;
        if layer > 0 {
            x = model.wire_node(format!("relu {layer}"), math::max(), &[x, zero])?[0];
        }
        let product = EinSum::new(product.clone(), f32::datum_type());
        x = model.wire_node(format!("product {layer}"), product, &[x, weights])?[0];
        x = model.wire_node(format!("sum {layer}"), math::add(), &[x, bias])?[0];
        rest = after;
    }
    if let Some(link) = link {
        x = model.wire_node("link", link, &[x])?[0];
    }
    model.select_output_outlets(&[x])?;
    Ok(model)
}
