//! Multiplication by Gaussian noise.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work, case};
use thinnet::{
    Sigma,
    dropout::GaussianDropout,
    mask::{Domain, Streams},
};

use crate::threads::Threads;

/// The operation, and memory that it reads and writes. Every call draws new numbers.
pub struct Noising {
    noise: GaussianDropout,
    alone: bool,
    x: Vec<f32>,
    y: Vec<f32>,
    call: u64,
    threads: Threads,
}

impl Noising {
    pub fn new(case: &case::Gaussian) -> Outcome<Self> {
        let case::Gaussian { elements, sigma, alone, threads } = *case;
        Ok(Self {
            noise: GaussianDropout::new(Sigma::new(sigma)?),
            alone,
            x: vec![1.0; elements],
            y: vec![0.0; elements],
            call: 0,
            threads: Threads::new(threads)?,
        })
    }
}

impl Work for Noising {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let Self { noise, alone, x, y, call, threads } = self;
        threads.install(|| {
            let started = Instant::now();
            for _ in 0..calls {
                let streams = Streams::new(1, Domain::Training, 0, *call);
                if *alone {
                    noise.draw(streams, black_box(y));
                } else {
                    noise.forward(streams, black_box(x), black_box(y))?;
                }
                *call += 1;
            }
            Ok(started.elapsed())
        })
    }
}
