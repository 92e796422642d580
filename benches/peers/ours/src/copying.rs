//! Copying, the yardstick of the dropout operation.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work, case};
use rayon::prelude::*;

use crate::threads::Threads;

/// A cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

/// Fills the second from the first.
type Transfer = fn(&[Line], &mut [Line]);

/// A source, a destination, and how to get from one to the other.
pub struct Copying {
    x: Vec<Line>,
    y: Vec<Line>,
    copy: Transfer,
    parts: usize,
    threads: Threads,
}

impl Copying {
    pub fn new(case: &case::Copy) -> Outcome<Self> {
        let case::Copy { elements, streaming, threads } = *case;
        let copy = match (streaming, streaming_copy()) {
            (false, _) => memcpy,
            (true, Some(copy)) => copy,
            (true, None) => return Err("no streaming stores are written for this CPU".into()),
        };
        let lines = elements.div_ceil(16);
        let x = vec![Line([1.0; 16]); lines];
        let y = vec![Line([0.0; 16]); lines];
        Ok(Self { x, y, copy, parts: threads, threads: Threads::new(threads)? })
    }
}

impl Work for Copying {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let Self { x, y, copy, parts, threads } = self;
        let part = x.len().div_ceil(*parts);
        Ok(threads.install(|| {
            let started = Instant::now();
            for _ in 0..calls {
                let (x, y) = (black_box(&mut *x), black_box(&mut *y));
                if *parts == 1 {
                    copy(x, y);
                } else {
                    y.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(|(y, x)| copy(x, y));
                }
            }
            started.elapsed()
        }))
    }
}

fn memcpy(x: &[Line], y: &mut [Line]) {
    y.copy_from_slice(x);
}

#[cfg(target_arch = "x86_64")]
fn streaming_copy() -> Option<Transfer> {
    Some(|x, y| {
        use std::arch::x86_64::{_mm_loadu_ps, _mm_sfence, _mm_stream_ps};
        for (Line(x), Line(y)) in x.iter().zip(y) {
            for (x, y) in x.as_chunks::<4>().0.iter().zip(y.as_chunks_mut::<4>().0) {
                // SAFETY: every x86-64 has SSE2; the pointers are those of four
                // floats, y's at a multiple of 16 bytes in an aligned line.
                unsafe { _mm_stream_ps(y.as_mut_ptr(), _mm_loadu_ps(x.as_ptr())) };
            }
        }
        // SAFETY: every x86-64 has SSE.
        unsafe { _mm_sfence() };
    })
}

#[cfg(not(target_arch = "x86_64"))]
fn streaming_copy() -> Option<Transfer> {
    None
}
