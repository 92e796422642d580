//! Times the prediction methods with 784-1024-1024-1024-10 on embedded digits, after an epoch of
//! training with dropout. Elements are rows.
//!
//! "1 thread" is outside a rayon pool, "2 threads" in a pool of two. Monte-Carlo takes 50 samples
//! per row. "full lists" is weight scaling of a network of the same widths whose hidden units are
//! all active, as they are in moment propagation, which does three times the arithmetic.

mod recipe;

use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thinnet::{
    Error, Keep,
    data::{Batch, Dataset, Split},
    nn::{Activation, Loss, Mlp},
    predict::{MonteCarlo, Predictor, Seeds, Workspace},
};

/// A way to predict a batch; returns how many rows it answered.
type Way = fn(&Predictor<&Mlp>, &Batch<'_>, &mut Workspace) -> Result<usize, Error>;

fn scale(p: &Predictor<&Mlp>, batch: &Batch<'_>, w: &mut Workspace) -> Result<usize, Error> {
    p.predict(batch, w).map(|answers| answers.rows())
}

fn estimates(p: &Predictor<&Mlp>, batch: &Batch<'_>, w: &mut Workspace) -> Result<usize, Error> {
    p.weight_scaling(batch, w).map(|answers| answers.rows())
}

fn fifty(p: &Predictor<&Mlp>, batch: &Batch<'_>, w: &mut Workspace) -> Result<usize, Error> {
    let ids: [u64; recipe::BATCH] = std::array::from_fn(|row| row as u64);
    let seeds = Seeds::Numbered { base: 1, ids: &ids[..batch.rows()] };
    p.monte_carlo(batch, &MonteCarlo::new(50)?, seeds, w).map(|answers| answers.rows())
}

fn moments(p: &Predictor<&Mlp>, batch: &Batch<'_>, w: &mut Workspace) -> Result<usize, Error> {
    p.moments(batch, w).map(|answers| answers.rows())
}

/// A network of these widths whose hidden units are all active.
fn all_active() -> Mlp {
    let mlp = Mlp::builder(784).hidden(1024, Activation::Identity, Keep::ONE);
    let mlp = mlp.hidden(1024, Activation::Identity, Keep::ONE);
    let mlp = mlp.hidden(1024, Activation::Identity, Keep::ONE);
    mlp.output(10, Loss::SoftmaxCrossEntropy).seed(1).build().unwrap()
}

fn ways(c: &mut Criterion) {
    let two = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let digits = Dataset::digits(Split::Train).unwrap();
    let batches = recipe::batches(&digits);
    let mlp = two.install(|| recipe::trained(&batches, Keep::new(0.8).unwrap(), Keep::HALF));
    let active = all_active();
    let (whole, full) = (Predictor::new(&mlp), Predictor::new(&active));
    let halves = whole.clone().bf16_weights().unwrap();
    let ways: [(&str, &Predictor<&Mlp>, Way); 7] = [
        ("weight scaling", &whole, scale),
        ("weight scaling, estimates", &whole, estimates),
        ("weight scaling, bf16", &halves, scale),
        ("Monte-Carlo", &whole, fifty),
        ("Monte-Carlo, bf16", &halves, fifty),
        ("moments", &whole, moments),
        ("full lists", &full, scale),
    ];
    for (name, predictor, way) in ways {
        let mut group = c.benchmark_group(format!("prediction/{name}"));
        for rows in [1, 32, recipe::BATCH] {
            let chosen: Vec<u32> = (0..rows as u32).collect();
            let batch = Batch::gather(digits.inputs(), &chosen).unwrap();
            let mut workspace = predictor.workspace(rows).unwrap();
            bench(&mut group, &two, rows, || way(predictor, &batch, &mut workspace).unwrap());
        }
        group.finish();
    }
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    two: &ThreadPool,
    rows: usize,
    mut predict: impl FnMut() -> usize + Send,
) {
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function(format!("batch {rows}/1 thread"), |b| b.iter(&mut predict));
    group.bench_function(format!("batch {rows}/2 threads"), |b| {
        two.install(|| b.iter(&mut predict));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = ways
}
criterion_main!(benches);
