//! Trains on MNIST and tells the test error after each epoch, with the seconds
//! that training took until then. Evaluation is not on the clock.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use peer_protocol::Outcome;
use serde::Deserialize;
use serde_json::json;
use thinnet::{
    Keep,
    data::{Dataset, Split},
    nn::{Activation, Loss, Mlp},
    predict::{Predictor, evaluate},
    train::{MaxNorm, Schedule, Sgd, Trainer},
};

use crate::threads::Threads;

/// Rows that are evaluated at a time.
const EVALUATION_BATCH: usize = 250;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    data: PathBuf,
    hidden: Vec<usize>,
    batch: usize,
    epochs: u64,
    seed: u64,
    keep_input: f64,
    keep_hidden: f64,
    /// At the first step; it falls to 0 in a straight line.
    learning_rate: f64,
    momentum: f64,
    /// For the paper's form of weights.
    max_norm: Option<f64>,
    threads: usize,
}

/// `arguments` is one JSON object with the settings.
pub fn run(arguments: &[String]) -> Outcome<()> {
    let [settings] = arguments else {
        return Err("time-to-error: expected one argument, the settings as JSON".into());
    };
    let settings: Settings = serde_json::from_str(settings)?;
    Threads::new(settings.threads)?.install(|| train(&settings))
}

fn train(settings: &Settings) -> Outcome<()> {
    let rows = Dataset::from_idx_folder(&settings.data, Split::Train)?;
    let test = Dataset::from_idx_folder(&settings.data, Split::Test)?;
    let mut trainer = trainer(settings, &rows)?;
    let mut taken = Duration::ZERO;
    for epoch in 0..settings.epochs {
        let started = Instant::now();
        for (batch, targets) in &rows.batches(settings.seed, epoch, settings.batch)?.drop_last() {
            trainer.step(&batch, targets)?;
        }
        taken += started.elapsed();
        let error = error(trainer.clone().into_network(), &test)?;
        let seconds = taken.as_secs_f64();
        println!("{}", json!({ "epoch": epoch + 1, "seconds": seconds, "error": error }));
    }
    Ok(())
}

fn trainer(settings: &Settings, rows: &Dataset) -> Outcome<Trainer> {
    let keep = Keep::new(settings.keep_hidden)?;
    let mut mlp =
        Mlp::builder(rows.inputs().columns()).input_noise(Keep::new(settings.keep_input)?);
    for &width in &settings.hidden {
        mlp = mlp.hidden(width, Activation::Relu, keep);
    }
    let mlp = mlp.output(rows.classes(), Loss::SoftmaxCrossEntropy).seed(settings.seed).build()?;
    if settings.batch == 0 || settings.batch > rows.rows() {
        let (batch, rows) = (settings.batch, rows.rows());
        return Err(format!("batch {batch}: expected 1 to {rows}").into());
    }
    let steps = settings.epochs * (rows.rows() / settings.batch) as u64;
    let rate = Schedule::Linear { from: settings.learning_rate, to: 0.0, steps };
    let sgd = Sgd::new(rate).momentum(Schedule::constant(settings.momentum));
    let mut trainer = Trainer::builder(mlp, sgd, settings.batch).seed(settings.seed);
    if let Some(bound) = settings.max_norm {
        trainer = trainer.max_norm(MaxNorm::Paper(bound));
    }
    Ok(trainer.build()?)
}

/// The share of `test`'s rows that the network gets wrong.
fn error(mlp: Mlp, test: &Dataset) -> Outcome<f64> {
    let predictor = Predictor::new(mlp);
    let mut workspace = predictor.workspace(EVALUATION_BATCH)?;
    let found = evaluate(&predictor, test, &mut workspace)?;
    Ok(found.wrong.len() as f64 / found.rows as f64)
}
