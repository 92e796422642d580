//! A network of the driver's as thinnet's `Mlp`, and back.

use std::path::Path;

use peer_protocol::{Outcome, case::Network, files};
use thinnet::{
    Keep,
    nn::{Activation, Loss, Mlp},
};

/// The network with the parameters of its file.
pub fn load(network: &Network) -> Outcome<Mlp> {
    let [inputs, hidden @ .., outputs] = network.widths.as_slice() else {
        return Err(format!("widths {:?}: expected at least two", network.widths).into());
    };
    let activation: Activation = network.activation.parse()?;
    let loss: Loss = network.loss.parse()?;
    let keep = Keep::new(network.keep_hidden)?;
    let mut builder = Mlp::builder(*inputs).input_noise(Keep::new(network.keep_input)?);
    for &width in hidden {
        builder = builder.hidden(width, activation, keep);
    }
    let mut mlp = builder.output(*outputs, loss).build()?;
    set_parameters(&mut mlp, &files::floats(&network.weights)?)?;
    Ok(mlp)
}

fn set_parameters(mlp: &mut Mlp, parameters: &[f32]) -> Outcome<()> {
    if parameters.len() != mlp.parameters() {
        let (got, expected) = (parameters.len(), mlp.parameters());
        return Err(format!("{got} parameters in the file, expected {expected}").into());
    }
    let mut rest = parameters;
    for (layer, widths) in mlp.widths().windows(2).enumerate() {
        let (weights, after) = rest.split_at(widths[0] * widths[1]);
        let (bias, after) = after.split_at(widths[1]);
        mlp.set_weights(layer, weights)?;
        mlp.set_bias(layer, bias)?;
        rest = after;
    }
    Ok(())
}

/// Writes the parameters in the form that [`load`] reads.
pub fn save(mlp: &Mlp, path: &Path) -> Outcome<()> {
    let mut parameters = Vec::with_capacity(mlp.parameters());
    for layer in 0..mlp.depth() {
        parameters.extend(mlp.weights(layer)?);
        parameters.extend(mlp.bias(layer)?);
    }
    files::write_floats(path, &parameters)
}

/// Of each layer: the largest norm of the weights into a unit, and the norm of
/// all its weights.
pub fn norms(mlp: &Mlp) -> Outcome<Vec<[f64; 2]>> {
    let square = |row: &[f32]| row.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>();
    mlp.widths()
        .windows(2)
        .enumerate()
        .map(|(layer, widths)| {
            let weights = mlp.weights(layer)?;
            let largest = weights.chunks(widths[0]).map(square).fold(0.0, f64::max);
            Ok([largest.sqrt(), square(&weights).sqrt()])
        })
        .collect()
}
