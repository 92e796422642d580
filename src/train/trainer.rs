//! The trainer: a network, its optimiser's state, and the memory of a step.

use std::fmt;

use super::{
    Sgd,
    backward::{Backward, LayerStep},
};
use crate::{
    abridged::Few,
    data::Batch,
    error::Error,
    mask::{Domain, Mask, MaskSpec, Streams},
    nn::{Flow, Mlp, NetworkView, Targets},
    parallel::worth_it,
    pass::Pass,
    simd::Isa,
    tensor::AlignedBuffer,
    thin::{InputBits, LayerState, Lists},
};

/// Trains a network, one batch a call.
///
/// All memory is made once, for a largest batch. A step runs on the rayon pool
/// that the caller is in, and outside a pool on the calling thread; its result
/// is the same bit for bit. In a pool, do not hold a lock over a step: see
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
    sgd: Sgd,
    seed: u64,
    step: u64,
    isa: Isa,
    finite_inputs: bool,
    /// What each layer keeps from step to step.
    states: Vec<LayerState>,
    /// Since an update overflowed: the layer and the step.
    overflowed: Option<(usize, u64)>,
    flow: Flow,
    /// The masks of the sites that drop; a sparse input has none.
    masks: Vec<Option<Mask>>,
    backward: Backward,
    losses: AlignedBuffer<f32>,
}

impl fmt::Debug for Trainer {
    /// The network, the settings and the position; the memory of a step is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("mlp", &self.mlp)
            .field("sgd", &self.sgd)
            .field("seed", &self.seed)
            .field("step", &self.step)
            .field("isa", &self.isa)
            .field("finite_inputs", &self.finite_inputs)
            .field("states", &Few(self.states.iter()))
            .field("overflowed", &self.overflowed)
            .finish_non_exhaustive()
    }
}

/// A part of a step, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Looking at the batch.
    Check,
    /// The masks.
    Masks,
    /// The batch's rows into active lists.
    Lists,
    /// Product 1 of a layer.
    Forward(usize),
    /// The loss and its gradient.
    Loss,
    /// Products 2 and 3 of a layer, and its update.
    Backward(usize),
}

/// The gradient of the loss in a layer's parameters.
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
    /// In the weights, row-major `[outputs][inputs]`.
    pub weights: Vec<f32>,
    /// In the biases.
    pub bias: Vec<f32>,
}

impl fmt::Debug for LayerGradient {
    /// The first few numbers of both.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerGradient")
            .field("weights", &Few(self.weights.iter()))
            .field("bias", &Few(self.bias.iter()))
            .finish()
    }
}

/// Describes a [`Trainer`].
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
    sgd: Sgd,
    max_rows: usize,
    seed: u64,
    isa: Isa,
    finite_inputs: bool,
}

impl TrainerBuilder {
    /// The seed of the masks; 0 where it is not called.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The instruction set; the CPU's fastest where it is not called.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        Ok(Self { isa: isa.require()?, ..self })
    }

    /// Inputs may be NaN or infinite; they spread as IEEE 754 says. Without
    /// this call they are refused.
    #[must_use]
    pub fn allow_non_finite_inputs(mut self) -> Self {
        self.finite_inputs = false;
        self
    }

    /// The trainer, at step 0 with velocities 0.
    ///
    /// # Errors
    /// A setting outside its range, parameters that are NaN or infinite, or more memory
    /// than can be allocated.
    pub fn build(self) -> Result<Trainer, Error> {
        let Self { mlp, sgd, max_rows, seed, isa, finite_inputs } = self;
        sgd.check()?;
        mlp.keeps().into_iter().try_for_each(|keep| sgd.check_layer(keep))?;
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
        let states = mlp
            .layers
            .iter()
            .map(|layer| LayerState::new(layer.weights.inputs(), layer.weights.outputs()))
            .collect::<Result<_, Error>>()?;
        let masks = mlp
            .keeps()
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(site, (keep, &width))| {
                let drawn = keep.drops() && !(site == 0 && mlp.sparse_input());
                drawn.then(|| Mask::ones(max_rows, width)).transpose()
            })
            .collect::<Result<_, Error>>()?;
        let backward = Backward::with_capacity(&mlp, max_rows)?;
        Ok(Trainer {
            mlp,
            sgd,
            seed,
            step: 0,
            isa,
            finite_inputs,
            states,
            overflowed: None,
            flow,
            masks,
            backward,
            losses: AlignedBuffer::zeroed(max_rows)?,
        })
    }
}

impl Trainer {
    /// Starts to describe a trainer of `mlp` for batches of at most `max_rows`
    /// rows.
    pub fn builder(mlp: Mlp, sgd: Sgd, max_rows: usize) -> TrainerBuilder {
        TrainerBuilder { mlp, sgd, max_rows, seed: 0, isa: Isa::detect(), finite_inputs: true }
    }

    /// One update from one batch: draws the masks of this step, computes the
    /// mean loss of the thinned networks and its gradient, and moves the
    /// parameters. Returns the loss before the update.
    ///
    /// # Errors
    /// A batch of no or too many rows or another width, inputs that are not
    /// finite, targets that do not fit, a loss that is not finite: the
    /// parameters are as they were. Parameters that an earlier update made
    /// infinite.
    pub fn step(&mut self, batch: &Batch<'_>, targets: Targets<'_>) -> Result<f32, Error> {
        self.step_watched(batch, targets, &mut |_| ())
    }

    /// As [`Self::step`]; `done` is told of each part when it ends.
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

    /// The loss and its gradient in every layer's parameters, under the masks
    /// of the step that would come next; nothing changes.
    ///
    /// # Errors
    /// As [`Self::step`], or more memory than can be allocated.
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

    /// Whether all parameters are finite: what the next step would look at
    /// first, for those who do no other.
    ///
    /// # Errors
    /// The last update made parameters that are NaN or infinite.
    pub fn ensure_finite(&self) -> Result<(), Error> {
        match self.overflowed {
            Some((layer, step)) => Err(Error::NonFiniteParameters { layer, step }),
            None => Ok(()),
        }
    }

    /// Whether the batch can be trained on, before anything is touched.
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

    /// The masks of this step, of every site but a sparse input's.
    fn draw(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        for (site, mask) in self.masks.iter_mut().enumerate() {
            if let Some(mask) = mask {
                let spec = MaskSpec {
                    keep: self.mlp.keep_below(site),
                    streams: Streams::new(self.seed, Domain::Training, site as u64, self.step),
                    first_row: batch.first_row(),
                    isa: self.isa,
                };
                mask.redraw(spec, batch.rows())?;
            }
        }
        Ok(())
    }

    /// Lists, products up, loss: leaves dz of the output layer.
    fn forward(
        &mut self,
        batch: &Batch<'_>,
        targets: Targets<'_>,
        done: &mut dyn FnMut(Part),
    ) -> Result<f32, Error> {
        let rows = batch.rows();
        let pass = self.pass(rows);
        let keep = self.mlp.input_keep;
        let bits = match &self.masks[0] {
            Some(mask) => InputBits::Mask(mask),
            None if keep.drops() => InputBits::Sparse {
                keep,
                streams: Streams::new(self.seed, Domain::Training, 0, self.step),
                first_row: batch.first_row(),
            },
            None => InputBits::All,
        };
        self.flow.enter(pass, &self.mlp, rows, bits, &|row| batch.at(row));
        done(Part::Lists);
        let network = NetworkView { states: Some(&self.states), ..(&self.mlp).into() };
        let mask = |site: usize| self.masks[site].as_ref();
        let part = |layer| done(Part::Forward(layer));
        self.flow.forward(pass, network, 0..self.mlp.depth(), mask, part);

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

    /// The backward pass: the layers' gradients, used at once.
    fn update(&mut self, rows: usize, done: &mut dyn FnMut(Part)) {
        let pass = self.pass(rows);
        self.backward.begin(pass.isa, &self.flow);
        for index in (0..self.mlp.depth()).rev() {
            let keep = self.mlp.keep_below(index);
            let step = LayerStep {
                rules: self.sgd.rules(self.step, keep),
                max_norm: self.sgd.norm_bound(keep),
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

    /// The backward pass: the layers' gradients, stored.
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

    /// How the products of so many rows run.
    fn pass(&self, rows: usize) -> Pass {
        let parallel = worth_it(rows.saturating_mul(self.mlp.parameters()));
        Pass { isa: self.isa, parallel }
    }

    /// A copy of the network as it is now: what a file of it would hold.
    ///
    /// Between steps the trainer keeps the weights into each unit as a factor,
    /// which max-norm left, times what it stores; in the copy they are
    /// multiplied out.
    ///
    /// # Errors
    /// More memory than can be allocated.
    pub fn network(&self) -> Result<Mlp, Error> {
        Ok(self.mlp.try_clone()?.with_pending(&self.states))
    }

    /// The network, and the optimiser's state forgotten.
    pub fn into_network(self) -> Mlp {
        self.mlp.with_pending(&self.states)
    }

    /// The optimiser.
    pub fn optimiser(&self) -> Sgd {
        self.sgd
    }

    /// The network without what is pending, and what each layer keeps besides.
    pub(crate) fn raw(&self) -> (&Mlp, &[LayerState]) {
        (&self.mlp, &self.states)
    }

    /// Takes a step, and the network and states that `fill` puts there. Where that
    /// fails, the trainer is of no more use.
    pub(super) fn restore(
        &mut self,
        step: u64,
        fill: impl FnOnce(&mut Mlp, &mut [LayerState]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.step = step;
        fill(&mut self.mlp, &mut self.states)
    }

    /// Updates done.
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

    /// The lists into each layer, of the last batch.
    pub(crate) fn lists(&self) -> &[Lists] {
        &self.flow.lists
    }

    /// Of the last batch, for each layer: the part of its inputs that was active, which is
    /// the part of its products that was computed. 0 before the first batch.
    pub fn densities(&self) -> impl ExactSizeIterator<Item = f64> {
        self.flow.lists.iter().map(Lists::density)
    }
}

#[cfg(test)]
mod tests;
