//! Progress on stderr: a bar on a terminal, otherwise a few lines.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use thinnet::{metrics::Metric, train::Epoch};

use crate::console;

/// The time between updates of the bar's numbers.
const REFRESH: Duration = Duration::from_millis(250);

/// The approximate number of lines that a run prints if there is no terminal.
const LINES: usize = 10;

/// The progress of one training run, or of several that take turns.
pub struct Progress {
    /// The name of the run, in a word or two.
    name: String,
    /// The set on which the error is measured: `test`, `held-out` or `validation`.
    set: &'static str,
    epochs: usize,
    /// The figure that is shown.
    metric: Metric,
    shown: Shown,
    /// When the numbers were last updated. `steps` and `losses` (a sum) count from then.
    since: Instant,
    steps: u32,
    losses: f64,
    last: Option<f64>,
}

/// The form in which progress is shown.
enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Shows the progress of runs of `epochs` epochs each, and `steps` steps in total.
    pub fn new(name: &str, set: &'static str, epochs: usize, steps: u64, quiet: bool) -> Self {
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
        let metric = Metric::ErrorRate;
        Self { name, set, epochs, metric, shown, since, steps: 0, losses: 0.0, last: None }
    }

    /// Shows this figure instead of the error.
    pub fn of(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// Switches to another run.
    pub fn turn(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.last = None;
        if let Shown::Bar(bar) = &self.shown {
            bar.set_prefix(self.name.clone());
        }
        self.restart();
    }

    /// Counts steps that were done by an earlier run.
    pub fn skip(&mut self, steps: u64) {
        if let Shown::Bar(bar) = &self.shown {
            bar.set_position(steps);
            bar.reset_eta();
        }
    }

    /// Prints a warning about a problem that does not end the run, even with `--quiet`.
    pub fn warn(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| console::remark(text)),
            _ => console::remark(text),
        }
    }

    /// Counts a step with this loss.
    pub fn step(&mut self, loss: f32) {
        self.steps += 1;
        self.losses += f64::from(loss);
        if let Shown::Bar(bar) = &self.shown {
            bar.inc(1);
            let elapsed = self.since.elapsed();
            if elapsed >= REFRESH {
                let loss = self.losses / f64::from(self.steps);
                let last = self.last.map_or(String::new(), |figure| match self.metric {
                    Metric::ErrorRate => percent(figure) + " wrong  ",
                    metric => format!("{metric} {figure:.4}  "),
                });
                let rate = f64::from(self.steps) / elapsed.as_secs_f64();
                bar.set_message(format!("{last}loss {loss:.4}  {rate:.0} steps/s"));
                self.restart();
            }
        }
    }

    /// Shows the end of an epoch, which may be the last.
    pub fn epoch(&mut self, done: &Epoch, last: bool) {
        self.last = done.figure(self.metric).or(self.last);
        match &self.shown {
            // One line remains when the bar is gone.
            Shown::Bar(bar) if last => bar.suspend(|| self.line(done)),
            Shown::Lines if last || done.epoch.is_multiple_of(self.epochs.div_ceil(LINES)) => {
                self.line(done);
                self.restart();
            }
            _ => {}
        }
    }

    fn line(&self, done: &Epoch) {
        let figure = match (self.metric, done.figure(self.metric)) {
            (Metric::ErrorRate, error) => {
                format!("error {}", error.map_or("not measured".to_owned(), percent))
            }
            (metric, None) => format!("{metric} not measured"),
            (metric, Some(figure)) => format!("{metric} {figure:.4}"),
        };
        let mut line = format!(
            "{}: epoch {} of {}, training loss {:.4}, {} {figure}",
            self.name, done.epoch, self.epochs, done.train_loss, self.set
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
    /// Removes the bar, because results or an error come next.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// Returns a fraction as a percentage, such as `3.30 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", 100.0 * fraction)
}
