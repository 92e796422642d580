//! The flags of `thinnet train` in a TOML file, with their names as keys: read for `--config`, and written
//! into the model file.

mod read;
mod write;

use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};

pub use read::expanded;
pub use write::{SETTINGS, written};

/// The subcommand, the second word of the command line.
const SUBCOMMAND: &str = "train";

/// The id of the argument that names the file.
const CONFIG: &str = "config";

/// Whether a file can set this flag.
fn is_setting(argument: &Arg) -> bool {
    let action = argument.get_action();
    let is_flag = action.takes_values() || matches!(action, ArgAction::SetTrue);
    is_flag && argument.get_id() != CONFIG
}

/// Whether the command line has a flag that takes the place of `argument`: itself, or one that it cannot
/// be used with.
fn is_replaced(train: &Command, given: &ArgMatches, argument: &Arg) -> bool {
    let is_given =
        |one: &&Arg| given.value_source(one.get_id().as_str()) == Some(ValueSource::CommandLine);
    train.get_arguments().filter(is_given).any(|other| {
        let names = |one: &Arg, other: &Arg| {
            train.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
        };
        let share_a_choice = || {
            train.get_groups().any(|group| {
                let is_in = |arg: &Arg| group.get_args().any(|id| id == arg.get_id());
                !group.clone().is_multiple() && is_in(argument) && is_in(other)
            })
        };
        argument.get_id() == other.get_id()
            || names(argument, other)
            || names(other, argument)
            || share_a_choice()
    })
}
