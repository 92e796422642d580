//! Times a training step of 784-1024-1024-1024-10 on the embedded digits, batch 128, with dropout
//! (keep rates of 0.8 for the inputs and 0.5 for the hidden units) and without, on each
//! instruction set; with SGD and momentum, and with dropout also with Adam. Elements are examples.
//!
//! Each case starts from a network that was trained for an epoch, and its steps continue the
//! training. "1 thread" is outside a rayon pool, "2 threads" in a pool of two.

mod recipe;

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;
use thinnet::{
    Isa, Keep,
    data::{Dataset, Split},
    train::{Adam, Optimiser},
};

fn step(c: &mut Criterion) {
    let two = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let digits = Dataset::digits(Split::Train).unwrap();
    let batches = recipe::batches(&digits);
    let mut group = c.benchmark_group("training_step");
    group.throughput(Throughput::Elements(recipe::BATCH as u64));
    group.sampling_mode(SamplingMode::Flat);
    let (input, hidden) = (Keep::new(0.8).unwrap(), Keep::HALF);
    let sgd = Optimiser::from(recipe::sgd());
    let adam = Adam::default().into();
    let cases: [(&str, Keep, Keep, Optimiser); 3] = [
        ("dropout", input, hidden, sgd.clone()),
        ("no dropout", Keep::ONE, Keep::ONE, sgd),
        ("dropout, Adam", input, hidden, adam),
    ];
    for (name, input, hidden, optimiser) in cases {
        let mlp = two.install(|| recipe::trained(&batches, input, hidden));
        for isa in Isa::available() {
            let fresh = || recipe::trainer(mlp.clone(), optimiser.clone(), isa);
            group.bench_function(format!("{name}/{isa}/1 thread"), |b| {
                let mut trainer = fresh();
                b.iter(|| recipe::step(&batches, &mut trainer));
            });
            group.bench_function(format!("{name}/{isa}/2 threads"), |b| {
                let mut trainer = fresh();
                two.install(|| b.iter(|| recipe::step(&batches, &mut trainer)));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = step
}
criterion_main!(benches);
