//! thinnet's worker for `benches/peers`: answers each line on standard input
//! with one line on standard output, both JSON. `benches/peers/README.md` has
//! the protocol. With the argument `time-to-error` it trains instead.

mod copying;
mod dropout;
mod gaussian;
mod network;
mod peak;
mod predicting;
mod sampling;
mod targets;
mod threads;
mod time_to_error;
mod training;

use std::process::ExitCode;

use peer_protocol::{Outcome, Work, case::Case, serve};
use serde_json::{Value, json};
use thinnet::Isa;

fn hello(threads: usize) -> Value {
    json!({
        "engine": "thinnet",
        "isa": Isa::detect().name(),
        "available": Isa::available().map(|isa| isa.name()).collect::<Vec<_>>(),
        "threads": threads,
    })
}

fn ready(case: &Case) -> Outcome<Box<dyn Work>> {
    Ok(match case {
        Case::Step(step) => Box::new(training::Training::new(step)?),
        Case::Predict(predict) => Box::new(predicting::Predicting::new(predict, false)?),
        Case::Moments(predict) => Box::new(predicting::Predicting::new(predict, true)?),
        Case::MonteCarlo(samples) => Box::new(sampling::Sampling::new(samples)?),
        Case::Dropout(dropout) => Box::new(dropout::Dropping::new(dropout)?),
        Case::Gaussian(noise) => Box::new(gaussian::Noising::new(noise)?),
        Case::Copy(copy) => Box::new(copying::Copying::new(copy)?),
        Case::Peak(peak) => Box::new(peak::Peak::new(peak.threads)?),
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        None => serve(hello, ready),
        Some((name, rest)) if name == "time-to-error" => time_to_error::run(rest),
        Some((name, _)) => Err(format!("{name}: expected time-to-error or nothing").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
