//! One predictor for many threads.

use thinnet::{
    Keep,
    data::Batch,
    nn::{Activation, Loss, Mlp},
    predict::{MonteCarlo, Predictor, Seeds, Workspace, WorkspacePool},
    tensor::MatrixView,
};

use crate::backend::isa;

const THREADS: usize = 8;
const INPUTS: usize = 20;

fn predictor() -> Predictor {
    let mlp = Mlp::builder(INPUTS)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(30, Activation::Relu, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    Predictor::new(mlp).with_isa(isa()).unwrap()
}

/// The bits of the answer to row `row`, in one of the three ways.
fn answer(predictor: &Predictor, workspace: &mut Workspace, row: usize) -> [u64; 3] {
    let x: [f32; INPUTS] = std::array::from_fn(|i| ((row * INPUTS + i) as f32).sin());
    let batch = Batch::dense(MatrixView::new(&x, 1, INPUTS).unwrap());
    let mean = match row % 10 {
        0 => {
            let settings = MonteCarlo::new(3).unwrap();
            let seeds = [row as u64];
            let seeds = Seeds::Each(&seeds);
            let answers = predictor.monte_carlo(&batch, &settings, seeds, workspace).unwrap();
            answers.row(0).unwrap().mean().try_into().unwrap()
        }
        1 => {
            let answers = predictor.moments(&batch, workspace).unwrap();
            answers.row(0).unwrap().mean().try_into().unwrap()
        }
        _ => {
            let y = predictor.predict(&batch, workspace).unwrap();
            let y: [f32; 3] = y.row(0).unwrap().try_into().unwrap();
            y.map(f64::from)
        }
    };
    mean.map(f64::to_bits)
}

/// A million predictions.
#[test]
fn eight_threads_get_what_one_would() {
    let predictor = predictor();
    let mut workspace = predictor.workspace(1).unwrap();
    let want: Vec<_> = (0..1000).map(|row| answer(&predictor, &mut workspace, row)).collect();
    let pool = WorkspacePool::new(1);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (predictor, want, pool) = (&predictor, &want, &pool);
            scope.spawn(move || {
                for round in 0..1_000_000 / THREADS / want.len() {
                    let mut workspace = pool.get(predictor).unwrap();
                    for i in 0..want.len() {
                        let row = (i * 7 + thread * 31 + round) % want.len();
                        assert_eq!(answer(predictor, &mut workspace, row), want[row]);
                    }
                }
            });
        }
    });
}

/// While a request waits for its other half, rayon starts the next one on the same
/// stack: were that divided too, the stack would overflow.
#[test]
fn queued_requests_do_not_overflow_the_stack() {
    let mlp = Mlp::builder(256)
        .hidden(512, Activation::Relu, Keep::HALF)
        .hidden(512, Activation::Relu, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let x: Vec<f32> = (0..4 * 256).map(|i| (i as f32).sin()).collect();
    let batch = Batch::dense(MatrixView::new(&x, 4, 256).unwrap());
    let answer = |workspace: &mut Workspace| {
        let y = predictor.predict(&batch, workspace).unwrap();
        [0, 1, 2, 3].map(|row| y.row(row).unwrap().to_vec())
    };
    let want = answer(&mut predictor.workspace(4).unwrap());
    let workspaces = WorkspacePool::new(4);
    let threads = rayon::ThreadPoolBuilder::new().num_threads(4).stack_size(128 << 10);
    threads.build().unwrap().scope(|scope| {
        for _ in 0..20_000 {
            scope.spawn(|_| {
                assert_eq!(answer(&mut workspaces.get(&predictor).unwrap()), want);
            });
        }
    });
}

/// A hot swap: requests of the network before and of the one after share the pool.
#[test]
fn a_pool_replaces_workspaces_of_another_shape() {
    let old = predictor();
    let new = |hidden, outputs| {
        let mlp = Mlp::builder(INPUTS).hidden(hidden, Activation::Relu, Keep::HALF);
        Predictor::new(mlp.output(outputs, Loss::SquaredError).build().unwrap())
    };
    let x = [0.5; INPUTS];
    let batch = Batch::dense(MatrixView::new(&x, 1, INPUTS).unwrap());
    let pool = WorkspacePool::new(1);
    let ask = |predictor: &Predictor| {
        let mut workspace = pool.get(predictor)?;
        predictor.predict(&batch, &mut workspace)?;
        predictor.moments(&batch, &mut workspace)?;
        let twice = MonteCarlo::new(2)?;
        predictor.monte_carlo(&batch, &twice, Seeds::Each(&[1]), &mut workspace).map(|_| ())
    };
    for next in [new(31, 3), new(30, 4), predictor()] {
        // Some wait, made at the same time.
        let held = pool.get(&old).unwrap();
        ask(&old).unwrap();
        drop(held);
        ask(&next).unwrap();
        ask(&old).unwrap();
    }
}

#[test]
fn a_pool_has_as_many_as_there_were_requests_at_once() {
    let predictor = predictor();
    let pool = WorkspacePool::new(1);
    let waiting = || format!("{pool:?}").matches("Workspace {").count();
    for _ in 0..3 {
        let mut first = pool.get(&predictor).unwrap();
        let mut second = pool.get(&predictor).unwrap();
        assert_eq!(waiting(), 0);
        assert_eq!(answer(&predictor, &mut first, 3), answer(&predictor, &mut second, 3));
        drop((first, second));
        assert_eq!(waiting(), 2);
    }
    // A request that panics keeps its workspace to itself.
    let panics = || {
        let _held = pool.get(&predictor).unwrap();
        panic!("on purpose");
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    assert_eq!(waiting(), 1);
}
