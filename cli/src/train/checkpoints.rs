//! Saves the state of a run during training, and finds the checkpoint that it is resumed from.

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
    difference,
    fit::Fitting,
    outputs::{Named, Output, are_same},
    plan::Plan,
    progress::Progress,
    recipe,
    signals::Signals,
    watch::ValidationRows,
};

/// The checkpoints that a run is resumed from and saved to.
pub struct Checkpoints {
    /// The checkpoint that is resumed.
    pub resumed: Option<PathBuf>,
    /// The checkpoint that is written.
    pub file: Output,
    /// Keeps other runs from writing it.
    _lock: WriteLock,
}

impl Checkpoints {
    /// Returns the checkpoint to write, with the flag that names it.
    ///
    /// # Errors
    /// `--checkpoint-every` is given without a file, or the checkpoint to resume cannot be found.
    pub fn file(arguments: &Arguments) -> anyhow::Result<Option<Named>> {
        let Arguments { checkpoint, resume, checkpoint_every, .. } = arguments;
        if let Some(path) = resume {
            let about = fs::metadata(path).map_err(|error| {
                let reason: &dyn Display = match error.kind() {
                    ErrorKind::NotFound => &"no such file: expected a checkpoint",
                    _ => &error,
                };
                anyhow::anyhow!("--resume {}: {reason}", path.display())
            })?;
            anyhow::ensure!(
                !about.is_dir(),
                "--resume {}: a folder: expected a checkpoint",
                path.display()
            );
        }
        match (checkpoint, resume, checkpoint_every) {
            (Some(path), ..) => Ok(Some(("--checkpoint", path.clone()))),
            (None, Some(path), _) => Ok(Some(("--resume", path.clone()))),
            (None, None, None) => Ok(None),
            (None, None, Some(steps)) => Err(usage(format!(
                "--checkpoint-every {steps}: expected --checkpoint FILE or --resume FILE too"
            ))),
        }
    }

    /// Locks the file that is written.
    ///
    /// # Errors
    /// The file exists and is not the one that is resumed, so that a forgotten flag does not destroy
    /// a run; or another run is writing it.
    pub fn open(resumed: Option<&Path>, file: Output) -> anyhow::Result<Self> {
        let lock = file.lock()?;
        let is_resumed = resumed.is_some_and(|resumed| are_same(resumed, file.given()));
        anyhow::ensure!(
            is_resumed || !file.exists(),
            "--checkpoint {path} already exists: expected a new file, or --resume {path} to resume it",
            path = file.given().display()
        );
        Ok(Self { resumed: resumed.map(Path::to_owned), file, _lock: lock })
    }
}

/// The name of the setting that tells how many rows are held out.
pub const HELD_OUT: &str = "--held-out";

/// The name of the setting that tells where the validation rows are from, if there are some.
pub const VALIDATION: &str = "--validation";

/// The value of [`HELD_OUT`] if there are none.
pub const NONE: &str = "none";

/// Returns the settings that must not change when a run is resumed, in addition to those of the
/// trainer and the loop. An error names the first that differs, in the order of their names, so
/// these flags come first: with other flags the data may differ. Of the others, batch, data and
/// epochs come before the learning rate, whose schedule follows from them.
pub fn settings(plan: &Plan, held_out: Option<usize>, test: &Dataset) -> Provenance {
    let mut settings: Provenance = [
        (HELD_OUT, held_out.map_or(NONE.to_owned(), |rows| rows.to_string())),
        ("--initialisation", plan.initialisation.to_string()),
        ("--seed", plan.seed.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(rows) = &plan.watch.validation {
        let rows = match rows {
            ValidationRows::Folder(_) => "a folder".to_owned(),
            rows => rows.to_string(),
        };
        settings.insert(VALIDATION.to_owned(), rows);
        settings.insert(difference::TEST_DATA.to_owned(), test.fingerprint());
    }
    settings
}

/// Saves the state of a run.
pub struct Saver<'a> {
    file: &'a Output,
    every: u64,
    signals: Signals,
    /// The step of the last attempt.
    tried_at: Option<u64>,
}

impl<'a> Saver<'a> {
    /// Prepares to save. From now on, Ctrl-C, SIGTERM and SIGHUP only take effect once a checkpoint is
    /// saved.
    ///
    /// # Errors
    /// The system's error.
    pub fn new(file: &'a Output, every: Option<usize>) -> anyhow::Result<Self> {
        let every = every.unwrap_or(recipe::CHECKPOINT_EVERY) as u64;
        Ok(Self { file, every, signals: Signals::watch()?, tried_at: None })
    }

    /// To be called after each step and at the end of each epoch. Saves the state if a checkpoint is
    /// due. If that fails, it prints a warning, and training continues until the next attempt.
    ///
    /// # Errors
    /// [`Interrupted`] if a signal arrived and the checkpoint was saved. If it could not be saved after
    /// a signal, the error of saving.
    pub fn after(&mut self, fitting: &Fitting<'_>, progress: &Progress) -> anyhow::Result<()> {
        let step = fitting.steps();
        if let Some(signal) = self.signals.caught()
            && !fitting.is_done()
        {
            self.save(fitting).map_err(|error| {
                anyhow::anyhow!(
                    "interrupted after step {step}, but the checkpoint could not be saved: {error}; an \
                     earlier checkpoint is unchanged"
                )
            })?;
            let command = resume_command(std::env::args_os(), self.file.given());
            let message = format!("saved after step {step}; resume with: {command}");
            return Err(Interrupted { signal, message }.into());
        }
        if step.is_multiple_of(self.every) && self.tried_at != Some(step) {
            self.tried_at = Some(step);
            if let Err(error) = self.save(fitting) {
                progress.warn(&format!(
                    "warning: no checkpoint after step {step}: {error} (training continues; next \
                     attempt in {} steps)",
                    self.every
                ));
            }
        }
        Ok(())
    }

    /// Saves the state.
    ///
    /// # Errors
    /// The system's error. The previous checkpoint is then unchanged.
    pub fn save(&self, fitting: &Fitting<'_>) -> anyhow::Result<()> {
        let notes = fitting.notes()?;
        self.file.save(|path| fitting.run().save(path, &notes))
    }
}
