//! The driver's files as tensors.

use std::{fs, path::Path};

use candle_core::{Device, Tensor};

use crate::{Outcome, case::Data};

/// The words of a file.
fn words(path: &Path) -> Outcome<Vec<[u8; 4]>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (words, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        let size = bytes.len();
        return Err(format!("{}: {size} bytes, expected a multiple of 4", path.display()).into());
    }
    Ok(words.to_vec())
}

/// All f32 of a file.
pub fn floats(path: &Path) -> Outcome<Vec<f32>> {
    Ok(words(path)?.into_iter().map(f32::from_le_bytes).collect())
}

/// Batches of inputs and classes, made before anything is timed.
pub fn batches(data: &Data, width: usize, batch: usize) -> Outcome<Vec<(Tensor, Tensor)>> {
    let inputs = floats(&data.inputs)?;
    let labels: Vec<u32> = words(&data.labels)?.into_iter().map(u32::from_le_bytes).collect();
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
