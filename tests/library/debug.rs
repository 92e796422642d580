//! `Debug` of what holds many numbers shows its shape and the first few.

use std::fmt::Debug;

use thinnet::{
    Keep,
    data::{Batch, Dataset, idx, npy::Npy},
    exchange::{onnx, torch},
    mask::{Domain, Mask, MaskSpec, Streams},
    nn::{Activation, Loss, Mlp, PlainNetwork, Scaling, Targets, ThinnedNetwork},
    predict::{MonteCarlo, Predictor, Seeds, WorkspacePool, evaluate},
    tensor::{Matrix, MatrixView},
    train::{Schedule, Sgd, Trainer},
};

/// A page, whatever the numbers are: eight rows of eight, for each of a few matrices.
const LONGEST: usize = 6000;

#[track_caller]
fn is_short(x: &impl Debug, parts: &[&str]) {
    is_at_most(LONGEST, x, parts);
}

/// As [`is_short`], for each of the eight layers that are shown.
#[track_caller]
fn is_short_each(x: &impl Debug, parts: &[&str]) {
    is_at_most(8 * LONGEST, x, parts);
}

#[track_caller]
fn is_at_most(longest: usize, x: &impl Debug, parts: &[&str]) {
    let text = format!("{x:?}");
    assert!(text.len() <= longest, "{} characters: {}...", text.len(), &text[..200]);
    for part in parts {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

/// 300 rows of 400 columns.
fn matrix() -> Matrix {
    let numbers: Vec<f32> = (0..300 * 400).map(|i| i as f32 / 1000.0).collect();
    Matrix::from_rows(&numbers, 300, 400).unwrap()
}

/// 400 inputs, twelve layers.
fn mlp() -> Mlp {
    let mut mlp = Mlp::builder(400);
    for _ in 0..11 {
        mlp = mlp.hidden(100, Activation::Relu, Keep::HALF);
    }
    mlp.output(300, Loss::SoftmaxCrossEntropy).build().unwrap()
}

#[test]
fn matrices_show_their_shape_and_the_first_numbers() {
    let matrix = matrix();
    let shape = "{ rows: 300, columns: 400, elements: [[0.0, 0.001, 0.002, 0.003, ";
    is_short(&matrix, &[shape, "Matrix", "[0.4, 0.401, ", ".. 400 in all]", ".. 300 in all]"]);
    is_short(&matrix.view(), &["MatrixView", shape]);
    is_short(&MatrixView::new(&[0.0; 90_000], 90_000, 1).unwrap(), &["rows: 90000, columns: 1"]);
    let mask = Mask::ones(5000, 5000).unwrap();
    is_short(&mask, &["rows: 5000", "width: 5000"]);
    is_short(&mask.row(0).unwrap(), &[".. 79 in all"]);
}

#[test]
fn data_show_their_shape_and_the_first_few() {
    let matrix = matrix();
    let chosen: Vec<u32> = (0..300).rev().collect();
    let batch = Batch::gather(matrix.view(), &chosen).unwrap();
    is_short(&batch, &["rows: 300", "Some([299, 298, ", ".. 300 in all]"]);
    is_short(&Targets::Classes(&chosen), &["Classes([299, ", ".. 300 in all]"]);
    is_short(&Targets::Values(matrix.view()), &["Values(MatrixView { rows: 300"]);
    is_short(&Targets::Binary(matrix.view()), &["Binary(MatrixView { rows: 300"]);
    let data = Dataset::new(matrix, chosen).unwrap();
    is_short(&data, &["rows: 300", "targets: Classes([299, ", "classes: 300"]);

    let mut bytes = vec![0, 0, 8, 1, 0, 1, 0, 0];
    bytes.resize(bytes.len() + (1 << 16), 7);
    let idx = idx::from_bytes(&bytes, 1).unwrap();
    is_short(&idx, &["dimensions: [65536]", "elements: [7, 7, ", ".. 65536 in all]"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    thinnet::data::npy::write_matrix(&path, self::matrix().view()).unwrap();
    is_short(&Npy::read(&path).unwrap(), &["[300, 400]", "elements: [0, 0, ", ".. 480000 in all]"]);
    let bytes = onnx::to_bytes(&mlp(), &onnx::Export::new()).unwrap();
    let all = format!(".. {} in all]", bytes.len());
    is_short(&onnx::Model::from_bytes(bytes), &["bytes: [8, ", &all]);
    let state_dict = torch::to_bytes(&mlp(), Scaling::Inverted).unwrap();
    let state_dict = torch::StateDict::from_bytes(state_dict).unwrap();
    is_short(&state_dict, &["StateDict", "0.bias", "[100]", ".. 24 in all]"]);
}

#[test]
fn networks_and_their_answers_show_the_first_few() {
    let mlp = mlp();
    let layer = "Layer { weights: Tiles { outputs: 100, inputs: 400, weights: [[";
    is_short_each(&mlp, &["Mlp { input_noise: ", layer, ".. 12 in all]", "SoftmaxCrossEntropy"]);
    is_short_each(&PlainNetwork::from(&mlp), &[".. 12 in all]"]);
    is_short_each(&ThinnedNetwork::of(&mlp, 1, 0, 0).unwrap(), &["log_probability"]);

    let (x, labels): (_, Vec<u32>) = (matrix(), (0..300).collect());
    let (batch, targets) = (Batch::dense(x.view()), Targets::Classes(&labels));
    let sgd = Sgd::new(Schedule::constant(0.1));
    let mut trainer = Trainer::builder(mlp.clone(), sgd, 300).build().unwrap();
    is_short(&trainer.gradients(&batch, targets).unwrap().1[0], &[".. 40000 in all]"]);
    is_short_each(&trainer, &["step: 0", layer]);

    let predictor = Predictor::new(&mlp).bf16_weights().unwrap();
    is_short_each(&predictor, &["rounded_weights: Some(\"bf16\")"]);
    let mut workspace = predictor.workspace(300).unwrap();
    let samples = MonteCarlo::new(20).unwrap().keep_samples();
    let seeds: Vec<u64> = (0..300).collect();
    is_short(&Seeds::Each(&seeds), &["Each([0, 1, ", ".. 300 in all]"]);
    is_short(&Seeds::Numbered { base: 5, ids: &seeds }, &["base: 5", ".. 300 in all]"]);
    let answers =
        predictor.monte_carlo(&batch, &samples, Seeds::Each(&seeds), &mut workspace).unwrap();
    is_short(&answers.row(0).unwrap(), &["samples: Some(20)", ".. 300 in all]", ".. 6000 in all]"]);
    is_short(&answers, &["Estimates([Estimate {", ".. 300 in all]"]);
    is_short(&workspace, &["rows: 300", "outputs: 300"]);
    let pool = WorkspacePool::new(300);
    drop(pool.get(&predictor).unwrap());
    is_short(&pool, &["Workspace { rows: 300"]);
    let data = Dataset::new(x, labels).unwrap();
    let predictor = Predictor::new(&mlp);
    is_short(&evaluate(&predictor, &data, &mut workspace).unwrap(), &[".. 2", "loss: "]);
}

#[test]
fn masks_show_the_first_words() {
    let streams = Streams::new(1, Domain::Training, 0, 0);
    let mask = Mask::draw(MaskSpec::new(Keep::HALF, streams), 100, 10_000).unwrap();
    is_short(&mask, &["rows: 100", ".. 15700 in all]"]);
}
