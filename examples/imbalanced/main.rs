//! Trains on an imbalanced table with class weights, a validation set, early stopping and a warm-up.
//! Prints, for each of ten seeds, the average precision on test rows, the time in seconds, and the
//! epoch whose parameters were kept.
//!
//! With a folder as its argument, it writes the sets of each seed there instead;
//! `benches/peers/imbalanced.sh` trains on them with PyTorch.

mod table;

use std::{path::PathBuf, time::Instant};

use rayon::ThreadPoolBuilder;
use thinnet::{
    Error,
    metrics::{Metric, Metrics},
    nn::Initialisation,
    predict::evaluate_with,
    prelude::*,
    train::{EarlyStopping, Fit, Fitted},
};

const BATCH: usize = 128;
const EPOCHS: usize = 60;

fn main() -> Result<(), Error> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let table = table::make()?;
    // Outside a pool, everything would run on this thread.
    let pool = ThreadPoolBuilder::new().build().expect("threads can be started");
    for seed in 0..10 {
        let (rest, test) = table.hold_out(4000, seed)?;
        let (train, validation) = rest.hold_out(2000, seed)?;
        if let Some(folder) = &folder {
            for (name, data) in [("train", &train), ("validation", &validation), ("test", &test)] {
                table::write(folder, &format!("{name}_{seed}"), data)?;
            }
            continue;
        }
        let started = Instant::now();
        let fitted = pool.install(|| fit(&train, &validation, seed))?;
        let seconds = started.elapsed().as_secs_f64();
        let precision = average_precision(fitted.network, &test)?;
        let epoch = fitted.best_epoch.unwrap_or_default();
        println!("{seed}\t{precision:.6}\t{seconds:.3}\t{epoch}");
    }
    Ok(())
}

fn fit(train: &Dataset, validation: &Dataset, seed: u64) -> Result<Fitted, Error> {
    let keep = Keep::new(0.8)?;
    let mlp = Mlp::builder(train.inputs().columns())
        .hidden(256, Activation::Relu, keep)
        .hidden(256, Activation::Relu, keep)
        .output(2, Loss::SoftmaxCrossEntropy)
        .initialisation(Initialisation::FanIn)
        .seed(seed)
        .build()?;
    let steps = (train.rows().div_ceil(BATCH) * EPOCHS) as u64;
    let rate = Schedule::Cosine { from: 1e-3, to: 0.0, steps }.with_warm_up(0.0, 300);
    let trainer = Trainer::builder(mlp, Adam::new(rate), BATCH)
        .class_weights(train.balanced_weights()?)
        .seed(seed)
        .build()?;
    Fit::new(train)
        .validation(validation)
        .early_stopping(EarlyStopping::new(Metric::AveragePrecision, 15)?)
        .epochs(EPOCHS)
        .shuffle_seed(seed)
        .run(trainer)
}

fn average_precision(network: Mlp, test: &Dataset) -> Result<f64, Error> {
    let mut metrics = Metrics::new(&[Metric::AveragePrecision], network.loss(), network.outputs())?;
    let predictor = Predictor::new(network);
    evaluate_with(&predictor, test, &mut metrics, &mut predictor.workspace(256)?)?;
    Ok(metrics.figure(Metric::AveragePrecision)?.value)
}
