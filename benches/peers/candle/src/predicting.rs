//! Predictions: by weight scaling, or averaged over thinned networks.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use candle_core::Tensor;
use candle_nn::ops::softmax;
use peer_protocol::{
    Outcome, Work,
    case::{self, Data, MonteCarlo, Predict},
};

use crate::{data, network::Network};

/// A network and the batches that it takes in turn.
pub struct Predicting {
    network: Network,
    /// How many thinned networks a row is averaged over.
    samples: Option<usize>,
    batches: Vec<(Tensor, Tensor)>,
    next: usize,
}

impl Predicting {
    /// By weight scaling.
    pub fn scaled(case: &Predict) -> Outcome<Self> {
        Self::new(&case.network, &case.data, case.batch, None)
    }

    /// Averaged over samples.
    pub fn sampled(case: &MonteCarlo) -> Outcome<Self> {
        Self::new(&case.network, &case.data, case.batch, Some(case.samples))
    }

    fn new(
        network: &case::Network,
        data: &Data,
        batch: usize,
        samples: Option<usize>,
    ) -> Outcome<Self> {
        let batches = data::batches(data, network.widths[0], batch)?;
        Ok(Self { network: Network::load(network)?, samples, batches, next: 0 })
    }

    fn predict(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let Some(samples) = self.samples else {
            return softmax(&self.network.forward(x, false)?, 1);
        };
        // All samples of all rows are one batch.
        let many = softmax(&self.network.forward(&x.repeat((samples, 1))?, true)?, 1)?;
        many.reshape((samples, x.dim(0)?, ()))?.mean(0)
    }
}

impl Work for Predicting {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let started = Instant::now();
        for _ in 0..calls {
            let (x, _) = &self.batches[self.next % self.batches.len()];
            black_box(self.predict(x)?);
            self.next += 1;
        }
        Ok(started.elapsed())
    }

    fn answer(&mut self) -> Outcome<Vec<f32>> {
        Ok(self.predict(&self.batches[0].0)?.flatten_all()?.to_vec1()?)
    }
}
