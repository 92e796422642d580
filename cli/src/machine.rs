//! Arguments about the machine: threads, instruction set, progress.

use std::{iter, num::NonZero};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thinnet::Isa;

use crate::numbers;

/// Arguments that change the speed and the remarks, but never the masks.
#[derive(Clone, Debug, clap::Args)]
pub struct Machine {
    /// Number of threads, from 1 to 1024; the result does not depend on it [default: all that
    /// this process may use]
    #[arg(long, value_name = "N", value_parser = numbers::count(numbers::MAX_THREADS))]
    threads: Option<usize>,
    /// Instruction set; `auto` chooses the fastest that this CPU supports. All but portable, which
    /// rounds differently, give the same result
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        value_parser = PossibleValuesParser::new(isa_names())
            .try_map(|name| name.parse::<Isa>().and_then(Isa::require)),
    )]
    pub isa: Isa,
    /// Print no progress and no remarks, only results, warnings and errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// Returns the names that `--isa` accepts.
fn isa_names() -> impl Iterator<Item = &'static str> {
    iter::once("auto").chain(Isa::ALL.iter().map(|isa| isa.name()))
}

impl Machine {
    /// Returns the number of threads to compute with.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// Creates the thread pool that all work runs in.
    ///
    /// # Errors
    /// The system cannot start so many threads.
    pub fn pool(&self) -> anyhow::Result<ThreadPool> {
        let threads = self.threads();
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| anyhow::anyhow!("--threads {threads}: {error}"))
    }

    /// Writes a remark to stderr, unless `--quiet` is given.
    pub fn remark(&self, text: &str) {
        if !self.quiet {
            crate::console::remark(text);
        }
    }
}
