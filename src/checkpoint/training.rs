//! Checkpoints of a training.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    architecture::{Architecture, Versions},
    tensors::{Reader, Writer},
};
use crate::{error::Error, nn::Mlp, thin::LayerState};

/// The metadata key.
pub(crate) const KEY: &str = "thinnet.checkpoint";

/// The most updates that a training can have done: so many that it can always do
/// one more.
const MOST_STEPS: u64 = u64::MAX / 2;

/// What stands before the names of velocities.
const VELOCITY: &str = "velocity.";

/// The name of the factors that max-norm left pending in a layer.
fn pending(layer: usize) -> String {
    format!("pending.layers.{layer}")
}

/// A training at a step. Weights are raw: what is pending stands beside them.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub mlp: Mlp,
    pub states: Vec<LayerState>,
    pub position: Position,
}

/// Where the training stands, and what it is the training of. The fields stand
/// in the order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// The caller's own text.
    pub notes: String,
    /// Names and values of all settings, and the data's fingerprint.
    pub settings: BTreeMap<String, String>,
    /// Updates done.
    pub step: u64,
}

/// The fields stand in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    architecture: Architecture,
    position: Position,
}

/// The part of the metadata that is looked at first.
#[derive(Deserialize)]
struct OfArchitecture {
    architecture: Versions,
}

/// The checkpoint's bytes. Parameters or velocities that are not finite are
/// refused.
pub(crate) fn to_bytes(
    mlp: &Mlp,
    states: &[LayerState],
    position: &Position,
) -> Result<Vec<u8>, Error> {
    let architecture = Architecture::from(mlp);
    let mut file = Writer::default();
    architecture.push_network(&mut file, mlp)?;
    let velocity = |layer: usize| (&states[layer].velocity, &*states[layer].bias_velocity);
    architecture.push(&mut file, VELOCITY, velocity)?;
    for (layer, state) in states.iter().enumerate() {
        let outputs = state.velocity.outputs();
        file.push(pending(layer), vec![outputs], &state.pending[..outputs])?;
    }
    file.finish(KEY, &Metadata { architecture, position: position.clone() })
}

/// The training that a file's bytes hold; `path` names them in errors.
pub(crate) fn from_bytes(bytes: &[u8], path: &Path) -> Result<Snapshot, Error> {
    let file = Reader::new(bytes, path)?;
    let expected = "a checkpoint that a training saved";
    file.metadata::<OfArchitecture>(KEY, expected)?.architecture.check(&file)?;
    let Metadata { architecture, position } = file.metadata(KEY, expected)?;
    if position.step > MOST_STEPS {
        let step = position.step;
        return Err(file.refuse(format!("step {step}: expected at most {MOST_STEPS}")));
    }
    file.check_count(5 * architecture.depth())?;
    let mlp = architecture.network(&file)?;
    let mut states = Vec::with_capacity(architecture.depth());
    for (layer, [weight, bias], inputs, outputs) in architecture.tensors(VELOCITY) {
        let mut state = LayerState::new(inputs, outputs)?;
        state.velocity.set_rows(&file.read(&weight, &[outputs, inputs])?)?;
        state.bias_velocity[..outputs].copy_from_slice(&file.read(&bias, &[outputs])?);
        state.pending[..outputs].copy_from_slice(&file.read(&pending(layer), &[outputs])?);
        states.push(state);
    }
    Ok(Snapshot { mlp, states, position })
}
