//! Model files.

use std::path::Path;

use super::{
    architecture::{Architecture, Versions, loaded_network, saved_network},
    elements::ElementType,
    integer,
    notes::texts,
    reader::{Reader, Verify},
    training,
    writer::Writer,
};
use crate::{error::Error, nn::Mlp};

/// The metadata key.
pub(crate) const KEY: &str = "thinnet";

impl Mlp {
    /// The model file's bytes.
    ///
    /// # Errors
    /// A parameter is NaN or infinite, there is not enough memory, or the file would be too large
    /// to be read again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        writer(self)?.into_bytes()
    }

    /// Reads a model from a file's bytes and verifies their digest.
    ///
    /// # Errors
    /// The bytes are not a model file of this version, do not match their digest, or have tensors
    /// that do not fit their architecture; or there is not enough memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        network(Reader::of_bytes(bytes)?, Verify::Digest)
    }

    /// Saves the model. The file appears whole or not at all: it is written to a temporary file in
    /// the same folder, flushed to the disk, and renamed. The parameters are written without a copy
    /// in memory.
    ///
    /// # Errors
    /// As for [`Self::to_bytes`], or an error of the system.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        writer(self)?.save(path.as_ref())
    }

    /// Loads a model that [`Self::save`] wrote, straight into the network's memory. The file's
    /// digest is verified; [`Contents::read_unverified`](super::Contents::read_unverified) skips
    /// that.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`MAX_BYTES`](crate::files::MAX_BYTES), or as for
    /// [`Self::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        network(Reader::open(path.as_ref())?, Verify::Digest)
    }
}

fn writer(mlp: &Mlp) -> Result<Writer<'_>, Error> {
    Writer::new(saved_network(mlp), KEY, &Architecture::from(mlp), &texts(mlp))
}

/// The network in a model file.
pub(super) fn network(file: Reader<'_>, verify: Verify) -> Result<Mlp, Error> {
    training::refuse(&file)?;
    if file.has(integer::KEY) {
        return Err(file.refuse(
            "a model with 8-bit weights: expected one with f32 weights, such as the one from which \
             `thinnet quantize` made it (in a program, `IntegerMlp::load` reads this one)"
                .to_owned(),
        ));
    }
    let expected = "a model that thinnet saved";
    file.metadata::<Versions>(KEY, expected)?.check(|reason| file.refuse(reason))?;
    let architecture: Architecture = file.metadata(KEY, expected)?;
    file.check_count(2 * architecture.depth())?;
    architecture.check_network(&file)?;
    let mut mlp = architecture.zeroed()?;
    mlp.set_notes(file.notes()?)?;
    mlp.set_preprocessor(file.preprocessor()?)?;
    file.load(loaded_network(&mut mlp), &[ElementType::F32], verify)?;
    Ok(mlp)
}
