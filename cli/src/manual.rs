//! `thinnet completions` and `thinnet man`, for packagers.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::console::{self, usage};

/// The text at the end of the help of `completions`.
const COMPLETIONS: &str = "\
Examples:
  thinnet completions bash > ~/.local/share/bash-completion/completions/thinnet
  thinnet completions zsh > ~/.zfunc/_thinnet
  thinnet completions fish > ~/.config/fish/completions/thinnet.fish";

/// The text at the end of the help of `man`.
const PAGES: &str = "\
Examples:
  thinnet man > thinnet.1
  thinnet man train > thinnet-train.1";

/// The arguments of `thinnet completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS)]
pub struct CompletionsArguments {
    /// The shell that the script is for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The arguments of `thinnet man`.
#[derive(Debug, clap::Args)]
#[command(after_help = PAGES)]
pub struct ManArguments {
    /// The subcommand to describe [default: `thinnet` itself]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Returns the whole command line, including what clap adds itself.
fn command() -> Command {
    let mut command = crate::arguments::Arguments::command();
    command.build();
    command
}

/// Runs `thinnet completions`.
///
/// # Errors
/// Stdout cannot be written to.
pub fn completions(arguments: &CompletionsArguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "thinnet", &mut script);
    console::results(&String::from_utf8(script)?)
}

/// Runs `thinnet man`.
///
/// # Errors
/// There is no such subcommand, or stdout cannot be written to.
pub fn page(arguments: &ManArguments) -> anyhow::Result<()> {
    let command = command();
    let chosen = match &arguments.command {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            usage(format!("no command `{name}`: expected one of {}", names.join(", ")))
        })?,
    };
    let mut page = Vec::new();
    let source = format!("thinnet {}", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(chosen).source(source).render(&mut page)?;
    console::results(&String::from_utf8(page)?)
}
