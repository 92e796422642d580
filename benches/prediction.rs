//! Prediction by weight scaling with 784-1024-1024-1024-10 on embedded digits,
//! after an epoch of training with dropout; elements = rows.
//!
//! "1 thread" is outside a rayon pool, "2 threads" in a pool of two.

mod recipe;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;
use thinnet::{Keep, data::Batch, predict::Predictor};

fn weight_scaling(c: &mut Criterion) {
    let two = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let digits = recipe::Digits::load();
    let mlp = two.install(|| digits.trained(Keep::new(0.8).unwrap(), Keep::HALF));
    let predictor = Predictor::new(mlp);
    let mut group = c.benchmark_group("prediction/weight scaling");
    for rows in [1, 32, recipe::BATCH] {
        group.throughput(Throughput::Elements(rows as u64));
        let chosen: Vec<u32> = (0..rows as u32).collect();
        let batch = Batch::gather(digits.set.inputs(), &chosen).unwrap();
        let mut workspace = predictor.workspace(rows).unwrap();
        let mut predict = || predictor.predict(&batch, &mut workspace).map(|p| p.rows()).unwrap();
        group.bench_function(format!("batch {rows}/1 thread"), |b| b.iter(&mut predict));
        group.bench_function(format!("batch {rows}/2 threads"), |b| {
            two.install(|| b.iter(&mut predict));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = weight_scaling
}
criterion_main!(benches);
