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
        .input_keep(Keep::new(0.8).unwrap())
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
                    pool.with(predictor, |workspace| {
                        for i in 0..want.len() {
                            let row = (i * 7 + thread * 31 + round) % want.len();
                            assert_eq!(answer(predictor, workspace, row), want[row]);
                        }
                    })
                    .unwrap();
                }
            });
        }
    });
}

#[test]
fn a_pool_has_as_many_as_there_were_requests_at_once() {
    let predictor = predictor();
    let pool = WorkspacePool::new(1);
    let waiting = || format!("{pool:?}").matches("Workspace {").count();
    for _ in 0..3 {
        pool.with(&predictor, |first| {
            let first = answer(&predictor, first, 3);
            let second = pool.with(&predictor, |second| answer(&predictor, second, 3));
            assert_eq!(second.unwrap(), first);
        })
        .unwrap();
        assert_eq!(waiting(), 2);
    }
}
