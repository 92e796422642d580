//! Predictions by weight scaling, or of means and variances.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use peer_protocol::{
    Outcome, Work,
    case::{Predict, Weights},
    files, in_batches,
};
use thinnet::{
    Isa,
    data::Batch,
    predict::{Predictor, Workspace},
    tensor::MatrixView,
};

use crate::{network, threads::Threads};

/// A predictor and the batches that it takes in turn.
pub struct Predicting {
    predictor: Predictor,
    workspace: Workspace,
    moments: bool,
    inputs: Vec<f32>,
    batch: usize,
    next: usize,
    threads: Threads,
}

impl Predicting {
    pub fn new(predict: &Predict, moments: bool) -> Outcome<Self> {
        let batch = predict.batch;
        let isa = predict.isa.as_deref().map_or(Ok(Isa::detect()), str::parse)?;
        let predictor = Predictor::new(network::load(&predict.network)?).with_isa(isa)?;
        let predictor = match predict.weights {
            Weights::F32 => predictor,
            Weights::Bf16 => predictor.bf16_weights()?,
            Weights::Int8 => with_integers(predictor, predict)?,
        };
        let workspace = predictor.workspace(batch)?;
        let inputs = files::floats(&predict.data.inputs)?;
        if batch == 0 || inputs.len() < batch * predictor.network().inputs() {
            return Err(format!("a batch of {batch}: more than the rows, or none").into());
        }
        let threads = Threads::new(predict.threads)?;
        Ok(Self { predictor, workspace, moments, inputs, batch, next: 0, threads })
    }

    /// The predictions for the batch that begins with row `first`.
    fn batch_from(&mut self, first: usize) -> Outcome<Vec<f32>> {
        let Self { predictor, workspace, inputs, batch, .. } = self;
        let width = predictor.network().inputs();
        let rows = MatrixView::new(&inputs[first * width..][..*batch * width], *batch, width)?;
        let predictions = predictor.predict(&Batch::dense(rows), workspace)?;
        let mut answer = Vec::new();
        for row in 0..*batch {
            answer.extend(predictions.row(row)?);
        }
        Ok(answer)
    }
}

fn with_integers(predictor: Predictor, predict: &Predict) -> Outcome<Predictor> {
    let path = predict.calibration.as_ref().ok_or("int8: expected a file of calibration rows")?;
    let rows = files::floats(path)?;
    let width = predictor.network().inputs();
    let rows = MatrixView::new(&rows, rows.len() / width, width)?;
    Ok(predictor.integer_weights(&Batch::dense(rows))?)
}

impl Work for Predicting {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let Self { predictor, workspace, moments, inputs, batch, next, threads } = self;
        let width = predictor.network().inputs();
        let batches = inputs.len() / width / *batch;
        threads.install(|| {
            let started = Instant::now();
            for _ in 0..calls {
                let rows = &inputs[(*next % batches) * *batch * width..][..*batch * width];
                let rows = Batch::dense(MatrixView::new(rows, *batch, width)?);
                if *moments {
                    black_box(predictor.moments(&rows, workspace)?);
                } else {
                    black_box(predictor.predict(&rows, workspace)?);
                }
                *next += 1;
            }
            Ok(started.elapsed())
        })
    }

    fn answer(&mut self) -> Outcome<Vec<f32>> {
        self.batch_from(0)
    }

    fn answers(&mut self) -> Outcome<Vec<f32>> {
        let rows = self.inputs.len() / self.predictor.network().inputs();
        in_batches(rows, self.batch, |first| self.batch_from(first))
    }
}
