//! Prediction at test time.
//!
//! All methods take `&self` of one [`Predictor`] and the caller's [`Workspace`]:
//!
//! | method | cost | result |
//! |---|---|---|
//! | [`predict`](Predictor::predict), weight scaling | one pass | one prediction, which approximates the average of all thinned networks, as bare numbers |
//! | [`weight_scaling`](Predictor::weight_scaling) | the same | the same prediction, with its class and entropy |
//! | [`monte_carlo`](Predictor::monte_carlo) | one thinned pass per sample | mean, variance, entropies and, if samples are kept, quantiles over thinned networks |
//! | [`moments`](Predictor::moments), moment propagation | one pass without masks, with twice the products; for rows with at most 64 active units at the first site, one for each of up to 4,096 masks | mean, variance and entropies, without sampling |

mod context;
mod evaluate;
mod measure;
mod method;
mod moments;
mod monte_carlo;
mod network;
mod noise;
mod pool;
mod rounded;
#[cfg(test)]
mod small_tests;
mod tallies;
mod temperature;
mod uncertainty;

pub use evaluate::{Evaluation, evaluate, evaluate_with};
pub use method::{Method, Prediction};
pub use monte_carlo::{MonteCarlo, Seeds};
pub use network::Network;
pub use noise::TargetNoise;
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
    nn::{Flow, Link, Mlp, NetworkView, Rounded, Small},
    simd::{Isa, Supported},
    tensor::{Matrix, MatrixView},
};

/// Predicts by weight scaling: one pass through the whole network, which approximates the
/// average of all thinned networks (section 4 of the paper; with the engine's inverted
/// dropout the weights are already scaled).
///
/// A predictor has no training mode, so it cannot be left in one by mistake. It is
/// immutable and shared by `&self`; each caller brings its own [`Workspace`]. It owns its
/// network, borrows it, or shares it: M is `Mlp`, `&Mlp` or `Arc<Mlp>`. A trainer's network is used
/// where it is, between two steps: [`Trainer::predictor`](crate::train::Trainer::predictor).
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
    isa: Supported,
    finite_inputs: bool,
    serial: bool,
    rounded: Option<Rounded>,
}

impl<M: fmt::Debug> fmt::Debug for Predictor<M> {
    /// Formats the network and the settings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mlp, isa, finite_inputs, serial, rounded } = self;
        f.debug_struct("Predictor")
            .field("mlp", mlp)
            .field("isa", isa)
            .field("finite_inputs", finite_inputs)
            .field("serial", serial)
            .field("rounded_weights", &rounded.as_ref().map(Rounded::name))
            .finish()
    }
}

/// Memory for predictions on batches of up to a fixed number of rows.
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
    /// If the network is small.
    small: Option<Box<Small>>,
    predictions: Matrix,
    /// Allocated by the first Monte-Carlo prediction.
    samples: Option<Samples>,
    /// Allocated by the first moment propagation.
    moments: Option<Moments>,
    tallies: Tallies,
}

impl fmt::Debug for Workspace {
    /// Formats the network's number of outputs and the maximum number of rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("rows", &self.predictions.rows())
            .field("outputs", &self.predictions.columns())
            .finish_non_exhaustive()
    }
}

impl Workspace {
    /// Whether it has room for batches of `rows` rows for this network.
    fn fits(&self, mlp: &Mlp, rows: usize) -> bool {
        self.flow.check(mlp, rows).is_ok()
    }
}

impl<M: Borrow<Mlp>> Predictor<M> {
    /// The network.
    pub fn network(&self) -> &Mlp {
        self.mlp.borrow()
    }
}

impl<M: Network> Predictor<M> {
    /// Makes a predictor that uses the CPU's fastest instruction set.
    pub fn new(mlp: M) -> Self {
        Self {
            mlp,
            isa: Isa::detect().supported(),
            finite_inputs: true,
            serial: false,
            rounded: None,
        }
    }

    /// Makes a predictor with the settings of a trainer.
    pub(crate) fn in_training(mlp: M, isa: Supported, finite_inputs: bool) -> Self {
        Self { mlp, isa, finite_inputs, serial: false, rounded: None }
    }

    /// Makes the predictor use another instruction set.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn with_isa(mut self, isa: Isa) -> Result<Self, Error> {
        self.isa = isa.require()?.supported();
        if let Some(rounded) = &mut self.rounded {
            rounded.arrange(isa);
        }
        Ok(self)
    }

    /// Allows NaN and infinity in the inputs and inside the network: they propagate as
    /// IEEE 754 says to every figure derived from them. By default every method refuses a
    /// row in which an input, a unit's sum or an output is not finite: sums that
    /// overflowed say nothing about the row, however confident a softmax makes them look.
    #[must_use]
    pub fn allow_non_finite_inputs(self) -> Self {
        Self { finite_inputs: false, ..self }
    }

    /// Keeps all work on the calling thread, even inside a rayon pool: for services whose
    /// threads each handle their own requests, and for calls made under a lock (see
    /// [`Workspace`]).
    #[must_use]
    pub fn serial(self) -> Self {
        Self { serial: true, ..self }
    }

    /// Allocates memory for batches of at most `max_rows` rows.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn workspace(&self, max_rows: usize) -> Result<Workspace, Error> {
        Ok(Workspace {
            flow: Flow::with_capacity(self.raw(), max_rows)?.watched(),
            small: Small::new(self.raw()),
            predictions: Matrix::zeroed(max_rows, self.raw().outputs())?,
            samples: None,
            moments: None,
            tallies: Tallies::new(self.raw()),
        })
    }

    /// Predicts the probabilities of the classes or bits, or the values, one row per
    /// input row.
    ///
    /// # Errors
    /// The batch has more rows than the workspace takes, or its width is not the
    /// network's; [`Error::NonFinite`] names the first row that has a non-finite input or
    /// makes a sum in the network overflow (see [`Self::allow_non_finite_inputs`]).
    pub fn predict<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<MatrixView<'w>, Error> {
        self.outputs(batch, workspace, self.raw().link())
    }

    /// Like [`Self::predict`], but returns [`Estimates`], as the other methods do, with
    /// each row's class and entropy. It cannot say how far the thinned networks disagree.
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
    /// As for [`Self::predict`]; also if there is not enough memory.
    pub fn weight_scaling<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<Estimates<'w>, Error> {
        self.predict(batch, workspace)?;
        let Workspace { predictions, tallies, .. } = workspace;
        tallies.clear(self.raw(), batch.rows(), predictions.rows(), 0)?;
        tallies.without_spread();
        for row in 0..batch.rows() {
            tallies.set_mean(row, predictions.at(row));
        }
        Ok(tallies.estimates())
    }

    /// Computes the logits z, that is the outputs before the loss's link, one row per input
    /// row. They are not divided by the network's [`Temperature`](crate::nn::Temperature).
    ///
    /// # Errors
    /// As for [`Self::predict`].
    pub fn logits<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<MatrixView<'w>, Error> {
        self.outputs(batch, workspace, Link::LOGITS)
    }

    /// Samples thinned networks and returns the mean and variance of each row's
    /// predictions and how far they agree. A network without dropout is a single network,
    /// so one sample is taken.
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
    /// As for [`Self::predict`]; also if there is not one seed per row, or not enough
    /// memory.
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

    /// Computes the mean and variance of the predictions over all thinned networks
    /// without sampling: each unit's mean and standard deviation are propagated through
    /// dropout, linear layers and activations.
    ///
    /// **Masks.** Units above the first dropout site share its dropped units. If only a
    /// few of a row's units are active at that site (nonzero, or of an activation that is
    /// never zero), the prediction is therefore a mixture over masks of those units, with
    /// moment propagation above each mask:
    ///
    /// | active units | masks | cost |
    /// |---|---|---|
    /// | at most 12 | all 2^n with their probabilities | 2^n passes of that row, at most 4,096 |
    /// | 13 to 64 | no unit dropped and each single unit dropped, with their probabilities, if together they make up at least an eighth of all cases; 64 balanced masks for the rest, or fewer if the rest is less likely | at most 129 passes |
    /// | more | none | one pass with twice the products |
    ///
    /// A pass above a mask is thinned up to the next dropout site, and costs as much as a
    /// Monte-Carlo sample. The masks depend on the number of active units, the site and
    /// its keep rate, so a prediction depends on its row alone. No masks are used if the
    /// first site is directly below the output and the predictions are values: there the
    /// moments are exact. Nor are any used if its noise is Gaussian.
    ///
    /// **Activations** of a normal z: ReLU, leaky ReLU and the identity are exact; for
    /// the logistic (and tanh, with twice the error) the mean is within 7e-5 and the
    /// standard deviation within 0.3 % if the mean of z is between -2 and 2, and within
    /// 2.5e-3 everywhere.
    ///
    /// **The link** of normal logits: for bits, and for two classes, which depend only on
    /// the difference of their logits, mean, variance and entropy are within 3e-8. More
    /// classes are averaged over 121 fixed draws of all logits, which takes 121
    /// exponentials per class and pass (11 for masks with probability below 1/16) and 121
    /// bytes of memory per class. Logits without variance give exactly softmax or the
    /// logistic.
    ///
    /// **Accuracy.** With at most 12 active units at the only dropout site, the result
    /// equals the average over all masks. Beyond that it assumes that the units of a
    /// layer are independent given the mask, that z is normal, and that logits are
    /// independent of each other. docs/PERFORMANCE.md lists measured errors for deep
    /// networks, for tables, and for softmax over 2 to 100,000 classes; for 1,000 classes
    /// or more with logits whose standard deviations are 3 or larger, use Monte-Carlo
    /// samples.
    ///
    /// # Errors
    /// As for [`Self::predict`]; also if there is not enough memory.
    pub fn moments<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<Estimates<'w>, Error> {
        self.check(batch, workspace)?;
        moments::estimate(self.context(), batch, workspace)
    }

    /// Like [`Self::moments`], but for the outputs before the loss's link: means, then
    /// variances, one row per input row.
    ///
    /// # Errors
    /// As for [`Self::moments`].
    pub fn logit_moments<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
    ) -> Result<[MatrixView<'w>; 2], Error> {
        self.check(batch, workspace)?;
        moments::logits(self.context(), batch, workspace)
    }

    /// The network, whose weights may have factors pending on them.
    #[inline]
    fn raw(&self) -> &Mlp {
        self.mlp.raw()
    }

    fn context(&self) -> Context<'_> {
        let Self { isa, serial, finite_inputs: finite, .. } = *self;
        let states = self.mlp.trainer().map(|trainer| trainer.raw().1);
        let rounded = self.rounded.as_ref();
        Context {
            network: NetworkView { rounded, states, ..self.raw().into() },
            isa,
            serial,
            finite,
        }
    }

    /// Checks that the batch suits this network and fits the workspace.
    fn check(&self, batch: &Batch<'_>, workspace: &mut Workspace) -> Result<(), Error> {
        workspace.flow.check(self.raw(), batch.rows())?;
        workspace.flow.prepare(self.context().network, batch.inputs())?;
        batch.check(self.raw().inputs(), self.finite_inputs)
    }

    /// Applies `link` to the logits.
    fn outputs<'w>(
        &self,
        batch: &Batch<'_>,
        workspace: &'w mut Workspace,
        link: Link,
    ) -> Result<MatrixView<'w>, Error> {
        if !self.small(batch, workspace, link)? {
            self.forward(batch, workspace)?;
            let Workspace { flow, predictions, .. } = &mut *workspace;
            link.predictions(self.isa, &mut flow.z[self.raw().depth() - 1], predictions);
        }
        // Decided once: with most links there is nothing to look for in the rows.
        if link.function.overflows() {
            let context = self.context();
            for row in 0..batch.rows() {
                context.gate_predictions(link.function, row, workspace.predictions.at(row))?;
            }
        }
        Ok(workspace.predictions.first_rows(batch.rows()))
    }

    /// Does the same in one kernel if the network and the batch are small. Returns whether it did:
    /// if something is not finite that has to be, [`Self::forward`] finds the row to name.
    fn small(
        &self,
        batch: &Batch<'_>,
        workspace: &mut Workspace,
        link: Link,
    ) -> Result<bool, Error> {
        let mlp = self.raw();
        let Workspace { flow, small: Some(small), predictions, .. } = workspace else {
            return Ok(false);
        };
        let replaced = self.rounded.is_some() || self.mlp.trainer().is_some();
        let Some(rows) = batch.inputs().dense() else { return Ok(false) };
        if !small.suits(batch.rows()) || replaced {
            return Ok(false);
        }
        flow.check(mlp, batch.rows())?;
        batch.check(mlp.inputs(), false)?;
        let z = &mut flow.z[mlp.depth() - 1];
        let finite = small.predict(self.isa, mlp, rows, link, z, predictions);
        Ok(finite || !self.finite_inputs)
    }

    /// Leaves the logits in the workspace.
    fn forward(&self, batch: &Batch<'_>, workspace: &mut Workspace) -> Result<(), Error> {
        self.check(batch, workspace)?;
        let (context, rows) = (self.context(), batch.rows());
        let (pass, layers) = (context.pass(rows), 0..self.raw().depth());
        let flow = &mut workspace.flow;
        flow.enter_whole(pass, context.network, batch.inputs());
        flow.forward_whole(pass, context.network, layers.clone());
        context.gate(flow, layers, |row| row)
    }
}
