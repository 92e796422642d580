//! Networks with maxout units: predictions against plain loops, thinned networks, files, and what
//! refuses them.

use thinnet::{
    Error, Keep, Noise,
    checkpoint::Contents,
    data::Batch,
    exchange::{onnx, torch},
    mask::Mask,
    nn::{
        Activation, Ensemble, IntegerMlp, Loss, Mlp, MlpBuilder, PlainNetwork, Scaling, Targets,
        ThinnedNetwork,
    },
    predict::Predictor,
    tensor::MatrixView,
    train::{Adam, Averaging, MaxNorm, Schedule, Trainer, TrainerBuilder},
};

use crate::{backend::isa, formats::with_digest, resume};

/// Sums of some hundred f32 products against f64.
const ROUNDING: f64 = 2e-5;

fn keep(rate: f64) -> Keep {
    Keep::new(rate).unwrap()
}

fn mlp() -> Mlp {
    let mlp = Mlp::builder(20)
        .input_noise(keep(0.8))
        .hidden_maxout(100, 3, Keep::HALF)
        .hidden_maxout(70, 2, keep(0.7))
        .output(3, Loss::SoftmaxCrossEntropy);
    mlp.seed(1).build().unwrap()
}

fn inputs(rows: usize) -> Vec<f32> {
    (0..rows * 20).map(|i| (i as f32 * 0.7).sin()).collect()
}

fn view(x: &[f32]) -> Batch<'_> {
    Batch::dense(MatrixView::new(x, x.len() / 20, 20).unwrap())
}

fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= ROUNDING * want.abs().max(1.0), "{got}, not {want}");
}

#[test]
fn a_piece_of_a_unit_is_an_output_of_its_layer() {
    let mlp = mlp();
    assert_eq!(mlp.widths(), [20, 100, 70, 3]);
    assert_eq!(mlp.pieces(), [3, 2]);
    assert_eq!(mlp.parameters(), 21 * 300 + 101 * 140 + 71 * 3);
    assert_eq!((mlp.weights(0).unwrap().len(), mlp.bias(1).unwrap().len()), (20 * 300, 140));
}

#[test]
fn predictions_are_those_of_plain_loops_and_do_not_depend_on_the_batch() {
    let (mlp, x) = (mlp(), inputs(30));
    let plain = PlainNetwork::from(&mlp);
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(30).unwrap();
    let all = predictor.logits(&view(&x), &mut workspace).unwrap();
    let all: Vec<Vec<f32>> = (0..30).map(|row| all.row(row).unwrap().to_vec()).collect();
    for (x, got) in x.chunks_exact(20).zip(&all) {
        let row: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        for (&got, want) in got.iter().zip(plain.logits(&row).unwrap()) {
            close(got.into(), want);
        }
        let alone = predictor.logits(&view(x), &mut workspace).unwrap();
        assert_eq!(alone.row(0).unwrap(), got);
    }
    // bfloat16 has 8 bits.
    let rounded = predictor.bf16_weights().unwrap();
    let got = rounded.logits(&view(&x), &mut workspace).unwrap();
    for (row, want) in all.iter().enumerate() {
        for (got, want) in got.row(row).unwrap().iter().zip(want) {
            assert!((got - want).abs() < 0.1, "{got} {want}");
        }
    }
}

#[test]
fn thinned_networks_keep_all_pieces_of_a_unit_or_none() {
    let mlp = Mlp::builder(3).hidden_maxout(4, 3, Keep::HALF).output(2, Loss::SquaredError);
    let mlp = mlp.seed(3).build().unwrap();
    let x = [0.5, -1.0, 2.0];
    let mut mask = Mask::ones(1, 4).unwrap();
    mask.set(0, 1, false).unwrap();
    let thinned = ThinnedNetwork::from_masks(&mlp, vec![Mask::ones(1, 3).unwrap(), mask]).unwrap();
    let network = thinned.network();
    assert_eq!((network.layers[0].weights.len(), network.layers[0].pieces), (9, 3));
    let plain = PlainNetwork::from(&mlp);
    let factor = |site: usize, unit: usize| match (site, unit) {
        (0, _) => 1.0,
        (_, 1) => 0.0,
        _ => 2.0,
    };
    let want = plain.logits_scaled(&x, factor).unwrap();
    for (got, want) in thinned.logits(&x).unwrap().into_iter().zip(want) {
        assert!((got - want).abs() < 1e-12, "{got} {want}");
    }
    let ensemble = Ensemble::enumerate(&mlp).unwrap();
    assert_eq!(ensemble.count(), 16);
    // The output is linear in the units that are dropped, so the mean is that of weight scaling.
    for (got, want) in ensemble.mean(&x).unwrap().into_iter().zip(plain.predict(&x).unwrap()) {
        assert!((got - want).abs() < 1e-12, "{got} {want}");
    }
}

#[test]
fn a_non_finite_sum_of_any_piece_is_refused_with_its_unit() {
    let mut mlp = mlp();
    let mut bias = mlp.bias(0).unwrap().to_vec();
    // Piece 1 of unit 42 loses to the other two.
    bias[142] = f32::NEG_INFINITY;
    mlp.set_bias(0, &bias).unwrap();
    let x = inputs(2);
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(2).unwrap();
    let error = predictor.predict(&view(&x), &mut workspace).unwrap_err();
    assert!(matches!(error, Error::NonFiniteSum { layer: 0, unit: 42, row: 0, .. }), "{error}");
    // NaN in an input reaches the answer if the caller allows it.
    let mut x = inputs(1);
    x[3] = f32::NAN;
    let predictor = Predictor::new(self::mlp()).with_isa(isa()).unwrap().allow_non_finite_inputs();
    let mut workspace = predictor.workspace(1).unwrap();
    let got = predictor.predict(&view(&x), &mut workspace).unwrap();
    assert!(got.row(0).unwrap().iter().all(|y| y.is_nan()));
}

fn changed(bytes: &[u8], text: &str, other: &str) -> Vec<u8> {
    with_digest(resume::altered(bytes, text, other))
}

#[test]
fn model_files_say_how_many_pieces_the_units_have() {
    let mlp = mlp();
    let bytes = mlp.to_bytes().unwrap();
    let read = Mlp::from_bytes(&bytes).unwrap();
    assert_eq!(read, mlp);
    assert_eq!(read.to_bytes().unwrap(), bytes);
    let kind = |pieces: &str| format!(r#"\"pieces\":{pieces},\"width\":100"#);
    for (pieces, words) in [
        ("1", "1 pieces of a maxout unit: expected from 2 to 256"),
        ("0", "0 pieces of a maxout unit: expected from 2 to 256"),
        ("257", "257 pieces of a maxout unit: expected from 2 to 256"),
        ("4", "[400, 20]"),
        ("-3", "-3"),
    ] {
        let broken = changed(&bytes, &kind("3"), &kind(pieces));
        let error = Mlp::from_bytes(&broken).unwrap_err().to_string();
        assert!(error.contains(words), "{pieces}: {error}");
    }
    // A width whose pieces do not fit any memory, and an output layer of maxout units.
    let wide = changed(&bytes, &kind("3"), r#"\"pieces\":3,\"width\":18446744073709551615"#);
    assert!(Mlp::from_bytes(&wide).is_err());
    let output = r#"\"kind\":\"dense\",\"noise\":{\"kind\":\"none\"},\"width\":3"#;
    let start = r#"{\"activation\":\"identity\","#;
    let maxout = r#"{\"kind\":\"maxout\",\"noise\":{\"kind\":\"none\"},\"pieces\":3,\"width\":1"#;
    let broken = changed(&bytes, &format!("{start}{output}"), maxout);
    let error = Mlp::from_bytes(&broken).unwrap_err().to_string();
    assert!(error.contains("maxout(3)"), "{error}");
}

fn trainer() -> TrainerBuilder {
    let adam = Adam::new(Schedule::constant(0.01));
    let builder = Trainer::builder(mlp(), adam, 8).max_norm(MaxNorm::Paper(1.0)).seed(5);
    let builder = builder.average(Averaging::exponential(0.9)).clip_norm(1.0).l1(1e-5);
    builder.with_isa(isa()).unwrap()
}

#[test]
fn a_resumed_run_ends_like_an_uninterrupted_one() {
    let mut unbroken = trainer().build().unwrap();
    let settings = resume::settings();
    let mut losses = Vec::new();
    for _ in 0..30 {
        let bytes = unbroken.to_bytes(&settings, "").unwrap();
        let (mut resumed, _) = trainer().resume_from_bytes(&bytes, &settings).unwrap();
        assert_eq!(resumed.to_bytes(&settings, "").unwrap(), bytes);
        let contents = Contents::from_bytes(&bytes).unwrap();
        assert_eq!(contents.network.digest(), unbroken.network().unwrap().digest());
        losses.push(resume::step(&mut unbroken));
        assert_eq!(resume::step(&mut resumed).to_bits(), losses.last().unwrap().to_bits());
        let [a, b] = [&unbroken, &resumed].map(|trainer| trainer.averaged_network().unwrap());
        assert_eq!(a.digest(), b.digest());
    }
    let bytes = unbroken.to_bytes(&settings, "").unwrap();
    // Other pieces are another network.
    let other = Mlp::builder(20).input_noise(keep(0.8)).hidden_maxout(100, 2, Keep::HALF);
    let other = other.hidden_maxout(70, 2, keep(0.7)).output(3, Loss::SoftmaxCrossEntropy);
    let other = Trainer::builder(other.build().unwrap(), Adam::new(Schedule::constant(0.01)), 8);
    let error = other.resume_from_bytes(&bytes, &settings).map(drop).unwrap_err().to_string();
    assert!(error.contains("maxout(3)") && error.contains("maxout(2)"), "{error}");
}

#[test]
fn they_learn_what_is_not_linear() {
    // |x| > 1/2 is a maxout unit of two pieces.
    let mlp = Mlp::builder(1).hidden_maxout(4, 2, Keep::ONE).output(2, Loss::SoftmaxCrossEntropy);
    let mlp = mlp.seed(2).build().unwrap();
    let x: Vec<f32> = (0..64).map(|i| (i as f32 - 31.5) / 32.0).collect();
    let classes: Vec<u32> = x.iter().map(|x| u32::from(x.abs() > 0.5)).collect();
    let batch = Batch::dense(MatrixView::new(&x, 64, 1).unwrap());
    let trainer = Trainer::builder(mlp, Adam::new(Schedule::constant(0.02)), 64);
    let mut trainer = trainer.with_isa(isa()).unwrap().build().unwrap();
    let first = trainer.step(&batch, Targets::Classes(&classes)).unwrap();
    for _ in 0..600 {
        trainer.step(&batch, Targets::Classes(&classes)).unwrap();
    }
    let last = trainer.step(&batch, Targets::Classes(&classes)).unwrap();
    // No linear classifier gets below ln 2 = 0.69 here, by symmetry.
    assert!(first > 0.3 && last < 0.2, "{first} {last}");
}

#[test]
fn state_dicts_come_back_the_same() {
    let mlp = mlp();
    let module = torch::Sequential::from(&mlp).to_string();
    assert!(
        module.contains(
            "nn.Linear(20, 300), nn.Unflatten(1, (3, 100)), nn.MaxPool2d((3, 1)), nn.Flatten(), \
             nn.Dropout(0.5)"
        ),
        "{module}"
    );
    let bytes = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
    let read = torch::StateDict::from_bytes(&bytes[..]).unwrap();
    let names: Vec<_> = read.tensors().into_iter().map(|tensor| tensor.name).collect();
    // Dropout, linear, three modules of maxout, and so on.
    assert!(names.contains(&"6.weight".to_owned()), "{names:?}");
    assert_eq!(read.network(None).unwrap(), mlp);
}

#[test]
fn what_does_not_support_them_says_so() {
    let (mlp, x) = (mlp(), inputs(2));
    let refused = |error: Error, what: &str| {
        let said = error.to_string();
        assert!(matches!(error, Error::Maxout { layer: 0, pieces: 3, .. }), "{said}");
        assert!(said.contains(what), "{said}");
    };
    refused(IntegerMlp::new(&mlp, &view(&x)).unwrap_err(), "8-bit weights");
    refused(onnx::to_bytes(&mlp, &onnx::Export::new()).unwrap_err(), "ONNX graph");
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(2).unwrap();
    refused(predictor.moments(&view(&x), &mut workspace).map(drop).unwrap_err(), "moment");
    refused(predictor.logit_moments(&view(&x), &mut workspace).map(drop).unwrap_err(), "moment");
    // Below the first dropout site nothing varies, so there it works.
    let below = Mlp::builder(20).hidden_maxout(30, 3, Keep::ONE);
    let below = below.hidden(20, Activation::Relu, Keep::HALF).output(3, Loss::SquaredError);
    let below = Predictor::new(below.seed(1).build().unwrap()).with_isa(isa()).unwrap();
    let mut of_below = below.workspace(2).unwrap();
    let scaled = below.predict(&view(&x), &mut of_below).unwrap().row(0).unwrap().to_vec();
    let means = below.moments(&view(&x), &mut of_below).unwrap();
    for (&got, want) in means.row(0).unwrap().mean().iter().zip(scaled) {
        close(got, want.into());
    }
    // The workspace of a network with other pieces, and of none.
    for builder in [
        Mlp::builder(20).hidden_maxout(100, 2, Keep::HALF).hidden_maxout(70, 2, Keep::HALF),
        Mlp::builder(20).hidden(100, Activation::Relu, Keep::HALF).hidden(
            70,
            Activation::Relu,
            Keep::HALF,
        ),
    ] {
        let other = builder.output(3, Loss::SoftmaxCrossEntropy).build().unwrap();
        let mut other = Predictor::new(other).workspace(2).unwrap();
        let error = predictor.predict(&view(&x), &mut other).unwrap_err();
        assert!(matches!(error, Error::OtherWorkspace { got: 3, .. }), "{error}");
    }
}

#[test]
fn layers_that_cannot_be_are_refused() {
    let build = |units, pieces| {
        let builder = Mlp::builder(2).hidden_maxout(units, pieces, Noise::None);
        builder.output(1, Loss::SquaredError).build().unwrap_err()
    };
    for pieces in [0, 1, 257] {
        let error = build(3, pieces);
        assert!(matches!(error, Error::Pieces { pieces: got } if got == pieces), "{error}");
    }
    assert!(matches!(build(0, 2), Error::Zero { .. }));
    assert!(matches!(build(usize::MAX / 2, 3), Error::TooLarge { .. }));
    assert!(matches!(build(usize::MAX / 2, 2), Error::TooLarge { .. }));
    let builder = Mlp::builder(2).output(1, Loss::SquaredError).hidden_maxout(3, 2, Keep::ONE);
    let error = builder.build().unwrap_err().to_string();
    assert!(error.contains("`hidden_maxout` of 3 units"), "{error}");
}

#[test]
fn settings_files_have_pieces() {
    let builder = Mlp::builder(2).hidden_maxout(3, 2, Keep::HALF).output(1, Loss::SquaredError);
    let text = serde_json::to_string(&builder).unwrap();
    assert!(text.contains(r#""pieces":2"#), "{text}");
    assert_eq!(serde_json::from_str::<MlpBuilder>(&text).unwrap(), builder);
    for (from, to, words) in [
        (r#""pieces":2"#, r#""pieces":1"#, "expected from 2 to 256"),
        (r#""identity""#, r#""relu""#, "maxout units with the activation relu"),
    ] {
        let error = serde_json::from_str::<MlpBuilder>(&text.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let usual = Mlp::builder(2).hidden(3, Activation::Relu, Keep::HALF);
    let text = serde_json::to_string(&usual.output(1, Loss::SquaredError)).unwrap();
    assert!(!text.contains("pieces"), "{text}");
}
