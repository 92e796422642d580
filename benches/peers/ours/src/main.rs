//! thinnet's worker for `benches/peers`: answers each line on standard input
//! with one line on standard output, both JSON. `benches/peers/README.md` has
//! the protocol. With the argument `time-to-error` it trains instead.

mod case;
mod copying;
mod dropout;
mod files;
mod network;
mod peak;
mod predicting;
mod threads;
mod time_to_error;
mod training;
mod worker;

use std::{error::Error, process::ExitCode};

/// What goes wrong is told as text to the driver or to a person.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        None => worker::serve(),
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
