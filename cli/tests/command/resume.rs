//! Checkpoints of the command: `--checkpoint`, `--checkpoint-every`, `--resume`.

use std::{fs, path::Path, process::Output};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{checkpoint::Contents, files::WriteLock};

use crate::program::thinnet;

/// 3 epochs of 63 steps.
const TRAINING: [&str; 5] =
    ["train", "--hidden=16", "--epochs=3", "--report=report.json", "--threads=1"];

/// Trains in a folder, with more arguments.
fn train(folder: &Path, more: &[&str]) -> Output {
    thinnet(folder).args(TRAINING).args(more).output().unwrap()
}

/// Returns the report and the stderr of a run that must succeed.
fn succeeds(folder: &Path, more: &[&str]) -> (Value, String) {
    let output = train(folder, more);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{more:?}: {stderr}");
    let report = fs::read(folder.join("report.json")).unwrap();
    (serde_json::from_slice(&report).unwrap(), stderr)
}

/// Returns the error line of a run that must fail and write no report.
fn fails(folder: &Path, more: &[&str], code: i32) -> String {
    let _ = fs::remove_file(folder.join("report.json"));
    let output = train(folder, &[more, &["--quiet"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{more:?}: {stderr}");
    assert!(output.stdout.is_empty() && stderr.lines().count() == 1, "{more:?}: {stderr}");
    assert!(!folder.join("report.json").exists());
    stderr
}

/// Returns the step of a checkpoint.
fn step(path: &Path) -> u64 {
    Contents::read(path).unwrap().training.unwrap().step
}

/// Kills the run, after it has saved a checkpoint `c`, and returns its step.
fn killed(folder: &Path) -> u64 {
    let mut child = thinnet(folder)
        .args(TRAINING)
        .args(["--checkpoint=c", "--checkpoint-every=1", "--quiet"])
        .spawn()
        .unwrap();
    while !folder.join("c").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    step(&folder.join("c"))
}

/// Returns the parts of a report that do not depend on time.
fn outcome(report: &Value) -> Vec<&Value> {
    ["digest", "curves", "densities", "steps", "test_loss", "settings", "data"]
        .map(|name| &report[name])
        .to_vec()
}

#[test]
fn a_resumed_run_reports_the_same_as_an_uninterrupted_one() {
    let [plain, folder] = [(); 2].map(|()| TempDir::new().unwrap());
    let (unbroken, _) = succeeds(plain.path(), &[]);
    assert!(unbroken["resumed_at_step"].is_null());
    let folder = folder.path();
    let at = killed(folder);
    assert!((1..189).contains(&at), "{at}");
    // Other outputs may be given. The state is saved to the same file.
    let (resumed, stderr) = succeeds(folder, &["--resume=c", "--plot=p.svg"]);
    assert_eq!(outcome(&resumed), outcome(&unbroken));
    assert_eq!(resumed["resumed_at_step"], at);
    assert!(stderr.contains(&format!("resuming after step {at} of 189")), "{stderr}");
    assert_eq!(step(&folder.join("c")), 189);

    // When it is finished, nothing is trained, but all outputs are written again.
    fs::remove_file(folder.join("report.json")).unwrap();
    let (again, stderr) = succeeds(folder, &["--resume=c", "--out=m"]);
    assert!(stderr.contains("the run in c is finished") && !stderr.contains("epoch"), "{stderr}");
    assert_eq!(outcome(&again), outcome(&unbroken));
    assert_eq!(again["resumed_at_step"], 189);
    assert!(again["step_ms"]["median"].is_null());
    let model = thinnet::nn::Mlp::load(folder.join("m")).unwrap();
    assert_eq!(model.digest(), unbroken["digest"].as_str().unwrap());
}

#[test]
fn a_resumed_run_may_save_to_another_file() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let at = killed(folder);
    let before = fs::read(folder.join("c")).unwrap();
    succeeds(folder, &["--resume=c", "--checkpoint=d", "--quiet"]);
    assert_eq!(fs::read(folder.join("c")).unwrap(), before);
    assert_eq!((step(&folder.join("c")), step(&folder.join("d"))), (at, 189));
    // The same file under two names, and a file that already exists.
    succeeds(folder, &["--resume=c", "--checkpoint=./c"]);
    let line = fails(folder, &["--resume=c", "--checkpoint=d"], 1);
    assert!(line.contains("--checkpoint d already exists"), "{line}");
}

#[test]
fn changed_data_and_settings_are_named() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    killed(folder);
    let before = fs::read(folder.join("c")).unwrap();
    for (more, words) in [
        (
            "--epochs=4",
            "`--epochs` was 3 when the checkpoint was saved and is 4 now: resume with the same data",
        ),
        ("--batch=100", "`--batch` was 128"),
        ("--seed=2", "`--seed` was 1"),
        ("--held-out=500", "`--held-out` was none when the checkpoint was saved and is 500 now"),
        ("--evaluate-every=2", "`--evaluate-every` was 1"),
        ("--initialisation=glorot", "`--initialisation` was he"),
        ("--hidden=17", "the network was 784 (keep 0.8)-"),
        ("--keep=0.6", "the network was 784 (keep 0.8)-"),
        (
            "--learning-rate=0.2",
            "the learning rate was 0.1 to 0.0 in a straight line over 189 steps when",
        ),
        (
            "--no-max-norm",
            "the max-norm was 1.5 times the keep rate of a layer's inputs when the checkpoint was saved and is none now",
        ),
        (
            "--isa=portable",
            "(instruction set portable) now: resume with an --isa other than portable",
        ),
    ] {
        let portable_fuses = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        let alone = thinnet::Isa::detect() == thinnet::Isa::Portable;
        if more == "--isa=portable" && (alone || portable_fuses) {
            eprintln!("skipped {more}: here all instruction sets round alike");
            continue;
        }
        let mut words_of = TRAINING.to_vec();
        // An argument that is given twice would be a different error.
        words_of.retain(|given| given.split('=').next() != more.split('=').next());
        let output =
            thinnet(folder).args(words_of).args(["--resume=c", "--quiet", more]).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{more}");
        assert!(line.contains("error: c: ") && line.contains(words), "{more}: {line}");
    }
    assert_eq!(fs::read(folder.join("c")).unwrap(), before);
}

#[test]
fn files_that_cannot_be_resumed_or_saved_are_refused_at_once() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let line = fails(folder, &["--checkpoint-every=5"], 2);
    assert!(line.contains("--checkpoint-every 5: expected --checkpoint FILE"), "{line}");
    let line = fails(folder, &["--checkpoint=c", "--checkpoint-every=0"], 2);
    assert!(line.contains("from 1 to 1000000"), "{line}");
    let line = fails(folder, &["--resume=c"], 1);
    assert!(line.contains("--resume c: no such file: expected a checkpoint"), "{line}");
    let line = fails(folder, &["--checkpoint=no/c"], 1);
    assert!(line.contains("--checkpoint no/c"), "{line}");
    let line = fails(folder, &["--checkpoint=c", "--out=./c"], 2);
    assert!(line.contains("--checkpoint and --out"), "{line}");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);

    fs::write(folder.join("c"), "a file of mine").unwrap();
    let line = fails(folder, &["--checkpoint=c"], 1);
    assert!(line.contains("already exists") && line.contains("--resume c"), "{line}");
    let line = fails(folder, &["--resume=c"], 1);
    assert!(line.contains("not a safetensors file"), "{line}");
    assert_eq!(fs::read(folder.join("c")).unwrap(), b"a file of mine");
    succeeds(folder, &["--checkpoint=d", "--out=m"]);
    let line = fails(folder, &["--resume=m"], 1);
    assert!(line.contains("m: a model, which cannot be resumed: expected a checkpoint"), "{line}");
    let line = fails(folder, &["--resume=d", "--checkpoint=e", "--out=d"], 2);
    assert!(line.contains("--resume and --out"), "{line}");
}

/// Every run that writes to the folder removes them, whatever it writes.
#[test]
fn files_left_over_by_a_killed_run_are_removed() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let left_over = folder.join(".thinnet-unfinished-aB3dE9fG1hI4jK7l.tmp");
    for more in [&[][..], &["--checkpoint=c"], &["--resume=c"]] {
        fs::write(&left_over, "half a checkpoint").unwrap();
        succeeds(folder, more);
        assert!(!left_over.exists(), "{more:?}");
    }
    // A run that fails before it checks its outputs does not remove them.
    fs::write(&left_over, "").unwrap();
    fails(folder, &["--checkpoint-every=5"], 2);
    assert!(left_over.exists());
}

#[test]
fn a_checkpoint_has_one_writer() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    killed(folder);
    let before = fs::read(folder.join("c")).unwrap();
    let lock = WriteLock::take(folder.join("c")).unwrap();
    let line = fails(folder, &["--resume=c"], 1);
    assert!(line.contains("--resume c: another run is writing this file"), "{line}");
    assert_eq!(fs::read(folder.join("c")).unwrap(), before);
    // Two runs in one folder do not disturb each other, nor does reading.
    succeeds(folder, &["--resume=c", "--checkpoint=d"]);
    drop(lock);
    succeeds(folder, &["--resume=c"]);
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["c", "d", "report.json"]);
}
