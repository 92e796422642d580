//! Saving a training and going on with it.

use std::{collections::BTreeMap, path::Path};

use super::{Trainer, TrainerBuilder};
use crate::{
    checkpoint::{self, Position},
    error::Error,
    files::{self, write_atomically},
};

/// What a training is the training of, besides the trainer's own settings:
/// names and values that have to be the same when it is resumed, such as the
/// data's fingerprint ([`crate::data::Dataset::fingerprint`]) and the batch
/// size.
pub type Settings = BTreeMap<String, String>;

impl Trainer {
    /// The checkpoint's bytes: raw weights, velocities, the position, the
    /// trainer's settings and the caller's, and a text of the caller's own.
    /// Nothing in the trainer changes.
    ///
    /// # Errors
    /// Parameters or velocities that are NaN or infinite, or a setting of the
    /// caller's under a name that the trainer uses.
    pub fn to_bytes(&self, settings: &Settings, notes: &str) -> Result<Vec<u8>, Error> {
        let position = Position {
            notes: notes.to_owned(),
            settings: join(self.own_settings(), settings)?,
            step: self.steps(),
        };
        let (mlp, states) = self.raw();
        checkpoint::to_bytes(mlp, states, &position)
    }

    /// Saves a checkpoint; the file appears whole or not at all.
    ///
    /// # Errors
    /// As [`Self::to_bytes`], or what the system says.
    pub fn save(&self, path: &Path, settings: &Settings, notes: &str) -> Result<(), Error> {
        write_atomically(path, &self.to_bytes(settings, notes)?)
    }

    /// Names and values of all that decides what training does.
    fn own_settings(&self) -> Settings {
        let mut settings = self.optimiser().settings();
        settings.insert("mask seed".to_owned(), self.seed().to_string());
        // Backends that fuse give the same bits as each other; where products
        // are rounded before they are added, the bits are others.
        let rounding = if self.isa().fuses() { "fused multiply-add" } else { "product rounded" };
        settings.insert("arithmetic".to_owned(), rounding.to_owned());
        settings
    }
}

impl TrainerBuilder {
    /// The trainer at the position that a checkpoint holds, and the caller's
    /// text. The run goes on as if it had not been interrupted, bit for bit.
    ///
    /// # Errors
    /// A file that cannot be read or is no checkpoint; a checkpoint of another
    /// architecture, or made with other settings, whose names and values the
    /// error says; as [`Self::build`].
    pub fn resume(self, path: &Path, settings: &Settings) -> Result<(Trainer, String), Error> {
        let bytes = files::read(path)?;
        self.resume_from_bytes(&bytes, path, settings)
    }

    /// As [`Self::resume`], from a file's bytes; `path` names them in errors.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub fn resume_from_bytes(
        self,
        bytes: &[u8],
        path: &Path,
        settings: &Settings,
    ) -> Result<(Trainer, String), Error> {
        let saved = checkpoint::from_bytes(bytes, path)?;
        let mut trainer = self.build()?;
        let now = join(trainer.own_settings(), settings)?;
        let differs = |what: &str, saved: &str, now: &str| Error::Resume {
            path: path.to_owned(),
            what: what.to_owned(),
            saved: saved.to_owned(),
            now: now.to_owned(),
        };
        let (was, is) = (saved.mlp.describe(), trainer.raw().0.describe());
        if was != is {
            return Err(differs("network", &was, &is));
        }
        for name in saved.position.settings.keys().chain(now.keys()) {
            let (was, is) = (saved.position.settings.get(name), now.get(name));
            if was != is {
                let text =
                    |value: Option<&String>| value.map_or("not set", String::as_str).to_owned();
                return Err(differs(name, &text(was), &text(is)));
            }
        }
        let notes = saved.position.notes;
        trainer.restore(saved.mlp, saved.states, saved.position.step);
        Ok((trainer, notes))
    }
}

/// The trainer's settings and the caller's.
fn join(mut own: Settings, callers: &Settings) -> Result<Settings, Error> {
    for (name, value) in callers {
        if own.insert(name.clone(), value.clone()).is_some() {
            return Err(Error::setting("setting", name, "a name that the trainer does not use"));
        }
    }
    Ok(own)
}
