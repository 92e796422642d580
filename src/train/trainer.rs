//! The trainer: a network, the optimiser's state, and the buffers of a step.

use std::fmt;

use super::{
    MaxNorm, Optimiser,
    backward::{Backward, LayerStep},
    updates::Updates,
};
use crate::{
    abridged::Few,
    data::Batch,
    error::Error,
    mask::{Domain, Streams},
    nn::{Drawn, Flow, Layer, Mlp, NetworkView, Targets},
    noise::Noise,
    pass::Pass,
    rate::Keep,
    simd::Isa,
    tensor::AlignedBuffer,
    thin::{InputBits, LayerState, Lists, noise},
};

/// Trains a network, one batch per call.
///
/// All memory is allocated once, for the largest batch. A step runs on the caller's rayon pool,
/// or on the calling thread outside a pool; the result is bit-identical either way. Inside a
/// pool, do not hold a lock across a step: see [`Workspace`](crate::predict::Workspace).
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
    seed: u64,
    step: u64,
    isa: Isa,
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
}

impl fmt::Debug for Trainer {
    /// Shows the network, the settings and the position, without the buffers of a step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("mlp", &self.mlp)
            .field("optimiser", &self.updates.optimiser)
            .field("max_norm", &self.updates.max_norm)
            .field("paper_rates", &self.updates.paper_rates)
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

/// A builder for a [`Trainer`].
///
/// ```
/// use thinnet::{Isa, nn::{Loss, Mlp}, train::{Schedule, Sgd, Trainer}};
///
/// let mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
/// let builder = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 32);
/// let trainer = builder.seed(7).with_isa(Isa::Portable)?.build()?;
/// assert_eq!((trainer.seed(), trainer.isa()), (7, Isa::Portable));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrainerBuilder {
    mlp: Mlp,
    updates: Updates,
    max_rows: usize,
    seed: u64,
    isa: Isa,
    finite_inputs: bool,
}

impl TrainerBuilder {
    /// Sets the seed of the masks, 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the instruction set; by default it is the fastest that the CPU supports.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        Ok(Self { isa: isa.require()?, ..self })
    }

    /// Allows inputs that are NaN or infinite, which propagate as in IEEE 754. By default they are
    /// refused.
    #[must_use]
    pub fn allow_non_finite_inputs(mut self) -> Self {
        self.finite_inputs = false;
        self
    }

    /// Bounds the norm of the weights into each unit, after every update.
    #[must_use]
    pub fn max_norm(mut self, max_norm: MaxNorm) -> Self {
        self.updates.max_norm = Some(max_norm);
        self
    }

    /// Takes the optimiser's settings as given for the weights of the paper's form, which are
    /// w' = w / p with p the keep rate of the layer's inputs (1 for Gaussian noise), and converts
    /// them to the engine's weights w. The gradient with respect to w' is p g. A step of SGD is
    /// proportional to it, and so takes a factor p from the gradient and another from the weight;
    /// a step of the others does not depend on the gradient's scale, except for ε. Training is the
    /// same in both forms if
    ///
    /// | optimiser | learning rate of weights | weight decay | ε | state of weights |
    /// |---|---|---|---|---|
    /// | SGD | p² η' | λ' / p² | | v' / p |
    /// | Adam | p η' | λ' / p² | ε' / p | m' / p, v' / p² |
    /// | AdamW | p η' | λ' / p | ε' / p | m' / p, v' / p² |
    /// | Adagrad | p η' | λ' / p² | ε' / p | s' / p², initially too |
    ///
    /// Settings of biases are the same in both forms.
    #[must_use]
    pub fn paper_rates(mut self) -> Self {
        self.updates.paper_rates = true;
        self
    }

    /// Builds the trainer, at step 0 and with the optimiser's initial state.
    ///
    /// # Errors
    /// A setting is out of range, parameters are NaN or infinite, or there is not enough memory.
    pub fn build(self) -> Result<Trainer, Error> {
        let Self { mlp, updates, max_rows, seed, isa, finite_inputs } = self;
        updates.check(&mlp.keeps())?;
        for (index, layer) in mlp.layers.iter().enumerate() {
            let finite = layer.weights.all_finite() && layer.bias.iter().all(|b| b.is_finite());
            if !finite {
                return Err(Error::NonFiniteLayer { layer: index });
            }
        }
        if max_rows == 0 {
            return Err(Error::Zero {
                what: "rows of the largest batch",
                expected: "at least one",
            });
        }
        let widths = mlp.widths();
        let flow = Flow::with_capacity(&mlp, max_rows)?;
        let state = |(layer, keep): (&Layer, Keep)| {
            let (inputs, outputs) = (layer.weights.inputs(), layer.weights.outputs());
            LayerState::new(inputs, outputs, &updates.states(keep))
        };
        let states = mlp.layers.iter().zip(mlp.keeps()).map(state).collect::<Result<_, Error>>()?;
        let drawn = mlp
            .noises()
            .into_iter()
            .zip(&widths)
            .enumerate()
            .map(|(site, (noise, &width))| {
                let noise = if site == 0 && mlp.sparse_input() { Noise::None } else { noise };
                Drawn::with_capacity(noise, max_rows, width)
            })
            .collect::<Result<_, Error>>()?;
        let backward = Backward::with_capacity(&mlp, max_rows)?;
        Ok(Trainer {
            mlp,
            updates,
            seed,
            step: 0,
            isa,
            finite_inputs,
            states,
            overflowed: None,
            flow,
            drawn,
            backward,
            losses: AlignedBuffer::zeroed(max_rows)?,
        })
    }
}

impl Trainer {
    /// Starts building a trainer of `mlp` for batches of at most `max_rows` rows.
    pub fn builder(mlp: Mlp, optimiser: impl Into<Optimiser>, max_rows: usize) -> TrainerBuilder {
        let optimiser = optimiser.into();
        TrainerBuilder {
            mlp,
            updates: Updates { optimiser, max_norm: None, paper_rates: false },
            max_rows,
            seed: 0,
            isa: Isa::detect(),
            finite_inputs: true,
        }
    }

    /// Performs one update from one batch: draws the masks or other noise of this step, computes
    /// the mean loss of the thinned networks and its gradient, and updates the parameters. Returns
    /// the loss before the update.
    ///
    /// # Errors
    /// The batch has no rows, too many rows or the wrong width, inputs are not finite, the targets
    /// do not fit, or the loss is not finite; the parameters are left unchanged. It is also an
    /// error if an earlier update made parameters NaN or infinite.
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
        self.check(batch, targets)?;
        self.backward.prepare()?;
        done(Part::Check);
        self.draw(batch)?;
        done(Part::Masks);
        let loss = self.forward(batch, targets, done)?;
        self.update(batch.rows(), done);
        Ok(loss)
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
        self.check(batch, targets)?;
        self.backward.prepare()?;
        self.draw(batch)?;
        let loss = self.forward(batch, targets, &mut |_| ())?;
        Ok((loss, self.collect(batch.rows())?))
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

    /// Checks that the batch can be trained on, before anything is modified.
    fn check(&self, batch: &Batch<'_>, targets: Targets<'_>) -> Result<(), Error> {
        self.ensure_finite()?;
        let rows = batch.rows();
        if rows == 0 {
            return Err(Error::Zero { what: "rows of a batch", expected: "at least one" });
        }
        self.flow.check(&self.mlp, rows)?;
        batch.check(self.mlp.inputs(), self.finite_inputs)?;
        targets.check(self.mlp.loss(), self.mlp.outputs(), rows)
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
        done: &mut dyn FnMut(Part),
    ) -> Result<f32, Error> {
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
        self.flow.enter(pass, &self.mlp, rows, bits, &|row| batch.at(row));
        if let Some(factors) = self.drawn[0].factors() {
            noise::multiply(pass, factors, &mut self.flow.lists[0], None);
        }
        done(Part::Lists);
        let states = Some(&self.states[..]);
        let network = NetworkView { states, backward: true, ..(&self.mlp).into() };
        let drawn = |site: usize| &self.drawn[site];
        let part = |layer| done(Part::Forward(layer));
        self.flow.forward(pass, network, 0..self.mlp.depth(), drawn, part);

        let logits = &mut self.flow.z[self.mlp.depth() - 1];
        let losses = &mut self.losses[..rows];
        let (loss, outputs) = (self.mlp.loss(), self.mlp.outputs());
        loss.gradient(pass.isa, targets, outputs, logits, losses)?;
        let sum: f64 = losses.iter().map(|&loss| f64::from(loss)).sum();
        let loss = (sum / rows as f64) as f32;
        done(Part::Loss);
        if loss.is_finite() {
            Ok(loss)
        } else {
            Err(Error::NonFiniteLoss { step: self.step, loss })
        }
    }

    /// The backward pass, in which each layer's gradient is applied immediately.
    fn update(&mut self, rows: usize, done: &mut dyn FnMut(Part)) {
        let pass = self.pass(rows);
        self.backward.begin(pass.isa, &self.flow);
        for index in (0..self.mlp.depth()).rev() {
            let step = LayerStep {
                updates: self.updates,
                t: self.step,
                keep_of_inputs: self.mlp.keep_below(index),
                state: &mut self.states[index],
            };
            let (mlp, flow) = (&mut self.mlp, &mut self.flow);
            if self.backward.update(pass, mlp, flow, index, step) {
                self.overflowed = Some((index, self.step));
            }
            done(Part::Backward(index));
        }
        self.step += 1;
    }

    /// The backward pass, in which the layers' gradients are stored.
    fn collect(&mut self, rows: usize) -> Result<Vec<LayerGradient>, Error> {
        let pass = self.pass(rows);
        let mut gradients = Vec::with_capacity(self.mlp.depth());
        self.backward.begin(pass.isa, &self.flow);
        for index in (0..self.mlp.depth()).rev() {
            let (mlp, flow) = (&self.mlp, &mut self.flow);
            let pending = self.states[index].pending.as_chunks().0;
            gradients.push(self.backward.collect(pass, mlp, flow, index, pending)?);
        }
        gradients.reverse();
        Ok(gradients)
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

    /// The network; the optimiser's state is discarded.
    pub fn into_network(self) -> Mlp {
        self.mlp.with_pending(&self.states)
    }

    /// The optimiser.
    pub fn optimiser(&self) -> Optimiser {
        self.updates.optimiser
    }

    /// The settings of the updates.
    pub(super) fn updates(&self) -> Updates {
        self.updates
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

    /// The number of updates so far.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The seed of the masks.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The lists of the inputs to each layer, for the last batch.
    pub(crate) fn lists(&self) -> &[Lists] {
        &self.flow.lists
    }

    /// For each layer, the fraction of its inputs that was active in the last batch, which is the
    /// fraction of its products that was computed. It is 0 before the first batch.
    pub fn densities(&self) -> impl ExactSizeIterator<Item = f64> {
        self.flow.lists.iter().map(Lists::density)
    }
}

#[cfg(test)]
mod noise_tests;
#[cfg(test)]
mod optimiser_tests;
#[cfg(test)]
mod tests;
