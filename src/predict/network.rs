//! What a predictor can predict with.

use std::borrow::Borrow;

use crate::{nn::Mlp, train::Trainer};

/// What a [`Predictor`](super::Predictor) predicts with: a network, which it owns, borrows or
/// shares (`Mlp`, `&Mlp`, `Arc<Mlp>`), or the network inside a trainer
/// ([`Trainer::predictor`]).
///
/// ```
/// use thinnet::{nn::{Loss, Mlp}, predict::{Network, Predictor}};
///
/// fn room_for_a_row<N: Network>(network: N) -> Result<(), thinnet::Error> {
///     Predictor::new(network).workspace(1).map(drop)
/// }
///
/// room_for_a_row(Mlp::builder(3).output(2, Loss::SquaredError).build()?)?;
/// # Ok::<(), thinnet::Error>(())
/// ```
pub trait Network: Sealed {}

impl<N: Sealed> Network for N {}

/// Keeps [`Network`] from being implemented elsewhere.
pub trait Sealed {
    /// The network. That of a trainer has factors pending on its weights.
    fn raw(&self) -> &Mlp;

    /// The trainer that it is in, if it is in one.
    fn trainer(&self) -> Option<&Trainer> {
        None
    }
}

impl<M: Borrow<Mlp>> Sealed for M {
    #[inline]
    fn raw(&self) -> &Mlp {
        self.borrow()
    }
}

impl Sealed for &Trainer {
    fn raw(&self) -> &Mlp {
        Trainer::raw(self).0
    }

    fn trainer(&self) -> Option<&Trainer> {
        Some(self)
    }
}
