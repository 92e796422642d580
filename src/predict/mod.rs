//! Prediction: test time, with nothing dropped.
#![forbid(unsafe_code)]

mod evaluate;

pub use evaluate::{Evaluation, evaluate};

use std::borrow::Borrow;

use crate::{
    data::Batch,
    error::Error,
    nn::{Flow, Mlp},
    parallel::worth_it,
    simd::Isa,
    tensor::{Matrix, MatrixView},
    thin::InputBits,
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
#[derive(Clone, Debug)]
pub struct Predictor<M = Mlp> {
    mlp: M,
    isa: Isa,
    finite_inputs: bool,
}

/// The memory of a prediction, for batches of at most the rows it was made for.
#[derive(Clone, Debug)]
pub struct Workspace {
    flow: Flow,
    predictions: Matrix,
}

impl<M: Borrow<Mlp>> Predictor<M> {
    /// A predictor on the CPU's fastest instruction set.
    pub fn new(mlp: M) -> Self {
        Self { mlp, isa: Isa::detect(), finite_inputs: true }
    }

    /// The same on another instruction set.
    ///
    /// # Errors
    /// This CPU has it not.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        Ok(Self { isa: isa.require()?, ..self })
    }

    /// Inputs may be NaN or infinite; they spread as IEEE 754 says. Without
    /// this call they are refused.
    pub fn allow_non_finite_inputs(self) -> Self {
        Self { finite_inputs: false, ..self }
    }

    /// The network.
    pub fn network(&self) -> &Mlp {
        self.mlp.borrow()
    }

    /// Memory for batches of at most `most_rows` rows.
    ///
    /// # Errors
    /// More than can be allocated.
    pub fn workspace(&self, most_rows: usize) -> Result<Workspace, Error> {
        Ok(Workspace {
            flow: Flow::with_capacity(self.network(), most_rows)?,
            predictions: Matrix::zeroed(most_rows, self.network().outputs())?,
        })
    }

    /// Probabilities of the classes or bits, or values, a row each.
    ///
    /// # Errors
    /// More rows than the workspace takes, another width than the network's,
    /// or inputs that are not finite.
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
        let logits = &mut workspace.flow.z[self.network().depth() - 1];
        // The identity is squared error's link.
        crate::nn::Loss::SquaredError.predictions(self.isa, logits, &mut workspace.predictions);
        Ok(workspace.predictions.first_rows(batch.rows()))
    }

    fn forward(&self, batch: &Batch<'_>, workspace: &mut Workspace) -> Result<(), Error> {
        let (mlp, rows) = (self.network(), batch.rows());
        let flow = &mut workspace.flow;
        flow.check(mlp, rows)?;
        batch.check(mlp.inputs(), self.finite_inputs)?;
        let parallel = worth_it(rows.saturating_mul(mlp.parameters()));
        flow.enter(mlp, self.isa, parallel, rows, InputBits::All, &|row| batch.at(row));
        flow.forward(mlp, self.isa, parallel, |_| None, |_| None, |_| ());
        Ok(())
    }
}
