//! The description of the network in a state dict.

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    nn::{Activation, Loss, Scaling},
    rate::Keep,
};

/// The activations, keep rates and loss of a network, whose widths are those of the tensors in a
/// state dict.
///
/// ```
/// use thinnet::{Keep, exchange::torch::StateDictSpec, nn::Activation};
///
/// // nn.Sequential(nn.Dropout(0.2), nn.Linear(784, 256), nn.ReLU(),
/// //               nn.Dropout(0.5), nn.Linear(256, 10))
/// let spec = StateDictSpec::new()
///     .input_keep(Keep::from_drop(0.2)?)
///     .hidden(Activation::Relu, Keep::from_drop(0.5)?);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// It can also be read from a file, with `drop` instead of `keep` for drop rates:
///
/// ```toml
/// input_keep = 0.8                   # or input_drop = 0.2; by default nothing is dropped
/// hidden = [                         # an activation's name, such as relu, logistic (nn.Sigmoid), gelu
///     { activation = "relu", keep = 0.5 },
///     { activation = "tanh", drop = 0.5 },
/// ]
/// loss = "softmax_cross_entropy"     # or squared_error, binary_cross_entropy
/// scaling = "inverted"               # or paper
/// names = ["fc1", "fc2", "out"]      # if names, shapes and biases allow several orders
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Described", into = "Described")]
pub struct StateDictSpec {
    pub(super) input_keep: Option<Keep>,
    pub(super) sparse_input: bool,
    pub(super) hidden: Vec<(Activation, Keep)>,
    pub(super) loss: Option<Loss>,
    pub(super) scaling: Option<Scaling>,
    pub(super) names: Option<Vec<String>>,
}

impl StateDictSpec {
    /// Only an output layer, without dropout.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keep rate of the inputs; [`Keep::ONE`] by default.
    #[must_use]
    pub fn input_keep(mut self, keep: Keep) -> Self {
        self.input_keep = Some(keep);
        self
    }

    /// As [`MlpBuilder::sparse_input`](crate::nn::MlpBuilder::sparse_input).
    #[must_use]
    pub fn sparse_input(mut self) -> Self {
        self.sparse_input = true;
        self
    }

    /// Adds a hidden layer: its activation, and the keep rate of its outputs.
    #[must_use]
    pub fn hidden(mut self, activation: Activation, keep: Keep) -> Self {
        self.hidden.push((activation, keep));
        self
    }

    /// The loss; by default softmax cross-entropy for two outputs or more, and squared error for
    /// one.
    #[must_use]
    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = Some(loss);
        self
    }

    /// The form of the weights in the file; by default the one that the file states, or
    /// [`Scaling::Inverted`], as in PyTorch.
    #[must_use]
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.scaling = Some(scaling);
        self
    }

    /// The names of the layers in the file from input to output (`fc1` for `fc1.weight`), which
    /// also asserts that the weights are `[outputs, inputs]`. By default names, shapes and biases
    /// have to determine the order; see [`StateDict::network`](super::StateDict::network).
    #[must_use]
    pub fn names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = Some(names.into_iter().map(Into::into).collect());
        self
    }
}

/// The default loss of a network with this number of outputs.
pub(in crate::exchange) fn default_loss(outputs: usize) -> Loss {
    if outputs > 1 { Loss::SoftmaxCrossEntropy } else { Loss::SquaredError }
}

/// A [`StateDictSpec`] as it is in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    input_keep: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_drop: Option<f64>,
    #[serde(default)]
    sparse_input: bool,
    #[serde(default)]
    hidden: Vec<Hidden>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<Loss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling: Option<Scaling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hidden {
    activation: Activation,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<f64>,
}

impl From<StateDictSpec> for Described {
    fn from(spec: StateDictSpec) -> Self {
        let StateDictSpec { input_keep, sparse_input, hidden, loss, scaling, names } = spec;
        let hidden = hidden.into_iter().map(|(activation, keep)| Hidden {
            activation,
            keep: Some(keep.decimal()),
            drop: None,
        });
        Self {
            input_keep: input_keep.map(Keep::decimal),
            input_drop: None,
            sparse_input,
            hidden: hidden.collect(),
            loss,
            scaling,
            names,
        }
    }
}

impl TryFrom<Described> for StateDictSpec {
    type Error = Error;

    fn try_from(described: Described) -> Result<Self, Error> {
        let Described { sparse_input, loss, scaling, names, .. } = described;
        let hidden = described.hidden.into_iter().map(|hidden| {
            Ok((hidden.activation, rate(hidden.keep, hidden.drop)?.unwrap_or(Keep::ONE)))
        });
        Ok(Self {
            input_keep: rate(described.input_keep, described.input_drop)?,
            sparse_input,
            hidden: hidden.collect::<Result<_, Error>>()?,
            loss,
            scaling,
            names,
        })
    }
}

/// The keep rate, of which at most one of the two is stated.
fn rate(keep: Option<f64>, drop: Option<f64>) -> Result<Option<Keep>, Error> {
    match (keep, drop) {
        (Some(keep), Some(drop)) => Err(Error::KeepAndDrop { keep, drop }),
        (Some(keep), None) => Keep::new(keep).map(Some),
        (None, Some(drop)) => Keep::from_drop(drop).map(Some),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<StateDictSpec, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn a_description_equals_the_same_spec_in_code() {
        let described = r#"{"input_drop": 0.2, "loss": "binary_cross_entropy", "scaling": "paper",
            "hidden": [{"activation": "relu", "keep": 0.5}, {"activation": "tanh"}],
            "names": ["a", "b", "c"], "sparse_input": true}"#;
        let code = StateDictSpec::new()
            .input_keep(Keep::new(0.8).unwrap())
            .sparse_input()
            .hidden(Activation::Relu, Keep::HALF)
            .hidden(Activation::Tanh, Keep::ONE)
            .loss(Loss::BinaryCrossEntropy)
            .scaling(Scaling::Paper)
            .names(["a", "b", "c"]);
        assert_eq!(read(described).unwrap(), code);
        assert_eq!(read("{}").unwrap(), StateDictSpec::new());
        for spec in [code, StateDictSpec::new()] {
            assert_eq!(read(&serde_json::to_string(&spec).unwrap()).unwrap(), spec);
        }
    }

    #[test]
    fn unknown_fields_and_wrong_values_are_refused() {
        for (json, words) in [
            (r#"{"width": 3}"#, "unknown field `width`"),
            (r#"{"hidden": [{"activation": "relu", "rate": 1}]}"#, "unknown field `rate`"),
            (r#"{"hidden": [{"activation": "glu"}]}"#, "activation `glu`: expected one of relu"),
            (r#"{"input_keep": 0}"#, "keep rate 0: expected a number above 0"),
            (r#"{"input_keep": 0.8, "input_drop": 0.2}"#, "expected only one of the two"),
            (r#"{"hidden": [{"activation": "relu", "drop": 1.0}]}"#, "drop rate 1"),
            (r#"{"loss": "hinge"}"#, "loss `hinge`: expected one of"),
            (r#"{"scaling": "none"}"#, "unknown variant `none`"),
        ] {
            let reason = read(json).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
    }
}
