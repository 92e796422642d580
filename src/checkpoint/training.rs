//! Checkpoints of a training.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    architecture::{Architecture, Versions},
    tensors::{Reader, Writer},
};
use crate::{
    error::Error,
    nn::Mlp,
    tensor::AlignedBuffer,
    thin::{PANEL, Tiles},
};

/// The metadata key.
pub(super) const KEY: &str = "thinnet.checkpoint";

/// The most updates that a training can have done: so many that it can always do
/// one more.
const MOST_STEPS: u64 = u64::MAX / 2;

/// What stands before the names of velocities.
const VELOCITY: &str = "velocity.";

/// The velocities of a layer's weights and biases.
pub(crate) type Velocity = (Tiles, AlignedBuffer<f32>);

/// A training at a step. Weights are raw: no settling, no pending work is
/// applied to them on the way into the file.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub mlp: Mlp,
    pub velocities: Vec<Velocity>,
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
    velocities: &[Velocity],
    position: &Position,
) -> Result<Vec<u8>, Error> {
    let architecture = Architecture::from(mlp);
    let mut file = Writer::default();
    architecture.push_network(&mut file, mlp)?;
    architecture.push(&mut file, VELOCITY, |layer| (&velocities[layer].0, &velocities[layer].1))?;
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
    file.check_count(4 * architecture.depth())?;
    let mlp = architecture.network(&file)?;
    let mut velocities = Vec::with_capacity(architecture.depth());
    for (_, [weight, bias], inputs, outputs) in architecture.tensors(VELOCITY) {
        let mut weights = Tiles::zeroed(inputs, outputs)?;
        weights.set_rows(&file.read(&weight, &[outputs, inputs])?)?;
        let mut biases = AlignedBuffer::zeroed(outputs.next_multiple_of(PANEL))?;
        biases[..outputs].copy_from_slice(&file.read(&bias, &[outputs])?);
        velocities.push((weights, biases));
    }
    Ok(Snapshot { mlp, velocities, position })
}
