//! The builder of networks.

use super::{Activation, Initialisation, Layer, Loss, Mlp};
use crate::{error::Error, rate::Keep};

/// Describes an [`Mlp`], layer by layer.
#[derive(Clone, Debug)]
pub struct MlpBuilder {
    inputs: usize,
    input_keep: Keep,
    sparse_input: bool,
    hidden: Vec<(usize, Activation, Keep)>,
    output: Option<(usize, Loss)>,
    initialisation: Initialisation,
    seed: u64,
}

impl MlpBuilder {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            inputs,
            input_keep: Keep::ALL,
            sparse_input: false,
            hidden: Vec::new(),
            output: None,
            initialisation: Initialisation::He,
            seed: 0,
        }
    }

    /// The keep rate of the inputs; [`Keep::ALL`] where it is not called.
    pub fn input_keep(mut self, keep: Keep) -> Self {
        self.input_keep = keep;
        self
    }

    /// Declares the input sparse (bags of words, one-hot columns): its mask is
    /// drawn by random access, so that its cost follows the non-zeros. These
    /// are other bits than a dense input's.
    pub fn sparse_input(mut self) -> Self {
        self.sparse_input = true;
        self
    }

    /// Adds a hidden layer: its units, their activation, and the keep rate of
    /// their outputs.
    pub fn hidden(mut self, width: usize, activation: Activation, keep: Keep) -> Self {
        self.hidden.push((width, activation, keep));
        self
    }

    /// The output layer: its units, and the loss that it is trained with.
    pub fn output(mut self, width: usize, loss: Loss) -> Self {
        self.output = Some((width, loss));
        self
    }

    /// How weights start; [`Initialisation::He`] where it is not called.
    pub fn initialisation(mut self, initialisation: Initialisation) -> Self {
        self.initialisation = initialisation;
        self
    }

    /// The seed of the initial weights; 0 where it is not called.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The network with its initial weights.
    ///
    /// # Errors
    /// No output layer, a layer without units, or more weights than can be
    /// allocated.
    pub fn build(self) -> Result<Mlp, Error> {
        let (initialisation, seed) = (self.initialisation, self.seed);
        let mut mlp = self.build_zeroed()?;
        for index in 0..mlp.depth() {
            let keep = mlp.keep_below(index);
            initialisation.fill(seed, index, keep, &mut mlp.layers[index]);
        }
        Ok(mlp)
    }

    /// The network with all parameters 0, for those who fill them in.
    pub(crate) fn build_zeroed(self) -> Result<Mlp, Error> {
        let (outputs, loss) = self.output.ok_or_else(|| {
            Error::setting("output layer", "missing", "a call of `output` before `build`")
        })?;
        if self.inputs == 0 {
            return Err(Error::setting("inputs", 0, "at least one unit"));
        }
        let output = (outputs, Activation::Identity, Keep::ALL);
        let mut inputs = self.inputs;
        let mut layers = Vec::with_capacity(self.hidden.len() + 1);
        for (width, activation, keep) in self.hidden.into_iter().chain([output]) {
            if width == 0 {
                return Err(Error::setting("layer width", 0, "at least one unit"));
            }
            layers.push(Layer::zeroed(inputs, width, activation, keep)?);
            inputs = width;
        }
        Ok(Mlp { input_keep: self.input_keep, sparse_input: self.sparse_input, layers, loss })
    }
}
