//! Arguments about the machine: threads, instruction set, progress.

use std::{iter, num::NonZero};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thinnet::Isa;

use crate::numbers;

/// Arguments that change the speed and what is seen of it, never the masks.
#[derive(Clone, Debug, clap::Args)]
pub struct Machine {
    /// Number of threads, from 1 to 1024; the result does not depend on it [default: all that
    /// this process may use]
    #[arg(
        long, value_name = "N", value_parser = numbers::count(numbers::MAX_THREADS),
        allow_negative_numbers = true,
    )]
    threads: Option<usize>,
    /// Instruction set; `auto` chooses the fastest that this CPU supports
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        value_parser = PossibleValuesParser::new(isa_names())
            .try_map(|name| name.parse::<Isa>().and_then(Isa::require)),
    )]
    pub isa: Isa,
    /// Print no progress and no remarks, only errors and warnings
    #[arg(long, short)]
    pub quiet: bool,
}

/// The names that `--isa` takes.
fn isa_names() -> impl Iterator<Item = &'static str> {
    iter::once("auto").chain(Isa::ALL.iter().map(|isa| isa.name()))
}

impl Machine {
    /// How many threads to compute with.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// The pool that all work runs in.
    ///
    /// # Errors
    /// The system gives no such number of threads.
    pub fn pool(&self) -> anyhow::Result<ThreadPool> {
        let threads = self.threads();
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| anyhow::anyhow!("--threads {threads}: {error}"))
    }

    /// Writes a remark to stderr, unless quiet.
    pub fn remark(&self, text: &str) {
        if !self.quiet {
            crate::console::remark(text);
        }
    }
}
