//! The reader of checkpoints never panics on any bytes; what resumes saves
//! again to the tensors, the step, the notes and the settings that the input
//! held, and to the same bytes ever after; the training goes on from both
//! alike. Bytes are given the digest that they have; where they had another, they
//! are refused.

use serde_json::Value;
use thinnet::{
    Error, Isa, Keep,
    checkpoint::Contents,
    data::Batch,
    nn::{Activation, Loss, Mlp, Targets},
    tensor::MatrixView,
    train::{LearningRate, MaxNorm, Provenance, Schedule, Sgd, Trainer},
};

use super::file_contents;

/// The training that every input is held against. Portable, so that the seeds
/// resume on every machine.
pub fn trainer_builder() -> thinnet::train::TrainerBuilder {
    let mlp = Mlp::builder(3)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(4, Activation::Relu, Keep::HALF)
        .output(2, Loss::SoftmaxCrossEntropy)
        .seed(1)
        .build()
        .unwrap();
    let sgd = Sgd::new(Schedule::Linear { from: 0.1, to: 0.0, steps: 10 })
        .momentum(Schedule::constant(0.9));
    let builder = Trainer::builder(mlp, sgd, 2).max_norm(MaxNorm::Paper(2.0));
    builder.seed(7).with_isa(Isa::Portable).unwrap()
}

/// The caller's settings of that training.
pub fn settings() -> Provenance {
    [("data".to_owned(), "abc".to_owned())].into()
}

/// One step of it.
pub fn step(trainer: &mut Trainer) -> Result<f32, Error> {
    let x = [0.5, -1.0, 0.0, 2.0, 0.25, 1.0];
    trainer.step(&Batch::dense(MatrixView::new(&x, 2, 3)?), Targets::Classes(&[0, 1]))
}

/// The training that the bytes hold, and its notes.
///
/// # Errors
/// As `TrainerBuilder::resume_from_bytes`.
pub fn resume(bytes: &[u8]) -> Result<(Trainer, String), Error> {
    trainer_builder().resume_from_bytes(bytes, &settings())
}

/// The position without the learning rate in force, which has more than one spelling: 1 and 1.0,
/// and the schedule's, which is not written.
fn without_rate(position: &Value) -> Value {
    let mut position = position.clone();
    position.as_object_mut().unwrap().remove("learning_rate");
    position
}

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    const KEY: &str = "thinnet.checkpoint";
    let given = resume(bytes);
    let fixed = &file_contents::with_digest(bytes);
    let resumed = resume(fixed);
    assert!(given.is_err() || (fixed == bytes && resumed.is_ok()));
    let Ok((mut trainer, notes)) = resumed else { return };
    let another = file_contents::with_another_digest(fixed);
    let contents = Contents::from_bytes_unverified(&another).unwrap();
    assert_eq!(contents.network, trainer.network().unwrap());
    let bytes = fixed;
    let saved = trainer.to_bytes(&settings(), &notes).unwrap();
    let (given, kept) = (file_contents::read(bytes, KEY), file_contents::read(&saved, KEY));
    assert_eq!(given.0, kept.0);
    // Serde takes a struct as a list, too: the reader need not refuse that.
    if given.1["position"].is_object() {
        let [given, kept] = [&given, &kept].map(|file| without_rate(&file.1["position"]));
        assert_eq!(given, kept);
    }
    let training = contents.training.unwrap();
    let rate: Option<LearningRate> = kept.1["position"]
        .get("learning_rate")
        .map(|rate| serde_json::from_value(rate.clone()).unwrap());
    assert_eq!(rate.unwrap_or_default(), training.learning_rate);
    assert_eq!(kept.1["position"]["step"], trainer.steps());
    assert_eq!(kept.1["position"]["notes"], *notes);

    let (mut again, notes_again) = resume(&saved).unwrap();
    assert_eq!(notes_again, notes);
    assert_eq!(again.network().unwrap().digest(), trainer.network().unwrap().digest());
    assert_eq!(again.to_bytes(&settings(), &notes).unwrap(), saved);

    let text = |result: Result<f32, Error>| result.map(f32::to_bits).map_err(|e| e.to_string());
    assert_eq!(text(step(&mut again)), text(step(&mut trainer)));
    assert_eq!(again.steps(), trainer.steps());
    assert_eq!(again.network().unwrap().digest(), trainer.network().unwrap().digest());
}
