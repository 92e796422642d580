//! The command `thinnet`: trains, evaluates and inspects networks with dropout.
//!
//! Each subcommand has its own file: [`demo`], [`train`], [`eval`], [`predict`],
//! [`calibration`], [`inspect`], [`convert`], [`quantize`], [`profile`], and [`manual`] for completions and manual
//! pages. They share the training run in [`fit`] and the default settings in [`recipe`]. Results go
//! to stdout, progress and remarks to stderr. An error is one line. The exit code is 2 if the
//! arguments are wrong; 130, 143 or 129 if a signal ended a run and its state was saved; and
//! 1 for every other error. Only help is coloured, on terminals and unless `NO_COLOR` is set.

mod arguments;
mod baseline;
mod calibration;
mod comparison;
mod console;
mod convert;
mod curves;
mod demo;
mod difference;
mod eval;
mod fit;
mod given;
mod health;
mod help;
mod inputs;
mod inspect;
mod loss;
mod machine;
mod manual;
mod measured;
mod memory;
mod method;
mod model;
mod nodes;
mod notes;
mod numbers;
mod optimiser;
mod outputs;
mod picture;
mod plan;
mod predict;
mod probes;
mod profile;
mod progress;
mod quantize;
mod recipe;
mod report;
mod signals;
mod source;
mod table;
mod train;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console::failed(&error),
    }
}

/// Parses the arguments and runs their subcommand.
fn run() -> anyhow::Result<()> {
    let words = train::expanded(std::env::args_os().collect(), Arguments::command())?;
    let matches = Arguments::command().try_get_matches_from(words)?;
    let arguments = Arguments::from_arg_matches(&matches)?;
    let given = matches.subcommand().map_or(&matches, |(_, given)| given);
    match arguments.command {
        None => demo::run(&arguments.demo),
        Some(Command::Demo(arguments)) => demo::run(&arguments),
        Some(Command::Train(arguments)) => train::run(&arguments, given),
        Some(Command::Eval(arguments)) => eval::run(&arguments),
        Some(Command::Predict(arguments)) => predict::run(&arguments),
        Some(Command::Calibration(arguments)) => calibration::run(&arguments),
        Some(Command::Inspect(arguments)) => inspect::run(&arguments),
        Some(Command::Convert(arguments)) => convert::run(&arguments),
        Some(Command::Quantize(arguments)) => quantize::run(&arguments),
        Some(Command::Profile(arguments)) => profile::run(&arguments),
        Some(Command::Completions(arguments)) => manual::completions(&arguments),
        Some(Command::Man(arguments)) => manual::page(&arguments),
    }
}
