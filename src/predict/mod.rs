//! Prediction: test time.
//!
//! Ways to predict, all by `&self` of one [`Predictor`] and with a caller's
//! [`Workspace`]:
//!
//! | way | what it costs | what it says |
//! |---|---|---|
//! | [`predict`](Predictor::predict), weight scaling | one pass | one answer for the average of all thinned networks, as bare numbers |
//! | [`weight_scaling`](Predictor::weight_scaling) | the same | the same answer, with its class and entropy |
//! | [`monte_carlo`](Predictor::monte_carlo) | a thinned pass for each sample | mean, variance, entropies, quantiles over thinned networks |
//! | [`moments`](Predictor::moments), moment propagation | one pass of full lists, with three times the arithmetic; for rows with few active units one for each of some masks | mean, variance, entropies, without samples |

mod context;
mod evaluate;
mod method;
mod moments;
mod monte_carlo;
mod pool;
mod tallies;
mod uncertainty;

pub use evaluate::{Evaluation, evaluate};
pub use method::{Method, Prediction};
pub use monte_carlo::{MonteCarlo, Seeds};
pub use pool::{PooledWorkspace, WorkspacePool};
pub use uncertainty::{Estimate, EstimateIter, Estimates};

use std::{borrow::Borrow, fmt};

use context::Context;
use moments::Moments;
use monte_carlo::Samples;
use tallies::Tallies;

use crate::{
    data::Batch,
    error::Error,
    nn::{Flow, Mlp, NetworkView},
    simd::Isa,
    tensor::{Matrix, MatrixView},
    thin::{Bf16, InputBits, Tiles},
};

/// Predicts by weight scaling: one pass of the whole network, which stands for
/// the average of all thinned ones (section 4 of the paper; in the engine's
/// inverted form the weights are scaled already).
///
/// It cannot be left in training mode: it has none. It is immutable and shared
/// by `&self`; each caller brings a [`Workspace`]. It owns its network, borrows
/// it, or shares it: M is `Mlp`, `&Mlp` or `Arc<Mlp>`.
///
/// ```
/// use thinnet::{
///     data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView,
/// };
///
/// let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let predictor = Predictor::new(mlp);
/// let mut workspace = predictor.workspace(8)?;
/// let rows = MatrixView::new(&[0.1, 0.2, 0.3], 1, 3)?;
/// let probabilities = predictor.predict(&Batch::dense(rows), &mut workspace)?;
/// assert!((probabilities.row(0)?.iter().sum::<f32>() - 1.0).abs() < 1e-6);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone)]
pub struct Predictor<M = Mlp> {
    mlp: M,
    isa: Isa,
    finite_inputs: bool,
    serial: bool,
    bf16: Option<Vec<Tiles<Bf16>>>,
}

impl<M: fmt::Debug> fmt::Debug for Predictor<M> {
    /// The network and the settings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mlp, isa, finite_inputs, serial, bf16 } = self;
        f.debug_struct("Predictor")
            .field("mlp", mlp)
            .field("isa", isa)
            .field("finite_inputs", finite_inputs)
            .field("serial", serial)
            .field("bf16_weights", &bf16.is_some())
            .finish()
    }
}

/// The memory of a prediction, for batches of at most the rows it was made for.
///
/// ```
/// use thinnet::{data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView};
///
/// let predictor = Predictor::new(Mlp::builder(3).output(2, Loss::SquaredError).build()?);
/// let mut workspace = predictor.workspace(8)?;
/// let rows = MatrixView::new(&[0.1; 9 * 3], 9, 3)?;
/// assert!(predictor.predict(&Batch::dense(rows.subrows(0..8)?), &mut workspace).is_ok());
/// assert!(predictor.predict(&Batch::dense(rows), &mut workspace).is_err()); // one row too many
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # In a rayon pool
/// Do not hold a lock or a `RefCell` borrow while you call a predictor or a trainer
/// inside a rayon pool. While a call waits for another thread's share of its work,
/// rayon may start another job of the pool on the same stack; if that job wants the
/// lock that the waiting call holds, it waits for ever, and a `RefCell` panics. This
/// includes a `Mutex<Workspace>` and a workspace in a `thread_local!`. A
/// [`WorkspacePool`] is made for this, and a predictor that is
/// [`serial`](Predictor::serial) never waits inside a call.
#[derive(Clone)]
pub struct Workspace {
    flow: Flow,
    predictions: Matrix,
    /// Made by the first Monte-Carlo prediction.
    samples: Option<Samples>,
    /// Made by the first propagation of moments.
    moments: Option<Moments>,
    tallies: Tallies,
}

impl fmt::Debug for Workspace {
    /// The network's outputs and the rows that there is room for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("rows", &self.predictions.rows())
            .field("outputs", &self.predictions.columns())
            .finish_non_exhaustive()
    }
}

impl Workspace {
    /// Whether it has room for batches of `rows` rows of this network.
    fn fits(&self, mlp: &Mlp, rows: usize) -> bool {
        self.flow.check(mlp, rows).is_ok()
    }
}

impl<M: Borrow<Mlp>> Predictor<M> {
    /// A predictor on the CPU's fastest instruction set.
    pub fn new(mlp: M) -> Self {
        Self { mlp, isa: Isa::detect(), finite_inputs: true, serial: false, bf16: None }
    }

    /// The same on another instruction set.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        Ok(Self { isa: isa.require()?, ..self })
    }

    /// Inputs, and what the network makes of them, may be NaN or infinite: they spread
    /// as IEEE 754 says, to every figure that is derived from them. Without this call
    /// a row with an input, a sum into a unit or an answer that is not finite is
    /// refused, in every way to predict: sums that overflowed say nothing about the
    /// row, however sure a softmax makes them look.
    #[must_use]
    pub fn allow_non_finite_inputs(self) -> Self {
        Self { finite_inputs: false, ..self }
    }

    /// All work stays on the calling thread, also inside a rayon pool: for services
    /// whose threads each have requests of their own, and for calls under a lock
    /// (see [`Workspace`]).
    #[must_use]
    pub fn serial(self) -> Self {
        Self { serial: true, ..self }
    }

    /// Weights are read as bfloat16 from now on: [`Self::predict`],
    /// [`Self::weight_scaling`], [`Self::logits`] and [`Self::monte_carlo`] use a
    /// copy of them that is rounded to 8 bits of precision, and takes half the
    /// memory; sums stay f32. For single rows, whose speed is that of reading the
    /// weights. Biases and [`Self::moments`] are as they were.
    ///
    /// # Errors
    /// More memory than can be allocated; a weight beyond bfloat16's largest number.
    pub fn bf16_weights(self) -> Result<Self, Error> {
        let layers = self.network().layers.iter();
        let bf16 = layers.map(|layer| layer.weights.to_bf16()).collect::<Result<_, _>>()?;
        Ok(Self { bf16: Some(bf16), ..self })
    }

    /// The network.
    pub fn network(&self) -> &Mlp {
        self.mlp.borrow()
    }

    /// Memory for batches of at most `max_rows` rows.
    ///
    /// # Errors
    /// More than can be allocated.
    pub fn workspace(&self, max_rows: usize) -> Result<Workspace, Error> {
        Ok(Workspace {
            flow: Flow::with_capacity(self.network(), max_rows)?.watched(),
            predictions: Matrix::zeroed(max_rows, self.network().outputs())?,
            samples: None,
            moments: None,
            tallies: Tallies::new(self.network().loss(), self.network().outputs()),
        })
    }

    /// Probabilities of the classes or bits, or values, a row each.
    ///
    /// # Errors
    /// More rows than the workspace takes, or another width than the network's;
    /// [`Error::NonFinite`] with the first row that has an input which is not finite or
    /// makes a sum in the network overflow (see [`Self::allow_non_finite_inputs`]).
    pub fn predict<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<MatrixView<'w>, Error> {
        self.forward(batch, workspace)?;
        let mlp = self.network();
        let logits = &mut workspace.flow.z[mlp.depth() - 1];
        mlp.loss().predictions(self.isa, logits, &mut workspace.predictions);
        Ok(workspace.predictions.first_rows(batch.rows()))
    }

    /// As [`Self::predict`], as the other ways to predict answer: each row's class
    /// and entropy beside its probabilities. How far thinned networks agree it does
    /// not know.
    ///
    /// ```
    /// # use thinnet::{data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView};
    /// # let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// # let row = [0.1, 0.2, 0.3];
    /// # let predictor = Predictor::new(mlp);
    /// # let mut workspace = predictor.workspace(1)?;
    /// # let batch = Batch::dense(MatrixView::new(&row, 1, 3)?);
    /// let answers = predictor.weight_scaling(&batch, &mut workspace)?;
    /// let answer = answers.row(0)?;
    /// println!("class {:?} of {:.3?}", answer.class(), answer.mean());
    /// assert!(answer.entropy().is_some() && answer.variance().is_none());
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::predict`]; more memory than can be allocated.
    pub fn weight_scaling<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<Estimates<'w>, Error> {
        self.predict(batch, workspace)?;
        let Workspace { predictions, tallies, .. } = workspace;
        tallies.clear(self.network().loss(), batch.rows(), predictions.rows(), 0)?;
        tallies.without_spread();
        for row in 0..batch.rows() {
            tallies.set_mean(row, predictions.at(row));
        }
        Ok(tallies.estimates())
    }

    /// The outputs before the loss's link, a row each.
    ///
    /// # Errors
    /// As [`Self::predict`].
    pub fn logits<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<MatrixView<'w>, Error> {
        self.forward(batch, workspace)?;
        workspace.flow.z[self.network().depth() - 1].copy_to(&mut workspace.predictions);
        Ok(workspace.predictions.first_rows(batch.rows()))
    }

    /// What thinned networks predict for each row: mean, variance and how far
    /// they agree. A network that drops nothing is one network: one sample.
    ///
    /// ```
    /// # use thinnet::{Keep, data::Batch, nn::{Activation, Loss, Mlp}, tensor::MatrixView};
    /// use thinnet::predict::{MonteCarlo, Predictor, Seeds};
    ///
    /// # let mlp = Mlp::builder(3)
    /// #     .hidden(20, Activation::Relu, Keep::HALF)
    /// #     .output(2, Loss::SoftmaxCrossEntropy)
    /// #     .build()?;
    /// # let row = [0.1, 0.2, 0.3];
    /// let predictor = Predictor::new(mlp);
    /// let mut workspace = predictor.workspace(1)?;
    /// let batch = Batch::dense(MatrixView::new(&row, 1, 3)?);
    /// let fifty = MonteCarlo::new(50)?;
    /// let answers = predictor.monte_carlo(&batch, &fifty, Seeds::Each(&[7]), &mut workspace)?;
    /// let answer = answers.row(0)?;
    /// let (class, sure) = (answer.class(), answer.mutual_information() < Some(0.1));
    /// # assert!(class < Some(2) && sure);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::predict`]; not a seed for each row; more memory than can be
    /// allocated.
    pub fn monte_carlo<'w>(
        &self,
        batch: &Batch<'_>,
        settings: &MonteCarlo,
        seeds: Seeds<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<Estimates<'w>, Error> {
        self.check(batch, workspace)?;
        monte_carlo::estimate(self.context(), batch, settings, seeds, workspace)
    }

    /// Mean and variance of the predictions over all thinned networks without samples:
    /// each unit's mean and standard deviation are carried through dropout, linear
    /// layers and activations.
    ///
    /// **Masks.** Units above the first site that drops share what is dropped there.
    /// Where few of a row's units are active at that site (not zero, or of an activation
    /// that is never zero), the answer is therefore a mixture over masks of them, with
    /// moments above each:
    ///
    /// | active units | masks | cost |
    /// |---|---|---|
    /// | at most 12 | all 2^n with their probabilities | 2^n passes of that row, at most 4,096 |
    /// | 13 to 64 | none dropped and each single one, with their probabilities, where that happens in an eighth of all cases or more; 64 balanced ones, or fewer where they stand for less, for the rest | at most 129 passes |
    /// | more | none | one pass with twice the products |
    ///
    /// A pass above a mask is thin up to the next site that drops, and costs what a
    /// Monte-Carlo sample does. The masks depend on how many units are active, on the
    /// site and its keep rate, so an answer depends on its row alone. There are no masks
    /// where the first site is straight below the output and the loss is squared error:
    /// the moments are exact there.
    ///
    /// **Activations** of normal z: ReLU, leaky ReLU and identity are exact; for the
    /// logistic (tanh: twice that) the mean is within 7e-5 and the deviation within
    /// 0.3 % where the mean of z is from -2 to 2, and within 2.5e-3 anywhere.
    ///
    /// **The link** of normal logits: bits, and two classes, which depend on the
    /// difference of their logits alone, have mean, variance and entropy within 3e-8.
    /// More classes are taken over 121 fixed draws of all logits: 121 exponentials a
    /// class and a pass (11 for masks whose probability is below 1/16), and 121 bytes of
    /// memory a class. Logits that are known have exactly softmax or the logistic.
    ///
    /// **Trust.** With at most 12 active units at the only site that drops the answer
    /// equals the average over all masks. What is assumed beyond that: units of a layer
    /// are independent given the mask, z is normal, and logits are independent of each
    /// other. docs/PERFORMANCE.md has the errors that were measured, for deep networks,
    /// for tables, and for softmax from 2 to 100,000 classes; beside 1,000 classes or
    /// more whose logits' deviations are 3 or larger, ask for samples.
    ///
    /// # Errors
    /// As [`Self::predict`]; more memory than can be allocated.
    pub fn moments<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<Estimates<'w>, Error> {
        self.check(batch, workspace)?;
        moments::estimate(self.context(), batch, workspace)
    }

    /// As [`Self::moments`], of the outputs before the loss's link: means, then
    /// variances, a row each.
    ///
    /// # Errors
    /// As [`Self::moments`].
    pub fn logit_moments<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<[MatrixView<'w>; 2], Error> {
        self.check(batch, workspace)?;
        moments::logits(self.context(), batch, workspace)
    }

    fn context(&self) -> Context<'_> {
        let Self { isa, serial, finite_inputs: finite, .. } = *self;
        let mlp = self.network();
        Context {
            network: NetworkView { mlp, bf16: self.bf16.as_deref(), states: None },
            isa,
            serial,
            finite,
        }
    }

    /// Whether the batch is one for this network and fits the workspace.
    fn check(&self, batch: &Batch<'_>, workspace: &Workspace) -> Result<(), Error> {
        workspace.flow.check(self.network(), batch.rows())?;
        batch.check(self.network().inputs(), self.finite_inputs)
    }

    fn forward(&self, batch: &Batch<'_>, workspace: &mut Workspace) -> Result<(), Error> {
        self.check(batch, workspace)?;
        let (context, rows) = (self.context(), batch.rows());
        let (pass, layers) = (context.pass(rows), 0..self.network().depth());
        let flow = &mut workspace.flow;
        flow.enter(pass, self.network(), rows, InputBits::All, &|row| batch.at(row));
        flow.forward_whole(pass, context.network, layers.clone());
        context.gate(flow, layers, |row| row)
    }
}
