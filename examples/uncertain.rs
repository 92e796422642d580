//! Load a network, predict, and say how certain the answer is.

use std::path::PathBuf;

use thinnet::{Error, data::*, nn::*, predict::*};

fn main() -> Result<(), Error> {
    let path = std::env::args_os().nth(1).map_or("model.safetensors".into(), PathBuf::from);
    let predictor = Predictor::new(Mlp::load(&path)?);
    let mut workspace = predictor.workspace(1)?;
    let digits = Dataset::digits(Split::Test)?; // feature `digits`, or your own rows
    let batch = Batch::gather(digits.inputs(), &[7])?;
    let samples = MonteCarlo::new(1000)?.tolerance(0.01)?; // fewer where they suffice
    let answers = predictor.monte_carlo(&batch, &samples, Seeds::Each(&[1]), &mut workspace)?;
    let answer = answers.row(0)?;
    let Some(class) = answer.class() else { return Ok(()) }; // a regression has none
    println!("a {class}: {:.3} ± {:.3}", answer.mean()[class], answer.std_dev(class)?);
    let apart = answer.mutual_information().unwrap_or_default();
    println!("{} samples, {apart:.3} nats apart", answer.samples().unwrap_or_default());
    let answers = predictor.moments(&batch, &mut workspace)?; // the same without samples
    println!("by moments: {:.3}", answers.row(0)?.mean()[class]);
    let quick = predictor.bf16_weights()?; // one row takes as long as reading the weights
    let answers = quick.weight_scaling(&batch, &mut workspace)?; // gives no variance
    println!("quickest: {:.3}", answers.row(0)?.mean()[class]);
    Ok(())
}
