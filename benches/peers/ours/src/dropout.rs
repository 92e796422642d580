//! The dropout operation.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work, case};
use thinnet::{
    Dropout, Keep,
    mask::{Domain, Streams},
};

use crate::threads::Threads;

/// The operation, and memory that it reads and writes. Every call draws new bits.
pub struct Dropping {
    dropout: Dropout,
    x: Vec<f32>,
    /// Empty where the operation is in place.
    y: Vec<f32>,
    call: u64,
    threads: Threads,
}

impl Dropping {
    pub fn new(case: &case::Dropout) -> Outcome<Self> {
        let case::Dropout { elements, keep, in_place, threads } = *case;
        Ok(Self {
            dropout: Dropout::new(Keep::new(keep)?),
            x: vec![1.0; elements],
            y: vec![0.0; if in_place { 0 } else { elements }],
            call: 0,
            threads: Threads::new(threads)?,
        })
    }
}

impl Work for Dropping {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let Self { dropout, x, y, call, threads } = self;
        threads.install(|| {
            let started = Instant::now();
            for _ in 0..calls {
                let streams = Streams::new(1, Domain::Training, 0, *call);
                if y.is_empty() {
                    dropout.forward_in_place(streams, black_box(x))?;
                } else {
                    dropout.forward(streams, black_box(x), black_box(y))?;
                }
                *call += 1;
            }
            Ok(started.elapsed())
        })
    }
}
