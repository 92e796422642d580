//! tract's worker for `benches/peers`: answers each line on standard input with
//! one line on standard output, both JSON. `benches/peers/README.md` has the
//! protocol.
//!
//! tract predicts, nothing else: other cases are errors.

mod network;
mod predicting;

use std::process::ExitCode;

use peer_protocol::{Outcome, Work, case::Case, serve};
use serde_json::{Value, json};
use tract_linalg::multithread::set_threading_mac_threshold;

/// From so many multiply-adds on threads share a single row's product. tract's
/// own 2^21 leaves the layers of 1024 units to one.
const SHARED_MULTIPLY_ADDS: usize = 1 << 19;

fn hello(threads: usize) -> Value {
    json!({
        "engine": "tract",
        "version": env!("TRACT_VERSION"),
        "isa": "kernels chosen at run time",
        "threads": threads,
    })
}

fn ready(case: &Case) -> Outcome<Box<dyn Work>> {
    match case {
        Case::Predict(predict) => Ok(Box::new(predicting::Predicting::new(predict)?)),
        _ => Err("tract's worker measures predictions only".into()),
    }
}

fn main() -> ExitCode {
    set_threading_mac_threshold(SHARED_MULTIPLY_ADDS);
    match serve(hello, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
