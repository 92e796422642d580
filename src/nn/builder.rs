//! The network builder.

use serde::{Deserialize, Serialize, Serializer, ser::Error as _};

use super::{Activation, Initialisation, Layer, Loss, Mlp, Notes, Temperature};
use crate::{error::Error, memory::reserve, noise::Noise, thin::maxout::MAX_PIECES};

/// A builder for an [`Mlp`], layer by layer from the input: the hidden layers, then one output
/// layer. The other calls may come at any point; if two set the same thing, the later one wins.
///
/// It can be read from a settings file; anything left out is as in [`Mlp::builder`]:
///
/// ```
/// use thinnet::{Keep, nn::{Activation, Loss, Mlp, MlpBuilder}};
///
/// let settings = r#"{
///     "inputs": 784,
///     "input_noise": "bernoulli(0.8)",
///     "hidden": [{ "width": 256, "activation": "relu", "noise": "bernoulli(0.5)" }],
///     "output": { "width": 10, "loss": "softmax_cross_entropy" },
///     "seed": 1
/// }"#;
/// let builder: MlpBuilder = serde_json::from_str(settings)?;
/// let same = Mlp::builder(784)
///     .input_noise(Keep::new(0.8)?)
///     .hidden(256, Activation::Relu, Keep::HALF)
///     .output(10, Loss::SoftmaxCrossEntropy)
///     .seed(1);
/// assert_eq!(builder, same);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct MlpBuilder {
    inputs: usize,
    input_noise: Noise,
    sparse_input: bool,
    hidden: Vec<Hidden>,
    output: Option<Output>,
    initialisation: Initialisation,
    seed: u64,
    /// The first call that added a layer after the output layer. A file cannot express this.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "refuse_late")]
    late: Option<String>,
}

/// The error for a layer that comes after the output layer.
fn late_error(call: &str) -> Error {
    Error::LayerAfterOutput { call: call.to_owned() }
}

fn refuse_late<S: Serializer>(late: &Option<String>, _: S) -> Result<S::Ok, S::Error> {
    Err(S::Error::custom(late_error(late.as_deref().unwrap_or_default())))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hidden {
    width: usize,
    /// Only in a maxout layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pieces: Option<usize>,
    activation: Activation,
    noise: Noise,
}

impl Hidden {
    fn check_pieces(&self) -> Result<(), Error> {
        let Some(pieces) = self.pieces else { return Ok(()) };
        check_pieces(pieces)?;
        match self.activation {
            Activation::Identity => Ok(()),
            activation => Err(Error::MaxoutActivation { activation: activation.to_string() }),
        }
    }
}

/// Checks the number of pieces of a maxout unit.
pub(crate) fn check_pieces(pieces: usize) -> Result<(), Error> {
    if (2..=MAX_PIECES).contains(&pieces) { Ok(()) } else { Err(Error::Pieces { pieces }) }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    width: usize,
    loss: Loss,
}

/// The contents of a settings file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    inputs: usize,
    #[serde(default)]
    input_noise: Noise,
    #[serde(default)]
    sparse_input: bool,
    #[serde(default)]
    hidden: Vec<Hidden>,
    output: Option<Output>,
    initialisation: Option<Initialisation>,
    #[serde(default)]
    seed: u64,
}

impl TryFrom<Unchecked> for MlpBuilder {
    type Error = Error;

    fn try_from(said: Unchecked) -> Result<Self, Error> {
        let Unchecked { inputs, sparse_input, hidden, output, seed, .. } = said;
        let usual = Self::new(inputs);
        let input_noise = said.input_noise;
        let initialisation = said.initialisation.unwrap_or(usual.initialisation);
        let usual =
            Self { input_noise, sparse_input, hidden, output, initialisation, seed, ..usual };
        usual.check()?;
        Ok(usual)
    }
}

impl MlpBuilder {
    pub(super) fn new(inputs: usize) -> Self {
        Self {
            inputs,
            input_noise: Noise::None,
            sparse_input: false,
            hidden: Vec::new(),
            output: None,
            initialisation: Initialisation::He,
            seed: 0,
            late: None,
        }
    }

    /// Records the call if it adds a layer after the output layer.
    fn layer(mut self, call: impl FnOnce() -> String) -> Self {
        if self.output.is_some() && self.late.is_none() {
            self.late = Some(call());
        }
        self
    }

    /// Sets the noise on the inputs, for which a keep rate stands for dropout. There is none by
    /// default.
    #[must_use]
    pub fn input_noise(mut self, noise: impl Into<Noise>) -> Self {
        self.input_noise = noise.into().simplest();
        self
    }

    /// Declares the input sparse (bags of words, one-hot columns): its mask is drawn by random
    /// access, so the cost is proportional to the non-zeros. The mask bits differ from those of a
    /// dense input. Its noise can only be dropout.
    ///
    /// This concerns masks only. Rows that are stored sparsely
    /// ([`Batch::csr`](crate::data::Batch::csr)) do not need it.
    #[must_use]
    pub fn sparse_input(mut self) -> Self {
        self.sparse_input = true;
        self
    }

    /// Adds a hidden layer, with its number of units, their activation, and the noise on their
    /// outputs, for which a keep rate stands for dropout.
    #[must_use]
    pub fn hidden(self, width: usize, activation: Activation, noise: impl Into<Noise>) -> Self {
        let noise = noise.into().simplest();
        let mut layers = self.layer(|| format!("`hidden` of {width} units"));
        layers.hidden.push(Hidden { width, pieces: None, activation, noise });
        layers
    }

    /// Adds a hidden layer of maxout units (Goodfellow et al. 2013), with the number of units, the
    /// number k of linear pieces of each, from 2 to 256, and the noise on the units' outputs, for which
    /// a keep rate stands for dropout. Unit i is
    ///
    /// - h_i = max over j = 0 .. k - 1 of z_ij, with z_ij = w_ij x + b_ij
    ///
    /// and the gradient of h_i goes to the first piece with the largest z. Noise is drawn for units, not
    /// for pieces.
    ///
    /// The layer has the parameters of a layer of k times `units` units. Row j `units` + i of its
    /// weights is piece j of unit i. Max-norm bounds the weights of each piece.
    ///
    /// ```
    /// use thinnet::{Keep, nn::{Loss, Mlp}};
    ///
    /// let mlp = Mlp::builder(1).hidden_maxout(1, 2, Keep::ONE).output(1, Loss::SquaredError);
    /// let mut mlp = mlp.build()?;
    /// // max(x, -x) = |x|
    /// mlp.set_weights(0, &[1.0, -1.0])?;
    /// mlp.set_weights(1, &[1.0])?;
    /// let plain = thinnet::nn::PlainNetwork::from(&mlp);
    /// assert_eq!(plain.predict(&[-3.0])?, [3.0]);
    /// assert_eq!((mlp.widths(), mlp.pieces()), (vec![1, 1, 1], vec![2]));
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[must_use]
    pub fn hidden_maxout(self, units: usize, pieces: usize, noise: impl Into<Noise>) -> Self {
        let (width, noise, activation) = (units, noise.into().simplest(), Activation::Identity);
        let mut layers = self.layer(|| format!("`hidden_maxout` of {width} units"));
        layers.hidden.push(Hidden { width, pieces: Some(pieces), activation, noise });
        layers
    }

    /// Adds the output layer, with its number of units and the loss it is trained with. It must be
    /// the last layer.
    #[must_use]
    pub fn output(self, width: usize, loss: Loss) -> Self {
        let mut layers = self.layer(|| format!("`output` of {width} units"));
        layers.output = Some(Output { width, loss });
        layers
    }

    /// Sets how weights are initialised, [`Initialisation::He`] by default.
    #[must_use]
    pub fn initialisation(mut self, initialisation: Initialisation) -> Self {
        self.initialisation = initialisation;
        self
    }

    /// Sets the seed of the initial weights, 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Builds the network with its initial weights.
    ///
    /// # Errors
    /// There is no output layer, or a layer after it; the input or a layer has no units, or a
    /// softmax is over a single unit; maxout units have fewer than 2 or more than 256 pieces; a sparse input has noise other than dropout; or there is not
    /// enough memory for the weights.
    pub fn build(self) -> Result<Mlp, Error> {
        let (initialisation, seed) = (self.initialisation, self.seed);
        let mut mlp = self.build_zeroed()?;
        for index in 0..mlp.depth() {
            let keep = mlp.keep_below(index);
            initialisation.fill(seed, index, keep, &mut mlp.layers[index]);
        }
        Ok(mlp)
    }

    /// Builds the network with all parameters 0, for callers that fill them in.
    pub(crate) fn build_zeroed(self) -> Result<Mlp, Error> {
        let Output { width, loss } = *self.check()?;
        let activation = Activation::Identity;
        let output = Hidden { width, pieces: None, activation, noise: Noise::None };
        let mut inputs = self.inputs;
        let mut layers = reserve("layers", self.hidden.len() + 1)?;
        for layer in self.hidden.into_iter().chain([output]) {
            let Hidden { width, pieces, activation, noise } = layer;
            layers.push(Layer::zeroed(inputs, width, pieces.unwrap_or(1), activation, noise)?);
            inputs = width;
        }
        let Self { input_noise, sparse_input, .. } = self;
        let (temperature, threshold) = (Temperature::ONE, None);
        let (notes, preprocessor) = (Notes::default(), Notes::default());
        Ok(Mlp {
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

    /// The output layer, if the network is valid.
    fn check(&self) -> Result<&Output, Error> {
        if let Some(call) = &self.late {
            return Err(late_error(call));
        }
        let output = self.output.as_ref().ok_or(Error::NoOutputLayer)?;
        if self.inputs == 0 {
            return Err(Error::Zero { what: "inputs", expected: "at least one unit" });
        }
        if self.hidden.iter().map(|hidden| hidden.width).chain([output.width]).any(|n| n == 0) {
            return Err(Error::Zero { what: "layer width", expected: "at least one unit" });
        }
        for hidden in &self.hidden {
            hidden.check_pieces()?;
        }
        if self.sparse_input {
            Noise::ensure_dropout("a sparse input", [self.input_noise])?;
        }
        output.loss.check_outputs(output.width)?;
        Ok(output)
    }
}
