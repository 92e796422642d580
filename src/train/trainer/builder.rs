//! The settings of a trainer, and its construction.

use super::{
    super::{
        Averaging, LearningRate, MaxNorm, Optimiser, backward::Backward, objective::Objective,
        updates::Updates,
    },
    Trainer, gradients_of,
};
use crate::{
    error::Error,
    memory::zeros,
    nn::{Activation, Drawn, Flow, Layer, Mlp, Temperature},
    noise::Noise,
    rate::Keep,
    simd::Isa,
    tensor::AlignedBuffer,
    thin::{Activity, LayerState, Tiles, sparsity::Sparsity},
};

/// The number of rows that go through the network together. A larger batch goes in chunks of about
/// so many: their activations and gradients stay in a core's cache, and their memory does not grow
/// with the batch. Gradients are added up row by row, so the chunks change no bit.
///
/// With full lists, the products take several rows through the same weights, and gain from more of
/// them. docs/PERFORMANCE.md has the measurements.
fn chunk(mlp: &Mlp) -> usize {
    let hidden = &mlp.layers[..mlp.depth() - 1];
    let zero = |activation: Activation| {
        activation.value(-1.0) == 0.0 && activation.derivative(-1.0) == 0.0
    };
    let full = |layer: &Layer| !layer.noise.drops() && !zero(layer.activation);
    if hidden.iter().all(full) { 512 } else { 128 }
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
    objective: Objective,
    max_rows: usize,
    /// The number of rows that go through the network together.
    pub(super) chunk: usize,
    seed: u64,
    isa: Isa,
    finite_inputs: bool,
}

impl TrainerBuilder {
    /// A builder with the default settings.
    pub(super) fn new(mlp: Mlp, optimiser: Optimiser, max_rows: usize) -> Self {
        Self {
            chunk: chunk(&mlp),
            mlp,
            updates: Updates {
                optimiser,
                learning_rate: LearningRate::default(),
                clip_value: None,
                clip_norm: None,
                l1: 0.0,
                max_norm: None,
                average: None,
                paper_rates: false,
            },
            objective: Objective::default(),
            max_rows,
            seed: 0,
            isa: Isa::detect(),
            finite_inputs: true,
        }
    }

    /// The network.
    pub(in crate::train) fn network_mut(&mut self) -> &mut Mlp {
        &mut self.mlp
    }

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

    /// Limits every element of the gradient to the range from -`c` to `c` before the optimiser gets
    /// it, as PyTorch's `clip_grad_value_` does: biases included, coupled weight decay not. It is
    /// done in the same pass as the update, and costs next to nothing.
    ///
    /// An infinite element becomes `c` or -`c`. NaN stays NaN, so the parameter becomes NaN, and the
    /// next step reports it. [`Trainer::gradients`] returns the gradient without the limit.
    ///
    /// ```
    /// use thinnet::{
    ///     data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView, train::{Schedule, Sgd, Trainer},
    /// };
    ///
    /// let mut mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
    /// mlp.set_weights(0, &[0.0, 0.0])?;
    /// let sgd = Sgd::new(Schedule::constant(1.0));
    /// let mut trainer = Trainer::builder(mlp, sgd, 1).clip_value(2.0).build()?;
    /// let batch = Batch::dense(MatrixView::new(&[1.0, 3.0], 1, 2)?);
    /// // The gradient of the weights is -1 and -3, that of the bias -1.
    /// trainer.step(&batch, Targets::Values(MatrixView::new(&[0.5], 1, 1)?))?;
    /// assert_eq!(trainer.network()?.weights(0)?, [1.0, 2.0]);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[must_use]
    pub fn clip_value(mut self, c: f64) -> Self {
        self.updates.clip_value = Some(c);
        self
    }

    /// Gives each class a weight c, as PyTorch's `cross_entropy` does: the loss of a row with label t is
    /// multiplied by `c[t]`, and the loss of a batch is `sum w c[t] L / sum w c[t]`, with w the weights of
    /// the rows ([`Batch::with_weights`](crate::data::Batch::with_weights)).
    /// [`Dataset::balanced_weights`](crate::data::Dataset::balanced_weights) makes all classes count the
    /// same.
    ///
    /// ```
    /// use thinnet::{
    ///     data::Dataset, nn::{Loss, Mlp}, tensor::Matrix, train::{Schedule, Sgd, Trainer},
    /// };
    ///
    /// // One row in five is of class 1.
    /// let data = Dataset::new(Matrix::zeroed(5, 2)?, vec![0, 0, 1, 0, 0])?;
    /// let mlp = Mlp::builder(2).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 5)
    ///     .class_weights(data.balanced_weights()?)
    ///     .build()?;
    /// # assert_eq!(trainer.steps(), 0);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[must_use]
    pub fn class_weights(mut self, weights: Vec<f64>) -> Self {
        self.objective.class_weights = Some(weights);
        self
    }

    /// Gives the bits of each output that are 1 a weight P, as PyTorch's `pos_weight` does: the loss of
    /// an output becomes -P t ln p - (1 - t) ln(1 - p). Bits of which one in k is 1 count the same as
    /// the others with P = k - 1.
    #[must_use]
    pub fn positive_weights(mut self, weights: Vec<f64>) -> Self {
        self.objective.positive_weights = Some(weights);
        self
    }

    /// Smooths the labels by ε, which is 0 by default (Szegedy et al. 2016, section 7): instead of
    /// probability 1 for the label t, the targets are 1 - ε for the label, and ε / N more for each of the
    /// N classes. With weights c of the classes, the loss of a row is, as in PyTorch,
    ///
    /// ```text
    /// (1 - ε) c[t] (-ln p[t]) + ε / N sum over classes k of c[k] (-ln p[k])
    /// ```
    #[must_use]
    pub fn label_smoothing(mut self, smoothing: f64) -> Self {
        self.objective.label_smoothing = smoothing;
        self
    }

    /// Adds a penalty that keeps hidden units inactive most of the time, as sparse autoencoders use it
    /// (Ng 2011, "Sparse autoencoder", CS294A lecture notes, section 3):
    ///
    /// ```text
    /// beta sum_j KL(rho, rho_j),  KL(rho, r) = rho ln(rho / r) + (1 - rho) ln((1 - rho) / (1 - r))
    /// ```
    ///
    /// over all hidden units j, with rho_j the mean activation y of unit j over the rows of the batch. With
    /// dropout, it is the mean over the rows in which the unit is kept, without the scale 1/p: what
    /// a unit says when it is asked; a unit that is dropped in all rows has no term. `rho` is the mean
    /// that is wanted, such as 0.05, and `beta` = 0, the default, is no penalty.
    ///
    /// The gradient of a step and of [`Trainer::gradients`] includes the penalty's; the losses that
    /// training reports do not include the penalty. It needs the means over the whole batch before the
    /// backward pass, so that a large batch does not go through the network in chunks: memory grows
    /// with the batch. It adds two passes over the active hidden units.
    ///
    /// ```
    /// use thinnet::{
    ///     Keep, data::Batch, nn::{Activation, Loss, Mlp, Targets}, tensor::MatrixView,
    ///     train::{Adam, Schedule, Trainer},
    /// };
    ///
    /// // An autoencoder of four patterns.
    /// let mlp = Mlp::builder(4)
    ///     .hidden(8, Activation::Logistic, Keep::ONE)
    ///     .output(4, Loss::SquaredError)
    ///     .build()?;
    /// let adam = Adam::new(Schedule::constant(0.05));
    /// let mut trainer = Trainer::builder(mlp, adam, 4).sparsity(0.1, 0.01).build()?;
    /// let mut x = [0.0; 16];
    /// (0..4).for_each(|row| x[5 * row] = 1.0);
    /// let x = MatrixView::new(&x, 4, 4)?;
    /// for _ in 0..300 {
    ///     trainer.step(&Batch::dense(x), Targets::Values(x))?;
    /// }
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Self::build`] fails if `rho` is not above 0 and below 1, `beta` is negative or not finite, a hidden
    /// layer has units other than logistic ones, a site has Gaussian noise, or classes have weights;
    /// a step fails if its rows have weights.
    #[must_use]
    pub fn sparsity(mut self, rho: f64, beta: f64) -> Self {
        self.objective.sparsity = Sparsity { rho, beta };
        self
    }

    /// Scales the gradient down to the norm `c` where its norm is larger, as PyTorch's
    /// `clip_grad_norm_` does: all parameters together, biases included, coupled weight decay not. The
    /// factor is min(1, c / (norm + 1e-6)). The norm is computed in double precision, in an order that
    /// depends neither on the number of threads nor on the instruction set. With
    /// [`Self::clip_value`], the elements are limited after the scaling. With [`Self::paper_rates`],
    /// it is the norm of the gradient of the paper's weights.
    ///
    /// If the norm is NaN or infinite, the step fails and changes nothing.
    ///
    /// The gradient has to be complete before the first weight changes: it takes 4 bytes per
    /// weight of memory and is written, read twice (to measure and to apply it), and read and
    /// written once more where it is scaled. Without this option, it never leaves the registers.
    ///
    /// ```
    /// use thinnet::{
    ///     data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView, train::{Schedule, Sgd, Trainer},
    /// };
    ///
    /// let mut mlp = Mlp::builder(2).output(1, Loss::SquaredError).build()?;
    /// mlp.set_weights(0, &[0.0, 0.0])?;
    /// let sgd = Sgd::new(Schedule::constant(1.0));
    /// let mut trainer = Trainer::builder(mlp, sgd, 1).clip_norm(0.5).build()?;
    /// let batch = Batch::dense(MatrixView::new(&[1.0, 1.0], 1, 2)?);
    /// // The gradient of the weights is -1 and -1, that of the bias -1: its norm is the root of 3.
    /// trainer.step(&batch, Targets::Values(MatrixView::new(&[0.5], 1, 1)?))?;
    /// assert!((trainer.network()?.weights(0)?[0] - 0.5 / 3f32.sqrt()).abs() < 1e-6);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[must_use]
    pub fn clip_norm(mut self, c: f64) -> Self {
        self.updates.clip_norm = Some(c);
        self
    }

    /// Adds the penalty `lambda` * sum of all |w| to the loss, for weights but not for biases. Its
    /// gradient is the subgradient `lambda` * sign(w), with sign(0) = 0, as PyTorch's `autograd`
    /// has it: part of the gradient that is clipped and that the optimiser gets. (A proximal step
    /// would make weights exactly 0; this one lets them change sign around it.) The losses that
    /// training reports do not include the penalty.
    ///
    /// Like [`Self::clip_norm`], it needs the complete gradient in memory, and a pass over the weights
    /// and their gradient. For the penalty `lambda` / 2 * sum of w², which costs nothing, see the
    /// optimisers' weight decay: SGD, Adam and Adagrad add its gradient `lambda` * w to g, and AdamW
    /// keeps it apart.
    ///
    /// ```
    /// use thinnet::{
    ///     data::Batch, nn::{Loss, Mlp, Targets}, tensor::MatrixView, train::{Schedule, Sgd, Trainer},
    /// };
    ///
    /// let mut mlp = Mlp::builder(3).output(1, Loss::SquaredError).build()?;
    /// mlp.set_weights(0, &[0.5, -0.5, 0.0])?;
    /// let sgd = Sgd::new(Schedule::constant(1.0));
    /// let mut trainer = Trainer::builder(mlp, sgd, 1).l1(0.25).build()?;
    /// // All inputs are 0, and so is the gradient of the loss itself.
    /// let batch = Batch::dense(MatrixView::new(&[0.0; 3], 1, 3)?);
    /// trainer.step(&batch, Targets::Values(MatrixView::new(&[0.0], 1, 1)?))?;
    /// assert_eq!(trainer.network()?.weights(0)?, [0.25, -0.25, 0.0]);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[must_use]
    pub fn l1(mut self, lambda: f64) -> Self {
        self.updates.l1 = lambda;
        self
    }

    /// Bounds the norm of the weights into each unit, after every update.
    #[must_use]
    pub fn max_norm(mut self, max_norm: MaxNorm) -> Self {
        self.updates.max_norm = Some(max_norm);
        self
    }

    /// Averages the parameters over the steps: see [`Averaging`] and
    /// [`Trainer::averaged_network`]. In a run of [`Fit`](crate::train::Fit), it is the averaged network
    /// that is validated, kept and returned.
    #[must_use]
    pub fn average(mut self, average: Averaging) -> Self {
        self.updates.average = Some(average);
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
    /// | SparseAdam | p η' | | ε' / p | m' / p, v' / p² |
    ///
    /// Settings of biases are the same in both forms. The bound of [`Self::clip_value`] on the
    /// elements of p g is c' / p on those of g, and the factor of [`Self::l1`] is lambda' / p. A learning rate set between steps
    /// ([`Trainer::set_learning_rate`]) is converted like the schedule's.
    #[must_use]
    pub fn paper_rates(mut self) -> Self {
        self.updates.paper_rates = true;
        self
    }

    /// The largest number of rows of a batch.
    pub(in crate::train) fn max_rows(&self) -> usize {
        self.max_rows
    }

    /// Builds the trainer, at step 0 and with the optimiser's initial state. The network's
    /// [`Temperature`] becomes 1, and its [threshold](Mlp::set_threshold) and its
    /// [notes](Mlp::set_notes) are removed.
    ///
    /// # Errors
    /// A setting is out of range or does not fit the network's loss, parameters are NaN or infinite, or
    /// there is not enough memory.
    pub fn build(self) -> Result<Trainer, Error> {
        let Self { mut mlp, updates, mut objective, max_rows, chunk, seed, isa, finite_inputs } =
            self;
        // The means of the units are those of the whole batch.
        let chunk = if objective.is_sparse() { chunk.max(max_rows) } else { chunk };
        updates.check(&mlp.keeps())?;
        objective.prepare(mlp.loss(), mlp.outputs())?;
        objective.check_sparsity(&mlp)?;
        mlp.set_temperature(Temperature::ONE)?;
        mlp.set_threshold(None)?;
        mlp.set_notes("")?;
        mlp.set_preprocessor("")?;
        for (index, layer) in mlp.layers.iter().enumerate() {
            layer.ensure_finite(index)?;
        }
        if max_rows == 0 {
            return Err(Error::Zero {
                what: "rows of the largest batch",
                expected: "at least one",
            });
        }
        let (widths, rows) = (mlp.widths(), max_rows.min(chunk + chunk / 2));
        let flow = Flow::with_capacity(&mlp, rows)?;
        let flow = if updates.leaves_out() { flow.always_sparse() } else { flow };
        let state = |(layer, keep): (&Layer, Keep)| {
            let (inputs, outputs) = (layer.weights.inputs(), layer.weights.outputs());
            LayerState::new(inputs, outputs, &updates.states(keep), &updates.average_states())
        };
        let states = mlp.layers.iter().zip(mlp.keeps()).map(state).collect::<Result<_, Error>>()?;
        let drawn = mlp
            .noises()
            .into_iter()
            .zip(&widths)
            .enumerate()
            .map(|(site, (noise, &width))| {
                let noise = if site == 0 && mlp.sparse_input() { Noise::None } else { noise };
                Drawn::with_capacity(noise, rows, width)
            })
            .collect::<Result<_, Error>>()?;
        let backward = Backward::with_capacity(&mlp, rows)?;
        let complete = updates.needs_complete_gradient();
        let gradients = if complete || max_rows > rows {
            // That of the first layer gets memory when it is needed: not for sparse rows.
            gradients_of(&mlp, usize::from(!complete))?
        } else {
            Vec::new()
        };
        let blocks =
            if complete { gradients.iter().map(Tiles::blocks).max().unwrap_or(0) } else { 0 };
        Ok(Trainer {
            mlp,
            updates,
            objective,
            seed,
            step: 0,
            isa: isa.supported(),
            finite_inputs,
            states,
            overflowed: None,
            flow,
            drawn,
            backward,
            losses: AlignedBuffer::zeroed(rows)?,
            max_rows,
            chunk,
            gradients,
            block_sums: zeros("sums of blocks", [1, blocks])?,
            activity: vec![Activity::default(); widths.len() - 1],
        })
    }
}
