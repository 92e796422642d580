//! Output to stdout and stderr, and the exit code.

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

/// Writes results to stdout.
///
/// # Errors
/// The system's error. A broken pipe is one too, but [`failed`] does not report it: the reader has
/// simply stopped reading.
pub fn results(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            error.into()
        } else {
            anyhow::anyhow!("standard output: {error}")
        }
    })
}

/// Writes a line to stderr. Errors are ignored: if stderr is closed, nobody could read them.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Returns an error in the arguments that clap cannot find itself. The exit code is 2.
pub fn usage(message: impl std::fmt::Display) -> anyhow::Error {
    clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).into()
}

/// A run that a signal ended after its state was saved.
#[derive(Debug)]
pub struct Interrupted {
    /// The number of the signal. The exit code is 128 more, as in shells.
    pub signal: u8,
    /// The message, in one line.
    pub message: String,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Interrupted {}

/// Prints the error in one line and returns the exit code.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        if !usage.use_stderr() {
            // clap returns --help and --version as errors too.
            let _ = usage.print();
            return ExitCode::SUCCESS;
        }
        remark(&format!("error: {}", one_line(&usage.to_string())));
        return ExitCode::from(2);
    }
    if let Some(io) = error.downcast_ref::<std::io::Error>()
        && io.kind() == ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS;
    }
    if let Some(Interrupted { signal, message }) = error.downcast_ref() {
        remark(&format!("interrupted: {message}"));
        return ExitCode::from(128 + signal);
    }
    remark(&format!("error: {}", one_line(&error.to_string())));
    ExitCode::FAILURE
}

/// Returns clap's message in one line, without `error:`, the usage and the pointer to the help.
pub fn one_line(message: &str) -> String {
    let paragraphs = message.trim().split("\n\n").filter(|paragraph| {
        !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information")
    });
    let mut line = String::new();
    for paragraph in paragraphs {
        let words: Vec<_> = paragraph.split_whitespace().collect();
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.push_str(&words.join(" "));
    }
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_one_line() {
        assert_eq!(one_line("a folder: gone"), "a folder: gone");
        let clap = "error: unexpected argument '--epoch' found\n\n  tip: a similar argument \
                    exists: '--epochs'\n\nUsage: thinnet train\n\nFor more information, try.\n";
        assert_eq!(
            one_line(clap),
            "unexpected argument '--epoch' found; tip: a similar argument exists: '--epochs'"
        );
    }
}
