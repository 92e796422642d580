//! Trains on Reuters R52, documents as rows of log(1 + count) of 2,000 words, without dropout and with it:
//! five seeds each. Prints the test error of each run in percent, and then the seconds of a training step
//! of a larger network, five times.
//!
//! Its argument is a folder with `r52-train.svm.gz` and `r52-test.svm.gz`, in svmlight's format with indices
//! from 1. `benches/peers/reuters.sh` does the same with PyTorch and JAX.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use rayon::ThreadPoolBuilder;
use thinnet::{
    Error,
    data::svmlight::Svmlight,
    nn::{Initialisation, TargetKind},
    predict::evaluate,
    prelude::*,
};

const WORDS: usize = 2000;
const CLASSES: usize = 52;
const BATCH: usize = 128;
const EPOCHS: u64 = 12;
const ROUNDS: usize = 5;
const STEPS: usize = 100;

fn main() -> Result<(), Error> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).expect("a folder as the argument");
    let (train, test) = (read(&folder, "train")?, read(&folder, "test")?);
    // Outside a pool, everything would run on this thread.
    let pool = ThreadPoolBuilder::new().build().expect("threads can be started");
    pool.install(|| {
        for (name, dropout) in [("none", false), ("dropout", true)] {
            for seed in 0..5 {
                let mut trainer = trainer(&[1024], dropout, seed)?;
                for epoch in 0..EPOCHS {
                    for (batch, targets) in &train.batches(seed, epoch, BATCH)? {
                        trainer.step(&batch, targets)?;
                    }
                }
                let predictor = trainer.predictor();
                let mut workspace = predictor.workspace(BATCH)?;
                let found = evaluate(&predictor, &test, &mut workspace)?;
                let error = found.error_rate.expect("the targets are classes");
                println!("thinnet {name} {:.4}", 100.0 * error);
            }
        }
        for _ in 0..ROUNDS {
            println!("thinnet step {:.6}", seconds_of_a_step(&train)?);
        }
        Ok(())
    })
}

/// Counts as log(1 + count).
fn read(folder: &Path, name: &str) -> Result<Dataset, Error> {
    let path = folder.join(format!("r52-{name}.svm.gz"));
    let mut read = Svmlight::new().first_index(1).columns(WORDS).read(path)?;
    read.rows.log_counts()?;
    read.into_dataset(TargetKind::Classes)
}

/// With the keep rates 0.8 for the words and 0.5 for the hidden units, or without dropout. The initial
/// weights have the distribution of PyTorch's.
fn trainer(hidden: &[usize], dropout: bool, seed: u64) -> Result<Trainer, Error> {
    let [words, units] = if dropout { [Keep::new(0.8)?, Keep::HALF] } else { [Keep::ONE; 2] };
    let mut builder = Mlp::builder(WORDS).input_noise(words).sparse_input();
    for &width in hidden {
        builder = builder.hidden(width, Activation::Relu, units);
    }
    let mlp = builder
        .output(CLASSES, Loss::SoftmaxCrossEntropy)
        .initialisation(Initialisation::FanIn)
        .seed(seed)
        .build()?;
    Trainer::builder(mlp, Adam::new(Schedule::constant(1e-3)), BATCH).seed(seed).build()
}

/// The median of some steps of 2000-1024-1024-52 with dropout.
fn seconds_of_a_step(train: &Dataset) -> Result<f64, Error> {
    let mut trainer = trainer(&[1024, 1024], true, 1)?;
    let batches = train.batches(1, 0, BATCH)?;
    let mut times = Vec::new();
    for step in 0..STEPS + 10 {
        let (batch, targets) = batches.batch(step % (batches.len() - 1))?;
        let before = Instant::now();
        trainer.step(&batch, targets)?;
        times.push(before.elapsed().as_secs_f64());
    }
    // The first steps warm up.
    let times = &mut times[10..];
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
