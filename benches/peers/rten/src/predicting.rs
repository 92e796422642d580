//! Predictions by weight scaling.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work, case::Predict, faster, files, in_batches};
use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value as Tensor, ValueView};
use serde_json::{Value, json};

/// A model for batches of one size, and the rows that it takes in turn.
pub struct Predicting {
    model: Arc<Model>,
    input: NodeId,
    output: NodeId,
    pool: Arc<ThreadPool>,
    threads: usize,
    inputs: Arc<Vec<f32>>,
    width: usize,
    batch: usize,
    next: usize,
}

impl Predicting {
    /// On all threads, or on one where that is faster.
    pub fn new(case: &Predict) -> Outcome<Self> {
        let path = case.model.as_ref().ok_or("no model: rten reads an ONNX file")?;
        let model = ModelOptions::with_all_ops().prepack_weights(true).load_file(path)?;
        let (&[input], &[output]) = (model.input_ids(), model.output_ids()) else {
            return Err("expected a model with one input and one output".into());
        };
        let width = case.network.widths[0];
        let inputs = files::floats(&case.data.inputs)?;
        if case.batch == 0 || inputs.len() < case.batch * width {
            return Err(format!("a batch of {}: more than the rows, or none", case.batch).into());
        }
        let (model, inputs) = (Arc::new(model), Arc::new(inputs));
        let on = |threads| Self {
            model: model.clone(),
            input,
            output,
            pool: Arc::new(ThreadPool::with_num_threads(threads)),
            threads,
            inputs: inputs.clone(),
            width,
            batch: case.batch,
            next: 0,
        };
        if case.threads == 1 { Ok(on(1)) } else { faster(on(1), on(case.threads)) }
    }

    fn predict(&self, first: usize) -> Outcome<Tensor> {
        let rows = &self.inputs[first * self.width..][..self.batch * self.width];
        let rows = ValueView::from_shape(&[self.batch, self.width], rows)?;
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        let input = vec![(self.input, rows.into())];
        let [answer] = self.model.run_n(input, [self.output], Some(options))?;
        Ok(answer)
    }

    fn batch_from(&self, first: usize) -> Outcome<Vec<f32>> {
        let (_, answer) = self.predict(first)?.into_shape_vec::<f32, 2>()?;
        Ok(answer)
    }
}

impl Work for Predicting {
    fn about(&self) -> Value {
        json!({ "threads": self.threads })
    }

    /// Inside the pool, so that no call has to wake it.
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let batches = self.inputs.len() / self.width / self.batch;
        let first = self.next;
        self.next += calls;
        self.pool.run(|| {
            let started = Instant::now();
            for call in first..first + calls {
                black_box(self.predict(call % batches * self.batch)?);
            }
            Ok(started.elapsed())
        })
    }

    fn answer(&mut self) -> Outcome<Vec<f32>> {
        self.batch_from(0)
    }

    fn answers(&mut self) -> Outcome<Vec<f32>> {
        in_batches(self.inputs.len() / self.width, self.batch, |first| self.batch_from(first))
    }
}
