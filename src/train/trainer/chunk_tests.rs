//! A batch that goes through the network in chunks gives the bits of one that goes whole.

use super::*;
use crate::{
    Noise,
    mask::Domain,
    nn::{Activation, Loss},
    optimiser::{Adam, Schedule, Sgd},
    rate::Keep,
    sigma::Sigma,
    simd::tests::on_each_isa,
    tensor::MatrixView,
    train::MaxNorm,
};

const ROWS: usize = 21;

/// Numbers in [-1, 1).
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let streams = Streams::new(seed, Domain::Other, 0, 0);
    (0..n).map(|i| (streams.hash(i as u64) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// What three steps leave: the losses, the densities of the last step, its gradients before the
/// update, and the parameters.
type Left = (Vec<u32>, Vec<f64>, Vec<LayerGradient>, Mlp);

fn steps(mlp: &Mlp, optimiser: &Optimiser, isa: Isa, chunk: usize) -> Left {
    let mut builder = Trainer::builder(mlp.clone(), optimiser.clone(), ROWS).seed(3);
    builder.chunk = chunk;
    let mut builder = builder.max_norm(MaxNorm::Engine(0.8)).with_isa(isa).unwrap();
    if mlp.loss() == Loss::SoftmaxCrossEntropy {
        builder = builder.class_weights(vec![0.5, 3.0, 1.0]).label_smoothing(0.1);
    }
    // Some of the networks with weights of rows.
    let weighted = mlp.loss() != Loss::SquaredError;
    let mut trainer = builder.build().unwrap();
    let (inputs, outputs) = (mlp.inputs(), mlp.outputs());
    let (mut losses, mut gradients) = (Vec::new(), Vec::new());
    for (step, rows) in [(1, ROWS), (2, 2), (3, ROWS)] {
        let (x, t) = (numbers(step, rows * inputs), numbers(step + 9, rows * outputs));
        let weights: Vec<f64> = (0..rows).map(|row| (row * 7 % 5) as f64).collect();
        let mut batch = Batch::dense(MatrixView::new(&x, rows, inputs).unwrap()).starting_at(5);
        if weighted {
            batch = batch.with_weights(&weights).unwrap();
        }
        let t: Vec<f32> = t.iter().map(|t| t.abs()).collect();
        let classes: Vec<u32> = t.iter().map(|t| (t * 3.0) as u32).take(rows).collect();
        let values = MatrixView::new(&t, rows, outputs).unwrap();
        let targets = match mlp.loss() {
            Loss::SoftmaxCrossEntropy => Targets::Classes(&classes),
            Loss::BinaryCrossEntropy => Targets::Binary(values),
            _ => Targets::Values(values),
        };
        let (loss, found) = trainer.gradients(&batch, targets).unwrap();
        let again = trainer.step(&batch, targets).unwrap();
        assert_eq!(loss.to_bits(), again.to_bits());
        losses.push(loss.to_bits());
        gradients = found;
    }
    let densities = trainer.densities().collect();
    (losses, densities, gradients, trainer.into_network())
}

#[test]
fn chunks_change_no_bit() {
    let keep = Keep::new(0.8).unwrap();
    let gaussian = Noise::from(Sigma::new(0.5).unwrap());
    let sgd = Optimiser::from(Sgd::new(Schedule::constant(0.1)).momentum(Schedule::constant(0.9)));
    let adam = Adam::default().into();
    let networks: [(Noise, Noise, Activation, Loss, Optimiser); 4] = [
        (keep.into(), Keep::HALF.into(), Activation::Relu, Loss::SoftmaxCrossEntropy, sgd.clone()),
        (Noise::None, Noise::None, Activation::Tanh, Loss::SquaredError, adam),
        (gaussian, gaussian, Activation::Relu, Loss::BinaryCrossEntropy, sgd.clone()),
        (keep.into(), Noise::None, Activation::Gelu, Loss::SquaredError, sgd),
    ];
    on_each_isa(|isa| {
        for (input, hidden, activation, loss, optimiser) in networks.clone() {
            let inputs = Mlp::builder(70).input_noise(input);
            // One of them draws the bits of its inputs one by one.
            let gelu = activation == Activation::Gelu;
            let mlp = if gelu { inputs.sparse_input() } else { inputs }
                .hidden(65, activation, hidden)
                .hidden(17, activation, hidden)
                .output(3, loss)
                .seed(1)
                .build()
                .unwrap();
            let whole = steps(&mlp, &optimiser, isa, ROWS);
            for chunk in [1, 4, 10] {
                let (losses, densities, gradients, network) = steps(&mlp, &optimiser, isa, chunk);
                assert_eq!(losses, whole.0, "{isa} {activation} {chunk}");
                for (got, want) in densities.iter().zip(&whole.1) {
                    assert!((got - want).abs() < 1e-12, "{got} {want}");
                }
                assert_eq!(gradients, whole.2);
                assert_eq!(network.digest(), whole.3.digest());
            }
        }
    });
}

/// The losses of a batch are one sum over its rows. Here, the second half is lost in that sum row
/// by row, but would not be if it were added up first.
#[test]
fn the_losses_of_chunks_are_one_sum() {
    let tiny = 2f32.powi(-27);
    let t = [1.0, 2f32.powi(-12), 0.0, 0.0, tiny, tiny, tiny, tiny];
    let targets = Targets::Values(MatrixView::new(&t, 8, 1).unwrap());
    let x = [0.0; 8];
    let batch = Batch::dense(MatrixView::new(&x, 8, 1).unwrap());
    for chunk in [8, 4, 1] {
        let mut mlp = Mlp::builder(1).output(1, Loss::SquaredError).build().unwrap();
        mlp.set_weights(0, &[0.0]).unwrap();
        let mut builder = Trainer::builder(mlp, Adam::default(), 8);
        builder.chunk = chunk;
        let loss = builder.build().unwrap().step(&batch, targets).unwrap();
        assert_eq!(loss, 0.125, "{chunk}");
    }
}

/// An input that makes the loss of the last chunk overflow leaves everything as it was.
#[test]
fn a_loss_that_is_not_finite_changes_nothing() {
    let mlp = Mlp::builder(2)
        .hidden(3, Activation::Relu, Keep::ONE)
        .output(1, Loss::SquaredError)
        .seed(1)
        .build()
        .unwrap();
    let mut builder = Trainer::builder(mlp, Adam::default(), 3);
    builder.chunk = 1;
    let mut trainer = builder.build().unwrap();
    let targets = [0.0; 3];
    let targets = Targets::Values(MatrixView::new(&targets, 3, 1).unwrap());
    let good = [0.5; 6];
    let good = Batch::dense(MatrixView::new(&good, 3, 2).unwrap());
    trainer.step(&good, targets).unwrap();
    let before = trainer.network().unwrap().digest();
    for row in 0..3 {
        let mut x = [0.5; 6];
        x[2 * row..][..2].fill(f32::MAX);
        let batch = Batch::dense(MatrixView::new(&x, 3, 2).unwrap());
        let error = trainer.step(&batch, targets).unwrap_err();
        assert!(matches!(error, Error::NonFiniteLoss { step: 1, .. }), "{error}");
        assert_eq!(trainer.network().unwrap().digest(), before);
    }
    assert_eq!(trainer.steps(), 1);
    trainer.step(&good, targets).unwrap();
}
