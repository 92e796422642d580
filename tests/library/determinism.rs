//! The same bits for any number of threads, and batches split at will.

use thinnet::{
    Isa, Keep,
    data::{Batch, Dataset, Split},
    nn::{Activation, Loss, Mlp, Targets},
    predict::Predictor,
    train::{Averaging, MaxNorm, Schedule, Sgd, Trainer},
};

use crate::{backend, rounding::fuses};

/// `complete` says whether each step needs its complete gradient.
fn trainer(isa: Isa, complete: bool) -> Trainer {
    let mlp = Mlp::builder(784)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(300, Activation::Relu, Keep::HALF)
        .hidden(200, Activation::Tanh, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .seed(2)
        .build()
        .unwrap();
    let sgd = Sgd::new(Schedule::Cosine { from: 0.1, to: 0.0, steps: 60 })
        .momentum(Schedule::constant(0.9));
    let trainer = Trainer::builder(mlp, sgd, 100).max_norm(MaxNorm::Paper(2.0)).seed(5);
    let trainer = trainer.average(Averaging::exponential(0.9));
    let trainer = if complete { trainer.clip_norm(0.5).l1(1e-5) } else { trainer };
    trainer.with_isa(isa).unwrap().build().unwrap()
}

/// The digests of the network and of its average, and the losses.
fn train(isa: Isa, complete: bool, digits: &Dataset) -> ([String; 2], Vec<f32>) {
    let mut trainer = trainer(isa, complete);
    let batches = digits.batches(5, 0, 100).unwrap();
    let first = batches.iter().take(20);
    let losses = first.map(|(batch, targets)| trainer.step(&batch, targets).unwrap()).collect();
    let networks = [trainer.network(), trainer.averaged_network()];
    (networks.map(|network| network.unwrap().digest()), losses)
}

#[test]
fn one_two_and_three_threads_give_the_same_digest_on_each_backend() {
    let digits = Dataset::digits(Split::Train).unwrap();
    for complete in [false, true] {
        same_digests(&digits, complete);
    }
}

fn same_digests(digits: &Dataset, complete: bool) {
    let mut fused = Vec::new();
    for &isa in Isa::ALL {
        if !isa.is_available() {
            eprintln!("skipped: this CPU has no {isa}");
            continue;
        }
        let (digest, losses) = train(isa, complete, digits);
        assert!(losses[19] < losses[0]);
        for threads in 1..=3 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let again = pool.install(|| train(isa, complete, digits));
            assert_eq!(again, (digest.clone(), losses.clone()), "{isa}, {threads} threads");
        }
        if fuses(isa) {
            fused.push(digest);
        }
    }
    assert_eq!(
        trainer(backend::isa(), complete).isa(),
        backend::isa(),
        "the path that was asked for"
    );
    // They sum in the same order.
    assert!(fused.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn predictions_are_the_same_in_a_pool() {
    let digits = Dataset::digits(Split::Test).unwrap();
    let rows: Vec<u32> = (0..300).collect();
    for isa in Isa::available() {
        let predict = || {
            let predictor =
                Predictor::new(trainer(isa, false).into_network()).with_isa(isa).unwrap();
            let mut workspace = predictor.workspace(300).unwrap();
            let batch = Batch::gather(digits.inputs(), &rows).unwrap();
            let predictions = predictor.predict(&batch, &mut workspace).unwrap();
            (0..300).map(|row| predictions.row(row).unwrap().to_vec()).collect::<Vec<_>>()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(predict), predict(), "{isa}");
    }
}

#[test]
fn the_gradient_of_a_split_batch_is_that_of_the_whole() {
    let digits = Dataset::digits(Split::Train).unwrap();
    let rows: Vec<u32> = (0..100).collect();
    let classes = &digits.labels().unwrap()[..100];
    let mut trainer = trainer(backend::isa(), false);
    let mut gradient = |from: usize, to: usize| {
        let batch = Batch::gather(digits.inputs(), &rows[from..to]).unwrap();
        let batch = batch.starting_at(from as u64);
        trainer.gradients(&batch, Targets::Classes(&classes[from..to])).unwrap()
    };
    let (loss, whole) = gradient(0, 100);
    let (first_loss, first) = gradient(0, 37);
    let (second_loss, second) = gradient(37, 100);
    let weighted = |a: f32, b: f32| (37.0 * f64::from(a) + 63.0 * f64::from(b)) / 100.0;
    assert!((f64::from(loss) - weighted(first_loss, second_loss)).abs() < 1e-5);
    for layer in 0..3 {
        let (a, b) = (&first[layer].weights, &second[layer].weights);
        for ((&whole, &a), &b) in whole[layer].weights.iter().zip(a).zip(b) {
            // The sums of 100 rows are cut in another place: their rounding
            // differs, the masks do not.
            assert!((f64::from(whole) - weighted(a, b)).abs() < 1e-5);
        }
    }
}
