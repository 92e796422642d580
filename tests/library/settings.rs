//! Settings as a file holds them: what comes back is what was written, and what a
//! constructor refuses is refused with its words.

use std::fmt::Debug;

use serde::{
    Deserialize, Serialize,
    de::{self, DeserializeOwned},
};
use thinnet::{
    Isa, Keep,
    data::{CsrMatrix, FeatureHasher, RowNorm, Split, TfIdf},
    nn::{Activation, Initialisation, Loss, Mlp, MlpBuilder},
    predict::MonteCarlo,
    train::{
        Adagrad, Adam, AdamW, Averaging, MaxNorm, Optimiser, Schedule, Sgd, SparseAdam, Trainer,
        TrainerBuilder,
    },
};

#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(x: T, json: &str) {
    assert_eq!(serde_json::to_string(&x).unwrap(), json);
    assert_eq!(serde_json::from_str::<T>(json).unwrap(), x);
    // And with one field more it is refused, where it has fields.
    if let Some(fields) = json.strip_prefix('{') {
        let more = format!("{{\"unknown\":0,{fields}");
        let message = serde_json::from_str::<T>(&more).unwrap_err().to_string();
        assert!(message.contains("unknown"), "{more}: {message}");
    }
}

#[track_caller]
fn refused<T: DeserializeOwned + Debug>(json: &str, part: &str) {
    let message = serde_json::from_str::<T>(json).unwrap_err().to_string();
    assert!(message.contains(part), "{message}");
}

#[test]
fn hashed_features_come_back() {
    let hasher = FeatureHasher::new(1024).unwrap();
    comes_back(hasher, r#"{"columns":1024,"signed":true}"#);
    comes_back(hasher.unsigned(), r#"{"columns":1024,"signed":false}"#);
    assert_eq!(serde_json::from_str::<FeatureHasher>(r#"{"columns":1024}"#).unwrap(), hasher);
    refused::<FeatureHasher>(
        r#"{"columns":0}"#,
        "columns of hashed features: expected at least one",
    );
    refused::<FeatureHasher>(
        r#"{"columns":2147483648}"#,
        "expected at most 2147483647, got 2147483648",
    );
}

#[test]
fn tf_idf_comes_back() {
    comes_back(TfIdf::new(), r#"{"smooth":true,"sublinear":false,"norm":"l2"}"#);
    let settings = TfIdf::new().smooth(false).sublinear().norm(RowNorm::None);
    comes_back(settings, r#"{"smooth":false,"sublinear":true,"norm":"none"}"#);
    comes_back(RowNorm::L1, "\"l1\"");
    assert_eq!(serde_json::from_str::<TfIdf>("{}").unwrap(), TfIdf::new());
    let rows = CsrMatrix::new(vec![0, 1, 3], vec![1, 0, 1], vec![5.0, 1.0, 2.0], 3).unwrap();
    let settings = settings.norm(RowNorm::L1);
    comes_back(
        settings.fit(rows.view()).unwrap(),
        r#"{"settings":{"smooth":false,"sublinear":true,"norm":"l1"},"rows":2,"frequencies":[1,2,0]}"#,
    );
    refused::<TfIdf>(
        r#"{"norm":"max"}"#,
        "unknown variant `max`, expected one of `none`, `l1`, `l2`",
    );
}

#[test]
fn names_and_numbers_come_back() {
    for &one in Activation::ALL {
        comes_back(one, &format!("\"{one}\""));
    }
    for &one in Loss::ALL {
        comes_back(one, &format!("\"{one}\""));
    }
    for &one in Initialisation::ALL {
        comes_back(one, &format!("\"{one}\""));
    }
    for &one in Isa::ALL {
        comes_back(one, &format!("\"{one}\""));
    }
    comes_back(Split::Train, "\"train\"");
    comes_back(Split::Test, "\"test\"");
    comes_back(Keep::new(0.8).unwrap(), "0.8");
    comes_back(Keep::ONE, "1.0");
    assert_eq!(serde_json::from_str::<Keep>("1").unwrap(), Keep::ONE);
    assert_eq!(serde_json::from_str::<Isa>("\"auto\"").unwrap(), Isa::detect());
    refused::<Activation>("\"step\"", "activation `step`: expected one of relu");
    refused::<Activation>("\"leaky_relu(0)\"", "leaky_relu slope 0: expected");
    comes_back(
        "quantile(0.05,0.333,0.95)".parse::<Loss>().unwrap(),
        "\"quantile(0.05,0.333,0.95)\"",
    );
    refused::<Loss>("\"quantile(0.5,0.1)\"", "quantile levels 0.5, 0.1: expected each larger");
    refused::<Loss>("\"hinge\"", "loss `hinge`: expected one of softmax_cross_entropy");
    refused::<Initialisation>("\"zero\"", "unknown variant `zero`, expected one of `he`");
    refused::<Split>("\"all\"", "unknown variant `all`");
    refused::<Isa>("\"sse9\"", &"sse9".parse::<Isa>().unwrap_err().to_string());
    for rate in [0.0, -0.5, 1.5, 1e-9] {
        refused::<Keep>(&rate.to_string(), &Keep::new(rate).unwrap_err().to_string());
    }
    // A k is not taken for a rate, nor a text.
    refused::<Keep>("52429", "keep rate 52429: expected a number above 0 and at most 1");
    refused::<Keep>("\"0.8\"", "expected f64");
}

#[test]
fn every_keep_rate_comes_back() {
    for k in 1..=Keep::ONE_K {
        let keep = Keep::from_k(k).unwrap();
        let json = serde_json::to_string(&keep).unwrap();
        assert!(json.len() <= "0.12345".len(), "{json}");
        assert_eq!(serde_json::from_str::<Keep>(&json).unwrap(), keep);
    }
}

#[test]
fn schedules_come_back() {
    comes_back(Schedule::constant(0.1), r#"{"kind":"constant","value":0.1}"#);
    let (from, to, steps) = (0.1, 0.0, u64::MAX);
    comes_back(
        Schedule::Linear { from, to, steps },
        r#"{"kind":"linear","from":0.1,"to":0.0,"steps":18446744073709551615}"#,
    );
    comes_back(
        Schedule::Cosine { from, to, steps: 1 },
        r#"{"kind":"cosine","from":0.1,"to":0.0,"steps":1}"#,
    );
    comes_back(
        Schedule::paper_learning_rate(1.0),
        r#"{"kind":"inverse_time","from":1.0,"time":10000.0}"#,
    );
    comes_back(
        Schedule::paper_momentum(),
        r#"{"kind":"saturating","from":0.5,"to":0.99,"time":100000.0}"#,
    );
    // An odd number comes back bit for bit.
    let odd = Schedule::constant(0.1 + 0.2);
    let json = serde_json::to_string(&odd).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), odd);
    refused::<Schedule>(r#"{"kind":"stairs"}"#, "unknown variant `stairs`");
    refused::<Schedule>(r#"{"kind":"constant"}"#, "missing field `value`");
    for time in ["0.0", "-1.0"] {
        let inverse = format!(r#"{{"kind":"inverse_time","from":1.0,"time":{time}}}"#);
        refused::<Schedule>(&inverse, "expected a finite time above 0");
    }
    for kind in ["linear", "cosine"] {
        let zero = format!(r#"{{"kind":"{kind}","from":0.1,"to":0.0,"steps":0}}"#);
        refused::<Schedule>(&zero, "schedule: expected at least one step, got 0.1 to 0.0 in");
    }
}

/// A value of a format that has NaN and infinity, as TOML has.
enum Value {
    Text(&'static str),
    Number(f64),
}

impl<'de> de::Deserializer<'de> for Value {
    type Error = de::value::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self {
            Self::Text(text) => visitor.visit_str(text),
            Self::Number(x) => visitor.visit_f64(x),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl de::IntoDeserializer<'_> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[test]
fn rates_of_schedules_are_finite() {
    let read = |x| {
        let fields = [("kind", Value::Text("constant")), ("value", Value::Number(x))];
        <Schedule as Deserialize>::deserialize(de::value::MapDeserializer::new(fields.into_iter()))
    };
    assert_eq!(read(0.5).unwrap(), Schedule::constant(0.5));
    for x in [f64::NAN, f64::INFINITY] {
        let message = read(x).unwrap_err().to_string();
        assert!(
            message.contains(&format!("schedule: expected finite rates, got {x:?}")),
            "{message}"
        );
    }
}

#[test]
fn max_norms_come_back() {
    comes_back(MaxNorm::Engine(1.5), r#"{"form":"engine","c":1.5}"#);
    comes_back(MaxNorm::Paper(2.0), r#"{"form":"paper","c":2.0}"#);
    for c in [0.0, -1.0, 1e-60, 1e39] {
        let builder = builder(Sgd::new(Schedule::constant(0.1)));
        let said = builder.max_norm(MaxNorm::Paper(c)).build().unwrap_err().to_string();
        for form in ["engine", "paper"] {
            refused::<MaxNorm>(&format!(r#"{{"form":"{form}","c":{c:?}}}"#), &said);
        }
    }
}

#[test]
fn averages_come_back() {
    comes_back(
        Averaging::exponential(0.5),
        r#"{"kind":"exponential","decay":0.5,"warm_up":false,"every":1}"#,
    );
    comes_back(Averaging::tail(7), r#"{"kind":"tail","from":7,"every":1}"#);
    let short = r#"{"kind":"tail"}"#;
    assert_eq!(serde_json::from_str::<Averaging>(short).unwrap(), Averaging::tail(0));
    for (bad, json) in [
        (Averaging::exponential(1.0), r#"{"kind":"exponential","decay":1.0}"#),
        (Averaging::exponential(-0.1), r#"{"kind":"exponential","decay":-0.1}"#),
        (Averaging::Tail { from: 0, every: 0 }, r#"{"kind":"tail","every":0}"#),
    ] {
        let builder = builder(Sgd::new(Schedule::constant(0.1))).average(bad);
        refused::<Averaging>(json, &builder.build().unwrap_err().to_string());
    }
    refused::<Averaging>(r#"{"kind":"exponential"}"#, "missing field `decay`");
}

fn builder(optimiser: impl Into<Optimiser>) -> TrainerBuilder {
    let mlp = Mlp::builder(1).output(1, Loss::SquaredError).build().unwrap();
    Trainer::builder(mlp, optimiser, 1)
}

/// What is bad is refused as a trainer refuses it, alone and as any optimiser.
fn bad<T: Serialize + DeserializeOwned + Debug + Clone + Into<Optimiser>>(settings: T) {
    let said = builder(settings.clone()).build().unwrap_err().to_string();
    refused::<T>(&serde_json::to_string(&settings).unwrap(), &said);
    refused::<Optimiser>(&serde_json::to_string(&settings.into()).unwrap(), &said);
}

#[test]
fn optimisers_come_back() {
    let rate = Schedule::constant(0.1);
    let plain = || Sgd::new(rate.clone());
    comes_back(
        plain(),
        r#"{"learning_rate":{"kind":"constant","value":0.1},"momentum":{"kind":"constant","value":0.0},"nesterov":false,"weight_decay":0.0}"#,
    );
    let short = r#"{"learning_rate":{"kind":"constant","value":0.1}}"#;
    assert_eq!(serde_json::from_str::<Sgd>(short).unwrap(), plain());
    let full = plain().momentum(Schedule::paper_momentum()).nesterov().weight_decay(1e-4);
    let json = serde_json::to_string(&full).unwrap();
    comes_back(full, &json);
    refused::<Sgd>("{}", "missing field `learning_rate`");

    bad(Sgd::new(Schedule::constant(-0.1)));
    bad(Sgd::new(Schedule::constant(1e39)));
    bad(plain().momentum(Schedule::constant(1.0)));
    bad(plain().momentum(Schedule::Linear { from: 0.5, to: -0.1, steps: 3 }));
    bad(plain().weight_decay(-1.0));
    bad(plain().weight_decay(1e39));

    comes_back(
        Adam::new(rate.clone()).betas(0.8, 0.9).epsilon(1e-5).weight_decay(0.25),
        r#"{"learning_rate":{"kind":"constant","value":0.1},"beta1":0.8,"beta2":0.9,"epsilon":0.00001,"weight_decay":0.25}"#,
    );
    comes_back(
        Adagrad::new(rate).initial_accumulator(0.5),
        r#"{"learning_rate":{"kind":"constant","value":0.1},"epsilon":1e-10,"initial_accumulator":0.5,"weight_decay":0.0}"#,
    );
    bad(Adam::default().betas(0.9, 1.0));
    bad(AdamW::default().epsilon(0.0));
    bad(Adagrad::default().initial_accumulator(-1.0));
    bad(SparseAdam::default().betas(1.0, 0.9));
    // It is divided by sqrt(1 - beta2) in the first step.
    bad(SparseAdam::default().epsilon(1e38));
    // What is left out is as in PyTorch.
    assert_eq!(serde_json::from_str::<Adam>("{}").unwrap(), Adam::default());
    assert_eq!(serde_json::from_str::<AdamW>("{}").unwrap(), AdamW::default());
    assert_eq!(serde_json::from_str::<Adagrad>("{}").unwrap(), Adagrad::default());
    assert_eq!(serde_json::from_str::<SparseAdam>("{}").unwrap(), SparseAdam::default());
    for optimiser in Optimiser::ALL {
        let json = serde_json::to_string(optimiser).unwrap();
        assert!(json.starts_with(&format!(r#"{{"kind":"{optimiser}","learning_rate":"#)), "{json}");
        comes_back(optimiser.clone(), &json);
        assert_eq!(optimiser.to_string().parse::<Optimiser>().unwrap(), *optimiser);
    }
    refused::<Optimiser>(r#"{"kind":"lion"}"#, "unknown variant `lion`, expected one of `sgd`");
    let lion = "lion".parse::<Optimiser>().unwrap_err().to_string();
    let names: Vec<_> = Optimiser::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(lion, format!("optimiser `lion`: expected one of {}", names.join(", ")));
}

#[test]
fn ways_to_sample_come_back() {
    let fifty = MonteCarlo::new(50).unwrap();
    comes_back(fifty, r#"{"samples":50,"tolerance":null,"keep_samples":false}"#);
    comes_back(
        fifty.tolerance(0.25).unwrap().keep_samples(),
        r#"{"samples":50,"tolerance":0.25,"keep_samples":true}"#,
    );
    assert_eq!(serde_json::from_str::<MonteCarlo>(r#"{"samples":50}"#).unwrap(), fifty);
    let error = MonteCarlo::new(0).unwrap_err().to_string();
    refused::<MonteCarlo>(r#"{"samples":0}"#, &error);
    let error = fifty.tolerance(-0.5).unwrap_err().to_string();
    refused::<MonteCarlo>(r#"{"samples":50,"tolerance":-0.5}"#, &error);
}

#[test]
fn networks_are_described() {
    let plain = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy);
    comes_back(
        plain.clone(),
        r#"{"inputs":3,"input_noise":"none","sparse_input":false,"hidden":[],"output":{"width":2,"loss":"softmax_cross_entropy"},"initialisation":"he","seed":0}"#,
    );
    let short = r#"{"inputs":3,"output":{"width":2,"loss":"softmax_cross_entropy"}}"#;
    assert_eq!(serde_json::from_str::<MlpBuilder>(short).unwrap(), plain);
    let full = Mlp::builder(3)
        .input_noise(Keep::new(0.8).unwrap())
        .sparse_input()
        .hidden(5, Activation::Tanh, Keep::HALF)
        .hidden(4, Activation::Relu, Keep::ONE)
        .output(2, Loss::SquaredError)
        .initialisation(Initialisation::Paper)
        .seed(u64::MAX);
    let json = serde_json::to_string(&full).unwrap();
    comes_back(full.clone(), &json);
    let again: MlpBuilder = serde_json::from_str(&json).unwrap();
    assert_eq!(again.build().unwrap().digest(), full.build().unwrap().digest());
    for bad in [
        Mlp::builder(3),
        Mlp::builder(0).output(2, Loss::SquaredError),
        Mlp::builder(3).output(0, Loss::SquaredError),
        Mlp::builder(3).hidden(0, Activation::Relu, Keep::HALF).output(2, Loss::SquaredError),
        Mlp::builder(3).output(1, Loss::SoftmaxCrossEntropy),
    ] {
        let json = serde_json::to_string(&bad).unwrap();
        refused::<MlpBuilder>(&json, &bad.build().unwrap_err().to_string());
    }
    assert!(json.contains(r#""input_noise":"bernoulli(0.8)","#), "{json}");
    let of_hidden = r#""noise":"bernoulli(0.5)""#;
    refused::<MlpBuilder>(
        &json.replace(of_hidden, r#""noise":"bernoulli(0)""#),
        "keep rate 0: expected",
    );
    refused::<MlpBuilder>(&json.replace(of_hidden, r#""p":0.5"#), "unknown field `p`");
}
