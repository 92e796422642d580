//! Checkpoints of a training run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    architecture::{Architecture, Versions, loaded, loaded_network, names, saved, saved_network},
    elements::ElementType,
    integer, model,
    reader::{Reader, Verify},
    tensor::{Allowed, ReadInto, Tensor, WriteFrom},
    writer::Writer,
};
use crate::{
    error::Error,
    nn::Mlp,
    optimiser::{LearningRate, Optimiser},
    thin::{
        LayerState, average,
        update::{OptimiserState, StateInit, nothing_pending},
    },
};

/// The metadata key.
pub(crate) const KEY: &str = "thinnet.checkpoint";

/// The prefix of the names of the best parameters so far.
const BEST: &str = "best.";

/// The most updates that a run can have done, so that it can always do one more.
const MAX_STEPS: u64 = u64::MAX / 2;

/// The name of the setting of an exponential moving average of the parameters, if there is one.
pub(crate) const AVERAGING: &str = "averaging";

/// The name of the setting of a mean over the tail of the run, if there is one; what its rounding left
/// is stored too.
pub(crate) const TAIL_AVERAGING: &str = "tail averaging";

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
    /// Names and values of the other settings, and the data's fingerprint.
    pub settings: BTreeMap<String, String>,
    /// The number of updates done.
    pub step: u64,
    /// The learning rate in force, stored where it is not that of the schedule.
    #[serde(default, skip_serializing_if = "LearningRate::is_default")]
    pub learning_rate: LearningRate,
    /// Whether the parameters of an earlier step are stored too, the best so far.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub best: bool,
}

/// The optimiser, as the metadata holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptimiserRecord {
    /// Its name.
    pub kind: String,
    /// Names and values of its settings, and of those that apply with any optimiser.
    pub settings: BTreeMap<String, String>,
    /// The names of its states and of the average, with which the names of those tensors start.
    states: Vec<String>,
}

impl OptimiserRecord {
    pub fn new(optimiser: &Optimiser, settings: BTreeMap<String, String>) -> Self {
        let states = states(optimiser, &settings);
        let states = states.iter().map(|state| state.name.to_owned()).collect();
        Self { kind: optimiser.name().to_owned(), settings, states }
    }

    /// Checks that it is one that this version knows, with the states that it has. Returns the
    /// permitted numbers of each.
    fn check(&self) -> Result<Vec<Allowed>, String> {
        let optimiser: Optimiser = self.kind.parse().map_err(|error: Error| error.to_string())?;
        let states = states(&optimiser, &self.settings);
        let expected: Vec<_> = states.iter().map(|state| state.name).collect();
        if self.states == expected {
            return Ok(states.iter().map(allowed_numbers).collect());
        }
        Err(format!("states {:?} of the optimiser: expected {expected:?}", self.states))
    }
}

/// The numbers that are stored for each parameter besides it.
fn states(optimiser: &Optimiser, settings: &BTreeMap<String, String>) -> Vec<StateInit> {
    let tail = settings.contains_key(TAIL_AVERAGING);
    let averaged = tail || settings.contains_key(AVERAGING);
    let average = averaged.then(|| average::states(tail));
    optimiser.states(1.0).into_iter().chain(average.into_iter().flatten()).collect()
}

/// The permitted numbers of an optimiser's state.
fn allowed_numbers(state: &StateInit) -> Allowed {
    if state.squares { Allowed::NotNegative } else { Allowed::Finite }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    architecture: Architecture,
    optimiser: OptimiserRecord,
    position: Position,
}

/// The part of the metadata that is read first.
#[derive(Deserialize)]
struct OfArchitecture {
    architecture: Versions,
}

/// A checkpoint to be written. Weights are raw: pending factors are stored separately. `max_norm`
/// says whether weights are bounded; `best` are the best parameters so far, if they are kept.
/// Numbers that could not be read again are refused.
pub(crate) fn writer<'m>(
    mlp: &'m Mlp,
    states: &'m [LayerState],
    optimiser: OptimiserRecord,
    position: Position,
    max_norm: bool,
    best: Option<&'m Mlp>,
) -> Result<Writer<'m>, Error> {
    let mut tensors = saved_network(mlp);
    for (layer, kept) in best.iter().flat_map(|best| best.layers.iter().enumerate()) {
        tensors.extend(saved(BEST, layer, &kept.weights, &kept.bias));
    }
    for (layer, state) in states.iter().enumerate() {
        for state in state.optimiser.iter().chain(&state.average) {
            tensors.extend(saved(&prefix(state.init.name), layer, &state.weights, &state.bias));
        }
        let outputs = mlp.layers[layer].weights.outputs();
        let factors = WriteFrom::Values(&state.pending[..outputs]);
        tensors.push(
            Tensor::new(pending(layer), vec![outputs], factors)
                .allowing(allowed_factors(max_norm, position.step)),
        );
    }
    let metadata = Metadata { architecture: Architecture::from(mlp), optimiser, position };
    Writer::new(tensors, KEY, &metadata, &[])
}

/// Refuses a checkpoint where a model is expected.
pub(super) fn refuse(file: &Reader<'_>) -> Result<(), Error> {
    if file.has(KEY) {
        return Err(file.refuse(
            "a training checkpoint: expected a model (`thinnet train --resume` with --out finishes \
             the run and writes one)"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The permitted pending factors: only 1 before the first step and without max-norm.
fn allowed_factors(max_norm: bool, step: u64) -> Allowed {
    if max_norm && step > 0 { Allowed::Factors } else { Allowed::Only(1.0) }
}

/// What a checkpoint's tensors may hold besides finite numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// What the same run would have left; `max_norm` says whether its weights are bounded, `averaged`
    /// whether its average has moved.
    SameRun { max_norm: bool, averaged: bool },
    /// What any run of the same optimiser could have left. Before the first step that is nothing, and
    /// its state is not read; `average` says whether to read its average.
    AnyRun { average: bool },
}

/// A checkpoint whose metadata was read, and whose tensors are still to be read.
pub(crate) struct Saved<'a> {
    file: Reader<'a>,
    pub architecture: Architecture,
    pub optimiser: OptimiserRecord,
    /// The permitted numbers of each of its states.
    allowed: Vec<Allowed>,
    pub position: Position,
}

impl<'a> Saved<'a> {
    /// Checks everything in the file except the elements of its tensors.
    pub fn open(file: Reader<'a>) -> Result<Self, Error> {
        if [model::KEY, integer::KEY].into_iter().any(|key| file.has(key)) && !file.has(KEY) {
            return Err(file.refuse(
                "a model, which cannot be resumed: expected a checkpoint (`thinnet train --checkpoint` \
                 writes one)"
                    .to_owned(),
            ));
        }
        let expected = "a checkpoint of a training run";
        file.metadata::<OfArchitecture>(KEY, expected)?
            .architecture
            .check(|reason| file.refuse(reason))?;
        let Metadata { architecture, optimiser, position } = file.metadata(KEY, expected)?;
        let allowed = optimiser.check().map_err(|reason| file.refuse(reason))?;
        architecture.check_no_temperature(&file, "a network in training has a temperature of 1")?;
        if let Some(threshold) = architecture.threshold() {
            return Err(file.refuse(format!(
                "decision threshold {threshold}: expected none, because a network in training has none"
            )));
        }
        if position.step > MAX_STEPS {
            let step = position.step;
            return Err(file.refuse(format!("step {step}: expected at most {MAX_STEPS}")));
        }
        // Weights and biases, the best ones, their states, and the pending factors.
        let networks = 1 + usize::from(position.best);
        file.check_count((2 * (networks + optimiser.states.len()) + 1) * architecture.depth())?;
        architecture.check_network(&file)?;
        if position.best {
            architecture.check_tensors(&file, BEST)?;
        }
        for state in &optimiser.states {
            architecture.check_tensors(&file, &prefix(state))?;
        }
        for (layer, shape) in architecture.shapes().iter().enumerate() {
            file.find(&pending(layer), &shape[..1], &[ElementType::F32])?;
        }
        Ok(Self { file, architecture, optimiser, allowed, position })
    }

    /// An error about this file.
    pub fn refuse(&self, reason: String) -> Error {
        self.file.refuse(reason)
    }

    /// Checks the file's digest: for a file with unexpected contents, which may be damage.
    pub fn verify(self) -> Result<(), Error> {
        self.file.load(Vec::new(), &[], Verify::Digest)
    }

    /// Memory for the best parameters, if the file has them.
    pub fn best(&self) -> Result<Option<Mlp>, Error> {
        let zeroed = || self.architecture.builder().build_zeroed();
        self.position.best.then(zeroed).transpose()
    }

    /// Reads the network and states into memory of the file's widths and optimiser, and the best
    /// parameters into that of [`Self::best`]. On failure, the contents of that memory are
    /// unspecified.
    pub fn load(
        self,
        mlp: &mut Mlp,
        states: &mut [LayerState],
        best: Option<&mut Mlp>,
        expect: Expect,
    ) -> Result<(), Error> {
        let step = self.position.step;
        let (factors, stepped, average) = match expect {
            Expect::SameRun { max_norm, averaged } => {
                (allowed_factors(max_norm, step), Some(step > 0), Some(averaged))
            }
            Expect::AnyRun { average } => {
                (Allowed::Factors, (step > 0).then_some(true), average.then_some(true))
            }
        };
        let numbers = |moved, first, later| if moved { later } else { Allowed::Only(first) };
        let outputs: Vec<_> = mlp.layers.iter().map(|layer| layer.weights.outputs()).collect();
        let mut tensors = loaded_network(mlp);
        if let Some(best) = best {
            for (layer, kept) in best.layers.iter_mut().enumerate() {
                tensors.extend(loaded(BEST, layer, &mut kept.weights, &mut kept.bias));
            }
        }
        for (layer, state) in states.iter_mut().enumerate() {
            // Before the first step, all states have their first value.
            let optimiser = stepped.map(|moved| (moved, &mut state.optimiser));
            let average = average.map(|moved| (moved, &mut state.average));
            for (moved, states) in optimiser.into_iter().chain(average) {
                for OptimiserState { init, weights, bias } in states {
                    let [weights, biases] = loaded(&prefix(init.name), layer, weights, bias);
                    let later = allowed_numbers(init);
                    tensors.push(weights.allowing(numbers(moved, init.weights, later)));
                    tensors.push(biases.allowing(numbers(moved, init.biases, later)));
                }
            }
            let outputs = outputs[layer];
            let to = ReadInto::Values(&mut state.pending[..outputs]);
            tensors.push(Tensor::new(pending(layer), vec![outputs], to).allowing(factors));
        }
        self.file.load(tensors, &[ElementType::F32], Verify::Digest)
    }

    /// The network as it was at that step, with the pending factors multiplied in. The optimiser's
    /// state is checked and discarded.
    pub fn into_network(self, verify: Verify) -> Result<Mlp, Error> {
        let Self { file, architecture, optimiser, allowed, position } = self;
        let mut mlp = architecture.zeroed()?;
        let factors = mlp.layers.iter().map(|layer| nothing_pending(layer.weights.outputs()));
        let mut factors = factors.collect::<Result<Vec<_>, Error>>()?;
        let mut tensors = loaded_network(&mut mlp);
        for (layer, (factors, [outputs, inputs])) in
            factors.iter_mut().zip(architecture.shapes()).enumerate()
        {
            let states = optimiser.states.iter().map(|state| prefix(state)).zip(allowed.clone());
            let best = position.best.then(|| (BEST.to_owned(), Allowed::Finite));
            for (prefix, allowed) in states.chain(best) {
                let [weight, bias] = names(&prefix, layer);
                let weight = Tensor::new(weight, vec![outputs, inputs], ReadInto::Nowhere);
                let bias = Tensor::new(bias, vec![outputs], ReadInto::Nowhere);
                tensors.extend([weight, bias].map(|tensor| tensor.allowing(allowed)));
            }
            let to = ReadInto::Values(&mut factors[..outputs]);
            tensors.push(Tensor::new(pending(layer), vec![outputs], to).allowing(Allowed::Factors));
        }
        file.load(tensors, &[ElementType::F32], verify)?;
        for (layer, factors) in mlp.layers.iter_mut().zip(&factors) {
            layer.weights.scale_outputs(factors.as_chunks().0);
        }
        Ok(mlp)
    }
}
