//! The command line as a whole; each subcommand's arguments stand in its file.

use crate::{calibrate, convert, demo, eval, explain, inspect, manual, predict, train};

/// What stands below the help of `thinnet`.
const EXAMPLES: &str = "\
Examples:
  thinnet                              the demo: dropout on and off, half a minute
  thinnet train --out digits.safetensors
  thinnet eval --model digits.safetensors
  thinnet predict --model digits.safetensors --limit 10
  thinnet calibrate --model digits.safetensors
  thinnet inspect digits.safetensors
  thinnet convert network.onnx network.safetensors
  thinnet explain --model digits.safetensors

`thinnet <COMMAND> --help` lists a command's settings.";

/// Trains and evaluates networks with dropout on CPUs, computing only the
/// thinned network that the mask left standing.
///
/// Without a command it runs the demo, whose options these are.
#[derive(Debug, clap::Parser)]
#[command(name = "thinnet", version, args_conflicts_with_subcommands = true)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The demo's own, where there is no subcommand.
    #[command(flatten)]
    pub demo: demo::Arguments,
    /// The subcommand; the demo where there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Train one network without and with dropout, and compare them
    Demo(demo::Arguments),
    /// Train a network on labelled images, and save it
    Train(Box<train::Arguments>),
    /// Say how well a saved network does on a test set
    Eval(eval::Arguments),
    /// Say what a saved network takes each row of a test set for
    Predict(predict::Arguments),
    /// Say whether a saved network is as often right as it says
    Calibrate(calibrate::Arguments),
    /// Show what a model file, a checkpoint, a state dict or an ONNX graph holds
    Inspect(inspect::Arguments),
    /// Take in a network of PyTorch or ONNX, or give one to PyTorch
    Convert(convert::Arguments),
    /// Say where a training step's time goes, and what the machine could do at best
    Explain(explain::Arguments),
    /// Print a script that completes the arguments in a shell
    Completions(manual::CompletionsArguments),
    /// Print a manual page (roff)
    Man(manual::ManArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_finds_no_fault_with_the_arguments() {
        Arguments::command().debug_assert();
    }
}
