//! Compares an average of K networks that are trained separately with one network that is trained
//! with dropout, which approximates an average of many thinned networks.
//!
//! `cargo run --release --example ensemble [K] [EPOCHS]` prints a table of test errors on the
//! embedded digits and of the cost of training and prediction. Each step runs on a pool of all
//! cores.

use std::time::{Duration, Instant};

use thinnet::{Error, prelude::*, train::Fit};

const WIDTH: usize = 800;
const BATCH: usize = 100;

/// Trains 784-800-800-10 for `epochs` epochs.
fn train(
    digits: &Dataset,
    seed: u64,
    keep_input: Keep,
    keep: Keep,
    epochs: u64,
) -> Result<(Mlp, Duration), Error> {
    let started = Instant::now();
    let mlp = Mlp::builder(784)
        .input_noise(keep_input)
        .hidden(WIDTH, Activation::Relu, keep)
        .hidden(WIDTH, Activation::Relu, keep)
        .output(10, Loss::SoftmaxCrossEntropy)
        .seed(seed)
        .build()?;
    let steps = epochs * digits.rows().div_ceil(BATCH) as u64;
    let sgd =
        Sgd::new(Schedule::Linear { from: 0.05, to: 0.0, steps }).momentum(Schedule::constant(0.9));
    let trainer = Trainer::builder(mlp, sgd, BATCH).seed(seed).build()?;
    let fitted = Fit::new(digits).epochs(epochs as usize).shuffle_seed(seed).run(trainer)?;
    Ok((fitted.network, started.elapsed()))
}

/// The share of test rows that the averaged probabilities of the networks get
/// wrong, and the time of all their predictions.
fn test(networks: &[Mlp], digits: &Dataset) -> Result<(f64, Duration), Error> {
    let mut sums = vec![[0.0f32; 10]; digits.rows()];
    let mut time = Duration::ZERO;
    for mlp in networks {
        let predictor = Predictor::new(mlp);
        let mut workspace = predictor.workspace(BATCH)?;
        let batches = Batch::new(digits.inputs()).chunks(BATCH)?;
        for (batch, sums) in batches.zip(sums.chunks_mut(BATCH)) {
            let started = Instant::now();
            let predictions = predictor.predict(&batch, &mut workspace)?;
            time += started.elapsed();
            for (row, sums) in sums.iter_mut().enumerate() {
                for (sum, p) in sums.iter_mut().zip(predictions.row(row)?) {
                    *sum += p;
                }
            }
        }
    }
    let best = |p: &[f32; 10]| (1..10).fold(0, |best, i| if p[i] > p[best] { i } else { best });
    let wrong = sums.iter().zip(digits.labels()?).filter(|(p, label)| best(p) != **label as usize);
    Ok((wrong.count() as f64 / digits.rows() as f64, time))
}

fn line(name: &str, networks: &[Mlp], training: Duration, digits: &Dataset) -> Result<(), Error> {
    let (error, predicting) = test(networks, digits)?;
    println!(
        "| {name} | {:.2} | {:.1} | {:.1} |",
        100.0 * error,
        training.as_secs_f64(),
        1e6 * predicting.as_secs_f64() / digits.rows() as f64
    );
    Ok(())
}

fn run(k: u64, epochs: u64) -> Result<(), Error> {
    let (train_set, test_set) = (Dataset::digits(Split::Train)?, Dataset::digits(Split::Test)?);
    println!(
        "| networks 784-{WIDTH}-{WIDTH}-10 | test error % | training s | prediction µs a row |"
    );
    println!("|---|---|---|---|");
    let (mut networks, mut training) = (Vec::new(), Duration::ZERO);
    for seed in 1..=k {
        let (mlp, time) = train(&train_set, seed, Keep::ONE, Keep::ONE, epochs)?;
        networks.push(mlp);
        training += time;
        if seed.is_power_of_two() || seed == k {
            line(&format!("{seed} averaged, no dropout"), &networks, training, &test_set)?;
        }
    }
    for epochs in [epochs, epochs * k] {
        let (mlp, time) = train(&train_set, 1, Keep::new(0.8)?, Keep::HALF, epochs)?;
        line(&format!("1 with dropout, {epochs} epochs"), &[mlp], time, &test_set)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let k = arguments.next().transpose()?.unwrap_or(10).max(1);
    let epochs = arguments.next().transpose()?.unwrap_or(15).max(1);
    // 0 threads: as many as there are cores.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(0).build()?;
    Ok(pool.install(|| run(k, epochs))?)
}
