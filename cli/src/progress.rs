//! Progress on stderr: a bar on a terminal, otherwise some lines.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{console, run_state::Epoch};

/// How often the bar's numbers change.
const REFRESH: Duration = Duration::from_millis(250);

/// About how many lines a training prints where there is no terminal.
const LINES: usize = 10;

/// How far one training has come, or several that take turns.
pub struct Progress {
    /// What is trained, in a word or two.
    name: String,
    epochs: usize,
    shown: Shown,
    /// Since the numbers last changed: when that was, the steps, their losses.
    since: Instant,
    steps: u32,
    losses: f64,
    last_error: Option<f64>,
}

/// The forms of progress.
enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Progress of trainings of `epochs` epochs each, `steps` steps in all.
    pub fn new(name: &str, epochs: usize, steps: u64, quiet: bool) -> Self {
        let shown = if quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(steps);
            let style =
                ProgressStyle::with_template("{prefix:10} [{wide_bar}] {msg}  {eta:>3} left");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            bar.set_prefix(name.to_owned());
            Shown::Bar(bar)
        } else {
            Shown::Lines
        };
        let (since, name) = (Instant::now(), name.to_owned());
        Self { name, epochs, shown, since, steps: 0, losses: 0.0, last_error: None }
    }

    /// Another training's turn.
    pub fn turn(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.last_error = None;
        if let Shown::Bar(bar) = &self.shown {
            bar.set_prefix(self.name.clone());
        }
        self.restart();
    }

    /// These steps were done before.
    pub fn skip(&mut self, steps: u64) {
        if let Shown::Bar(bar) = &self.shown {
            bar.set_position(steps);
            bar.reset_eta();
        }
    }

    /// Something went wrong that does not end the training: said even where
    /// nothing else is.
    pub fn warn(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| console::remark(text)),
            _ => console::remark(text),
        }
    }

    /// A step was done.
    pub fn step(&mut self, loss: f32) {
        self.steps += 1;
        self.losses += f64::from(loss);
        if let Shown::Bar(bar) = &self.shown {
            bar.inc(1);
            let elapsed = self.since.elapsed();
            if elapsed >= REFRESH {
                let loss = self.losses / f64::from(self.steps);
                let error =
                    self.last_error.map_or(String::new(), |error| percent(error) + " wrong  ");
                let rate = f64::from(self.steps) / elapsed.as_secs_f64();
                bar.set_message(format!("{error}loss {loss:.4}  {rate:.0} steps/s"));
                self.restart();
            }
        }
    }

    /// An epoch was done.
    pub fn epoch(&mut self, done: &Epoch) {
        self.last_error = done.test_error.or(self.last_error);
        let last = done.epoch == self.epochs;
        match &self.shown {
            // One line stays of the bar.
            Shown::Bar(bar) if last => bar.suspend(|| self.line(done)),
            Shown::Lines if last || done.epoch.is_multiple_of(self.epochs.div_ceil(LINES)) => {
                self.line(done);
                self.restart();
            }
            _ => {}
        }
    }

    fn line(&self, done: &Epoch) {
        let error = done.test_error.map_or("not measured".to_owned(), percent);
        let mut line = format!(
            "{}: epoch {} of {}, training loss {:.4}, test error {error}",
            self.name, done.epoch, self.epochs, done.train_loss
        );
        if matches!(self.shown, Shown::Lines) {
            let rate = f64::from(self.steps) / self.since.elapsed().as_secs_f64();
            line += &format!(", {rate:.0} steps/s");
        }
        console::remark(&line);
    }

    fn restart(&mut self) {
        (self.since, self.steps, self.losses) = (Instant::now(), 0, 0.0);
    }
}

impl Drop for Progress {
    /// Takes away the bar: results or an error come next.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// A fraction as `3.30 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
