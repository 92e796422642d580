//! Model files.

use std::path::Path;

use super::{
    architecture::{Architecture, Versions, loaded_network, saved_network},
    floats::Kind,
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
    /// Parameters that are NaN or infinite, more bytes than can be allocated, or
    /// a file that is too large to be read again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        writer(self)?.into_bytes()
    }

    /// A model from a file's bytes, which are held against their digest; `path`
    /// names them in errors.
    ///
    /// # Errors
    /// Bytes that are no model file of this version, do not have the digest that
    /// they state, or whose tensors do not fit the architecture that they state;
    /// more memory than can be allocated.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        network(Reader::of_bytes(bytes, path)?, Verify::Digest)
    }

    /// Saves the model. The file appears whole or not at all: it is written
    /// beside its place, flushed to the disk, and renamed. The parameters go
    /// straight to the file: no copy of them is made.
    ///
    /// # Errors
    /// As [`Self::to_bytes`], or what the system says.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        writer(self)?.save(path)
    }

    /// Loads a model that [`Self::save`] wrote, straight into the network's
    /// memory. The file is held against its digest, which
    /// [`Contents::read_unverified`](super::Contents::read_unverified) leaves out.
    ///
    /// # Errors
    /// The file cannot be read, is larger than
    /// [`MAX_BYTES`](crate::files::MAX_BYTES), or as [`Self::from_bytes`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        network(Reader::open(path)?, Verify::Digest)
    }
}

fn writer(mlp: &Mlp) -> Result<Writer<'_>, Error> {
    Writer::new(saved_network(mlp), KEY, &Architecture::from(mlp))
}

/// The network of a model file.
pub(super) fn network(file: Reader<'_>, verify: Verify) -> Result<Mlp, Error> {
    if file.has(training::KEY) {
        return Err(file.refuse(
            "a checkpoint of a training: expected a model, which a finished training saves"
                .to_owned(),
        ));
    }
    let expected = "a model that thinnet saved";
    file.metadata::<Versions>(KEY, expected)?.check(|reason| file.refuse(reason))?;
    let architecture: Architecture = file.metadata(KEY, expected)?;
    file.check_count(2 * architecture.depth())?;
    architecture.check_network(&file)?;
    let mut mlp = architecture.builder().build_zeroed()?;
    file.load(loaded_network(&mut mlp), &[Kind::F32], verify)?;
    Ok(mlp)
}
