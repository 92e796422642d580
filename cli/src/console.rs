//! What goes to stdout and stderr, and the exit code.

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

/// Writes results to stdout.
///
/// # Errors
/// What the system says; [`failed`] keeps silent about a reader that left.
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

/// Writes a line to stderr. Where stderr is closed there is nobody to tell.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// An error in the arguments that clap cannot see: exit code 2.
pub fn usage(message: impl std::fmt::Display) -> anyhow::Error {
    clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).into()
}

/// A run that a signal ended as it should: what to say, and the signal.
#[derive(Debug)]
pub struct Interrupted {
    /// The signal's number; the exit code is 128 more, as shells have it.
    pub signal: u8,
    /// One line.
    pub message: String,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Interrupted {}

/// Says what went wrong in one line, and gives the exit code.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        if !usage.use_stderr() {
            // --help and --version come as errors too.
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

/// The message alone: without `error:`, usage and the pointer to help, and with
/// its lines joined.
fn one_line(message: &str) -> String {
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
