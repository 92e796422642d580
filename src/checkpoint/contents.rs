//! The contents of a model file or checkpoint, for inspection.

use std::{collections::BTreeMap, path::Path};

use super::{
    any_model::Model,
    model,
    reader::{Reader, Verify},
    training::{self, Position, Saved},
};
use crate::{error::Error, nn::Mlp, optimiser::LearningRate};

/// The contents of a model file or checkpoint.
///
/// ```
/// use thinnet::{Keep, checkpoint::Contents, nn::{Activation, Loss, Mlp}};
///
/// let mlp = Mlp::builder(4).hidden(8, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let contents = Contents::from_bytes(&mlp.to_bytes()?)?;
/// assert_eq!(contents.network, mlp);
/// assert!(contents.training.is_none());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Contents {
    /// The network; in a checkpoint, as it was at that step. One with 8-bit weights has f32 weights
    /// here, each the product of its 8-bit value and its scale; [`Model`] keeps the 8-bit weights.
    pub network: Mlp,
    /// Whether the weights in the file have 8 bits.
    pub integer_weights: bool,
    /// The training progress, if the file is a checkpoint.
    pub training: Option<TrainingState>,
}

/// The training progress in a checkpoint.
///
/// ```
/// use thinnet::{
///     checkpoint::Contents,
///     nn::{Loss, Mlp},
///     train::{Provenance, Schedule, Sgd, Trainer},
/// };
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 8).build()?;
/// let own = Provenance::from([("batch".to_owned(), "8".to_owned())]);
/// let contents = Contents::from_bytes(&trainer.to_bytes(&own, "not trained yet")?)?;
/// let Some(training) = contents.training else { unreachable!("this is a checkpoint") };
/// assert_eq!((training.step, training.notes.as_str()), (0, "not trained yet"));
/// assert_eq!((training.optimiser.as_str(), &*training.settings["batch"]), ("sgd", "8"));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TrainingState {
    /// The number of updates done.
    pub step: u64,
    /// The learning rate in force.
    pub learning_rate: LearningRate,
    /// The name of the optimiser.
    pub optimiser: String,
    /// Names and values of the trainer's settings and the caller's.
    pub settings: BTreeMap<String, String>,
    /// The caller's notes.
    pub notes: String,
}

/// The network in a model file with f32 weights or in a checkpoint.
pub(crate) fn network_of_any(file: Reader<'_>) -> Result<Mlp, Error> {
    if file.has(training::KEY) {
        return Saved::open(file)?.into_network(Verify::Digest);
    }
    model::network(file, Verify::Digest)
}

impl Contents {
    /// Reads a file and verifies its digest. SHA-256 costs about 1 ns per byte on a CPU with SHA
    /// instructions (1.2 ns was measured, beside 2.7 ns for the rest of loading) and several on
    /// others; [`Self::read_unverified`] skips it.
    ///
    /// # Errors
    /// The file cannot be read, is neither a model nor a checkpoint of this version, or does not
    /// match its digest; or there is not enough memory.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of(Reader::open(path.as_ref())?, Verify::Digest)
    }

    /// Like [`Self::read`], from a file's bytes.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Self::of(Reader::of_bytes(bytes)?, Verify::Digest)
    }

    /// Like [`Self::read`], but does not verify the digest, for a file that is known to be intact:
    /// corruption may go unnoticed.
    ///
    /// # Errors
    /// As for [`Self::read`], except for the digest.
    pub fn read_unverified(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of(Reader::open(path.as_ref())?, Verify::Nothing)
    }

    /// Like [`Self::read_unverified`], from a file's bytes.
    ///
    /// # Errors
    /// As for [`Self::read_unverified`].
    pub fn from_bytes_unverified(bytes: &[u8]) -> Result<Self, Error> {
        Self::of(Reader::of_bytes(bytes)?, Verify::Nothing)
    }

    fn of(file: Reader<'_>, verify: Verify) -> Result<Self, Error> {
        if !file.has(training::KEY) {
            let (network, integer_weights) = match Model::of(file, verify)? {
                Model::F32(mlp) => (mlp, false),
                Model::Integer(integer) => (integer.into_network(), true),
            };
            return Ok(Self { network, integer_weights, training: None });
        }
        let mut saved = Saved::open(file)?;
        let Position { step, mut settings, notes, learning_rate, best: _ } = saved.position.clone();
        settings.extend(std::mem::take(&mut saved.optimiser.settings));
        let optimiser = saved.optimiser.kind.clone();
        let training = Some(TrainingState { step, learning_rate, optimiser, settings, notes });
        Ok(Self { network: saved.into_network(verify)?, integer_weights: false, training })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::Batch,
        nn::{Loss, Targets},
        tensor::MatrixView,
        train::{MaxNorm, Schedule, Sgd, Trainer},
    };

    #[test]
    fn a_checkpoint_says_where_it_stands() {
        let mlp = Mlp::builder(3).output(2, Loss::SquaredError).build().unwrap();
        let sgd = Sgd::new(Schedule::constant(0.25));
        let trainer = Trainer::builder(mlp.clone(), sgd, 1).seed(7).build().unwrap();
        let callers = BTreeMap::from([("data".to_owned(), "abc".to_owned())]);
        let bytes = trainer.to_bytes(&callers, "notes").unwrap();
        let contents = Contents::from_bytes(&bytes).unwrap();
        assert_eq!(contents.network, mlp);
        let training = contents.training.unwrap();
        assert_eq!((training.step, training.notes.as_str()), (0, "notes"));
        assert_eq!(training.settings["data"], "abc");
        assert_eq!(training.settings["mask seed"], "7");
    }

    /// Not the raw weights, to which max-norm's pending factors are still to be applied.
    #[test]
    fn the_network_is_the_one_that_the_trainer_shows() {
        let mlp = Mlp::builder(3).output(2, Loss::SquaredError).build().unwrap();
        let sgd = Sgd::new(Schedule::constant(0.25));
        let bounded = Trainer::builder(mlp, sgd, 1).max_norm(MaxNorm::Engine(0.1));
        let mut trainer = bounded.build().unwrap();
        let x = MatrixView::new(&[1.0, 2.0, 3.0], 1, 3).unwrap();
        let y = MatrixView::new(&[1.0, -1.0], 1, 2).unwrap();
        trainer.step(&Batch::dense(x), Targets::Values(y)).unwrap();
        assert_ne!(trainer.raw().0, &trainer.network().unwrap());
        let bytes = trainer.to_bytes(&BTreeMap::new(), "").unwrap();
        let contents = Contents::from_bytes(&bytes).unwrap();
        assert_eq!(contents.network, trainer.network().unwrap());
    }

    #[test]
    fn other_files_are_refused_by_name() {
        for bytes in [&b""[..], b"text", &[0; 64]] {
            let error = Contents::from_bytes(bytes).unwrap_err().in_file("f").to_string();
            assert!(error.starts_with("f: "), "{error}");
        }
    }
}
