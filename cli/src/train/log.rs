//! The log of a run, with a line for each epoch.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
};

use serde::Serialize;

use crate::{curves::Point, fit::Fitting, outputs::Output, progress::Progress};

/// A line of the log.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    point: &'a Point,
    /// The time of training and evaluation up to the end of the epoch.
    seconds: f64,
}

/// Returns the lines of the epochs after the first `done`.
fn lines(fitting: &Fitting<'_>, done: usize) -> anyhow::Result<String> {
    let mut text = String::new();
    for (point, seconds) in fitting.curves().into_iter().zip(fitting.ends()).skip(done) {
        text += &serde_json::to_string(&Line { point: &point, seconds: *seconds })?;
        text.push('\n');
    }
    Ok(text)
}

/// A log (JSON Lines). It begins with the epochs that the resumed checkpoint contains, whatever the
/// file held before, so that no epoch is missing or there twice. A line is appended as its epoch ends.
pub struct Log<'a> {
    file: &'a Output,
    /// `None` once a line could not be appended.
    open: Option<File>,
    /// The epochs in it.
    epochs: usize,
}

impl<'a> Log<'a> {
    /// Writes the epochs that are done.
    ///
    /// # Errors
    /// The system's error.
    pub fn begin(file: &'a Output, fitting: &Fitting<'_>) -> anyhow::Result<Self> {
        file.write(lines(fitting, 0)?.as_bytes())?;
        let open = OpenOptions::new().append(true).open(file.given());
        let open = open.map_err(|error| file.failed(error))?;
        Ok(Self { file, open: Some(open), epochs: fitting.ends().len() })
    }

    /// Appends the epochs that have ended since. If that fails, it prints a warning, and the log is
    /// written at the end of the run.
    ///
    /// # Errors
    /// Serialisation fails, which these types do not let happen.
    pub fn after(&mut self, fitting: &Fitting<'_>, progress: &Progress) -> anyhow::Result<()> {
        let ended = fitting.ends().len();
        let Some(open) = self.open.as_mut().filter(|_| ended > self.epochs) else {
            return Ok(());
        };
        let written: io::Result<()> = open.write_all(lines(fitting, self.epochs)?.as_bytes());
        self.epochs = ended;
        if let Err(error) = written {
            let error = self.file.failed(error);
            progress.warn(&format!(
                "warning: {error} (training continues; the log will be written at its end)"
            ));
            self.open = None;
        }
        Ok(())
    }

    /// Writes the whole log if a line could not be appended.
    ///
    /// # Errors
    /// The system's error.
    pub fn finish(self, fitting: &Fitting<'_>) -> anyhow::Result<()> {
        match self.open {
            Some(_) => Ok(()),
            None => self.file.write(lines(fitting, 0)?.as_bytes()),
        }
    }
}
