//! Where there is no memory for a network, its files or its workspaces, that is an
//! error, and what stood there stays: nothing aborts.

mod failing;
#[allow(dead_code, reason = "files of other tests")]
mod hostile_files;

use std::{borrow::Borrow, fs, path::Path};

use failing::{Failing, refuse_each};
use thinnet::{
    Error, Keep,
    checkpoint::{Contents, Model},
    data::{Batch, Dataset},
    exchange::{
        FileKind,
        onnx::{self, Export},
        torch::{self, StateDict, StateDictSpec},
    },
    nn::{Activation, IntegerMlp, Loss, Mlp, MlpBuilder, Scaling, Targets},
    predict::{MonteCarlo, Predictor, Seeds, evaluate},
    tensor::Matrix,
    train::{MaxNorm, Provenance, Schedule, Sgd, Trainer, TrainerBuilder},
};

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Rows of a batch.
const ROWS: usize = 96;

/// All of whose layers, and activations of a batch, are large.
fn builder() -> MlpBuilder {
    Mlp::builder(200)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(300, Activation::Relu, Keep::HALF)
        .hidden(260, Activation::Tanh, Keep::HALF)
        .output(70, Loss::SoftmaxCrossEntropy)
}

fn trainer(mlp: &Mlp) -> TrainerBuilder {
    let sgd = Sgd::new(Schedule::constant(0.01)).momentum(Schedule::constant(0.9));
    Trainer::builder(mlp.clone(), sgd, ROWS).max_norm(MaxNorm::Engine(0.5))
}

fn step(trainer: &mut Trainer, x: &Matrix) -> f32 {
    let classes: Vec<u32> = (0..ROWS as u32).map(|i| i % 70).collect();
    trainer.step(&Batch::dense(x.view()), Targets::Classes(&classes)).unwrap()
}

fn rows() -> Matrix {
    let x: Vec<f32> = (0..ROWS * 200).map(|i| (i % 17) as f32 / 17.0).collect();
    Matrix::from_rows(&x, ROWS, 200).unwrap()
}

/// A workspace in which a prediction was refused is as good as before.
fn a_refused_prediction_leaves_its_workspace<M: Borrow<Mlp>>(
    predictor: &Predictor<M>,
    batch: &Batch<'_>,
    settings: &MonteCarlo,
) {
    let seeds: Vec<u64> = (0..ROWS as u64).collect();
    let mut workspace = predictor.workspace(ROWS).unwrap();
    refused(|| {
        predictor.monte_carlo(batch, settings, Seeds::Each(&seeds), &mut workspace).map(drop)
    });
    let mut fresh = predictor.workspace(ROWS).unwrap();
    let row = |workspace: &mut _| {
        let estimates = predictor.monte_carlo(batch, settings, Seeds::Each(&seeds), workspace);
        estimates.unwrap().row(ROWS - 1).unwrap().mean().to_vec()
    };
    assert_eq!(row(&mut workspace), row(&mut fresh));
}

/// As [`refuse_each`], of an operation that makes large requests.
fn refused<T>(work: impl FnMut() -> Result<T, Error>) {
    assert!(refuse_each(work) > 0);
}

#[test]
fn networks_and_their_copies() {
    refused(|| builder().build());
    let mlp = builder().build().unwrap();
    refused(|| mlp.try_clone());
    refused(|| mlp.weights(0));
    assert_eq!(refuse_each(|| Ok::<_, Error>(mlp.digest())), 0);
}

#[test]
fn trainers_and_their_gradients() {
    let (mlp, x) = (builder().build().unwrap(), rows());
    let classes = [1; ROWS];
    // The builder is used up, and made where nothing is refused.
    let mut builders = (0..64).map(|_| trainer(&mlp)).collect::<Vec<_>>().into_iter();
    refused(|| builders.next().expect("a builder for each").build());
    let mut trainer = trainer(&mlp).build().unwrap();
    step(&mut trainer, &x);
    let before = trainer.network().unwrap().digest();
    refused(|| trainer.network());
    refused(|| trainer.gradients(&Batch::dense(x.view()), Targets::Classes(&classes)));
    assert_eq!(trainer.network().unwrap().digest(), before);
    // A step takes no memory of its own.
    let mut again = trainer.clone();
    step(&mut again, &x);
    step(&mut trainer, &x);
    assert_eq!(again.network().unwrap().digest(), trainer.network().unwrap().digest());
}

#[test]
fn models_are_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let mlp = builder().build().unwrap();
    // Straight from the network: no request is large.
    assert_eq!(refuse_each(|| mlp.save(&path)), 0);
    let bytes = fs::read(&path).unwrap();
    refused(|| mlp.to_bytes());
    refused(|| Mlp::load(&path));
    refused(|| Mlp::from_bytes(&bytes));
    refused(|| Contents::read(&path));
    assert!(Mlp::load(&path).unwrap() == mlp);
}

#[test]
fn models_with_8_bit_weights_are_made_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    // With so many units that the 8-bit weights are large too.
    let mlp = Mlp::builder(200).hidden(900, Activation::Relu, Keep::HALF);
    let mlp = mlp.hidden(260, Activation::Relu, Keep::HALF).output(300, Loss::SoftmaxCrossEntropy);
    let (mlp, x) = (mlp.build().unwrap(), rows());
    let batch = Batch::dense(x.view());
    refused(|| IntegerMlp::new(&mlp, &batch));
    let integer = IntegerMlp::new(&mlp, &batch).unwrap();
    refused(|| integer.try_clone());
    assert_eq!(refuse_each(|| integer.save(&path)), 0);
    let bytes = fs::read(&path).unwrap();
    refused(|| integer.to_bytes());
    refused(|| IntegerMlp::load(&path));
    refused(|| IntegerMlp::from_bytes(&bytes));
    refused(|| Model::load(&path));
    refused(|| Contents::read(&path));
    assert!(IntegerMlp::load(&path).unwrap() == integer);
    refused(|| Predictor::new(&mlp).integer_weights(&batch));
    let mut copies = (0..64).map(|_| integer.clone()).collect::<Vec<_>>().into_iter();
    refused(|| Predictor::from_integers(copies.next().expect("a copy for each")));
    let predictor = Predictor::from_integers(integer).unwrap();
    let fifty = MonteCarlo::new(50).unwrap();
    refused(|| {
        let mut workspace = predictor.workspace(ROWS)?;
        predictor.predict(&batch, &mut workspace).map(drop)
    });
    a_refused_prediction_leaves_its_workspace(&predictor, &batch, &fifty);
}

#[test]
fn training_runs_are_saved_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let (mlp, x) = (builder().build().unwrap(), rows());
    let mut running = trainer(&mlp).build().unwrap();
    step(&mut running, &x);
    let settings = Provenance::new();
    assert_eq!(refuse_each(|| running.save(&path, &settings, "notes")), 0);
    let bytes = fs::read(&path).unwrap();
    step(&mut running, &x);
    let digest = running.network().unwrap().digest();
    refused(|| running.to_bytes(&settings, "later"));
    assert_eq!(running.network().unwrap().digest(), digest);
    assert!(fs::read(&path).unwrap() == bytes);
    refused(|| Contents::read(&path));
    let builders = || (0..64).map(|_| trainer(&mlp)).collect::<Vec<_>>().into_iter();
    let mut next = builders();
    refused(|| next.next().expect("a builder for each").resume(&path, &settings));
    let mut next = builders();
    refused(|| next.next().expect("a builder for each").resume_from_bytes(&bytes, &settings));
    let (mut resumed, read) = trainer(&mlp).resume(&path, &settings).unwrap();
    assert_eq!(read, "notes");
    // One step behind.
    step(&mut resumed, &x);
    assert_eq!(resumed.network().unwrap().digest(), running.network().unwrap().digest());
}

#[test]
fn predictions() {
    let (mlp, x) = (builder().build().unwrap(), rows());
    let batch = Batch::dense(x.view());
    refused(|| Predictor::new(&mlp).bf16_weights());
    let predictor = Predictor::new(&mlp);
    refused(|| predictor.workspace(ROWS));
    let seeds: Vec<u64> = (0..ROWS as u64).collect();
    let fifty = MonteCarlo::new(50).unwrap().keep_samples();
    refused(|| {
        let mut workspace = predictor.workspace(ROWS)?;
        predictor.monte_carlo(&batch, &fifty, Seeds::Each(&seeds), &mut workspace).map(drop)
    });
    refused(|| {
        let mut workspace = predictor.workspace(ROWS)?;
        predictor.moments(&batch, &mut workspace).map(drop)
    });
    refused(|| {
        let mut workspace = predictor.workspace(ROWS)?;
        predictor.weight_scaling(&batch, &mut workspace).map(drop)
    });
    a_refused_prediction_leaves_its_workspace(&predictor, &batch, &fifty);
}

/// Of so many rows that their numbers alone are large.
#[test]
fn evaluations() {
    const MANY: usize = 20_000;
    let mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
    let data = Dataset::new(Matrix::zeroed(MANY, 1).unwrap(), vec![1; MANY]).unwrap();
    let predictor = Predictor::new(&mlp);
    let mut workspace = predictor.workspace(MANY).unwrap();
    refused(|| evaluate(&predictor, &data, &mut workspace));
    let evaluation = evaluate(&predictor, &data, &mut workspace).unwrap();
    assert_eq!(evaluation.wrong.len(), MANY, "all are a tie, and of the other class");
}

#[test]
fn networks_from_elsewhere_and_for_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state_dict");
    let mlp = builder().build().unwrap();
    for scaling in [Scaling::Inverted, Scaling::Paper] {
        assert_eq!(refuse_each(|| torch::save(&mlp, scaling, &path)), 0);
        refused(|| torch::to_bytes(&mlp, scaling));
    }
    let graph = folder.path().join("graph.onnx");
    for export in [Export::new(), Export::new().dropout(true)] {
        assert_eq!(refuse_each(|| onnx::save(&mlp, &export, &graph)), 0);
        refused(|| onnx::to_bytes(&mlp, &export));
    }
    let bytes = fs::read(&path).unwrap();
    let layers = StateDictSpec::new()
        .hidden(Activation::Relu, Keep::HALF)
        .hidden(Activation::Tanh, Keep::HALF)
        .scaling(Scaling::Paper);
    for layers in [None, Some(&layers)] {
        refused(|| StateDict::read(&path).and_then(|file| file.network(layers)));
        refused(|| StateDict::from_bytes(&bytes)?.network(layers));
    }
    assert_eq!(refuse_each(|| FileKind::from_bytes(&bytes)), 0);
    // Wide layers, and many.
    for (layers, width) in [(3, 300), (1000, 1)] {
        let bytes = hostile_files::shared(layers, width);
        let _path = Path::new("a.onnx");
        refused(|| onnx::Model::from_bytes(&bytes).network(None));
    }
}
