//! Predictions averaged over thinned networks.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work, case, files};
use thinnet::{
    data::Batch,
    predict::{MonteCarlo, Predictor, Seeds, Workspace},
    tensor::MatrixView,
};

use crate::{network, threads::Threads};

/// Requests, and where they run.
pub struct Sampling {
    requests: Requests,
    threads: Threads,
}

/// A predictor, the batches that it takes in turn, and the numbers of the
/// rows: each draws masks of its own.
struct Requests {
    predictor: Predictor,
    workspace: Workspace,
    settings: MonteCarlo,
    inputs: Vec<f32>,
    ids: Vec<u64>,
    next: usize,
}

impl Sampling {
    pub fn new(case: &case::MonteCarlo) -> Outcome<Self> {
        let batch = case.batch;
        let predictor = Predictor::new(network::load(&case.network)?);
        let workspace = predictor.workspace(batch)?;
        let inputs = files::floats(&case.data.inputs)?;
        if batch == 0 || inputs.len() < batch * predictor.network().inputs() {
            return Err(format!("a batch of {batch}: more than the rows, or none").into());
        }
        let settings = MonteCarlo::new(case.samples)?;
        let ids = vec![0; batch];
        let requests = Requests { predictor, workspace, settings, inputs, ids, next: 0 };
        Ok(Self { requests, threads: Threads::new(case.threads)? })
    }
}

impl Requests {
    /// The next batch's mean probabilities.
    fn ask(&mut self) -> Outcome<Vec<f32>> {
        let Self { predictor, workspace, settings, inputs, ids, next } = self;
        let (width, batch) = (predictor.network().inputs(), ids.len());
        let batches = inputs.len() / width / batch;
        for (row, id) in ids.iter_mut().enumerate() {
            *id = (*next * batch + row) as u64;
        }
        let rows = &inputs[(*next % batches) * batch * width..][..batch * width];
        let rows = Batch::dense(MatrixView::new(rows, batch, width)?);
        let seeds = Seeds::Numbered { base: 1, ids };
        let answers = predictor.monte_carlo(&rows, settings, seeds, workspace)?;
        *next += 1;
        Ok(answers.iter().flat_map(|row| row.mean().iter().map(|&y| y as f32)).collect())
    }
}

impl Work for Sampling {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let Self { requests, threads } = self;
        threads.install(|| {
            let started = Instant::now();
            for _ in 0..calls {
                black_box(requests.ask()?);
            }
            Ok(started.elapsed())
        })
    }

    fn answer(&mut self) -> Outcome<Vec<f32>> {
        self.requests.next = 0;
        self.requests.ask()
    }
}
