//! Predictions by weight scaling.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work, case::Predict, faster, files};
use serde_json::{Value, json};
use tract_core::internal::*;
use tract_linalg::multithread::Executor;

use crate::network;

/// An optimised plan for batches of one size, and the batches that it takes in
/// turn.
pub struct Predicting {
    plan: TypedSimpleState,
    /// How many threads won the race.
    threads: usize,
    batches: Vec<Arc<Tensor>>,
    next: usize,
}

impl Predicting {
    /// On all threads, or on one where that is faster: waking the others costs
    /// more than they do for some sizes of batch.
    pub fn new(case: &Predict) -> Outcome<Self> {
        let model = network::load(&case.network, case.batch)?.into_optimized()?;
        let batches = batches(case)?;
        let one = Self::on(Executor::SingleThread, model.clone(), batches.clone())?;
        if case.threads == 1 {
            return Ok(one);
        }
        faster(one, Self::on(Executor::multithread(case.threads), model, batches)?)
    }

    fn on(executor: Executor, model: TypedModel, batches: Vec<Arc<Tensor>>) -> Outcome<Self> {
        let threads = match &executor {
            Executor::MultiThread(pool) => pool.current_num_threads(),
            _ => 1,
        };
        let options = RunOptions { executor: Some(executor), ..RunOptions::default() };
        let plan = model.into_runnable_with_options(&options)?.spawn()?;
        Ok(Self { plan, threads, batches, next: 0 })
    }

    fn predict(&mut self, batch: usize) -> TractResult<TValue> {
        let x = self.batches[batch % self.batches.len()].clone();
        Ok(self.plan.run(tvec!(TValue::from_const(x)))?.remove(0))
    }
}

/// Batches of inputs, made before anything is timed.
fn batches(case: &Predict) -> Outcome<Vec<Arc<Tensor>>> {
    let (batch, width) = (case.batch, case.network.widths[0]);
    let inputs = files::floats(&case.data.inputs)?;
    if batch == 0 || inputs.len() < batch * width {
        return Err(format!("a batch of {batch}: more than the rows, or none").into());
    }
    let tensor = |rows| Ok(Tensor::from_shape(&[batch, width], rows)?.into_arc_tensor());
    inputs.chunks_exact(batch * width).map(tensor).collect()
}

impl Work for Predicting {
    fn about(&self) -> Value {
        json!({ "threads": self.threads })
    }

    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let started = Instant::now();
        for _ in 0..calls {
            black_box(self.predict(self.next)?);
            self.next += 1;
        }
        Ok(started.elapsed())
    }

    fn answer(&mut self) -> Outcome<Vec<f32>> {
        Ok(self.predict(0)?.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}
