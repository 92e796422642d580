//! The recipe of the speed benches: 784-1024-1024-1024-10 on the embedded
//! digits, batches of 128, learning rate 0.05, momentum 0.9.

use thinnet::{
    Isa, Keep,
    data::{Batch, Dataset, Split, epoch_order},
    nn::{Activation, Loss, Mlp, Targets},
    train::{Schedule, Sgd, Trainer},
};

/// Rows of a training batch.
pub const BATCH: usize = 128;

/// The digits, and the batches of an epoch of them as row numbers and classes.
pub struct Digits {
    /// Images and labels.
    pub set: Dataset,
    batches: Vec<(Vec<u32>, Vec<u32>)>,
}

impl Digits {
    /// One shuffled epoch of whole batches.
    pub fn load() -> Self {
        let set = Dataset::digits(Split::Train).unwrap();
        let mut order = vec![0; set.rows()];
        epoch_order(1, 0, &mut order);
        let batches = order
            .chunks_exact(BATCH)
            .map(|rows| {
                let classes = rows.iter().map(|&row| set.labels()[row as usize]).collect();
                (rows.to_vec(), classes)
            })
            .collect();
        Self { set, batches }
    }

    /// The next step of `trainer`; the epoch's batches again and again.
    pub fn step(&self, trainer: &mut Trainer) -> f32 {
        let (rows, classes) = &self.batches[trainer.steps() as usize % self.batches.len()];
        let batch = Batch::gather(self.set.inputs(), rows).unwrap();
        trainer.step(&batch, Targets::Classes(classes)).unwrap()
    }

    /// The network after an epoch: its zeros are those of a network that
    /// learns, not those of random weights.
    pub fn trained(&self, input: Keep, hidden: Keep) -> Mlp {
        let mlp = Mlp::builder(self.set.inputs().columns())
            .input_keep(input)
            .hidden(1024, Activation::Relu, hidden)
            .hidden(1024, Activation::Relu, hidden)
            .hidden(1024, Activation::Relu, hidden)
            .output(10, Loss::SoftmaxCrossEntropy)
            .seed(1)
            .build()
            .unwrap();
        let mut trainer = trainer(mlp, Isa::detect());
        for _ in &self.batches {
            self.step(&mut trainer);
        }
        trainer.into_network()
    }
}

/// A trainer with the recipe's optimiser.
pub fn trainer(mlp: Mlp, isa: Isa) -> Trainer {
    let sgd = Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9));
    Trainer::builder(mlp, sgd, BATCH).seed(1).isa(isa).build().unwrap()
}
