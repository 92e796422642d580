//! Times the dropout operation and multiplicative Gaussian noise, forward and out of place, and for
//! comparison a copy of the same size with the same number of threads. Elements are f32.
//!
//! 2^12 elements stay in L1, 2^18 in L2, 2^24 come from memory. "1 thread" is outside a rayon pool,
//! "2 threads" in a pool of two.

use std::{hint::black_box, time::Duration};

use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thinnet::{
    Dropout, Keep,
    dropout::GaussianDropout,
    mask::{Domain, Streams},
};

/// Runs `loops` on the calling thread, or in the pool where there is one: it is
/// entered once, around the whole loop.
fn within(pool: Option<&ThreadPool>, loops: impl FnOnce() + Send) {
    match pool {
        Some(pool) => pool.install(loops),
        None => loops(),
    }
}

/// Calls `bench` with an input and an output of each size; the group of a size is `NAME/2^LOG`.
fn of_each_size(
    c: &mut Criterion,
    name: &str,
    mut bench: impl FnMut(&mut BenchmarkGroup<'_, WallTime>, &[f32], &mut [f32]),
) {
    for log in [12, 18, 24] {
        let elements = 1usize << log;
        let x: Vec<f32> = (0..elements).map(|i| i as f32 - 0.5).collect();
        let mut y = vec![0.0; elements];
        let mut group = c.benchmark_group(format!("{name}/2^{log}"));
        group.throughput(Throughput::Elements(elements as u64));
        if log == 24 {
            // Some ten milliseconds a call: few samples, each of few calls.
            group.sample_size(20).sampling_mode(SamplingMode::Flat);
        }
        bench(&mut group, &x, &mut y);
        group.finish();
    }
}

/// The copy, in as many parts as the pool has threads.
fn copy(parts: usize, x: &[f32], y: &mut [f32]) {
    if parts == 1 {
        return y.copy_from_slice(x);
    }
    let middle = x.len() / 2;
    let (low, high) = y.split_at_mut(middle);
    rayon::join(|| low.copy_from_slice(&x[..middle]), || high.copy_from_slice(&x[middle..]));
}

fn forward(c: &mut Criterion) {
    let two = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    of_each_size(c, "dropout", |group, x, y| {
        for (threads, pool) in [(1, None), (2, Some(&two))] {
            let label = if threads == 1 { "1 thread" } else { "2 threads" };
            group.bench_function(format!("copy/{label}"), |b| {
                within(pool, || {
                    b.iter(|| {
                        copy(threads, black_box(x), y);
                        black_box(&*y);
                    });
                });
            });
            for rate in [0.5, 0.8] {
                let op = Dropout::new(Keep::new(rate).unwrap());
                let mut step = 0;
                group.bench_function(format!("keep {rate}, drawn/{label}"), |b| {
                    within(pool, || {
                        b.iter(|| {
                            step += 1;
                            let streams = Streams::new(1, Domain::Training, 0, step);
                            op.forward(streams, black_box(x), y).unwrap();
                            black_box(&*y);
                        });
                    });
                });
                let mask = op.draw(Streams::new(1, Domain::Training, 0, 0), x.len()).unwrap();
                group.bench_function(format!("keep {rate}, stored/{label}"), |b| {
                    within(pool, || {
                        b.iter(|| {
                            op.forward(&mask, black_box(x), y).unwrap();
                            black_box(&*y);
                        });
                    });
                });
            }
        }
    });
}

/// Making the stored bits.
fn draw(c: &mut Criterion) {
    let elements = 1usize << 18;
    let mut group = c.benchmark_group("dropout/draw 2^18");
    group.throughput(Throughput::Elements(elements as u64));
    for rate in [0.5, 0.8] {
        let op = Dropout::new(Keep::new(rate).unwrap());
        group.bench_function(format!("keep {rate}"), |b| {
            b.iter(|| op.draw(Streams::new(1, Domain::Training, 0, 0), elements).unwrap());
        });
    }
    group.finish();
}

/// Gaussian noise of the variance of dropout at keep 0.5, and its normal numbers alone.
fn gaussian(c: &mut Criterion) {
    let two = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    of_each_size(c, "gaussian", |group, x, y| {
        let op = GaussianDropout::new(Keep::HALF);
        let mut step = 0;
        for (label, pool) in [("1 thread", None), ("2 threads", Some(&two))] {
            group.bench_function(format!("forward/{label}"), |b| {
                within(pool, || {
                    b.iter(|| {
                        step += 1;
                        let streams = Streams::new(1, Domain::Training, 0, step);
                        op.forward(streams, black_box(x), y).unwrap();
                        black_box(&*y);
                    });
                });
            });
            group.bench_function(format!("normal numbers alone/{label}"), |b| {
                within(pool, || {
                    b.iter(|| {
                        step += 1;
                        op.draw(Streams::new(1, Domain::Training, 0, step), y);
                        black_box(&*y);
                    });
                });
            });
        }
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = forward, draw, gaussian
}
criterion_main!(benches);
