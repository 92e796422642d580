//! When a training is saved, and what it is resumed from.

use std::{
    fmt::Display,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use thinnet::{data::Dataset, files::WriteLock, train::Provenance};

use super::{Arguments, resume_command::resume_command};
use crate::{
    console::{Interrupted, usage},
    fit::Fitting,
    outputs::{Named, Output, are_same},
    plan::Plan,
    progress::Progress,
    recipe,
    signals::Signals,
};

/// Where a training is saved to and resumed from.
pub struct Checkpoints {
    /// The checkpoint that it goes on with.
    pub resumed: Option<PathBuf>,
    /// The checkpoint that it writes.
    pub file: Output,
    /// Keeps others from writing it.
    _lock: WriteLock,
}

impl Checkpoints {
    /// The file that the arguments ask to write, and the flag that names it.
    ///
    /// # Errors
    /// Steps from one save to the next without a file; there is none to go on with.
    pub fn file(arguments: &Arguments) -> anyhow::Result<Option<Named>> {
        let Arguments { checkpoint, resume, checkpoint_every, .. } = arguments;
        if let Some(path) = resume {
            fs::metadata(path).map_err(|error| {
                let reason: &dyn Display = match error.kind() {
                    ErrorKind::NotFound => &"no such file: expected a checkpoint",
                    _ => &error,
                };
                anyhow::anyhow!("--resume {}: {reason}", path.display())
            })?;
        }
        match (checkpoint, resume, checkpoint_every) {
            (Some(path), ..) => Ok(Some(("--checkpoint", path.clone()))),
            (None, Some(path), _) => Ok(Some(("--resume", path.clone()))),
            (None, None, None) => Ok(None),
            (None, None, Some(steps)) => Err(usage(format!(
                "--checkpoint-every {steps}: expected --checkpoint FILE or --resume FILE beside it"
            ))),
        }
    }

    /// Takes the right to write the file.
    ///
    /// # Errors
    /// A file that is there already and not resumed, so that no training is lost by a
    /// forgotten flag; another run's checkpoint.
    pub fn open(resumed: Option<&Path>, file: Output) -> anyhow::Result<Self> {
        let lock = file.lock()?;
        let goes_on = resumed.is_some_and(|resumed| are_same(resumed, file.given()));
        anyhow::ensure!(
            goes_on || !file.exists(),
            "--checkpoint {path}: is there already: expected a new file, or --resume {path} to go on with it",
            path = file.given().display()
        );
        Ok(Self { resumed: resumed.map(Path::to_owned), file, _lock: lock })
    }
}

/// What has to be the same when a training is resumed, besides what the trainer
/// itself knows. The names sort before the trainer's, so that an error names
/// the cause: with other data the schedule differs too.
pub fn settings(
    plan: &Plan,
    held_out: Option<usize>,
    train: &Dataset,
    test: &Dataset,
) -> Provenance {
    let held_out = held_out.map(|rows| format!("{rows} rows by seed {}", plan.seed));
    [
        ("batch", plan.batch.to_string()),
        ("data: held out", held_out.unwrap_or_else(|| "no rows".to_owned())),
        ("data: test", test.fingerprint()),
        ("data: training", train.fingerprint()),
        ("epochs", plan.epochs.to_string()),
        ("evaluate every", plan.evaluate_every.to_string()),
        ("initialisation", plan.initialisation.to_string()),
        ("shuffle seed", plan.seed.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Saves a training on its way.
pub struct Saver<'a> {
    file: &'a Output,
    every: u64,
    settings: &'a Provenance,
    signals: Signals,
    /// The step of the last attempt.
    tried_at: Option<u64>,
}

impl<'a> Saver<'a> {
    /// From now on Ctrl-C, SIGTERM and SIGHUP wait for a checkpoint.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(
        file: &'a Output,
        every: Option<usize>,
        settings: &'a Provenance,
    ) -> anyhow::Result<Self> {
        let every = every.unwrap_or(recipe::CHECKPOINT_EVERY) as u64;
        Ok(Self { file, every, settings, signals: Signals::watch()?, tried_at: None })
    }

    /// After each step and each end of an epoch: saves where it is time to.
    /// Where that fails it says so and the training goes on; the next time it is
    /// tried again.
    ///
    /// # Errors
    /// [`Interrupted`] where a signal came and the checkpoint is saved; where it
    /// cannot be saved, that.
    pub fn after(&mut self, fitting: &Fitting<'_>, progress: &Progress) -> anyhow::Result<()> {
        let step = fitting.trainer().steps();
        if let Some(signal) = self.signals.caught()
            && !fitting.is_done()
        {
            self.save(fitting)
                .map_err(|error| anyhow::anyhow!("interrupted after step {step}: {error}"))?;
            let command = resume_command(std::env::args_os(), self.file.given());
            let message = format!("saved after step {step}; go on with: {command}");
            return Err(Interrupted { signal, message }.into());
        }
        if step.is_multiple_of(self.every) && self.tried_at != Some(step) {
            self.tried_at = Some(step);
            if let Err(error) = self.save(fitting) {
                progress.warn(&format!(
                    "warning: no checkpoint of step {step}: {error} (training goes on; next try in \
                     {} steps)",
                    self.every
                ));
            }
        }
        Ok(())
    }

    /// Saves.
    ///
    /// # Errors
    /// What the system says; the last checkpoint stays.
    pub fn save(&self, fitting: &Fitting<'_>) -> anyhow::Result<()> {
        let notes = fitting.state().to_notes()?;
        self.file.save(|path| fitting.trainer().save(path, self.settings, &notes))
    }
}
