//! Saving and resuming a training run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Averaging, MaxNorm, Schedule, Trainer, TrainerBuilder};
use crate::{
    checkpoint::{self, Architecture, Expect, OptimiserRecord, Position, Reader, Saved, Writer},
    error::Error,
    memory::ensure_room,
    nn::Mlp,
};

/// What defines a training run besides the trainer's own settings: names and values that must be
/// the same when it is resumed, such as the fingerprint of the data
/// ([`crate::data::Dataset::fingerprint`]) and the batch size.
pub type Provenance = BTreeMap<String, String>;

/// The stored name of the arithmetic without fused multiply-add.
const PRODUCT_ROUNDED: &str = "product rounded";

/// The value of a setting in human-readable form. Checkpoints store the trainer's schedules and
/// its max-norm as JSON, and its arithmetic by a short name; the caller's settings are returned
/// unchanged.
///
/// ```
/// use thinnet::train::describe_setting;
///
/// let rate = r#"{"kind":"linear","from":0.1,"to":0.0,"steps":4690}"#;
/// let text = describe_setting("learning rate", rate);
/// assert_eq!(text, "0.1 to 0.0 in a straight line over 4690 steps");
/// assert_eq!(describe_setting("initialisation", "he"), "he");
/// ```
pub fn describe_setting(name: &str, value: &str) -> String {
    let text = match name {
        "learning rate" | "momentum" => {
            serde_json::from_str(value).map(|schedule: Schedule| schedule.to_string())
        }
        "max-norm" => serde_json::from_str(value).map(|max_norm: Option<MaxNorm>| {
            max_norm.map_or_else(|| "none".to_owned(), |max_norm| max_norm.to_string())
        }),
        checkpoint::AVERAGING | checkpoint::TAIL_AVERAGING => {
            serde_json::from_str(value).map(|average: Averaging| average.to_string())
        }
        "arithmetic" if value == PRODUCT_ROUNDED => {
            Ok("separate multiplication and addition (instruction set portable)".to_owned())
        }
        _ => return value.to_owned(),
    };
    text.unwrap_or_else(|_| value.to_owned())
}

impl Trainer {
    /// A checkpoint as bytes: raw weights, the optimiser's state, the position, the settings of the trainer
    /// and of the caller, and the caller's notes. The trainer is left unchanged.
    ///
    /// # Errors
    /// Parameters or the optimiser's state are NaN or infinite, a setting of the caller has a name that the
    /// trainer uses, there is not enough memory, or the checkpoint would be too large to be read
    /// back.
    pub fn to_bytes(&self, settings: &Provenance, notes: &str) -> Result<Vec<u8>, Error> {
        self.checkpoint(settings, notes, None)?.into_bytes()
    }

    /// Saves a checkpoint; the file appears either complete or not at all. The tensors are written
    /// to it directly, without a copy.
    ///
    /// # Errors
    /// As for [`Self::to_bytes`], or an I/O error.
    pub fn save(
        &self,
        path: impl AsRef<Path>,
        settings: &Provenance,
        notes: &str,
    ) -> Result<(), Error> {
        self.checkpoint(settings, notes, None)?.save(path.as_ref())
    }

    /// A checkpoint, with the best parameters so far if they are kept.
    pub(super) fn checkpoint<'m>(
        &'m self,
        settings: &Provenance,
        notes: &str,
        best: Option<&'m Mlp>,
    ) -> Result<Writer<'m>, Error> {
        // Refuses names that the trainer uses, including those that are not stored with the
        // caller's.
        join(self.own_settings()?, settings)?;
        // Room for text, JSON, and JSON within JSON: their writers cannot report a failed
        // allocation.
        ensure_room("the notes", notes.len().saturating_mul(8))?;
        let position = Position {
            notes: notes.to_owned(),
            settings: join(self.other_settings()?, settings)?,
            step: self.steps(),
            learning_rate: self.updates().learning_rate,
            best: best.is_some(),
        };
        let (mlp, states) = self.raw();
        let max_norm = self.updates().max_norm.is_some();
        checkpoint::of_training(mlp, states, self.record()?, position, max_norm, best)
    }

    /// The optimiser and its settings, with those that apply with any optimiser.
    fn record(&self) -> Result<OptimiserRecord, Error> {
        let settings = self.updates().settings()?;
        Ok(OptimiserRecord::new(self.optimiser(), settings))
    }

    /// Names and values of all settings that determine the result of training.
    fn own_settings(&self) -> Result<Provenance, Error> {
        let mut settings = self.updates().settings()?;
        settings.extend(self.other_settings()?);
        Ok(settings)
    }

    /// The settings that do not concern the updates.
    fn other_settings(&self) -> Result<Provenance, Error> {
        // All backends with fused multiply-add give the same bits; those that round products before
        // adding them give different ones.
        let rounding = if self.isa().fuses() { "fused multiply-add" } else { PRODUCT_ROUNDED };
        let mut settings = self.objective().settings()?;
        settings.extend([
            ("mask seed".to_owned(), self.seed().to_string()),
            ("arithmetic".to_owned(), rounding.to_owned()),
        ]);
        Ok(settings)
    }
}

impl TrainerBuilder {
    /// The trainer at the position stored in a checkpoint, and the caller's notes. The run
    /// continues as if it had not been interrupted, bit for bit.
    ///
    /// # Errors
    /// The file cannot be read or is not a checkpoint; the checkpoint has a different architecture or
    /// different settings, in which case the error gives names and values; or it has the best
    /// parameters of a run with [`EarlyStopping`](super::EarlyStopping), which
    /// [`Fit::resume`](super::Fit::resume) continues. Also as for [`Self::build`].
    pub fn resume(
        self,
        path: impl AsRef<Path>,
        settings: &Provenance,
    ) -> Result<(Trainer, String), Error> {
        self.resume_without_best(Reader::open(path.as_ref())?, settings)
    }

    /// Like [`Self::resume`], but from the bytes of a file.
    ///
    /// # Errors
    /// As for [`Self::resume`].
    pub fn resume_from_bytes(
        self,
        bytes: &[u8],
        settings: &Provenance,
    ) -> Result<(Trainer, String), Error> {
        self.resume_without_best(Reader::of_bytes(bytes)?, settings)
    }

    fn resume_without_best(
        self,
        file: Reader<'_>,
        settings: &Provenance,
    ) -> Result<(Trainer, String), Error> {
        let path = file.path().map(Path::to_owned);
        let saved = Saved::open(file)?;
        if saved.position.best {
            let reason = "the checkpoint of a run of Fit that keeps its best parameters: expected \
                          Fit::resume, which reads them (or TrainerBuilder::continue_from, to \
                          fine-tune from the last parameters)";
            let error = saved.refuse(reason.to_owned());
            return Err(saved.verify().err().unwrap_or(error));
        }
        let (trainer, notes, _) = self.resume_saved(path, saved, settings)?;
        Ok((trainer, notes))
    }

    /// The trainer, the caller's notes as `parse` returns them, and the best parameters so far if they
    /// are kept. Notes that cannot be parsed are refused before any setting is compared.
    pub(super) fn resume_from<T>(
        self,
        file: Reader<'_>,
        settings: &Provenance,
        parse: impl FnOnce(&str) -> Result<T, Error>,
    ) -> Result<(Trainer, T, Option<Mlp>), Error> {
        let path = file.path().map(Path::to_owned);
        let saved = Saved::open(file)?;
        let notes = match parse(&saved.position.notes) {
            Ok(notes) => notes,
            Err(error) => return Err(saved.verify().err().unwrap_or(error)),
        };
        let (trainer, _, best) = self.resume_saved(path, saved, settings)?;
        Ok((trainer, notes, best))
    }

    fn resume_saved(
        self,
        path: Option<PathBuf>,
        mut saved: Saved<'_>,
        settings: &Provenance,
    ) -> Result<(Trainer, String, Option<Mlp>), Error> {
        let mut trainer = self.build()?;
        let now = join(trainer.own_settings()?, settings)?;
        let differs = |what: &str, saved: &str, now: &str| Error::Resume {
            path: path.clone(),
            what: what.to_owned(),
            saved: describe_setting(what, saved),
            now: describe_setting(what, now),
        };
        let architecture = Architecture::from(trainer.raw().0);
        let others = std::mem::take(&mut saved.position.settings);
        let then = join(std::mem::take(&mut saved.optimiser.settings), &others);
        let then = then.map_err(|error| saved.refuse(error.to_string()))?;
        let mut names = then.keys().chain(now.keys());
        let (was, is) = (saved.optimiser.kind.as_str(), trainer.optimiser().name());
        let difference = if saved.architecture != architecture {
            let (was, is) = (saved.architecture.describe(), architecture.describe());
            Some(differs("network", &was, &is))
        } else if was != is {
            Some(differs("optimiser", was, is))
        } else {
            names.find(|&name| then.get(name) != now.get(name)).map(|name| {
                let [was, is] = [then.get(name), now.get(name)]
                    .map(|value| value.map_or("not set", String::as_str));
                differs(name, was, is)
            })
        };
        if let Some(difference) = difference {
            return Err(saved.verify().err().unwrap_or(difference));
        }
        let (step, notes) = (saved.position.step, std::mem::take(&mut saved.position.notes));
        let rate = trainer.set_rate(saved.position.learning_rate);
        rate.map_err(|error| saved.refuse(error.to_string()))?;
        let updates = trainer.updates();
        let (max_norm, averaged) = (updates.max_norm.is_some(), updates.has_averaged(step));
        let expect = Expect::SameRun { max_norm, averaged };
        let mut best = saved.best()?;
        trainer.restore(step, |mlp, states| saved.load(mlp, states, best.as_mut(), expect))?;
        Ok((trainer, notes, best))
    }
}

/// The settings of the trainer and of the caller together.
fn join(mut own: Provenance, callers: &Provenance) -> Result<Provenance, Error> {
    for (name, value) in callers {
        if own.insert(name.clone(), value.clone()).is_some() {
            return Err(Error::ReservedName { name: name.clone() });
        }
    }
    Ok(own)
}
