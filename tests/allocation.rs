//! After the first, a training step and a prediction allocate nothing: on the
//! calling thread, and inside one `install` around the loop.
#![expect(unsafe_code, reason = "an allocator of its own")]

mod backend;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

use backend::isa;
use thinnet::{
    Keep, Noise, Sigma,
    data::{Batch, Batches, CsrMatrix, Dataset, Split},
    nn::{Activation, Loss, Mlp, Targets},
    predict::{MonteCarlo, Predictor, Seeds},
    train::{Adagrad, Averaging, MaxNorm, Schedule, Sgd, Trainer},
};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The bytes that are allocated, by all threads, and the most so far.
static BYTES: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread's allocations are counted. Those of the test harness are not: after a
    /// minute, it writes a message about the test from its own thread.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// Counts an allocation of this thread.
fn note() {
    if COUNTED.get() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

fn grow(bytes: usize) {
    MOST.fetch_max(BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes, Ordering::Relaxed);
}

fn shrink(bytes: usize) {
    BYTES.fetch_sub(bytes, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        grow(size);
        shrink(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of the counted threads while `f` runs.
fn count(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    f();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// Rows of which a few entries are stored: `rows` with `entries` each, in columns spread over all.
fn sparse(seed: usize, rows: usize, entries: usize, columns: usize) -> CsrMatrix {
    let column = |row: usize, entry: usize| {
        let within = columns / entries;
        (entry * within + (seed + 31 * row + 17 * entry * entry) % within) as u32
    };
    let starts = (0..=rows).map(|row| row * entries).collect();
    let all = (0..rows).flat_map(|row| (0..entries).map(move |entry| column(row, entry)));
    CsrMatrix::new(starts, all.collect(), vec![1.0; rows * entries], columns).unwrap()
}

/// Nothing is allocated after the first step and prediction, and before it only what is in proportion to
/// the parameters and to the entries.
fn sparse_rows_take_no_memory_by_their_width(pool: &rayon::ThreadPool) {
    const COLUMNS: usize = 100_000;
    const HIDDEN: usize = 64;
    let batches = [1, 2, 3].map(|seed| sparse(seed, 128, 50, COLUMNS));
    let targets = Targets::Classes(&[0; 128]);
    MOST.store(BYTES.load(Ordering::Relaxed), Ordering::Relaxed);
    let before = MOST.load(Ordering::Relaxed);
    let mlp = Mlp::builder(COLUMNS)
        .input_noise(Keep::new(0.8).unwrap())
        .sparse_input()
        .hidden(HIDDEN, Activation::Relu, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let adagrad = Adagrad::new(Schedule::constant(0.1));
    let mut trainer = Trainer::builder(mlp, adagrad, 128).with_isa(isa()).unwrap().build().unwrap();
    let mut workspace = trainer.predictor().workspace(128).unwrap();
    let ids: Vec<u64> = (0..128).collect();
    let samples = MonteCarlo::new(20).unwrap();
    let mut run = || {
        for rows in &batches {
            let batch = Batch::csr(rows.view());
            trainer.step(&batch, targets).unwrap();
            let predictor = trainer.predictor();
            predictor.predict(&batch, &mut workspace).unwrap();
            let seeds = Seeds::Numbered { base: 1, ids: &ids };
            predictor.monte_carlo(&batch, &samples, seeds, &mut workspace).unwrap();
        }
    };
    run();
    assert_eq!(count(&mut run), 0, "sparse rows, on the calling thread");
    pool.install(|| {
        run();
        assert_eq!(count(&mut run), 0, "sparse rows, in a pool");
    });
    let kept = 2 * 4 * COLUMNS * HIDDEN;
    let most = MOST.load(Ordering::Relaxed) - before;
    assert!(most < kept + kept / 10 + (8 << 20), "{most} bytes for {kept}");
}

/// One test only, so that no other counts at the same time.
#[test]
fn steps_and_predictions_allocate_nothing_after_the_first() {
    let allocate = || drop(std::hint::black_box(vec![1u8; 100]));
    COUNTED.set(true);
    assert!(count(allocate) > 0, "the counter counts");
    let digits = Dataset::digits(Split::Train).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).start_handler(|_| COUNTED.set(true));
    let pool = pool.build().unwrap();
    pool.broadcast(|_| assert!(count(allocate) > 0, "the counter counts in the pool"));
    let mut classes = digits.batches(1, 0, 128).unwrap();
    let values = Targets::Values(digits.dense_inputs().unwrap());
    let weights: Vec<f64> = (0..digits.rows()).map(|row| (row % 4) as f64).collect();
    let values = Batches::new(digits.inputs(), values, 128).unwrap();
    let mut values = values.with_weights(&weights).unwrap();
    let epoch = || {
        for batches in [&mut classes, &mut values] {
            batches.shuffle(1, 1);
            let rows = batches.iter().map(|(batch, targets)| {
                assert_eq!(batch.rows(), targets.rows());
                batch.rows()
            });
            assert_eq!(rows.sum::<usize>(), digits.rows());
        }
    };
    assert_eq!(count(epoch), 0, "over the batches of an epoch");
    // With a sparsity penalty, in place of weights of rows.
    let mlp = Mlp::builder(784)
        .hidden(300, Activation::Logistic, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 400);
    let mut trainer = trainer.sparsity(0.05, 0.1).with_isa(isa()).unwrap().build().unwrap();
    let mut run = |rows: usize| {
        let batch = Batch::dense(digits.dense_inputs().unwrap().subrows(0..rows).unwrap());
        trainer.step(&batch, Targets::Classes(&digits.labels().unwrap()[..rows])).unwrap();
    };
    run(400);
    assert_eq!(count(|| (0..3).for_each(|_| run(400))), 0, "with a sparsity penalty");
    pool.install(|| {
        run(300);
        assert_eq!(count(|| (0..3).for_each(|_| run(300))), 0, "with a sparsity penalty in a pool");
    });
    let [dropout, gaussian] = [Noise::from(Keep::HALF), Sigma::from(Keep::HALF).into()];
    for (sparse, noise) in [(false, dropout), (true, dropout), (false, gaussian)] {
        let mut builder = Mlp::builder(784)
            .input_noise(noise)
            .hidden(512, Activation::Relu, noise)
            .hidden(256, Activation::Logistic, noise)
            .output(10, Loss::SoftmaxCrossEntropy);
        if sparse {
            builder = builder.sparse_input();
        }
        let mlp = builder.build().unwrap();
        let predictor = Predictor::new(mlp.clone()).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(128).unwrap();
        let integers = predictor.clone().integer_weights(&Batch::new(digits.inputs())).unwrap();
        let mut of_integers = integers.workspace(128).unwrap();
        let falling = Schedule::Linear { from: 0.1, to: 0.0, steps: 100 };
        let rate = Schedule::sequence([(1, Schedule::constant(0.1))], falling).with_warm_up(0.0, 2);
        let sgd = Sgd::new(rate).momentum(Schedule::paper_momentum());
        let trainer = Trainer::builder(mlp, sgd, 128).max_norm(MaxNorm::Paper(1.0));
        // One of them with weights of rows and classes.
        let weighted = noise == gaussian;
        let trainer = if weighted {
            trainer.class_weights(digits.balanced_weights().unwrap()).label_smoothing(0.1)
        } else {
            trainer
        };
        let trainer = trainer.clip_value(0.1).average(Averaging::exponential(0.9));
        let trainer = if sparse { trainer.clip_norm(1.0).l1(1e-4) } else { trainer };
        let mut trainer = trainer.with_isa(isa()).unwrap().build().unwrap();
        let rows: Vec<u32> = (0..128).collect();
        let ids: Vec<u64> = (0..16).collect();
        let samples = MonteCarlo::new(20).unwrap().tolerance(0.03).unwrap().keep_samples();
        let mut run = |steps: usize, rows: &[u32]| {
            for _ in 0..steps {
                let batch = Batch::gather(digits.inputs(), rows).unwrap();
                let classes = Targets::Classes(&digits.labels().unwrap()[..rows.len()]);
                let weights = weighted.then_some(&weights[..rows.len()]);
                let in_training = weights.map_or(batch, |w| batch.with_weights(w).unwrap());
                trainer.step(&in_training, classes).unwrap();
                predictor.predict(&batch, &mut workspace).unwrap();
                predictor.weight_scaling(&batch, &mut workspace).unwrap();
                integers.predict(&batch, &mut of_integers).unwrap();
                let batch = Batch::gather(digits.inputs(), &rows[..16]).unwrap();
                let seeds = Seeds::Numbered { base: 1, ids: &ids };
                predictor.monte_carlo(&batch, &samples, seeds, &mut workspace).unwrap();
                integers.monte_carlo(&batch, &samples, seeds, &mut of_integers).unwrap();
                predictor.moments(&batch, &mut workspace).unwrap();
                predictor.logit_moments(&batch, &mut workspace).unwrap();
            }
        };
        run(1, &rows);
        assert_eq!(count(|| run(5, &rows)), 0, "on the calling thread");
        assert_eq!(count(|| run(2, &rows[..77])), 0, "with a shorter batch");
        pool.install(|| {
            run(20, &rows);
            assert_eq!(count(|| run(20, &rows)), 0, "in a pool");
        });
    }
    sparse_rows_take_no_memory_by_their_width(&pool);
    for noise in [dropout, gaussian] {
        let mlp = Mlp::builder(784).hidden_maxout(240, 5, noise).hidden_maxout(100, 2, noise);
        let mlp = mlp.output(10, Loss::SoftmaxCrossEntropy).build().unwrap();
        let predictor = Predictor::new(mlp.clone()).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(128).unwrap();
        let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.01)), 128);
        let mut trainer = trainer.with_isa(isa()).unwrap().build().unwrap();
        let rows: Vec<u32> = (0..128).collect();
        let ids: Vec<u64> = (0..16).collect();
        let samples = MonteCarlo::new(20).unwrap();
        let mut run = || {
            for _ in 0..5 {
                let batch = Batch::gather(digits.inputs(), &rows).unwrap();
                let classes = Targets::Classes(&digits.labels().unwrap()[..128]);
                trainer.step(&batch, classes).unwrap();
                predictor.predict(&batch, &mut workspace).unwrap();
                let batch = Batch::gather(digits.inputs(), &rows[..16]).unwrap();
                let seeds = Seeds::Numbered { base: 1, ids: &ids };
                predictor.monte_carlo(&batch, &samples, seeds, &mut workspace).unwrap();
            }
        };
        run();
        assert_eq!(count(&mut run), 0, "maxout units, on the calling thread");
        pool.install(|| {
            run();
            assert_eq!(count(&mut run), 0, "maxout units, in a pool");
        });
    }
}
