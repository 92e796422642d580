//! Checkpoints of a training run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    architecture::{Architecture, Versions, loaded, loaded_network, names, saved, saved_network},
    floats::FloatType,
    reader::{Reader, Verify},
    tensor::{Allowed, ReadInto, Tensor, WriteFrom},
    writer::Writer,
};
use crate::{
    error::Error,
    nn::Mlp,
    thin::{LayerState, update::nothing_pending},
};

/// The metadata key.
pub(crate) const KEY: &str = "thinnet.checkpoint";

/// The most updates that a run can have done, so that it can always do one more.
const MAX_STEPS: u64 = u64::MAX / 2;

/// The states of gradient descent.
const STATES: [&str; 1] = ["velocity"];

/// The name of a layer's pending max-norm factors.
fn pending(layer: usize) -> String {
    format!("pending.layers.{layer}")
}

/// The prefix of the names of an optimiser's state.
fn prefix(state: &str) -> String {
    format!("{state}.")
}

/// The training progress, and what identifies the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// The caller's notes.
    pub notes: String,
    /// Names and values of the settings other than the optimiser's, and the data's fingerprint.
    pub settings: BTreeMap<String, String>,
    /// The number of updates done.
    pub step: u64,
}

/// The optimiser: names and values of its settings, and the names of its states, with which the
/// names of those tensors start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Optimiser {
    Sgd { settings: BTreeMap<String, String>, states: Vec<String> },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    architecture: Architecture,
    optimiser: Optimiser,
    position: Position,
}

/// The part of the metadata that is read first.
#[derive(Deserialize)]
struct OfArchitecture {
    architecture: Versions,
}

/// A checkpoint to be written. Weights are raw: pending factors are stored separately. `optimiser`
/// holds the settings of gradient descent, and `max_norm` says whether it bounds weights. Numbers
/// that could not be read again are refused.
pub(crate) fn writer<'m>(
    mlp: &'m Mlp,
    states: &'m [LayerState],
    optimiser: BTreeMap<String, String>,
    position: Position,
    max_norm: bool,
) -> Result<Writer<'m>, Error> {
    let mut tensors = saved_network(mlp);
    for (layer, state) in states.iter().enumerate() {
        for (name, state) in STATES.iter().zip(&state.optimiser) {
            tensors.extend(saved(&prefix(name), layer, &state.weights, &state.bias));
        }
        let outputs = mlp.layers[layer].weights.outputs();
        let factors = WriteFrom::Values(&state.pending[..outputs]);
        tensors.push(
            Tensor::new(pending(layer), vec![outputs], factors)
                .allowing(allowed_factors(max_norm, position.step)),
        );
    }
    let optimiser =
        Optimiser::Sgd { settings: optimiser, states: STATES.map(str::to_owned).into() };
    let metadata = Metadata { architecture: Architecture::from(mlp), optimiser, position };
    Writer::new(tensors, KEY, &metadata)
}

/// The permitted pending factors: only 1 before the first step and without max-norm.
fn allowed_factors(max_norm: bool, step: u64) -> Allowed {
    if max_norm && step > 0 { Allowed::Factors } else { Allowed::Only(1.0) }
}

/// A checkpoint whose metadata was read, and whose tensors are still to be read.
pub(crate) struct Saved<'a> {
    file: Reader<'a>,
    pub architecture: Architecture,
    /// Names and values of the optimiser's settings.
    pub optimiser: BTreeMap<String, String>,
    pub position: Position,
}

impl<'a> Saved<'a> {
    /// Checks everything in the file except the elements of its tensors.
    pub fn open(file: Reader<'a>) -> Result<Self, Error> {
        let expected = "a checkpoint that a training saved";
        file.metadata::<OfArchitecture>(KEY, expected)?
            .architecture
            .check(|reason| file.refuse(reason))?;
        let Metadata { architecture, optimiser, position } = file.metadata(KEY, expected)?;
        let Optimiser::Sgd { settings: optimiser, states } = optimiser;
        if states != STATES {
            let reason = format!("states {states:?} of the optimiser: expected {STATES:?}");
            return Err(file.refuse(reason));
        }
        if position.step > MAX_STEPS {
            let step = position.step;
            return Err(file.refuse(format!("step {step}: expected at most {MAX_STEPS}")));
        }
        // Weights and biases, their states, and the pending factors.
        file.check_count((2 * (1 + states.len()) + 1) * architecture.depth())?;
        architecture.check_network(&file)?;
        for state in &states {
            architecture.check_tensors(&file, &prefix(state))?;
        }
        for (layer, &width) in architecture.widths()[1..].iter().enumerate() {
            file.find(&pending(layer), &[width], &[FloatType::F32])?;
        }
        Ok(Self { file, architecture, optimiser, position })
    }

    /// An error about this file.
    pub fn refuse(&self, reason: String) -> Error {
        self.file.refuse(reason)
    }

    /// Checks the file's digest: for a file with unexpected contents, which may be damage.
    pub fn verify(self) -> Result<(), Error> {
        self.file.load(Vec::new(), &[], Verify::Digest)
    }

    /// Reads the network and states into memory of the file's architecture; `max_norm` says whether
    /// the optimiser bounds weights. On failure, the contents of that memory are unspecified.
    pub fn load(
        self,
        mlp: &mut Mlp,
        states: &mut [LayerState],
        max_norm: bool,
    ) -> Result<(), Error> {
        let step = self.position.step;
        let factors = allowed_factors(max_norm, step);
        // Before the first step, all states are 0.
        let velocities = if step == 0 { Allowed::Only(0.0) } else { Allowed::Finite };
        let widths = mlp.widths();
        let mut tensors = loaded_network(mlp);
        for (layer, state) in states.iter_mut().enumerate() {
            for (name, state) in STATES.iter().zip(&mut state.optimiser) {
                let of_state = loaded(&prefix(name), layer, &mut state.weights, &mut state.bias);
                tensors.extend(of_state.map(|tensor| tensor.allowing(velocities)));
            }
            let outputs = widths[layer + 1];
            let to = ReadInto::Values(&mut state.pending[..outputs]);
            tensors.push(Tensor::new(pending(layer), vec![outputs], to).allowing(factors));
        }
        self.file.load(tensors, &[FloatType::F32], Verify::Digest)
    }

    /// The network as it was at that step, with the pending factors multiplied in. Velocities are
    /// checked and discarded.
    pub fn into_network(self, verify: Verify) -> Result<Mlp, Error> {
        let Self { file, architecture, .. } = self;
        let mut mlp = architecture.builder().build_zeroed()?;
        let factors = mlp.layers.iter().map(|layer| nothing_pending(layer.weights.outputs()));
        let mut factors = factors.collect::<Result<Vec<_>, Error>>()?;
        let mut tensors = loaded_network(&mut mlp);
        for (layer, (factors, pair)) in
            factors.iter_mut().zip(architecture.widths().windows(2)).enumerate()
        {
            let (inputs, outputs) = (pair[0], pair[1]);
            for state in STATES {
                let [weight, bias] = names(&prefix(state), layer);
                tensors.push(Tensor::new(weight, vec![outputs, inputs], ReadInto::Nowhere));
                tensors.push(Tensor::new(bias, vec![outputs], ReadInto::Nowhere));
            }
            let to = ReadInto::Values(&mut factors[..outputs]);
            tensors.push(Tensor::new(pending(layer), vec![outputs], to).allowing(Allowed::Factors));
        }
        file.load(tensors, &[FloatType::F32], verify)?;
        for (layer, factors) in mlp.layers.iter_mut().zip(&factors) {
            layer.weights.scale_outputs(factors.as_chunks().0);
        }
        Ok(mlp)
    }
}
