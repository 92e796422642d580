//! A pool of workspaces for reuse by later requests.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Network, Predictor, Workspace};
use crate::error::Error;

/// Workspaces for requests from many threads: one per concurrent request, each allocated
/// once.
///
/// A pool serves one network at a time. After a hot swap to a network of another shape,
/// workspaces that do not fit it are dropped and replaced. Two networks served side by
/// side need a pool each.
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
///             let mut workspace = pool.get(&predictor)?;
///             let probabilities = predictor.predict(&batch, &mut workspace)?;
///             assert_eq!(probabilities.row(0)?.len(), 2);
///             Ok::<(), thinnet::Error>(())
///         });
///     }
/// });
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Debug)]
pub struct WorkspacePool {
    max_rows: usize,
    waiting: Mutex<Vec<Workspace>>,
}

impl WorkspacePool {
    /// Makes a pool of workspaces for batches of at most `max_rows` rows.
    pub const fn new(max_rows: usize) -> Self {
        Self { max_rows, waiting: Mutex::new(Vec::new()) }
    }

    /// Takes a workspace that fits the predictor's network. When dropped, it returns to
    /// the pool for the next request. The pool's lock is held only while a workspace is
    /// taken or returned, not while it is used.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn get<M: Network>(&self, predictor: &Predictor<M>) -> Result<PooledWorkspace<'_>, Error> {
        let fitting = {
            let mut waiting = self.waiting();
            waiting.retain(|workspace| workspace.fits(predictor.raw(), self.max_rows));
            waiting.pop()
        };
        let workspace = match fitting {
            Some(workspace) => workspace,
            None => predictor.workspace(self.max_rows)?,
        };
        Ok(PooledWorkspace { pool: self, workspace: Some(workspace) })
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Workspace>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`Workspace`] from a [`WorkspacePool`], to which it returns when dropped. If it is
/// dropped by a panic, it does not return.
///
/// ```
/// # use thinnet::{data::Batch, nn::{Loss, Mlp}, tensor::MatrixView};
/// use thinnet::predict::{Predictor, WorkspacePool};
///
/// # let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// # let batch = Batch::dense(MatrixView::new(&[0.1, 0.2, 0.3], 1, 3)?);
/// let (predictor, pool) = (Predictor::new(mlp), WorkspacePool::new(1));
/// let mut workspace = pool.get(&predictor)?;
/// let answer = predictor.moments(&batch, &mut workspace)?.row(0)?.to_prediction();
/// drop(workspace); // the next request takes it
/// assert!(answer.class.is_some());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Debug)]
pub struct PooledWorkspace<'p> {
    pool: &'p WorkspacePool,
    /// `Some` until it is dropped.
    workspace: Option<Workspace>,
}

impl Deref for PooledWorkspace<'_> {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace.as_slice()[0]
    }
}

impl DerefMut for PooledWorkspace<'_> {
    fn deref_mut(&mut self) -> &mut Workspace {
        &mut self.workspace.as_mut_slice()[0]
    }
}

impl Drop for PooledWorkspace<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.pool.waiting().extend(self.workspace.take());
        }
    }
}
