//! Models with weights of either kind.

use std::path::Path;

use super::{
    integer, model,
    reader::{Reader, Verify},
};
use crate::{
    error::Error,
    nn::{IntegerMlp, Mlp, Temperature},
};

/// A model from a file, for programs that use models with f32 weights as well as those with 8-bit
/// weights.
///
/// ```
/// use thinnet::{
///     checkpoint::Model, data::Batch, nn::{IntegerMlp, Loss, Mlp}, tensor::MatrixView,
/// };
///
/// let mlp = Mlp::builder(2).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let rows = MatrixView::new(&[0.5, -1.0], 1, 2)?;
/// let integer = IntegerMlp::new(&mlp, &Batch::dense(rows))?;
/// assert_eq!(Model::from_bytes(&mlp.to_bytes()?)?, Model::F32(mlp));
/// assert_eq!(Model::from_bytes(&integer.to_bytes()?)?, Model::Integer(integer));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Model {
    /// A network with f32 weights.
    F32(Mlp),
    /// A network with 8-bit weights.
    Integer(IntegerMlp),
}

impl Model {
    /// Loads a model and verifies its digest.
    ///
    /// # Errors
    /// As for [`Mlp::load`] and [`IntegerMlp::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of(Reader::open(path.as_ref())?, Verify::Digest)
    }

    /// Like [`Self::load`], from a file's bytes.
    ///
    /// # Errors
    /// As for [`Mlp::from_bytes`] and [`IntegerMlp::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::of(Reader::of_bytes(bytes)?, Verify::Digest)
    }

    /// Like [`Self::load`], but does not verify the digest, for a file that is known to be intact:
    /// corruption may go unnoticed.
    ///
    /// # Errors
    /// As for [`Self::load`], except for the digest.
    pub fn load_unverified(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of(Reader::open(path.as_ref())?, Verify::Nothing)
    }

    /// Like [`Self::load_unverified`], from a file's bytes.
    ///
    /// # Errors
    /// As for [`Self::from_bytes`], except for the digest.
    pub fn from_bytes_unverified(bytes: &[u8]) -> Result<Self, Error> {
        Self::of(Reader::of_bytes(bytes)?, Verify::Nothing)
    }

    pub(super) fn of(file: Reader<'_>, verify: Verify) -> Result<Self, Error> {
        if file.has(integer::KEY) {
            return integer::network(file, verify).map(Self::Integer);
        }
        model::network(file, verify).map(Self::F32)
    }

    /// The network; one with 8-bit weights has f32 weights here, each the product of its 8-bit value
    /// and its scale.
    pub fn network(&self) -> &Mlp {
        match self {
            Self::F32(mlp) => mlp,
            Self::Integer(integer) => integer.network(),
        }
    }

    /// Sets the temperature of its predictions.
    ///
    /// # Errors
    /// As for [`Mlp::set_temperature`].
    pub fn set_temperature(&mut self, temperature: Temperature) -> Result<(), Error> {
        match self {
            Self::F32(mlp) => mlp.set_temperature(temperature),
            Self::Integer(integer) => integer.set_temperature(temperature),
        }
    }

    /// Sets its decision threshold.
    ///
    /// # Errors
    /// As for [`Mlp::set_threshold`].
    pub fn set_threshold(&mut self, threshold: Option<f64>) -> Result<(), Error> {
        match self {
            Self::F32(mlp) => mlp.set_threshold(threshold),
            Self::Integer(integer) => integer.set_threshold(threshold),
        }
    }

    /// Sets its notes.
    ///
    /// # Errors
    /// As for [`Mlp::set_notes`].
    pub fn set_notes(&mut self, text: &str) -> Result<(), Error> {
        match self {
            Self::F32(mlp) => mlp.set_notes(text),
            Self::Integer(integer) => integer.set_notes(text),
        }
    }

    /// Saves the model as a file of its kind.
    ///
    /// # Errors
    /// As for [`Mlp::save`] and [`IntegerMlp::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        match self {
            Self::F32(mlp) => mlp.save(path),
            Self::Integer(integer) => integer.save(path),
        }
    }
}
