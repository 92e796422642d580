//! The driver's files as tensors.

use candle_core::{Device, Tensor};
use peer_protocol::{Outcome, case::Data, files};

/// Batches of inputs and classes, made before anything is timed.
pub fn batches(data: &Data, width: usize, batch: usize) -> Outcome<Vec<(Tensor, Tensor)>> {
    let inputs = files::floats(&data.inputs)?;
    let labels = files::integers(&data.targets)?;
    let pairs = inputs.chunks_exact(batch * width).zip(labels.chunks_exact(batch));
    let batches = pairs
        .map(|(x, y)| {
            let x = Tensor::from_slice(x, (batch, width), &Device::Cpu)?;
            Ok((x, Tensor::from_slice(y, batch, &Device::Cpu)?))
        })
        .collect::<Outcome<Vec<_>>>()?;
    if batches.is_empty() {
        return Err(format!("a batch of {batch}: more than the rows").into());
    }
    Ok(batches)
}
