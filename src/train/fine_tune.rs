//! Training that goes on from another run, on purpose with other settings.

use std::path::Path;

use super::{Trainer, TrainerBuilder};
use crate::{
    checkpoint::{self, AVERAGING, Architecture, Expect, Reader, Saved, TAIL_AVERAGING},
    error::Error,
    nn::Mlp,
};

impl TrainerBuilder {
    /// Replaces the network's parameters by those of a model file or checkpoint; those of a
    /// checkpoint are the network's at its step. Nothing else is taken from the file:
    /// [`Self::build`] starts at step 0, with the optimiser's initial state and this builder's
    /// settings. With the seed of the run that wrote the file, its masks would be repeated: use
    /// another one.
    ///
    /// The widths, activations and loss must be those of the file. The noise may be another: with
    /// inverted dropout, the parameters are for the network without noise, whatever the keep rates.
    ///
    /// # Errors
    /// The file cannot be read, is neither a model with f32 weights nor a checkpoint, or holds
    /// another network; or there is not enough memory.
    ///
    /// ```
    /// use thinnet::{Keep, nn::{Activation, Loss, Mlp}, train::{Adam, Schedule, Trainer}};
    ///
    /// // Trained somewhere else, without dropout.
    /// let mlp = Mlp::builder(2).hidden(8, Activation::Relu, Keep::ONE);
    /// let model = mlp.output(1, Loss::SquaredError).seed(1).build()?.to_bytes()?;
    ///
    /// let mlp = Mlp::builder(2).hidden(8, Activation::Relu, Keep::HALF);
    /// let mlp = mlp.output(1, Loss::SquaredError).build()?;
    /// let builder = Trainer::builder(mlp, Adam::new(Schedule::constant(1e-4)), 32);
    /// let trainer = builder.parameters_from_bytes(&model)?.build()?;
    /// assert_eq!(trainer.network()?.weights(0)?, Mlp::from_bytes(&model)?.weights(0)?);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    pub fn parameters_from(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        self.parameters_of(Reader::open(path.as_ref())?)
    }

    /// Like [`Self::parameters_from`], but from the bytes of a file.
    ///
    /// # Errors
    /// As for [`Self::parameters_from`].
    pub fn parameters_from_bytes(self, bytes: &[u8]) -> Result<Self, Error> {
        self.parameters_of(Reader::of_bytes(bytes)?)
    }

    fn parameters_of(mut self, file: Reader<'_>) -> Result<Self, Error> {
        let path = file.path().map(Path::to_owned);
        let saved = checkpoint::network_of_any(file)?;
        let network = self.network_mut();
        if let Some(reason) = difference(&Architecture::from(&saved), network) {
            return Err(Error::format(path.as_deref(), reason));
        }
        for (layer, saved) in network.layers.iter_mut().zip(saved.layers) {
            (layer.weights, layer.bias) = (saved.weights, saved.bias);
        }
        Ok(self)
    }

    /// The trainer, with the parameters, the optimiser's state and the number of steps of a
    /// checkpoint, and the checkpoint's notes. Everything else is this builder's: the settings of
    /// the optimiser, the other settings of the updates, the noise, the seed, and the data.
    /// [`Self::resume`] refuses other settings than those of the checkpoint, and is the one to
    /// finish a run with; this is the one to fine-tune with. With the same settings both give the
    /// same bits.
    ///
    /// Before the first step, the optimiser's state is not something learned, such as the first value
    /// of Adagrad's accumulator: it is this builder's then. Of a checkpoint with the best parameters of a
    /// run with [`EarlyStopping`](super::EarlyStopping), those of the last step are taken.
    ///
    /// The number of steps goes on, so that masks are not repeated if the seed is the same, and
    /// Adam's moments are corrected for the steps they have seen. Schedules count it too:
    /// [`Schedule::starting_at`](super::Schedule::starting_at) makes one begin here. The learning
    /// rate that was set between steps stays in force if the schedule of the learning rate is the
    /// same as before; otherwise the new one gives the rate.
    ///
    /// An average of the parameters goes on if its setting is the same; another one has to start
    /// later ([`Averaging::Tail`](super::Averaging::Tail)).
    ///
    /// [`Self::parameters_from`] takes the parameters alone.
    ///
    /// # Errors
    /// The file cannot be read or is not a checkpoint, or it holds another network (the noise may
    /// be another) or the state of another optimiser, which the error names. Also as for
    /// [`Self::build`].
    pub fn continue_from(self, path: impl AsRef<Path>) -> Result<(Trainer, String), Error> {
        self.continue_of(Reader::open(path.as_ref())?)
    }

    /// Like [`Self::continue_from`], but from the bytes of a file.
    ///
    /// # Errors
    /// As for [`Self::continue_from`].
    pub fn continue_from_bytes(self, bytes: &[u8]) -> Result<(Trainer, String), Error> {
        self.continue_of(Reader::of_bytes(bytes)?)
    }

    fn continue_of(self, file: Reader<'_>) -> Result<(Trainer, String), Error> {
        let mut saved = Saved::open(file)?;
        let mut trainer = self.build()?;
        let (was, is) = (saved.optimiser.kind.as_str(), trainer.optimiser().name());
        let reason = difference(&saved.architecture, trainer.raw().0).or_else(|| {
            (was != is).then(|| {
                format!(
                    "the state of the optimiser `{was}`: expected that of `{is}` (to go on without \
                     it, take the parameters alone)"
                )
            })
        });
        if let Some(reason) = reason {
            let error = saved.refuse(reason);
            return Err(saved.verify().err().unwrap_or(error));
        }
        let settings = trainer.updates().settings()?;
        if saved.optimiser.settings.get(RATE) == settings.get(RATE) {
            let rate = trainer.set_rate(saved.position.learning_rate);
            rate.map_err(|error| saved.refuse(error.to_string()))?;
        }
        let (step, notes) = (saved.position.step, std::mem::take(&mut saved.position.notes));
        let same = |name| saved.optimiser.settings.get(name) == settings.get(name);
        let same_average = [AVERAGING, TAIL_AVERAGING].into_iter().all(same);
        if trainer.updates().is_averaging(step) && !same_average {
            return Err(saved.refuse(format!(
                "no such average of the first {step} updates: expected the checkpoint's averaging, or \
                 a tail from update {step} on"
            )));
        }
        let expect = Expect::AnyRun { average: same_average };
        trainer.restore(step, |mlp, states| saved.load(mlp, states, None, expect))?;
        trainer.settle_unbounded();
        Ok((trainer, notes))
    }
}

/// The name of the setting that is the schedule of the learning rate.
const RATE: &str = "learning rate";

/// What differs between a file's network and this one, except for their parameters and noise.
fn difference(saved: &Architecture, mlp: &Mlp) -> Option<String> {
    let (saved, expected) = (saved.of_parameters(), Architecture::from(mlp).of_parameters());
    let differ = saved != expected;
    differ.then(|| format!("the network {}: expected {}", saved.describe(), expected.describe()))
}
