//! Model files.

use std::path::Path;

use super::{
    architecture::{Architecture, Versions},
    tensors::{Reader, Writer},
    training,
};
use crate::{error::Error, files, nn::Mlp};

/// The metadata key.
pub(crate) const KEY: &str = "thinnet";

impl Mlp {
    /// The model file's bytes.
    ///
    /// # Errors
    /// Parameters that are NaN or infinite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let architecture = Architecture::from(self);
        let mut file = Writer::default();
        architecture.push_network(&mut file, self)?;
        file.finish(KEY, &architecture)
    }

    /// A model from a file's bytes; `path` names them in errors.
    ///
    /// # Errors
    /// Bytes that are no model file of this version, or whose tensors do not
    /// fit the architecture that they state.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let file = Reader::new(bytes, path)?;
        if file.has(training::KEY) {
            return Err(file.refuse(
                "a checkpoint of a training: expected a model, which a finished training saves"
                    .to_owned(),
            ));
        }
        let expected = "a model that thinnet saved";
        file.metadata::<Versions>(KEY, expected)?.check(&file)?;
        let architecture: Architecture = file.metadata(KEY, expected)?;
        file.check_count(2 * architecture.depth())?;
        architecture.network(&file)
    }

    /// Saves the model. The file appears whole or not at all: it is written
    /// beside its place, flushed to the disk, and renamed.
    ///
    /// # Errors
    /// Parameters that are not finite, or what the system says.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        files::write_atomically(path, &self.to_bytes()?)
    }

    /// Loads a model that [`Self::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`files::MOST_BYTES`](crate::files::MOST_BYTES), or as
    /// [`Self::from_bytes`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::from_bytes(&files::read(path)?, path)
    }
}
