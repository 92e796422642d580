//! The multilayer perceptron.

use std::{fmt, ops::Range};

use super::{Activation, Layer, Loss, MlpBuilder, Notes, Temperature};
use crate::{
    abridged::Few,
    error::{Error, below, same_size},
    noise::Noise,
    rate::Keep,
    thin::LayerState,
};

/// A multilayer perceptron with dropout of its inputs and hidden units, in the engine's inverted
/// form: kept units are divided by p during training, and at test time the network runs
/// unchanged.
///
/// For layer l with inputs x, in the notation of the paper's section 4:
/// z = W (r x / p) + b, y = f(z), r ~ Bernoulli(p).
///
/// Each site may have other [`Noise`] in place of dropout, in particular Gaussian noise, with
/// z = W (r x) + b, r ~ N(1, sigma²).
///
/// ```
/// use thinnet::{Keep, nn::{Activation, Loss, Mlp}};
///
/// let mlp = Mlp::builder(784)
///     .input_noise(Keep::new(0.8)?)
///     .hidden(1024, Activation::Relu, Keep::HALF)
///     .hidden(1024, Activation::Relu, Keep::HALF)
///     .output(10, Loss::SoftmaxCrossEntropy)
///     .seed(1)
///     .build()?;
/// assert_eq!(mlp.widths(), [784, 1024, 1024, 10]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Mlp {
    pub(crate) input_noise: Noise,
    pub(crate) sparse_input: bool,
    /// The layers, at least one; the last is the output layer.
    pub(crate) layers: Vec<Layer>,
    pub(crate) loss: Loss,
    /// 1 if the predictions are not probabilities.
    pub(super) temperature: Temperature,
    /// Only if there are two classes or one bit.
    pub(super) threshold: Option<f64>,
    pub(super) notes: Notes,
    /// What turns rows of a table into inputs, as JSON.
    pub(super) preprocessor: Notes,
}

impl fmt::Debug for Mlp {
    /// Shows the first few layers, with their shapes and the first few numbers of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            input_noise,
            sparse_input,
            layers,
            loss,
            temperature,
            threshold,
            notes,
            preprocessor,
        } = self;
        f.debug_struct("Mlp")
            .field("input_noise", input_noise)
            .field("sparse_input", sparse_input)
            .field("layers", &Few(layers.iter()))
            .field("loss", loss)
            .field("temperature", temperature)
            .field("threshold", threshold)
            .field("notes", notes)
            .field("preprocessor", preprocessor)
            .finish()
    }
}

impl Mlp {
    /// Starts building a network with `inputs` inputs.
    pub fn builder(inputs: usize) -> MlpBuilder {
        MlpBuilder::new(inputs)
    }

    /// The number of units of the input, of each hidden layer and of the output.
    pub fn widths(&self) -> Vec<usize> {
        let inputs = self.layers.first().map(|layer| layer.weights.inputs());
        inputs.into_iter().chain(self.layers.iter().map(Layer::units)).collect()
    }

    /// The number of input units.
    #[inline]
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weights.inputs())
    }

    /// The number of output units.
    #[inline]
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weights.outputs())
    }

    /// The number of targets per row: fewer than [`Self::outputs`] if the loss has [several outputs
    /// per target](Loss::outputs_per_target); for classes, the number of classes.
    #[inline]
    pub fn targets(&self) -> usize {
        self.outputs() / self.loss.outputs_per_target()
    }

    /// The number of layers with weights: the hidden layers and the output layer.
    #[inline]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// The noise of the dropout sites: the input, then the hidden layers.
    pub fn noises(&self) -> Vec<Noise> {
        (0..self.depth()).map(|layer| self.noise_below(layer)).collect()
    }

    /// The keep rates of the dropout sites, 1 where no unit is dropped.
    pub fn keeps(&self) -> Vec<Keep> {
        (0..self.depth()).map(|layer| self.keep_below(layer)).collect()
    }

    /// The noise on the inputs of weight layer `layer`.
    pub(crate) fn noise_below(&self, layer: usize) -> Noise {
        match layer.checked_sub(1) {
            None => self.input_noise,
            Some(below) => self.layers[below].noise,
        }
    }

    /// The keep rate of the inputs of weight layer `layer`.
    pub(crate) fn keep_below(&self, layer: usize) -> Keep {
        self.noise_below(layer).keep()
    }

    /// A copy of the network, like [`Clone`], which would abort where this returns an error.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn try_clone(&self) -> Result<Self, Error> {
        let layers = self.layers.iter().map(Layer::try_clone);
        let layers = layers.collect::<Result<_, _>>()?;
        let Self { input_noise, sparse_input, loss, temperature, threshold, .. } = *self;
        let (notes, preprocessor) = (self.notes.clone(), self.preprocessor.clone());
        Ok(Self {
            input_noise,
            sparse_input,
            layers,
            loss,
            temperature,
            threshold,
            notes,
            preprocessor,
        })
    }

    /// The network with its weights multiplied by the pending factors in `states`.
    pub(crate) fn with_pending(mut self, states: &[LayerState]) -> Self {
        for (layer, state) in self.layers.iter_mut().zip(states) {
            state.apply_pending(&mut layer.weights);
        }
        self
    }

    /// The activations of the hidden layers.
    pub fn activations(&self) -> Vec<Activation> {
        self.layers[..self.depth() - 1].iter().map(|layer| layer.activation).collect()
    }

    /// The number of linear pieces of the units of each hidden layer: 1, or more in a [maxout
    /// layer](MlpBuilder::hidden_maxout).
    pub fn pieces(&self) -> Vec<usize> {
        self.layers[..self.depth() - 1].iter().map(|layer| layer.pieces).collect()
    }

    /// Refuses maxout units in the given layers; `what` does not support them.
    pub(crate) fn ensure_no_maxout(
        &self,
        what: &'static str,
        layers: Range<usize>,
    ) -> Result<(), Error> {
        match layers.map(|layer| (layer, self.layers[layer].pieces)).find(|(_, k)| *k > 1) {
            Some((layer, pieces)) => Err(Error::Maxout { what, layer, pieces }),
            None => Ok(()),
        }
    }

    /// The loss.
    #[inline]
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Whether the input was declared sparse, in which case its mask is drawn by random access.
    pub fn sparse_input(&self) -> bool {
        self.sparse_input
    }

    /// The total number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(|l| (l.weights.inputs() + 1) * l.weights.outputs()).sum()
    }

    /// The weights of a layer, row-major `[outputs][inputs]` as in PyTorch's `nn.Linear`. In a [maxout
    /// layer](MlpBuilder::hidden_maxout) each piece of each unit is an output.
    ///
    /// # Errors
    /// There is no such layer, or not enough memory.
    pub fn weights(&self, layer: usize) -> Result<Vec<f32>, Error> {
        below("layer", self.depth(), layer)?;
        self.layers[layer].weights.to_rows()
    }

    /// The biases of a layer, one per output.
    ///
    /// # Errors
    /// There is no such layer.
    pub fn bias(&self, layer: usize) -> Result<&[f32], Error> {
        below("layer", self.depth(), layer)?;
        let layer = &self.layers[layer];
        Ok(&layer.bias[..layer.weights.outputs()])
    }

    /// Replaces the weights of a layer; `weights` is row-major `[outputs][inputs]`.
    ///
    /// # Errors
    /// There is no such layer, or it has a different number of weights.
    pub fn set_weights(&mut self, layer: usize, weights: &[f32]) -> Result<(), Error> {
        below("layer", self.depth(), layer)?;
        self.layers[layer].weights.set_rows(weights)
    }

    /// Replaces the biases of a layer.
    ///
    /// # Errors
    /// There is no such layer, or it has a different number of outputs.
    pub fn set_bias(&mut self, layer: usize, bias: &[f32]) -> Result<(), Error> {
        below("layer", self.depth(), layer)?;
        let layer = &mut self.layers[layer];
        let outputs = layer.weights.outputs();
        same_size("biases of a layer", outputs, bias.len())?;
        layer.bias[..outputs].copy_from_slice(bias);
        Ok(())
    }

    /// The names of the parameters in files, sorted, each with (layer, is bias).
    pub(crate) fn names(&self) -> Vec<(String, usize, bool)> {
        let mut names: Vec<_> = (0..self.depth())
            .flat_map(|layer| {
                [("bias", true), ("weight", false)]
                    .map(|(what, is_bias)| (format!("layers.{layer}.{what}"), layer, is_bias))
            })
            .collect();
        names.sort();
        names
    }
}
