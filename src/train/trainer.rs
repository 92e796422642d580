//! The trainer: a network, the optimiser's state, and the buffers of a step.

mod builder;
mod complete;

pub use builder::TrainerBuilder;

use std::{fmt, mem};

use super::{
    LearningRate, Optimiser,
    backward::{Backward, LayerStep},
    objective::Objective,
    updates::Updates,
    weights::RowWeights,
};
use crate::{
    abridged::Few,
    data::Batch,
    error::{Error, at_most},
    mask::{Domain, Streams},
    nn::{Drawn, Flow, Layer, Mlp, NetworkView, Targets},
    pass::Pass,
    predict::Predictor,
    simd::{Isa, Supported},
    tensor::AlignedBuffer,
    thin::{Activity, InputBits, LayerState, Tiles, average, update::Sum},
};

/// Trains a network, one batch per call.
///
/// Memory is allocated with the trainer and by its first step, for the largest batch, and none later,
/// except for batches of sparse rows with more entries than any before. A batch of more than some 200 rows
/// (some 800 for dense networks) goes through the network in chunks, which changes no bit; beyond that, a
/// larger batch needs no more memory than 4 bytes per weight for the gradient.
///
/// A step runs on the caller's rayon pool, or on the calling thread outside a pool; the result is
/// bit-identical either way. Inside a pool, do not hold a lock across a step: see
/// [`Workspace`](crate::predict::Workspace).
///
/// ```
/// use thinnet::{
///     Keep,
///     data::Batch,
///     nn::{Activation, Loss, Mlp, Targets},
///     tensor::MatrixView,
///     train::{Schedule, Sgd, Trainer},
/// };
///
/// let mlp = Mlp::builder(2)
///     .hidden(64, Activation::Relu, Keep::HALF)
///     .output(2, Loss::SoftmaxCrossEntropy)
///     .build()?;
/// let mut trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 4).seed(1).build()?;
/// let x = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
/// let batch = Batch::dense(MatrixView::new(&x, 4, 2)?);
/// let first = trainer.step(&batch, Targets::Classes(&[0, 1, 1, 0]))?;
/// for _ in 0..500 {
///     trainer.step(&batch, Targets::Classes(&[0, 1, 1, 0]))?;
/// }
/// let last = trainer.step(&batch, Targets::Classes(&[0, 1, 1, 0]))?;
/// assert!(last < first);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone)]
pub struct Trainer {
    mlp: Mlp,
    updates: Updates,
    objective: Objective,
    seed: u64,
    step: u64,
    isa: Supported,
    finite_inputs: bool,
    /// The state of each layer between steps.
    states: Vec<LayerState>,
    /// The layer and step of an update that overflowed, if there was one.
    overflowed: Option<(usize, u64)>,
    flow: Flow,
    /// What was drawn for each site; nothing for a sparse input.
    drawn: Vec<Drawn>,
    backward: Backward,
    losses: AlignedBuffer<f32>,
    /// The largest number of rows of a batch.
    max_rows: usize,
    /// About how many rows go through the network together.
    chunk: usize,
    /// The gradient of each layer's weights over the earlier chunks of a batch, if there can be
    /// several; or the complete gradient, if the update needs it.
    gradients: Vec<Tiles>,
    /// A number per block of the largest layer, if the update needs the complete gradient.
    block_sums: Vec<f64>,
    /// How much of each layer's inputs took part in the products of the last batch.
    activity: Vec<Activity>,
}

impl fmt::Debug for Trainer {
    /// Shows the network, the settings and the position, without the buffers of a step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("mlp", &self.mlp)
            .field("optimiser", &self.updates.optimiser)
            .field("clip_value", &self.updates.clip_value)
            .field("learning_rate", &self.updates.learning_rate)
            .field("clip_norm", &self.updates.clip_norm)
            .field("l1", &self.updates.l1)
            .field("max_norm", &self.updates.max_norm)
            .field("average", &self.updates.average)
            .field("paper_rates", &self.updates.paper_rates)
            .field("objective", &self.objective)
            .field("seed", &self.seed)
            .field("step", &self.step)
            .field("isa", &self.isa)
            .field("finite_inputs", &self.finite_inputs)
            .field("states", &Few(self.states.iter()))
            .field("overflowed", &self.overflowed)
            .finish_non_exhaustive()
    }
}

/// The parts of a step, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Checking the batch.
    Check,
    /// Drawing the masks.
    Masks,
    /// Turning the batch's rows into active lists.
    Lists,
    /// Product 1 (forward) of a layer.
    Forward(usize),
    /// The loss and its gradient.
    Loss,
    /// Products 2 and 3 (backward) of a layer, and its update.
    Backward(usize),
}

/// The gradient of the loss with respect to a layer's parameters.
///
/// ```
/// use thinnet::{
///     data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView, train::{Schedule, Sgd, Trainer},
/// };
///
/// let mut mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
/// mlp.set_weights(0, &[0.0, 0.0])?;
/// let mut trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 1).build()?;
/// let batch = Batch::dense(MatrixView::new(&[1.0, 3.0], 1, 2)?);
/// let target = Targets::Values(MatrixView::new(&[0.5], 1, 1)?);
/// let (loss, gradients) = trainer.gradients(&batch, target)?;
/// assert_eq!((loss, &gradients[0].weights[..]), (0.25, &[-1.0, -3.0][..]));
/// assert_eq!(gradients[0].bias, [-1.0]);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct LayerGradient {
    /// The gradient with respect to the weights, row-major `[outputs][inputs]`.
    pub weights: Vec<f32>,
    /// The gradient with respect to the biases.
    pub bias: Vec<f32>,
}

impl fmt::Debug for LayerGradient {
    /// Shows the first few numbers of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerGradient")
            .field("weights", &Few(self.weights.iter()))
            .field("bias", &Few(self.bias.iter()))
            .finish()
    }
}

/// Some rows of a batch.
#[derive(Clone, Copy)]
struct Chunk {
    rows: usize,
    /// Whether the batch begins with them.
    first: bool,
    /// Whether the batch ends with them.
    last: bool,
    /// Whether the update of the first layer takes all rows of the batch at once.
    whole: bool,
}

/// Memory for the gradient of each layer's weights, from layer `first` on.
fn gradients_of(mlp: &Mlp, first: usize) -> Result<Vec<Tiles>, Error> {
    let zeroed = |(index, layer): (usize, &Layer)| {
        let inputs = if index < first { 0 } else { layer.weights.inputs() };
        Tiles::zeroed(inputs, layer.weights.outputs())
    };
    mlp.layers.iter().enumerate().map(zeroed).collect()
}

impl Trainer {
    /// Starts building a trainer of `mlp` for batches of at most `max_rows` rows.
    pub fn builder(mlp: Mlp, optimiser: impl Into<Optimiser>, max_rows: usize) -> TrainerBuilder {
        TrainerBuilder::new(mlp, optimiser.into(), max_rows)
    }

    /// Performs one update from one batch: draws the masks or other noise of this step, computes
    /// the mean loss of the thinned networks and its gradient, and updates the parameters. Returns
    /// the loss before the update. If the rows have [weights](Batch::with_weights), the mean is
    /// weighted.
    ///
    /// # Errors
    /// The batch has no rows, too many rows or the wrong width, inputs are not finite, the targets
    /// do not fit, the sum of the weights is 0 or infinite, or the loss is not finite, or the norm of
    /// the gradient if it is to be clipped; the parameters are left unchanged. It is also an error if
    /// an earlier update made parameters NaN or infinite.
    pub fn step(&mut self, batch: &Batch<'_>, targets: Targets<'_>) -> Result<f32, Error> {
        self.step_watched(batch, targets, &mut |_| ())
    }

    /// Like [`Self::step`], but calls `done` at the end of each part.
    pub(crate) fn step_watched(
        &mut self,
        batch: &Batch<'_>,
        targets: Targets<'_>,
        done: &mut dyn FnMut(Part),
    ) -> Result<f32, Error> {
        Ok(self.step_weighted(batch, targets, done)?.0)
    }

    /// Like [`Self::step_watched`], but also returns the sum of the weights of the rows, with those of
    /// their classes, up to a factor that is the same in all steps.
    pub(super) fn step_weighted(
        &mut self,
        batch: &Batch<'_>,
        targets: Targets<'_>,
        done: &mut dyn FnMut(Part),
    ) -> Result<(f32, f64), Error> {
        let complete = self.updates.needs_complete_gradient();
        let found = self.each_chunk(batch, targets, true, done, |trainer, chunk, done| {
            if chunk.last && !complete {
                trainer.update(chunk, done);
            } else {
                let mut gradients = mem::take(&mut trainer.gradients);
                trainer.collect(chunk, &mut gradients, done);
                trainer.gradients = gradients;
            }
        })?;
        if complete {
            self.update_by_complete_gradient(self.chunk_of(batch.rows()), done)?;
        }
        Ok(found)
    }

    /// The loss and its gradient with respect to every layer's parameters, under the masks of the
    /// next step; nothing is updated.
    ///
    /// # Errors
    /// As for [`Self::step`], or there is not enough memory.
    pub fn gradients(
        &mut self,
        batch: &Batch<'_>,
        targets: Targets<'_>,
    ) -> Result<(f32, Vec<LayerGradient>), Error> {
        let mut gradients = gradients_of(&self.mlp, 0)?;
        let none = &mut |_| ();
        let (loss, _) = self.each_chunk(batch, targets, false, none, |trainer, chunk, done| {
            trainer.collect(chunk, &mut gradients, done);
        })?;
        Ok((loss, self.with_biases(gradients)?))
    }

    /// The gradients of the weights with those of the biases.
    fn with_biases(&self, gradients: Vec<Tiles>) -> Result<Vec<LayerGradient>, Error> {
        let layer = |(index, g): (usize, Tiles)| {
            let bias = self.backward.bias_gradient(index, g.outputs())?;
            Ok(LayerGradient { weights: g.to_rows()?, bias })
        };
        gradients.into_iter().enumerate().map(layer).collect()
    }

    /// Runs the forward pass of each chunk of the batch, and `backward` after it. Returns the mean
    /// loss of the batch, which is finite when `backward` is called for the last chunk, and the sum of
    /// the weights of its rows. `updates` says whether `backward` updates parameters.
    fn each_chunk(
        &mut self,
        batch: &Batch<'_>,
        targets: Targets<'_>,
        updates: bool,
        done: &mut dyn FnMut(Part),
        mut backward: impl FnMut(&mut Self, Chunk, &mut dyn FnMut(Part)),
    ) -> Result<(f32, f64), Error> {
        let weights = self.check(batch, targets)?;
        let whole = self.prepare(batch, updates)?;
        self.backward.clear();
        self.activity.fill(Activity::default());
        done(Part::Check);
        let (rows, mut first, mut sum) = (batch.rows(), 0, 0.0);
        for part in batch.chunks(self.chunk_of(rows))? {
            let next = first + part.rows();
            let chunk = Chunk { rows: part.rows(), first: first == 0, last: next == rows, whole };
            self.draw(&part)?;
            done(Part::Masks);
            self.forward(&part, targets.part(first..next), rows, done)?;
            // One sum over the rows of the batch, as without chunks.
            let dz = &mut self.flow.z[self.mlp.depth() - 1];
            let losses = &self.losses[..part.rows()];
            sum = weights.apply(&self.objective, first..next, dz, losses, sum);
            let (pass, weight) = (self.pass(part.rows()), part.rows() as f64 / rows as f64);
            for (layer, activity) in self.activity.iter_mut().enumerate() {
                activity.add(self.flow.activity(pass, layer), weight);
            }
            let loss = (sum / weights.total()) as f32;
            if chunk.last && !loss.is_finite() {
                return Err(Error::NonFiniteLoss { step: self.step, loss });
            }
            done(Part::Loss);
            backward(self, chunk, done);
            first = next;
        }
        Ok(((sum / weights.total()) as f32, weights.total()))
    }

    /// Allocates the memory that a batch needs besides. Returns whether the first layer's part of the
    /// backward pass waits for the last chunk, if this is to update parameters.
    fn prepare(&mut self, batch: &Batch<'_>, updates: bool) -> Result<bool, Error> {
        let (network, inputs) = (NetworkView::from(&self.mlp), batch.inputs());
        self.flow.prepare(network, inputs)?;
        self.backward.prepare()?;
        let sparse = self.flow.takes_sparse(network, inputs);
        let several = self.chunk_of(batch.rows()) < batch.rows();
        let whole = sparse && several && updates && self.updates.leaves_untouched();
        if sparse {
            self.backward.prepare_sparse(&self.mlp, inputs, whole)?;
        }
        if several
            && updates
            && !whole
            && let (Some(g), Some(layer)) = (self.gradients.first_mut(), self.mlp.layers.first())
            && g.inputs() == 0
        {
            *g = Tiles::zeroed(layer.weights.inputs(), layer.weights.outputs())?;
        }
        Ok(whole)
    }

    /// Checks that all parameters are finite. The next step would check this first; this is for
    /// callers that take no further step.
    ///
    /// # Errors
    /// The last update made parameters NaN or infinite.
    pub fn ensure_finite(&self) -> Result<(), Error> {
        match self.overflowed {
            Some((layer, step)) => Err(Error::NonFiniteParameters { layer, step }),
            None => Ok(()),
        }
    }

    /// Checks that the batch can be trained on, before anything is modified. Returns the weights of its
    /// rows.
    fn check<'a>(&self, batch: &Batch<'a>, targets: Targets<'a>) -> Result<RowWeights<'a>, Error> {
        self.ensure_finite()?;
        let rows = batch.rows();
        if rows == 0 {
            return Err(Error::Zero { what: "rows of a batch", expected: "at least one" });
        }
        at_most("rows of a batch", self.max_rows, rows)?;
        self.flow.check(&self.mlp, self.chunk_of(rows))?;
        batch.check(self.mlp.inputs(), self.finite_inputs)?;
        if self.objective.is_sparse() && batch.weights().is_some() {
            let what = "weights of rows".to_owned();
            return Err(Error::Sparsity { what, expected: "none" });
        }
        targets.check(self.mlp.loss(), self.mlp.outputs(), rows)?;
        RowWeights::of(batch, targets, &self.objective)
    }

    /// Draws the masks or factors of this step for every site except a sparse input.
    fn draw(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        let (rows, first_row) = (batch.rows(), batch.first_row());
        let pass = self.pass(rows);
        for (site, drawn) in self.drawn.iter_mut().enumerate() {
            let streams = Streams::new(self.seed, Domain::Training, site as u64, self.step);
            drawn.redraw(pass, self.mlp.noise_below(site), rows, streams.hashes(first_row))?;
        }
        Ok(())
    }

    /// The forward pass: lists, forward products and loss. Leaves dz of the output layer in place
    /// of the logits.
    fn forward(
        &mut self,
        batch: &Batch<'_>,
        targets: Targets<'_>,
        of_rows: usize,
        done: &mut dyn FnMut(Part),
    ) -> Result<(), Error> {
        let rows = batch.rows();
        let pass = self.pass(rows);
        let keep = self.mlp.keep_below(0);
        let bits = match &self.drawn[0] {
            Drawn::Mask(mask) => InputBits::Mask(mask),
            Drawn::Nothing if keep.drops() => InputBits::Sparse {
                keep,
                streams: Streams::new(self.seed, Domain::Training, 0, self.step),
                first_row: batch.first_row(),
            },
            Drawn::Nothing | Drawn::Factors(_) => InputBits::All,
        };
        let states = Some(&self.states[..]);
        let network = NetworkView { states, backward: true, ..(&self.mlp).into() };
        self.flow.enter(pass, network, batch.inputs(), (bits, &self.drawn[0]));
        done(Part::Lists);
        let drawn = |site: usize| &self.drawn[site];
        let part = |layer| done(Part::Forward(layer));
        self.flow.forward(pass, network, 0..self.mlp.depth(), drawn, part);

        let logits = &mut self.flow.z[self.mlp.depth() - 1];
        let losses = &mut self.losses[..rows];
        let (loss, outputs) = (self.objective.loss(self.mlp.loss()), self.mlp.outputs());
        loss.gradient(pass.isa, targets, outputs, of_rows, logits, losses)
    }

    /// The backward pass, in which each layer's gradient is applied immediately.
    fn update(&mut self, chunk: Chunk, done: &mut dyn FnMut(Part)) {
        let pass = self.pass(chunk.rows);
        self.backward.begin(pass.isa, &self.flow);
        for index in (0..self.mlp.depth()).rev() {
            let whole = chunk.whole && index == 0;
            if whole {
                self.backward.keep(&self.flow);
            }
            let step = LayerStep {
                updates: &self.updates,
                t: self.step,
                keep_of_inputs: self.mlp.keep_below(index),
                state: &mut self.states[index],
                before: self.gradients.get(index).filter(|_| !chunk.first && !whole),
                whole,
            };
            let (mlp, flow) = (&mut self.mlp, &mut self.flow);
            if self.backward.update(pass, mlp, flow, index, step) {
                self.overflowed = Some((index, self.step));
            }
            self.add_sparsity(pass, index);
            done(Part::Backward(index));
        }
        self.step += 1;
    }

    /// The backward pass, in which the layers' gradients are added to those of earlier chunks.
    fn collect(&mut self, chunk: Chunk, gradients: &mut [Tiles], done: &mut dyn FnMut(Part)) {
        let pass = self.pass(chunk.rows);
        self.backward.begin(pass.isa, &self.flow);
        for (index, g) in gradients.iter_mut().enumerate().rev() {
            if chunk.whole && index == 0 {
                self.backward.keep(&self.flow);
                break;
            }
            let (mlp, flow) = (&self.mlp, &mut self.flow);
            let pending = self.states[index].pending.as_chunks().0;
            self.backward.collect(pass, mlp, flow, index, pending, Sum { g, add: !chunk.first });
            self.add_sparsity(pass, index);
            done(Part::Backward(index));
        }
    }

    /// Adds the gradient of the sparsity penalty to that of the layer below layer `index`, if there are
    /// both. All rows of the batch are one chunk.
    fn add_sparsity(&mut self, pass: Pass, index: usize) {
        if self.objective.is_sparse() && index > 0 {
            let keep = self.mlp.keep_below(index);
            self.backward.add_sparsity(pass, self.objective.sparsity, keep, &mut self.flow, index);
        }
    }

    /// The rows of the chunks of a batch: below 1.5 times as many as wanted, and nearly alike.
    fn chunk_of(&self, rows: usize) -> usize {
        let chunks = (rows + self.chunk / 2) / self.chunk;
        rows.div_ceil(chunks.max(1))
    }

    /// How the products for this number of rows run.
    fn pass(&self, rows: usize) -> Pass {
        Pass::of(self.isa, self.mlp.parameters(), rows)
    }

    /// A copy of the network as it is now, as it would be saved to a file.
    ///
    /// Between steps, the trainer represents the weights into each unit as stored weights times a
    /// factor left by max-norm; in the copy they are multiplied out.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn network(&self) -> Result<Mlp, Error> {
        Ok(self.mlp.try_clone()?.with_pending(&self.states))
    }

    /// A predictor with the network as it is now, which is borrowed and not copied: for validation
    /// between two steps. It has the trainer's instruction set, and allows non-finite inputs if the
    /// trainer does.
    ///
    /// Without max-norm its predictions have the bits of those of [`Self::network`]. With max-norm,
    /// sums are multiplied by the factors, instead of each weight, and so are rounded differently.
    ///
    /// ```
    /// # use thinnet::{data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView};
    /// # use thinnet::train::{Schedule, Sgd, Trainer};
    /// let mlp = Mlp::builder(2).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// let mut trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.5)), 2).build()?;
    /// let mut workspace = trainer.predictor().workspace(2)?;
    /// let x = MatrixView::new(&[0.0, 1.0, 1.0, 0.0], 2, 2)?;
    /// for _ in 0..100 {
    ///     trainer.step(&Batch::dense(x), Targets::Classes(&[0, 1]))?;
    /// }
    /// let probabilities = trainer.predictor().predict(&Batch::dense(x), &mut workspace)?;
    /// assert!(probabilities.row(0)?[0] > 0.9 && probabilities.row(1)?[1] > 0.9);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    pub fn predictor(&self) -> Predictor<&Self> {
        Predictor::in_training(self, self.isa, self.finite_inputs)
    }

    /// The same for another network of the same shape.
    pub(super) fn predictor_of<'m>(&self, mlp: &'m Mlp) -> Predictor<&'m Mlp> {
        Predictor::in_training(mlp, self.isa, self.finite_inputs)
    }

    /// A copy of the network with its parameters averaged over the steps so far, the last included.
    /// Before the first update that counts, it is a copy of the network as it is now.
    ///
    /// The average inside the trainer is always a step late, because max-norm is applied late: the copy
    /// catches up. The trainer is left unchanged.
    ///
    /// # Errors
    /// The trainer was built without [`TrainerBuilder::average`], parameters are NaN or infinite, or
    /// there is not enough memory.
    pub fn averaged_network(&self) -> Result<Mlp, Error> {
        let average = self.updates.average.ok_or(Error::NotAveraged)?;
        if average.count(self.step) == 0 {
            return self.network();
        }
        let mut mlp = self.mlp.try_clone()?;
        for (index, (layer, state)) in mlp.layers.iter_mut().zip(&self.states).enumerate() {
            let now = (&layer.weights, layer.bias_panels());
            if let Some((weights, bias)) =
                average::caught_up(self.isa, average.rate(self.step), now, state)?
            {
                (layer.weights, layer.bias) = (weights, bias);
            }
            layer.ensure_finite(index)?;
        }
        Ok(mlp)
    }

    /// The network; the optimiser's state is discarded.
    pub fn into_network(self) -> Mlp {
        self.mlp.with_pending(&self.states)
    }

    /// The optimiser.
    pub fn optimiser(&self) -> &Optimiser {
        &self.updates.optimiser
    }

    /// The settings of the loss of a step.
    pub(super) fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The settings of the updates.
    pub(super) fn updates(&self) -> &Updates {
        &self.updates
    }

    /// The network without its pending factors applied, and each layer's state.
    pub(crate) fn raw(&self) -> (&Mlp, &[LayerState]) {
        (&self.mlp, &self.states)
    }

    /// Sets the step and lets `fill` overwrite the network and the states. If `fill` fails, the
    /// trainer is no longer usable.
    pub(super) fn restore(
        &mut self,
        step: u64,
        fill: impl FnOnce(&mut Mlp, &mut [LayerState]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.step = step;
        fill(&mut self.mlp, &mut self.states)
    }

    /// Multiplies the pending factors into the weights, unless weights are bounded: without
    /// max-norm, nothing is ever pending.
    pub(super) fn settle_unbounded(&mut self) {
        if self.updates.max_norm.is_none() {
            for (layer, state) in self.mlp.layers.iter_mut().zip(&mut self.states) {
                state.apply_pending(&mut layer.weights);
                state.pending.fill(1.0);
            }
        }
    }

    /// The learning rate of the next step: that of the optimiser's schedule, unless it was changed
    /// by [`Self::scale_learning_rate`] or [`Self::set_learning_rate`].
    pub fn learning_rate(&self) -> f64 {
        self.updates.rate(self.step)
    }

    /// Multiplies the learning rates of all further steps by `factor`, whether the optimiser's
    /// schedule gives them or [`Self::set_learning_rate`]. Repeated calls multiply up: after two
    /// with 0.5, a step takes a quarter of what it would have taken. A factor of 1 changes no bit.
    ///
    /// The factor is part of a checkpoint, not of its settings: a run that resumes has it too.
    ///
    /// # Errors
    /// `factor` is not finite or negative, or the optimiser cannot use rates as large as the
    /// largest then; nothing is changed.
    ///
    /// ```
    /// use thinnet::{nn::{Loss, Mlp}, train::{Schedule, Sgd, Trainer}};
    ///
    /// let mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
    /// let falling = Schedule::Linear { from: 0.5, to: 0.0, steps: 1000 };
    /// let mut trainer = Trainer::builder(mlp, Sgd::new(falling), 32).build()?;
    /// trainer.scale_learning_rate(0.5)?;
    /// assert_eq!(trainer.learning_rate(), 0.25);
    /// trainer.set_learning_rate(0.01)?;
    /// assert_eq!(trainer.learning_rate(), 0.01);
    /// trainer.follow_schedule();
    /// assert_eq!(trainer.learning_rate(), 0.5);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    pub fn scale_learning_rate(&mut self, factor: f64) -> Result<(), Error> {
        self.set_rate(self.updates.learning_rate.times(factor)?)
    }

    /// Sets the learning rate of all further steps to `rate`, in place of what the optimiser's
    /// schedule gives, until the next call. Earlier factors of [`Self::scale_learning_rate`] do not
    /// apply to it. With [`TrainerBuilder::paper_rates`] it is for the paper's weights, like the
    /// schedule's rates.
    ///
    /// The rate is part of a checkpoint, not of its settings: a run that resumes has it too.
    ///
    /// # Errors
    /// `rate` is not finite or negative, or too large for the optimiser; nothing is changed.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<(), Error> {
        self.set_rate(LearningRate::Fixed { rate })
    }

    /// Undoes [`Self::scale_learning_rate`] and [`Self::set_learning_rate`]: the optimiser's
    /// schedule gives the learning rates of all further steps, each for its own step.
    pub fn follow_schedule(&mut self) {
        self.updates.learning_rate = LearningRate::default();
    }

    /// Sets the learning rate in force, if the optimiser can use it.
    pub(super) fn set_rate(&mut self, learning_rate: LearningRate) -> Result<(), Error> {
        learning_rate.check(&self.updates.optimiser)?;
        self.updates.learning_rate = learning_rate;
        Ok(())
    }

    /// The number of updates so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The largest number of rows of a batch.
    pub fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// The seed of the masks.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa.isa()
    }

    /// For each layer, the fraction of its inputs that was active in the last batch, which is the
    /// fraction of its products that was computed. It is 0 before the first batch.
    pub fn densities(&self) -> impl ExactSizeIterator<Item = f64> {
        self.activity.iter().map(|layer| layer.density)
    }

    /// How much of each layer's inputs took part in the products of the last batch.
    pub(crate) fn activity(&self) -> &[Activity] {
        &self.activity
    }
}

#[cfg(test)]
mod average_tests;
#[cfg(test)]
mod chunk_tests;
#[cfg(test)]
mod maxout_tests;
#[cfg(test)]
mod noise_tests;
#[cfg(test)]
mod optimiser_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod update_tests;
