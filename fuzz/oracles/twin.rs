//! Backpropagation in f64 with the noise of each row of a batch held, with a bound on how far f32
//! arithmetic can be from each number: the reference of the library's own tests.

use thinnet::{
    Keep, Noise,
    mask::{Domain, Streams, scalar},
    nn::{Activation, Loss, Mlp, PlainLayer, PlainNetwork, Targets},
};

#[path = "../../src/nn/reference/mod.rs"]
mod reference;

pub use reference::Gradients;

/// The gradients of the first step, for rows that start at `first_row`; `None` where a number is so
/// large that f32 can overflow, or the loss so uncertain that nothing is to be learnt.
pub fn gradients(
    mlp: &Mlp,
    seed: u64,
    first_row: u64,
    x: &[&[f32]],
    targets: Targets<'_>,
) -> Option<Gradients> {
    let factors = reference::drawn(mlp, seed, 0, first_row, x.len());
    let gradients = reference::gradients(&PlainNetwork::from(mlp), &factors, x, targets);
    gradients.are_known().then_some(gradients)
}
