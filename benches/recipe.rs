//! The recipe of the speed benches: 784-1024-1024-1024-10 on the embedded
//! digits, batches of 128, learning rate 0.05, momentum 0.9.

use thinnet::{
    Isa, Keep,
    data::{Batches, Dataset},
    nn::{Activation, Loss, Mlp},
    train::{Optimiser, Schedule, Sgd, Trainer},
};

/// Rows of a training batch.
pub const BATCH: usize = 128;

/// The whole batches of one shuffled epoch.
pub fn batches(digits: &Dataset) -> Batches<'_> {
    digits.batches(1, 0, BATCH).unwrap().drop_last()
}

/// The next step of `trainer`; the epoch's batches again and again.
pub fn step(batches: &Batches<'_>, trainer: &mut Trainer) -> f32 {
    let next = trainer.steps() as usize % batches.len();
    let (batch, targets) = batches.batch(next).unwrap();
    trainer.step(&batch, targets).unwrap()
}

/// The network after an epoch: its zeros are those of a network that learns, not those
/// of random weights.
pub fn trained(batches: &Batches<'_>, input: Keep, hidden: Keep) -> Mlp {
    let mlp = Mlp::builder(784)
        .input_noise(input)
        .hidden(1024, Activation::Relu, hidden)
        .hidden(1024, Activation::Relu, hidden)
        .hidden(1024, Activation::Relu, hidden)
        .output(10, Loss::SoftmaxCrossEntropy)
        .seed(1)
        .build()
        .unwrap();
    let mut trainer = trainer(mlp, sgd().into(), Isa::detect());
    for _ in batches {
        step(batches, &mut trainer);
    }
    trainer.into_network()
}

/// The recipe's optimiser.
pub fn sgd() -> Sgd {
    Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9))
}

/// A trainer for the recipe's batches.
pub fn trainer(mlp: Mlp, optimiser: Optimiser, isa: Isa) -> Trainer {
    Trainer::builder(mlp, optimiser, BATCH).seed(1).with_isa(isa).unwrap().build().unwrap()
}
