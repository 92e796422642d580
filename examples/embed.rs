//! The library in a program: build, train, save, load, predict.

use thinnet::{Error, Keep, data::*, nn::*, predict::*, train::*};

fn main() -> Result<(), Error> {
    let digits = Dataset::digits(Split::Train)?;
    let mlp =
        Mlp::builder(784).input_keep(Keep::new(0.8)?).hidden(256, Activation::Relu, Keep::HALF);
    let mlp = mlp.output(10, Loss::SoftmaxCrossEntropy).seed(1).build()?;
    let sgd = Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9));
    let mut trainer = Trainer::builder(mlp, sgd, 100).seed(1).build()?;
    for epoch in 0..3 {
        for (batch, targets) in &digits.batches(1, epoch, 100)? {
            trainer.step(&batch, targets)?;
        }
    }
    let path = std::env::temp_dir().join("thinnet-embed.safetensors");
    trainer.network().save(&path)?;
    let predictor = Predictor::new(Mlp::load(&path)?);
    let mut workspace = predictor.workspace(1)?;
    let batch = Batch::gather(digits.inputs(), &[7])?;
    let probabilities = predictor.predict(&batch, &mut workspace)?;
    println!("a {}: {:.3?}", digits.labels()[7], probabilities.row(0)?);
    Ok(())
}
