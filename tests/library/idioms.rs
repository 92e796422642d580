//! Networks exported in the usual ways: `tests/fixtures/idioms.py` and its companions wrote the
//! graphs, and the outputs of PyTorch, scikit-learn and Keras.

mod refused;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use refused::{REFUSED, REFUSED_ELSEWHERE};
use serde::Deserialize;
use thinnet::{
    Keep, data::Batch, exchange::onnx::Model, nn::Mlp, predict::Predictor, tensor::MatrixView,
};

/// The maximum difference of two engines that add up f32 in different orders, relative to the
/// row's largest output.
const ORDER: f64 = 1e-5;

/// The same if PyTorch itself computes in f16, with 11 bits: each of the two layers rounds its
/// inputs, its sum and its activation by 2^-11 of their values.
const F16: f64 = 4e-3;

/// The same in bfloat16, with 8 bits: 2^3 times as much.
const BF16: f64 = 8.0 * F16;

/// An `expected_*.json`.
#[derive(Deserialize)]
struct Expected {
    networks: BTreeMap<String, Network>,
}

/// A network, with the outputs of its module for five rows.
#[derive(Deserialize)]
struct Network {
    inputs: Vec<Vec<f64>>,
    logits: Option<Vec<Vec<f64>>>,
    probabilities: Option<Vec<Vec<f64>>>,
    /// In the module's own 16-bit arithmetic.
    low_precision: Option<Vec<Vec<f64>>>,
    dtype: Option<String>,
    files: BTreeMap<String, File>,
}

/// One of the network's files.
#[derive(Deserialize)]
struct File {
    /// The drop rates from the inputs on, if the export kept them; 0 without dropout.
    drops: Option<Vec<f64>>,
    /// The outputs of the module after this export, if the export changed its statistics.
    logits: Option<Vec<Vec<f64>>>,
    probabilities: Option<Vec<Vec<f64>>>,
}

/// All networks in a folder.
fn networks(folder: &Path) -> BTreeMap<String, Network> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let expected: Expected = serde_json::from_slice(&fs::read(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for (name, network) in expected.networks {
                match all.get_mut(&name) {
                    // The outputs are those of both Keras backends.
                    Some(Network { files, .. }) => files.extend(network.files),
                    None => drop(all.insert(name, network)),
                }
            }
        }
    }
    all
}

/// The words of which a file may be refused with one, and the entries that they are from.
fn refusals(network: &str, file: &str) -> Vec<(&'static str, &'static str)> {
    let is_it = |which: &str| {
        let mut parts = which.split('/');
        let name = parts.next().unwrap();
        let is_network = match name.strip_suffix('*') {
            Some(beginning) => network.starts_with(beginning),
            None => network == name,
        };
        is_network && parts.all(|part| file.contains(part))
    };
    let all = REFUSED.iter().chain(REFUSED_ELSEWHERE);
    all.flat_map(|refusal| refusal.which.iter().map(|which| (refusal.words, *which)))
        .filter(|(_, which)| is_it(which))
        .collect()
}

/// The largest difference, relative to the row's largest number.
fn distance(ours: &MatrixView<'_>, theirs: &[Vec<f64>]) -> Result<f64, String> {
    let shape = (theirs.len(), theirs[0].len());
    if (ours.rows(), ours.columns()) != shape {
        return Err(format!("{}x{} outputs, not {shape:?}", ours.rows(), ours.columns()));
    }
    let mut most = 0.0_f64;
    for (row, theirs) in theirs.iter().enumerate() {
        let scale = theirs.iter().fold(f64::MIN_POSITIVE, |most, x| most.max(x.abs()));
        for (&a, b) in ours.row(row).unwrap().iter().zip(theirs) {
            let difference = (f64::from(a) - b).abs() / scale;
            if difference.is_nan() {
                return Err(format!("row {row}: {a} is not {b}"));
            }
            most = most.max(difference);
        }
    }
    Ok(most)
}

/// Compares a network with the outputs of its module.
fn compare(mlp: &Mlp, network: &Network, file: &File) -> Result<(), String> {
    // A network may have more layers than its module, without dropout.
    let dropping = |keeps: Vec<Keep>| keeps.into_iter().filter(|keep| keep.drops()).collect();
    let drops = file.drops.iter().flatten().map(|&drop| Keep::from_drop(drop).unwrap());
    let (ours, kept): (Vec<_>, Vec<_>) =
        (dropping(mlp.keeps().to_vec()), dropping(drops.collect()));
    if ours != kept {
        return Err(format!("keep rates {ours:?}, not {kept:?}"));
    }
    let x: Vec<f32> = network.inputs.iter().flatten().map(|&x| x as f32).collect();
    let x = MatrixView::new(&x, network.inputs.len(), network.inputs[0].len()).unwrap();
    let batch = Batch::dense(x);
    let predictor = Predictor::new(mlp.clone());
    let mut workspace = predictor.workspace(x.rows()).map_err(|error| error.to_string())?;
    let low = if network.dtype.as_deref() == Some("bfloat16") { BF16 } else { F16 };
    let logits = file.logits.as_ref().or(network.logits.as_ref());
    let probabilities = file.probabilities.as_ref().or(network.probabilities.as_ref());
    let mut compared = 0;
    for (theirs, is_logits, tolerance) in [
        (logits, true, ORDER),
        (probabilities, false, ORDER),
        // The module's own numbers come after its output function.
        (network.low_precision.as_ref(), true, low),
    ] {
        let Some(theirs) = theirs else { continue };
        let ours = if is_logits {
            predictor.logits(&batch, &mut workspace)
        } else {
            predictor.predict(&batch, &mut workspace)
        };
        let ours = ours.map_err(|error| error.to_string())?;
        let difference = distance(&ours, theirs)?;
        if difference > tolerance {
            let what = if is_logits { "logits" } else { "probabilities" };
            return Err(format!("{what} differ by {difference:.2e}"));
        }
        compared += 1;
    }
    if compared == 0 { Err("nothing to compare".to_owned()) } else { Ok(()) }
}

/// Reads every file in a folder: it predicts as its module does, or it is refused as [`REFUSED`]
/// says. Returns a line for each fault, and the numbers of files that were read and refused.
fn check(folder: &Path) -> (Vec<String>, usize, usize) {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    let (mut agree, mut refused) = (0, 0);
    for (name, network) in networks(folder) {
        for (file, how) in &network.files {
            let read = Model::read(folder.join(format!("{file}.onnx")))
                .and_then(|model| model.network(None));
            let expected = refusals(&name, file);
            match read {
                Ok(mlp) if expected.is_empty() => match compare(&mlp, &network, how) {
                    Ok(()) => agree += 1,
                    Err(reason) => wrong.push(format!("{file}: {reason}")),
                },
                Ok(_) => wrong.push(format!("{file}: read: expected {expected:?}")),
                Err(error) => {
                    let message = error.to_string();
                    let says =
                        |words: &str| words.split(" ... ").all(|part| message.contains(part));
                    refused += 1;
                    match expected.iter().find(|(words, _)| says(words)) {
                        Some((_, which)) => drop(used.insert(*which)),
                        None => wrong.push(format!("{message}: expected {expected:?}")),
                    }
                }
            }
        }
    }
    let all = REFUSED.iter().flat_map(|refusal| refusal.which);
    wrong.extend(
        all.filter(|which| !used.contains(*which)).map(|which| format!("no file: {which}")),
    );
    (wrong, agree, refused)
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/idioms")
}

#[test]
fn networks_predict_as_their_modules_do_however_they_are_exported() {
    let (wrong, agree, _) = check(&committed());
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
    assert!(agree > 300, "{agree} files");
}

/// All networks in all exports, from the folder that `idioms.py --all` wrote.
#[test]
#[ignore = "needs THINNET_IDIOMS, a folder that tests/fixtures/idioms.py --all wrote"]
fn every_way_of_exporting_predicts_as_the_modules_do() {
    let folder = std::env::var_os("THINNET_IDIOMS").expect("THINNET_IDIOMS: a folder");
    let (wrong, agree, refused) = check(Path::new(&folder));
    println!("{agree} files predict as their modules do, {refused} are refused");
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
}
