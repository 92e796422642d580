//! Predictions by weight scaling.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work, case::Predict, files};
use tract_core::internal::*;
use tract_linalg::multithread::Executor;

use crate::network;

/// An optimised plan for batches of one size, and the batches that it takes in
/// turn.
pub struct Predicting {
    plan: TypedSimpleState,
    batches: Vec<Arc<Tensor>>,
    next: usize,
}

impl Predicting {
    pub fn new(case: &Predict) -> Outcome<Self> {
        let model = network::load(&case.network, case.batch)?.into_optimized()?;
        let executor = match case.threads {
            1 => Executor::SingleThread,
            threads => Executor::multithread(threads),
        };
        let options = RunOptions { executor: Some(executor), ..RunOptions::default() };
        let plan = model.into_runnable_with_options(&options)?.spawn()?;
        let batches = batches(case)?;
        Ok(Self { plan, batches, next: 0 })
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
