//! Workspaces that wait for the next request.

use std::{
    borrow::Borrow,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Predictor, Workspace};
use crate::{error::Error, nn::Mlp};

/// Workspaces for the requests of many threads: as many as there were requests at
/// the same time, each made once. A thread that has one of its own needs none.
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

    /// Hands a workspace that waits, or a new one, to `ask`; afterwards it waits for
    /// the next. The pool's lock is held while one is taken or put back, not while
    /// it is used.
    ///
    /// # Errors
    /// More memory than can be allocated.
    pub fn with<M: Borrow<Mlp>, R>(
        &self,
        predictor: &Predictor<M>,
        ask: impl FnOnce(&mut Workspace) -> R,
    ) -> Result<R, Error> {
        let waiting = self.waiting().pop();
        let mut workspace = match waiting {
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
