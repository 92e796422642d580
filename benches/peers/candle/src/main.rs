//! candle's worker for `benches/peers`: answers each line on standard input with
//! one line on standard output, both JSON. `benches/peers/README.md` has the
//! protocol.
//!
//! Everything is done with candle's own operations. The number of threads comes
//! from the environment variables `RAYON_NUM_THREADS` and `CANDLE_NUM_THREADS`.

mod data;
mod dropout;
mod network;
mod predicting;
mod training;

use std::process::ExitCode;

use peer_protocol::{Outcome, Work, case::Case, serve};
use serde_json::{Value, json};

fn hello(threads: usize) -> Value {
    json!({
        "engine": "candle",
        "version": env!("CANDLE_VERSION"),
        "isa": isa(),
        "threads": threads,
    })
}

fn ready(case: &Case) -> Outcome<Box<dyn Work>> {
    Ok(match case {
        Case::Step(step) => Box::new(training::Training::new(step)?),
        Case::Predict(predict) => Box::new(predicting::Predicting::scaled(predict)?),
        Case::MonteCarlo(sampling) => Box::new(predicting::Predicting::sampled(sampling)?),
        Case::Dropout(dropout) => Box::new(dropout::Dropping::new(dropout)?),
        Case::Gaussian(_) => return Err("candle does not run this operation here".into()),
        Case::Moments(_) | Case::Copy(_) | Case::Peak(_) => {
            return Err("thinnet's worker measures that".into());
        }
    })
}

/// What this program was compiled for; the matrix products choose at run time.
fn isa() -> &'static str {
    if cfg!(target_feature = "avx512f") {
        "built for avx512f, products chosen at run time"
    } else if cfg!(target_feature = "avx2") {
        "built for avx2, products chosen at run time"
    } else {
        "generic build, products chosen at run time"
    }
}

fn main() -> ExitCode {
    match serve(hello, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
