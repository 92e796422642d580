//! The notes of a network, in files of every kind.

use thinnet::{
    checkpoint::{Contents, Model},
    data::Batch,
    exchange::{
        onnx::{self, Export},
        torch::{self, StateDict},
    },
    nn::{IntegerMlp, Loss, MAX_NOTES, Mlp, Scaling, Temperature},
    tensor::MatrixView,
    train::{Averaging, Provenance, Schedule, Sgd, Trainer},
};

use crate::formats::with_header;

/// Characters that JSON writes in other ways.
const TEXT: &str = "name = \"é\"\n\t# \\ \u{1} \u{2028}\n";

fn network() -> Mlp {
    Mlp::builder(2).output(2, Loss::SoftmaxCrossEntropy).build().unwrap()
}

#[test]
fn files_of_every_kind_keep_them() {
    let mut mlp = network();
    let without = mlp.to_bytes().unwrap();
    let digest = mlp.digest();
    for text in [TEXT.to_owned(), "\u{1}".repeat(MAX_NOTES)] {
        mlp.set_notes(&text).unwrap();
        assert_eq!(mlp.digest(), digest);
        let bytes = mlp.to_bytes().unwrap();
        assert_ne!(bytes, without);
        let read = Mlp::from_bytes(&bytes).unwrap();
        assert_eq!((read.notes(), read.to_bytes().unwrap()), (&*text, bytes.clone()));
        assert_eq!(Contents::from_bytes(&bytes).unwrap().network.notes(), text);

        let rows = MatrixView::new(&[0.5, -1.0], 1, 2).unwrap();
        let integer = IntegerMlp::new(&mlp, &Batch::dense(rows)).unwrap();
        let mut model = Model::from_bytes(&integer.to_bytes().unwrap()).unwrap();
        assert_eq!((model.network().notes(), &model), (&*text, &Model::Integer(integer)));
        model.set_notes("").unwrap();
        assert_eq!(model.network().notes(), "");

        let graph = onnx::to_bytes(&mlp, &Export::new()).unwrap();
        assert_eq!(onnx::Model::from_bytes(graph).network(None).unwrap(), mlp);
        for scaling in [Scaling::Inverted, Scaling::Paper] {
            let state_dict = torch::to_bytes(&mlp, scaling).unwrap();
            assert_eq!(StateDict::from_bytes(state_dict).unwrap().network(None).unwrap(), mlp);
        }
        mlp.set_temperature(Temperature::new(2.0).unwrap()).unwrap();
        assert_eq!(mlp.notes(), text);
        mlp.set_temperature(Temperature::ONE).unwrap();
    }
    mlp.set_notes("").unwrap();
    assert_eq!(mlp.to_bytes().unwrap(), without);
}

#[test]
fn files_with_too_many_or_none_are_refused() {
    let mut mlp = network();
    mlp.set_notes(TEXT).unwrap();
    let rows = MatrixView::new(&[0.5, -1.0], 1, 2).unwrap();
    let integer = IntegerMlp::new(&mlp, &Batch::dense(rows)).unwrap();
    let text = serde_json::to_string(TEXT).unwrap();
    let f32_bytes = mlp.to_bytes().unwrap();
    let state_dict = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
    for (found, words) in [
        (String::new(), "has 0 bytes: expected from 1 to 32768"),
        ("x".repeat(MAX_NOTES + 1), "has 32769 bytes: expected from 1 to 32768"),
    ] {
        let changed = |bytes: &[u8]| with_header(bytes, &text, &format!("\"{found}\""));
        let errors = [
            Mlp::from_bytes(&changed(&f32_bytes)).unwrap_err(),
            IntegerMlp::from_bytes(&changed(&integer.to_bytes().unwrap())).unwrap_err(),
            StateDict::from_bytes(changed(&state_dict)).unwrap().network(None).unwrap_err(),
        ];
        for error in errors {
            let error = error.to_string();
            assert!(error.contains("`thinnet.notes`") && error.contains(words), "{error}");
        }
    }
    // An entry of an ONNX file with the same key and an empty text, as often as wanted.
    let entry = b"\x72\x0f\x0a\x0dthinnet.notes";
    let graph = |mlp: &Mlp, entries| {
        let bytes = onnx::to_bytes(mlp, &Export::new()).unwrap();
        [bytes, entry.repeat(entries)].concat()
    };
    for (bytes, words) in [
        (graph(&mlp, 1), "metadata `thinnet.notes` twice"),
        (graph(&network(), 1), "`thinnet.notes` has 0 bytes: expected from 1 to 32768"),
    ] {
        let error = onnx::Model::from_bytes(bytes).network(None).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// They were about the network before.
#[test]
fn training_removes_them() {
    let mut mlp = network();
    mlp.set_notes(TEXT).unwrap();
    let builder = Trainer::builder(mlp.clone(), Sgd::new(Schedule::constant(0.1)), 4);
    let trainer = builder.average(Averaging::exponential(0.9)).build().unwrap();
    for network in [trainer.network().unwrap(), trainer.averaged_network().unwrap()] {
        assert_eq!(network, self::network());
    }
    let checkpoint = trainer.to_bytes(&Provenance::new(), TEXT).unwrap();
    let contents = Contents::from_bytes(&checkpoint).unwrap();
    assert_eq!((contents.network.notes(), &*contents.training.unwrap().notes), ("", TEXT));
}
