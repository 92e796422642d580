//! The most multiply-adds that the CPU can do: independent sums in registers,
//! no memory at all.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use peer_protocol::{Outcome, Work};
use serde_json::{Value, json};

use crate::threads::Threads;

/// Rounds of the loop in a call: a few milliseconds.
const ROUNDS: u64 = 1 << 20;

/// Independent sums: an operation's latency of 4 to 5 cycles times two units a
/// cycle, and some more.
const SUMS: usize = 12;

/// A loop, the floats of its vectors, and its name.
#[derive(Clone, Copy)]
struct Loop {
    run: fn(u64),
    lanes: u64,
    name: &'static str,
}

/// The loop that this CPU is fastest with, on all threads.
pub struct Peak {
    best: Loop,
    count: u64,
    threads: Threads,
}

impl Peak {
    pub fn new(threads: usize) -> Outcome<Self> {
        let rate = |candidate: &Loop| {
            (candidate.run)(ROUNDS / 8);
            let started = Instant::now();
            (candidate.run)(ROUNDS / 8);
            candidate.lanes as f64 / started.elapsed().as_secs_f64()
        };
        let best = loops().into_iter().max_by(|a, b| rate(a).total_cmp(&rate(b)));
        let best = best.ok_or("no loop for this CPU")?;
        Ok(Self { best, count: threads as u64, threads: Threads::new(threads)? })
    }
}

impl Work for Peak {
    fn run(&mut self, calls: usize) -> Outcome<Duration> {
        let started = Instant::now();
        for _ in 0..calls {
            self.threads.broadcast(|_| (self.best.run)(ROUNDS));
        }
        Ok(started.elapsed())
    }

    fn about(&self) -> Value {
        let flops = 2 * self.best.lanes * SUMS as u64 * ROUNDS * self.count;
        json!({ "isa": self.best.name, "flops_per_call": flops })
    }
}

#[cfg(target_arch = "x86_64")]
fn loops() -> Vec<Loop> {
    let mut loops = Vec::new();
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the CPU has AVX2 and FMA.
        let run = |rounds| unsafe { x86::avx2(rounds) };
        loops.push(Loop { run, lanes: 8, name: "avx2+fma" });
    }
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the CPU has AVX-512F.
        let run = |rounds| unsafe { x86::avx512(rounds) };
        loops.push(Loop { run, lanes: 16, name: "avx512f" });
    }
    if loops.is_empty() {
        loops.push(Loop { run: plain, lanes: 4, name: "four floats" });
    }
    loops
}

#[cfg(not(target_arch = "x86_64"))]
fn loops() -> Vec<Loop> {
    vec![Loop { run: plain, lanes: 4, name: "four floats" }]
}

/// Multiplies and adds as the compiler's baseline can.
fn plain(rounds: u64) {
    let mut sums = [[1.0f32; 4]; SUMS];
    let (a, b) = (black_box([0.999f32; 4]), black_box([0.001f32; 4]));
    for _ in 0..rounds {
        for sum in &mut sums {
            for ((s, a), b) in sum.iter_mut().zip(a).zip(b) {
                *s = if cfg!(target_arch = "aarch64") { s.mul_add(a, b) } else { *s * a + b };
            }
        }
    }
    black_box(sums);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{
        arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps},
        hint::black_box,
    };

    use super::SUMS;

    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(rounds: u64) {
        let mut sums = [_mm256_set1_ps(1.0); SUMS];
        let (a, b) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f")]
    pub fn avx512(rounds: u64) {
        let mut sums = [_mm512_set1_ps(1.0); SUMS];
        let (a, b) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }
}
