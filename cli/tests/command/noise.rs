//! `thinnet train --noise gaussian`, and what the other commands do with such a network.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use thinnet::{Keep, Noise, Sigma, nn::Mlp};

use crate::program::{fails, succeeds};

#[test]
fn gaussian_noise_is_trained_reported_and_inspected() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let train = ["train", "--hidden=16", "--epochs=1", "--threads=1", "-q", "--noise=gaussian"];
    let files = ["--out=m", "--report=r.json", "--checkpoint=c"];
    succeeds(folder, &[&train[..], &files].concat());

    let keeps = [Keep::new(0.8).unwrap(), Keep::HALF];
    let noises = keeps.map(|keep| Noise::from(Sigma::from(keep)));
    let mlp = Mlp::load(folder.join("m")).unwrap();
    assert_eq!(mlp.noises(), noises);

    let report: Value = serde_json::from_slice(&fs::read(folder.join("r.json")).unwrap()).unwrap();
    let [input, hidden] = noises.map(|noise| noise.to_string());
    assert_eq!(hidden, "gaussian(1)");
    assert_eq!(report["noise"], json!({"input": input, "hidden": hidden}));
    assert_eq!(report["settings"]["noise"], "gaussian");
    assert_eq!(report["keep"]["hidden"], json!({"k": 65536, "rate": 1.0}));

    for file in ["m", "c"] {
        let text = succeeds(folder, &["inspect", file]);
        assert!(text.contains(&input) && text.contains("gaussian(1)"), "{text}");
        let json: Value =
            serde_json::from_str(&succeeds(folder, &["inspect", file, "--json"])).unwrap();
        assert_eq!(json["layers"][1]["noise"], hidden);
    }

    // The same run again, and with dropout.
    succeeds(folder, &[&train[..], &["--out=again", "--resume=c"]].concat());
    assert_eq!(Mlp::load(folder.join("again")).unwrap(), mlp);
    let line = fails(folder, &[&train[..5], &["--out=other", "--resume=c"]].concat(), 1);
    assert!(line.contains("gaussian(1)") && line.contains("keep 0.5"), "{line}");

    for method in ["scale", "mc", "moments"] {
        let arguments = ["predict", "--model=m", "--limit=3", "--method", method];
        assert_eq!(succeeds(folder, &arguments).lines().count(), 3);
    }
    let line = fails(folder, &["convert", "m", "g.onnx", "--dropout"], 1);
    assert!(line.contains("an ONNX graph with dropout does not support"), "{line}");
    succeeds(folder, &["convert", "m", "g.onnx"]);
    let line = fails(folder, &["train", "--noise=uniform"], 2);
    assert!(line.contains("bernoulli, gaussian"), "{line}");
}
