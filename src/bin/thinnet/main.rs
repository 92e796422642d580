//! The command `thinnet`: shows, trains and evaluates networks with dropout.
//!
//! One file a subcommand: [`demo`], [`train`], [`eval`]. They share the
//! training loop in [`fit`] and the default settings in [`recipe`]. Results go
//! to stdout, progress and remarks to stderr. An error is one line; the exit
//! code is 2 where the arguments were wrong, and 1 for all the rest.
#![forbid(unsafe_code)]

mod arguments;
mod console;
mod demo;
mod eval;
mod fit;
mod machine;
mod numbers;
mod outputs;
mod picture;
mod plan;
mod progress;
mod recipe;
mod report;
mod source;
mod train;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console::failed(&error),
    }
}

/// Parses the arguments and runs their subcommand.
fn run() -> anyhow::Result<()> {
    let arguments = Arguments::try_parse()?;
    match arguments.command {
        None => demo::run(&arguments.demo),
        Some(Command::Demo(arguments)) => demo::run(&arguments),
        Some(Command::Train(arguments)) => train::run(&arguments),
        Some(Command::Eval(arguments)) => eval::run(&arguments),
    }
}
