//! The calling thread, or a pool.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Outcome;

/// Where work runs: on one thread there is no pool.
pub struct Threads(Option<ThreadPool>);

impl Threads {
    /// `count` threads.
    pub fn new(count: usize) -> Outcome<Self> {
        Ok(Self(match count {
            0 => return Err("0 threads: expected at least one".into()),
            1 => None,
            _ => Some(ThreadPoolBuilder::new().num_threads(count).build()?),
        }))
    }

    /// Runs `work` there.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            None => work(),
            Some(pool) => pool.install(work),
        }
    }

    /// Runs `work` on every thread at once, with the thread's number.
    pub fn broadcast(&self, work: impl Fn(usize) + Sync) {
        match &self.0 {
            None => work(0),
            Some(pool) => {
                pool.broadcast(|context| work(context.index()));
            }
        }
    }
}
