//! The worker of `benches/turns.py`, which compares two builds in turns: for each case that it
//! reads from a line of stdin, it answers with the median seconds per call.
//!
//! Without arguments it runs each case once and prints a table, as a bench does.
//! The network is 784-1024-1024-1024-10, after an epoch of training on the embedded
//! digits, in a rayon pool of two threads unless the case says one.

use std::{
    hint::black_box,
    io::{self, BufRead, Write},
    time::Instant,
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use thinnet::{
    Dropout, Keep, Noise, Sigma,
    data::{Batch, Dataset, Split},
    mask::{Domain, Streams},
    nn::{Activation, Loss, Mlp, Targets},
    predict::{MonteCarlo, Predictor, Seeds},
    train::{MaxNorm, Schedule, Sgd, Trainer},
};

/// Its name, and what runs it for a turn and gives the median seconds of a call.
type Case<'a> = (String, Box<dyn FnMut() -> f64 + 'a>);

fn main() {
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let digits = Dataset::digits(Split::Train).unwrap();
    let keeps = [Keep::new(0.8).unwrap(), Keep::HALF].map(Noise::from);
    let gaussian = [Noise::None, Sigma::from(Keep::HALF).into()];
    let [plain, dropout, gaussian] =
        [[Noise::None; 2], keeps, gaussian].map(|noises| pool.install(|| trained(&digits, noises)));
    let predictor = Predictor::new(&dropout);
    let mut cases = Vec::new();
    for (name, mlp) in [("dropout", &dropout), ("no dropout", &plain)] {
        for rows in [32, 128, 1024] {
            cases.push(training(name, mlp, &digits, &pool, rows));
        }
    }
    cases.push(training("Gaussian noise", &gaussian, &digits, &pool, 128));
    cases.extend(predictions(&predictor, &digits, &pool));
    cases.extend(operations(&pool));
    // `cargo bench` passes `--bench`.
    if std::env::args().any(|argument| argument == "--turns") {
        answer(&mut cases);
    } else {
        for (name, run) in &mut cases {
            println!("{name:40} {:10.1} us", run() * 1e6);
        }
    }
}

/// Names the cases on one line, then answers the number of a case on each line with its
/// seconds.
fn answer(cases: &mut [Case<'_>]) {
    let names: Vec<&str> = cases.iter().map(|(name, _)| name.as_str()).collect();
    println!("{}", names.join("\t"));
    for line in io::stdin().lock().lines() {
        let case: usize = line.unwrap().trim().parse().unwrap();
        println!("{:e}", cases[case].1());
        io::stdout().flush().unwrap();
    }
}

/// The median seconds of so many calls, after one that warms up. The number is fixed, so
/// that both builds train equally long, and makes a turn of some 60 ms.
fn median(calls: usize, mut call: impl FnMut()) -> f64 {
    call();
    let mut times: Vec<f64> = (0..calls)
        .map(|_| {
            let before = Instant::now();
            call();
            before.elapsed().as_secs_f64()
        })
        .collect();
    *times.select_nth_unstable_by(calls / 2, f64::total_cmp).1
}

/// The rows of a batch, and those of the next: digits in their order, again and again.
fn next<'a>(digits: &'a Dataset, first: &mut usize, rows: &mut [u32]) -> &'a [u32] {
    if *first + rows.len() > digits.rows() {
        *first = 0;
    }
    for (i, row) in rows.iter_mut().enumerate() {
        *row = (*first + i) as u32;
    }
    let classes = &digits.labels().unwrap()[*first..*first + rows.len()];
    *first += rows.len();
    classes
}

fn trainer(mlp: Mlp, rows: usize) -> Trainer {
    let sgd = Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9));
    let trainer = Trainer::builder(mlp, sgd, rows).max_norm(MaxNorm::Paper(2.0));
    trainer.seed(1).build().unwrap()
}

fn step(trainer: &mut Trainer, digits: &Dataset, first: &mut usize, rows: &mut [u32]) {
    let classes = next(digits, first, rows);
    let batch = Batch::gather(digits.inputs(), rows).unwrap();
    black_box(trainer.step(&batch, Targets::Classes(classes)).unwrap());
}

/// The network after an epoch: its zeros are those of one that learns.
fn trained(digits: &Dataset, [input, hidden]: [Noise; 2]) -> Mlp {
    let mut builder = Mlp::builder(784).input_noise(input);
    for _ in 0..3 {
        builder = builder.hidden(1024, Activation::Relu, hidden);
    }
    let mlp = builder.output(10, Loss::SoftmaxCrossEntropy).seed(1).build().unwrap();
    let (mut trainer, mut first, mut rows) = (trainer(mlp, 128), 0, vec![0; 128]);
    for _ in 0..digits.rows() / 128 {
        step(&mut trainer, digits, &mut first, &mut rows);
    }
    trainer.into_network()
}

fn training<'a>(
    name: &str,
    mlp: &Mlp,
    digits: &'a Dataset,
    pool: &'a ThreadPool,
    batch: usize,
) -> Case<'a> {
    let mut trainer = trainer(mlp.clone(), batch);
    let (mut first, mut rows) = (0, vec![0; batch]);
    let call =
        move || median((1600 / batch).max(3), || step(&mut trainer, digits, &mut first, &mut rows));
    (format!("step, {name}, batch {batch}"), in_pool(pool, call))
}

fn in_pool<'a>(
    pool: &'a ThreadPool,
    mut call: impl FnMut() -> f64 + Send + 'a,
) -> Box<dyn FnMut() -> f64 + 'a> {
    Box::new(move || pool.install(&mut call))
}

fn predictions<'a>(
    predictor: &'a Predictor<&'a Mlp>,
    digits: &'a Dataset,
    pool: &'a ThreadPool,
) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'a>> = Vec::new();
    for rows in [1, 32] {
        let mut workspace = predictor.workspace(rows).unwrap();
        let chosen: Vec<u32> = (0..rows as u32).collect();
        let call = move || {
            let batch = Batch::gather(digits.inputs(), &chosen).unwrap();
            median(1600 / rows, || {
                black_box(predictor.predict(&batch, &mut workspace).unwrap());
            })
        };
        cases.push((format!("predict, {rows} rows"), in_pool(pool, call)));
    }
    let mut workspace = predictor.workspace(1).unwrap();
    let call = move || {
        let batch = Batch::gather(digits.inputs(), &[0]).unwrap();
        let fifty = MonteCarlo::new(50).unwrap();
        median(100, || {
            let seeds = Seeds::Numbered { base: 1, ids: &[0] };
            black_box(predictor.monte_carlo(&batch, &fifty, seeds, &mut workspace).unwrap());
        })
    };
    cases.push(("50 samples, 1 row".into(), in_pool(pool, call)));
    cases
}

/// The operation alone: in the second-level cache on one thread, from memory on two.
fn operations(pool: &ThreadPool) -> [Case<'_>; 2] {
    [(18, 1000), (24, 5)].map(|(log, calls)| {
        let x: Vec<f32> = (0..1 << log).map(|i| i as f32 - 0.5).collect();
        let (mut y, mut step) = (vec![0.0; x.len()], 0);
        let dropout = Dropout::new(Keep::new(0.8).unwrap());
        let call = move || {
            median(calls, || {
                step += 1;
                let streams = Streams::new(1, Domain::Training, 0, step);
                dropout.forward(streams, black_box(&x), &mut y).unwrap();
                black_box(&y);
            })
        };
        let name = format!("Dropout, 2^{log} elements");
        (name, if log == 18 { Box::new(call) } else { in_pool(pool, call) })
    })
}
