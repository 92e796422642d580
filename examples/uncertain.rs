//! Loads a network and predicts one row by Monte-Carlo, by moments and by weight scaling.

use std::path::PathBuf;

use thinnet::{Error, prelude::*};

fn main() -> Result<(), Error> {
    let path = std::env::args_os().nth(1).map_or("model.safetensors".into(), PathBuf::from);
    let predictor = Predictor::new(Mlp::load(&path)?);
    let mut workspace = predictor.workspace(1)?;
    let digits = Dataset::digits(Split::Test)?;
    let batch = Batch::gather(digits.inputs(), &[7])?;

    // Monte-Carlo: sample up to 1,000 thinned networks; stop earlier once the standard error
    // of the mean is at most 0.01.
    let samples = MonteCarlo::new(1000)?.tolerance(0.01)?;
    let estimates = predictor.monte_carlo(&batch, &samples, Seeds::Each(&[1]), &mut workspace)?;
    let estimate = estimates.row(0)?;
    let Some(class) = estimate.class() else { return Ok(()) }; // `None` for a regression
    println!("a {class}: {:.3} ± {:.3}", estimate.mean()[class], estimate.std_dev(class)?);
    let samples = estimate.samples().unwrap_or_default();
    let information = estimate.mutual_information().unwrap_or_default();
    println!("{samples} samples, mutual information {information:.3} nats");

    // Moments: an approximation of the same mean and variance, propagated through the layers
    // instead of sampled.
    let estimates = predictor.moments(&batch, &mut workspace)?;
    println!("by moments: {:.3}", estimates.row(0)?.mean()[class]);

    // Weight scaling: the fastest, but without a variance. A pass over a single row spends most
    // of its time reading the weights, so this predictor stores them as bfloat16, half the size.
    let fast = predictor.bf16_weights()?;
    let estimates = fast.weight_scaling(&batch, &mut workspace)?;
    println!("by weight scaling: {:.3}", estimates.row(0)?.mean()[class]);
    Ok(())
}
