//! When a training is saved, and what it is resumed from.

use thinnet::{data::Dataset, files::WriteLock, train::Settings};

use super::{Arguments, again::resume_command};
use crate::{
    console::{Interrupted, usage},
    fit::Fitting,
    outputs::Output,
    plan::Plan,
    progress::Progress,
    recipe,
    signals::Signals,
};

/// Where a training is saved to and resumed from.
pub struct Checkpoints {
    /// The checkpoint that it goes on with.
    pub resumed: Option<Output>,
    /// The checkpoint that it writes.
    pub file: Output,
    /// Keeps others from writing it.
    _lock: WriteLock,
}

impl Checkpoints {
    /// What the arguments ask for; `None` where that is no checkpoint.
    ///
    /// # Errors
    /// As [`Output::check`]; a file that is there already and not resumed, so
    /// that no training is lost by a forgotten flag; another run's checkpoint.
    pub fn open(arguments: &Arguments) -> anyhow::Result<Option<Self>> {
        let (checkpoint, resume) = (&arguments.checkpoint, &arguments.resume);
        let (flag, path) = match (checkpoint, resume) {
            (Some(path), _) => ("--checkpoint", path),
            (None, Some(path)) => ("--resume", path),
            (None, None) => {
                return match arguments.checkpoint_every {
                    None => Ok(None),
                    Some(steps) => Err(usage(format!(
                        "--checkpoint-every {steps}: expected --checkpoint FILE or --resume FILE \
                         beside it"
                    ))),
                };
            }
        };
        let resumed = resume.as_deref().map(|path| Output::existing("--resume", path));
        let resumed = resumed.transpose()?;
        let file = Output::check(flag, path)?;
        let lock = file.lock()?;
        let goes_on = resumed.as_ref().is_some_and(|resumed| resumed.is(&file));
        anyhow::ensure!(
            goes_on || !file.exists(),
            "{flag} {path}: is there already: expected a new file, or --resume {path} to go on with it",
            path = path.display()
        );
        Ok(Some(Self { resumed, file, _lock: lock }))
    }

    /// The files, to be held against the outputs.
    pub fn files(&self) -> impl Iterator<Item = &Output> {
        let other = self.resumed.as_ref().filter(|resumed| !resumed.is(&self.file));
        std::iter::once(&self.file).chain(other)
    }
}

/// What has to be the same when a training is resumed, besides what the trainer
/// itself knows. The names sort before the trainer's, so that an error names
/// the cause: with other data the schedule differs too.
pub fn settings(plan: &Plan, train: &Dataset, test: &Dataset) -> Settings {
    [
        ("batch", plan.batch.to_string()),
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
    settings: &'a Settings,
    signals: Signals,
    /// The step of the last attempt.
    tried_at: Option<u64>,
}

impl<'a> Saver<'a> {
    /// From now on Ctrl-C and SIGTERM wait for a checkpoint.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(
        file: &'a Output,
        every: Option<usize>,
        settings: &'a Settings,
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
            let again = resume_command(std::env::args_os(), self.file.given());
            let message = format!("saved after step {step}; go on with: {again}");
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
        let notes = fitting.course().to_notes()?;
        self.file.write(&fitting.trainer().to_bytes(self.settings, &notes)?)
    }
}
