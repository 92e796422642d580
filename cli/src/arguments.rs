//! The command line as a whole; the arguments of each subcommand are in its own file.

use clap::Arg;

use crate::{
    calibration, convert, demo, eval, inspect, manual, predict, profile, quantize, recipe::PAPER,
    train,
};

/// The text at the end of `thinnet --help`.
const EXAMPLES: &str = "\
Examples:
  thinnet                              the demo: trains with and without dropout (half a minute)
  thinnet train --out digits.safetensors
  thinnet eval --model digits.safetensors
  thinnet predict --model digits.safetensors --limit 10
  thinnet calibration --model digits.safetensors
  thinnet inspect digits.safetensors
  thinnet convert network.onnx network.safetensors
  thinnet quantize digits.safetensors --out digits-8bit.safetensors
  thinnet profile --model digits.safetensors

`thinnet <COMMAND> --help` lists the options of a command.";

/// Train and evaluate neural networks with dropout on CPUs, computing only the units that dropout
/// keeps.
///
/// Without a command, the demo runs; the options below are the demo's.
#[derive(Debug, clap::Parser)]
#[command(name = "thinnet", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(after_help = format!("{EXAMPLES}\n\n{PAPER}"))]
#[command(mut_args(negatives), mut_subcommands(|command| command.mut_args(negatives)))]
pub struct Arguments {
    /// The arguments of the demo, which runs if there is no subcommand.
    #[command(flatten)]
    pub demo: demo::Arguments,
    /// The subcommand; without one, the demo runs.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Lets an option take a negative number as its value, so that the error is about that value and not
/// about an unknown flag.
fn negatives(argument: Arg) -> Arg {
    if argument.get_action().takes_values() {
        argument.allow_negative_numbers(true)
    } else {
        argument
    }
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Train the same network with and without dropout, and compare the two
    Demo(demo::Arguments),
    /// Train a network on rows with labels or other targets, and save it
    Train(Box<train::Arguments>),
    /// Measure the error of a saved network on a test set
    Eval(eval::Arguments),
    /// Predict the class or the other targets of each row of a data set with a saved network
    Predict(predict::Arguments),
    /// Measure how well predicted probabilities match the observed accuracy
    Calibration(calibration::Arguments),
    /// Show the contents of a model file, a checkpoint, a state dict or an ONNX graph
    Inspect(inspect::Arguments),
    /// Import a network from PyTorch or ONNX, or export one to them
    Convert(convert::Arguments),
    /// Round the weights of a saved network to 8 bits, for faster predictions
    Quantize(quantize::Arguments),
    /// Measure where the time of a training step goes, and compare it with the machine's lower bounds
    Profile(profile::Arguments),
    /// Print a completion script for a shell
    Completions(manual::CompletionsArguments),
    /// Print a manual page (roff)
    Man(manual::ManArguments),
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, builder::ValueParser, error::ErrorKind};

    use super::*;

    /// Whether the argument's values have the type that this parser produces.
    fn parses_to(argument: &Arg, parser: ValueParser) -> bool {
        argument.get_action().takes_values()
            && argument.get_value_parser().type_id() == parser.type_id()
    }

    /// Every count and every seed is parsed by `numbers`, whose errors name the range, and the help
    /// of a count states its maximum.
    #[test]
    fn every_count_has_a_stated_maximum() {
        let mut seen = 0;
        let all = Arguments::command();
        for command in all.get_subcommands().chain([&all]) {
            for argument in command.get_arguments() {
                let count = parses_to(argument, clap::value_parser!(usize).into());
                let widths =
                    parses_to(argument, clap::value_parser!(crate::numbers::Widths).into());
                let seed = parses_to(argument, clap::value_parser!(u64).into());
                if !(count || seed || widths) {
                    continue;
                }
                seen += 1;
                let flag = format!("--{}", argument.get_long().unwrap());
                for value in ["0x1", "-1", "1e3", "NaN", "", "18446744073709551616"] {
                    let mut line = vec!["thinnet"];
                    if command.get_name() != "thinnet" {
                        line.push(command.get_name());
                    }
                    let with_value = format!("{flag}={value}");
                    let error = all
                        .clone()
                        .try_get_matches_from(line.into_iter().chain([&*with_value]))
                        .unwrap_err()
                        .to_string();
                    if value.is_empty() {
                        assert!(error.contains(&flag), "{error}");
                        continue;
                    }
                    let named = error.contains(&flag) && error.contains(value);
                    assert!(named && error.contains("expected"), "{error}");
                    let range = error.split_once(" from ").expect("a range").1;
                    let mut words = range.split([' ', ',', '\n']);
                    let (least, most) = (words.next().unwrap(), words.nth(1).unwrap());
                    let help = argument.get_help().unwrap().to_string();
                    let stated = help.contains(&format!("from {least} to {most}"));
                    assert!(seed || stated, "{flag}: {help}");
                }
            }
        }
        // The loop found the arguments.
        assert!(seen >= 25, "{seen}");
    }

    /// The error about `--seed -1` names the value, for every option that takes a number.
    #[test]
    fn a_negative_number_is_a_value_and_not_a_flag() {
        let all = Arguments::command();
        let mut seen = 0;
        for command in all.get_subcommands().chain([&all]) {
            for argument in command.get_arguments().filter(|one| one.get_action().takes_values()) {
                let Some(flag) = argument.get_long().map(|name| format!("--{name}")) else {
                    continue;
                };
                seen += 1;
                let name = Some(command.get_name()).filter(|&name| name != all.get_name());
                let line = ["thinnet"].into_iter().chain(name).chain([&*flag, "-1.5"]);
                if let Err(error) = all.clone().try_get_matches_from(line) {
                    let text = error.to_string();
                    // A file may have such a name; what is missing then is something else.
                    let missing = error.kind() == ErrorKind::MissingRequiredArgument;
                    assert!(missing || text.contains("'-1.5' for '--"), "{text}");
                }
            }
        }
        assert!(seen >= 50, "{seen}");
    }

    #[test]
    fn arguments_pass_the_checks_of_clap() {
        Arguments::command().debug_assert();
    }
}
