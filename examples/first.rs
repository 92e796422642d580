//! A first program: makes data, trains a network, saves it, loads it and predicts.

use thinnet::{Error, prelude::*, train::Fit};

fn main() -> Result<(), Error> {
    // A grid of 20 × 20 points between -1 and 1. Class 1 is the inside of a circle.
    let (mut points, mut classes) = (Vec::new(), Vec::new());
    for i in 0..400 {
        let [x, y] = [i % 20, i / 20].map(|step| step as f32 / 9.5 - 1.0);
        points.extend([x, y]);
        classes.push(u32::from(x * x + y * y < 0.5));
    }
    let data = Dataset::new(Matrix::from_rows(&points, 400, 2)?, classes)?;

    // Two inputs, 128 hidden ReLUs that are each kept with probability 0.8, two classes.
    let mlp = Mlp::builder(2)
        .hidden(128, Activation::Relu, Keep::new(0.8)?)
        .output(2, Loss::SoftmaxCrossEntropy)
        .seed(1)
        .build()?;
    let sgd = Sgd::new(Schedule::constant(0.1)).momentum(Schedule::constant(0.9));
    // Batches have at most 32 rows; a row is one example.
    let trainer = Trainer::builder(mlp, sgd, 32).seed(1).build()?;
    // 32 rows at a time, in an order that depends on a seed (1) and the epoch.
    let fitted = Fit::new(&data).epochs(100).shuffle_seed(1).run(trainer)?;
    let path = std::env::temp_dir().join("thinnet-first.safetensors");
    fitted.network.save(&path)?;

    // In practice this part is usually a program of its own, which only loads and predicts.
    let predictor = Predictor::new(Mlp::load(&path)?);
    let mut workspace = predictor.workspace(2)?; // memory for up to 2 rows
    let points = MatrixView::new(&[0.1, 0.2, 0.9, -0.8], 2, 2)?;
    let probabilities = predictor.predict(&Batch::dense(points), &mut workspace)?;
    for row in 0..2 {
        let inside = probabilities.row(row)?[1];
        println!("{:?} is inside with probability {inside:.3}", points.row(row)?);
    }
    Ok(())
}
