//! The network: `candle_nn::Linear` and candle's operations.

use candle_core::{Device, Tensor, Var};
use candle_nn::{Linear, Module, ops};
use peer_protocol::{Outcome, case, files};

/// A multi-layer perceptron; weights `[outputs][inputs]`.
pub struct Network {
    /// Weights and biases, layer by layer.
    pub parameters: Vec<(Var, Var)>,
    layers: Vec<Linear>,
    keeps: Vec<f64>,
    activation: fn(&Tensor) -> candle_core::Result<Tensor>,
}

impl Network {
    pub fn load(network: &case::Network) -> Outcome<Self> {
        let activation = match network.activation.as_str() {
            "relu" => Tensor::relu,
            "tanh" => Tensor::tanh,
            name => return Err(format!("activation {name}: expected relu or tanh").into()),
        };
        if network.loss != "softmax_cross_entropy" {
            return Err(format!("loss {}: expected softmax_cross_entropy", network.loss).into());
        }
        let values = files::floats(&network.weights)?;
        let widths = &network.widths;
        let expected: usize = widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum();
        if values.len() != expected {
            let got = values.len();
            return Err(format!("{got} parameters in the file, expected {expected}").into());
        }
        let mut rest = values.as_slice();
        let mut parameters = Vec::new();
        for pair in widths.windows(2) {
            let (weights, after) = rest.split_at(pair[0] * pair[1]);
            let (bias, after) = after.split_at(pair[1]);
            let weights = Tensor::from_slice(weights, (pair[1], pair[0]), &Device::Cpu)?;
            let bias = Tensor::from_slice(bias, pair[1], &Device::Cpu)?;
            parameters.push((Var::from_tensor(&weights)?, Var::from_tensor(&bias)?));
            rest = after;
        }
        let layers = parameters
            .iter()
            .map(|(w, b)| Linear::new(w.as_tensor().clone(), Some(b.as_tensor().clone())))
            .collect();
        let keeps = (0..widths.len() - 1).map(|layer| network.keep_below(layer)).collect();
        Ok(Self { parameters, layers, keeps, activation })
    }

    /// The outputs before softmax. With `train` each layer's inputs are dropped
    /// where their keep rate is below 1.
    pub fn forward(&self, x: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        let mut x = x.clone();
        for (index, (layer, &keep)) in self.layers.iter().zip(&self.keeps).enumerate() {
            if index > 0 {
                x = (self.activation)(&x)?;
            }
            if train && keep < 1.0 {
                x = ops::dropout(&x, (1.0 - keep) as f32)?;
            }
            x = layer.forward(&x)?;
        }
        Ok(x)
    }
}
