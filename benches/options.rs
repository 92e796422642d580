//! What the options of training cost: the time of a training step with an option over that without,
//! in turns within one process.
//!
//! The network is 784-1024-1024-1024-10 after an epoch of training on the embedded digits, with keep
//! rates of 0.8 for the inputs and 0.5 for the hidden units, in batches of 128 (see `recipe.rs`), in a
//! pool of two threads. Each case has a trainer of its own, which starts from that network. A turn is
//! a few steps of every case; the ratios are those within a turn.
//!
//! `cargo bench --bench options -- NAME` times the cases whose name contains NAME.

mod recipe;

use std::{hint::black_box, time::Instant};

use rayon::ThreadPoolBuilder;
use thinnet::{
    Isa, Keep,
    data::{Batches, Dataset, Split},
    nn::Mlp,
    train::{Adam, Averaging, MaxNorm, Optimiser, Trainer, TrainerBuilder},
};

/// Turns, and the steps of a case in one.
const TURNS: usize = 41;
const STEPS: usize = 8;

/// A value that some elements of the gradient exceed.
const CLIP_VALUE: f64 = 1e-3;

/// A norm below that of most gradients.
const CLIP_NORM: f64 = 0.1;

/// A way to set an option, and whether rows have weights.
type Case = (&'static str, fn(TrainerBuilder) -> TrainerBuilder, bool);

const CASES: [Case; 11] = [
    ("nothing", |builder| builder, false),
    ("nothing, again", |builder| builder, false),
    ("weights of rows", |builder| builder, true),
    ("weights of classes", |builder| builder.class_weights(classes()), false),
    ("label smoothing", |builder| builder.label_smoothing(0.1), false),
    ("clipping by value", |builder| builder.clip_value(CLIP_VALUE), false),
    ("clipping by norm", |builder| builder.clip_norm(CLIP_NORM), false),
    ("L1", |builder| builder.l1(1e-6), false),
    ("EMA at every step", |builder| builder.average(Averaging::exponential(0.999)), false),
    ("mean of the tail", |builder| builder.average(Averaging::tail(0)), false),
    ("max-norm", |builder| builder.max_norm(MaxNorm::Paper(2.0)), false),
];

fn main() {
    // `cargo bench` passes `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = wanted.as_deref().unwrap_or("");
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let digits = Dataset::digits(Split::Train).unwrap();
    let batches = recipe::batches(&digits);
    let (input, hidden) = (Keep::new(0.8).unwrap(), Keep::HALF);
    let mlp = pool.install(|| recipe::trained(&batches, input, hidden));
    println!("{:32} {:>8}   over nothing (quartiles)", "a step", "us");
    for (name, optimiser) in [("SGD", recipe::sgd().into()), ("Adam", Adam::default().into())] {
        pool.install(|| compare(name, &optimiser, &mlp, &batches, wanted));
    }
}

/// Weights of the ten classes.
fn classes() -> Vec<f64> {
    (1..=10).map(|weight| f64::from(weight) / 10.0).collect()
}

fn compare(name: &str, optimiser: &Optimiser, mlp: &Mlp, batches: &Batches<'_>, wanted: &str) {
    let weights: Vec<f64> = (0..recipe::BATCH).map(|row| 0.5 + (row % 3) as f64).collect();
    let is_wanted =
        |case: &&Case| case.0 == "nothing" || format!("{name}, {}", case.0).contains(wanted);
    let cases: Vec<&Case> = CASES.iter().filter(is_wanted).collect();
    let mut trainers: Vec<Trainer> =
        cases.iter().map(|(_, set, _)| trainer(mlp, optimiser, *set)).collect();
    let mut times = vec![Vec::new(); cases.len()];
    // The first turn warms up. The order of the cases rotates.
    for turn in 0..=TURNS {
        for place in 0..cases.len() {
            let case = (place + turn) % cases.len();
            let weights = cases[case].2.then_some(&weights[..]);
            let seconds = steps(&mut trainers[case], batches, weights);
            if turn > 0 {
                times[case].push(seconds);
            }
        }
    }
    for ((case, _, _), own) in cases.iter().zip(&times) {
        let mut ratios: Vec<f64> = own.iter().zip(&times[0]).map(|(a, b)| a / b).collect();
        let mut own = own.clone();
        let ([_, median, _], [low, middle, high]) = (quartiles(&mut own), quartiles(&mut ratios));
        let name = format!("{name}, {case}");
        println!("{name:32} {:8.1}   {middle:.3} ({low:.3} to {high:.3})", median * 1e6);
    }
}

fn trainer(mlp: &Mlp, optimiser: &Optimiser, set: fn(TrainerBuilder) -> TrainerBuilder) -> Trainer {
    let builder = Trainer::builder(mlp.clone(), optimiser.clone(), recipe::BATCH).seed(1);
    set(builder.with_isa(Isa::detect()).unwrap()).build().unwrap()
}

/// The seconds of a step: the median of a few.
fn steps(trainer: &mut Trainer, batches: &Batches<'_>, weights: Option<&[f64]>) -> f64 {
    let mut times: Vec<f64> = (0..STEPS)
        .map(|_| {
            let next = trainer.steps() as usize % batches.len();
            let (mut batch, targets) = batches.batch(next).unwrap();
            if let Some(weights) = weights {
                batch = batch.with_weights(weights).unwrap();
            }
            let before = Instant::now();
            black_box(trainer.step(&batch, targets).unwrap());
            before.elapsed().as_secs_f64()
        })
        .collect();
    quartiles(&mut times)[1]
}

fn quartiles(numbers: &mut [f64]) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| numbers[numbers.len() * quarter / 4])
}
