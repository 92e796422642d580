//! rten's worker for `benches/peers`: answers each line on standard input with
//! one line on standard output, both JSON. `benches/peers/README.md` has the
//! protocol.
//!
//! rten predicts, nothing else: other cases are errors.

mod predicting;

use std::process::ExitCode;

use peer_protocol::{Outcome, Work, case::Case, serve};
use serde_json::{Value, json};

fn hello(threads: usize) -> Value {
    json!({
        "engine": "rten",
        "version": env!("RTEN_VERSION"),
        "isa": "kernels chosen at run time",
        "threads": threads,
    })
}

fn ready(case: &Case) -> Outcome<Box<dyn Work>> {
    match case {
        Case::Predict(predict) => Ok(Box::new(predicting::Predicting::new(predict)?)),
        _ => Err("rten's worker measures predictions only".into()),
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
