//! Workspaces that wait for the next request.

use std::{
    borrow::Borrow,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Predictor, Workspace};
use crate::{error::Error, nn::Mlp};

/// Workspaces for the requests of many threads: as many as there were requests at
/// the same time, each made once.
///
/// A pool serves one network at a time. After a hot swap to a network of another
/// shape, workspaces that do not fit it are dropped and replaced. Two networks
/// that serve side by side want a pool each.
///
/// No lock is held while a workspace is used, so requests on a rayon pool cannot
/// block each other: see [`Workspace`] for why a `Mutex` or a `RefCell` around a
/// single workspace would.
///
/// ```
/// # use thinnet::{data::Batch, nn::{Loss, Mlp}, tensor::MatrixView};
/// use thinnet::predict::{Predictor, WorkspacePool};
///
/// # let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let predictor = Predictor::new(mlp);
/// let pool = WorkspacePool::new(1);
/// std::thread::scope(|scope| {
///     for _ in 0..8 {
///         scope.spawn(|| {
///             let batch = Batch::dense(MatrixView::new(&[0.1, 0.2, 0.3], 1, 3)?);
///             pool.with(&predictor, |workspace| {
///                 predictor.predict(&batch, workspace)?;
///                 Ok::<(), thinnet::Error>(())
///             })?
///         });
///     }
/// });
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Debug)]
pub struct WorkspacePool {
    most_rows: usize,
    waiting: Mutex<Vec<Workspace>>,
}

impl WorkspacePool {
    /// A pool of workspaces for batches of at most `most_rows` rows.
    pub const fn new(most_rows: usize) -> Self {
        Self { most_rows, waiting: Mutex::new(Vec::new()) }
    }

    /// Hands a workspace that fits the predictor's network to `ask`, and keeps it for
    /// the next request. The pool's lock is held while a workspace is taken or put
    /// back, not while it is used.
    ///
    /// # Errors
    /// More memory than can be allocated.
    pub fn with<M: Borrow<Mlp>, R>(
        &self,
        predictor: &Predictor<M>,
        ask: impl FnOnce(&mut Workspace) -> R,
    ) -> Result<R, Error> {
        let fitting = {
            let mut waiting = self.waiting();
            waiting.retain(|workspace| workspace.fits(predictor.network(), self.most_rows));
            waiting.pop()
        };
        let mut workspace = match fitting {
            Some(workspace) => workspace,
            None => predictor.workspace(self.most_rows)?,
        };
        let answer = ask(&mut workspace);
        self.waiting().push(workspace);
        Ok(answer)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Workspace>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
