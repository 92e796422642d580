//! Arguments about the machine: threads, instruction set, progress.

use std::num::NonZero;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thinnet::Isa;

use crate::numbers;

/// The names that `--isa` takes.
const ISA_NAMES: [&str; 4] = ["auto", "portable", "avx2", "avx512"];

/// Arguments that change the speed and what is seen of it, never the masks.
#[derive(Clone, Debug, clap::Args)]
pub struct Machine {
    /// Threads to compute with, from 1 to 1024 [default: all that this process may
    /// use]; the result is the same for any number
    #[arg(
        long, value_name = "N", value_parser = numbers::count(numbers::MAX_THREADS),
        allow_negative_numbers = true,
    )]
    threads: Option<usize>,
    /// Instruction set; `auto` takes the fastest that this CPU has
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        value_parser = PossibleValuesParser::new(ISA_NAMES)
            .try_map(|name| name.parse::<Isa>().and_then(Isa::require)),
    )]
    pub isa: Isa,
    /// No progress and no remarks; errors and warnings stay
    #[arg(long, short)]
    pub quiet: bool,
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
