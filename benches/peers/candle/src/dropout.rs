//! The dropout operation.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use candle_core::{DType, Device, Tensor};
use candle_nn::ops::dropout;
use peer_protocol::{Outcome, Work, case};

/// The operation and what it reads.
pub struct Dropping {
    x: Tensor,
    drop: f32,
}

impl Dropping {
    pub fn new(case: &case::Dropout) -> Outcome<Self> {
        if case.in_place {
            return Err("candle has no dropout in place".into());
        }
        let x = Tensor::ones(case.elements, DType::F32, &Device::Cpu)?;
        Ok(Self { x, drop: (1.0 - case.keep) as f32 })
    }
}

impl Work for Dropping {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let started = Instant::now();
        for _ in 0..calls {
            black_box(dropout(black_box(&self.x), self.drop)?);
        }
        Ok(started.elapsed())
    }
}
