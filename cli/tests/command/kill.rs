//! A run that is killed at any moment (SIGKILL) and resumed, again and again, ends with the same
//! result as an uninterrupted one.
//!
//! The short forms are part of `cargo test`. The long forms take a minute or two and print their figures:
//!
//! ```sh
//! cargo test --release --test command -- --ignored --nocapture kills
//! ```

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{
    checkpoint::Contents,
    data::npy,
    mask::{Domain, Streams},
};

use crate::program::thinnet;

/// Steps between checkpoints.
const INTERVALS: [u32; 4] = [3, 7, 11, 20];

/// 5 epochs of 63 steps; every other epoch is evaluated.
const TRAINING: [&str; 7] = [
    "train",
    "--hidden=64",
    "--epochs=5",
    "--evaluate-every=2",
    "--threads=1",
    "--quiet",
    "--report=report.json",
];

/// Every option that has a state in the checkpoint or changes a step.
const EVERYTHING: [&str; 17] = [
    "--optimiser=adam",
    "--noise=gaussian",
    "--class-weight=balanced",
    "--row-weights=weights.npy",
    "--label-smoothing=0.1",
    "--l1=1e-6",
    "--warmup=20",
    "--clip-norm=1",
    "--clip-value=0.01",
    "--average=ema:0.9",
    "--max-norm=3",
    "--validation=0.2",
    "--early-stopping=loss:2",
    "--plateau=error_rate:1:0.5",
    "--metrics=error_rate,log_loss",
    "--learning-rate=0.003",
    "--schedule=cosine",
];

/// A run is killed within this fraction of the time that an uninterrupted run takes.
const MAX_FRACTION: f64 = 0.6;

/// The figures that are printed.
#[derive(Debug, Default)]
struct Figures {
    kills: u64,
    /// Runs that finished, all with the right digest.
    finished: u64,
    /// Kills before there was a checkpoint.
    before_the_first_save: u64,
    /// Kills in the middle of a write, counted by the files they left.
    in_a_write: u64,
    /// Kills after at least one more checkpoint than was resumed.
    with_progress: u64,
    /// Checkpoints in the middle of an epoch.
    in_an_epoch: u64,
}

/// A folder with weights for the 8,000 training rows.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let weights: Vec<u32> = (0..8000).map(|row| row % 5).collect();
    npy::write_labels(folder.path().join("weights.npy"), &weights).unwrap();
    folder
}

/// The run with these options and a checkpoint, or resumed from it.
fn start(folder: &Path, options: &[&str], every: u32) -> Child {
    let resume = folder.join("checkpoint").exists();
    thinnet(folder)
        .args(TRAINING)
        .args(options)
        .args([if resume { "--resume" } else { "--checkpoint" }, "checkpoint"])
        .arg(format!("--checkpoint-every={every}"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a run that must succeed and returns its results, without times.
fn ends(child: Child, folder: &Path) -> Value {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["checkpoint", "report.json", "weights.npy"], "nothing is left over");
    let report: Value =
        serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
    let same = ["digest", "curves", "densities", "steps", "test_loss", "test_wrong", "settings"];
    same.map(|name| report[name].clone()).to_vec().into()
}

/// Kills runs with these options `kills` times at moments that `seed` chooses.
fn kill(options: &[&str], kills: u64, seed: u64) -> Figures {
    let moments = Streams::new(seed, Domain::Other, 0, 0);
    let mut figures = Figures::default();
    // The expected results, and the time that an uninterrupted run takes.
    let unbroken = INTERVALS.map(|every| {
        let folder = folder();
        let clock = Instant::now();
        (every, ends(start(folder.path(), options, every), folder.path()), clock.elapsed())
    });
    let expected = &unbroken[0].1;
    assert!(unbroken.iter().all(|(_, found, _)| found == expected), "saves change nothing");
    while figures.kills < kills {
        let (every, _, time) = unbroken[figures.finished as usize % INTERVALS.len()];
        let folder = folder();
        let mut last_step = None;
        let found = loop {
            let child = start(folder.path(), options, every);
            if figures.kills == kills {
                break ends(child, folder.path());
            }
            // Most live long enough to save, and are killed more than once.
            let part = MAX_FRACTION * moments.hash(figures.kills + figures.finished) as f64
                / u64::MAX as f64;
            match killed_after(child, time.mul_f64(part)) {
                Ok(()) => figures.kills += 1,
                Err(ended) => break ends(ended, folder.path()),
            }
            check(folder.path(), &mut last_step, &mut figures);
        };
        assert_eq!(found, *expected, "every {every} steps, {figures:?}");
        figures.finished += 1;
    }
    figures
}

/// Kills a run, or returns it if it had already ended.
fn killed_after(mut child: Child, time: Duration) -> Result<(), Child> {
    std::thread::sleep(time);
    if child.try_wait().unwrap().is_some() {
        return Err(child);
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    // It may have ended in between.
    if status.code().is_some() { Err(child) } else { Ok(()) }
}

/// Checks after a kill that the checkpoint is complete and not older than the one before.
fn check(folder: &Path, last_step: &mut Option<u64>, figures: &mut Figures) {
    let left_over = fs::read_dir(folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp"))
        .count();
    // The run removed those of the previous kill when it started.
    assert!(left_over <= 1, "{left_over} files");
    figures.in_a_write += left_over as u64;
    let path = folder.join("checkpoint");
    if !path.exists() {
        assert_eq!(*last_step, None, "the checkpoint has vanished");
        figures.before_the_first_save += 1;
        return;
    }
    let step = Contents::read(&path).unwrap().training.unwrap().step;
    assert!(Some(step) >= *last_step, "{step} after {last_step:?}");
    figures.with_progress += u64::from(Some(step) > *last_step);
    figures.in_an_epoch += u64::from(!step.is_multiple_of(63));
    *last_step = Some(step);
}

#[test]
fn a_killed_run_ends_like_an_uninterrupted_one() {
    let figures = kill(&[], 20, 1);
    eprintln!("{figures:?}");
    assert!(figures.kills >= 20 && figures.with_progress > 0);
}

#[test]
#[ignore = "a minute or two"]
fn two_hundred_kills() {
    let clock = Instant::now();
    let figures = kill(&[], 240, 2);
    eprintln!("{figures:?} in {:.0?}", clock.elapsed());
    assert!(figures.kills >= 200 && figures.in_an_epoch > 0);
}

#[test]
fn a_killed_run_with_every_option_ends_like_an_uninterrupted_one() {
    let figures = kill(&EVERYTHING, 6, 3);
    assert!(figures.kills >= 6 && figures.with_progress > 0, "{figures:?}");
}

#[test]
#[ignore = "a minute or two"]
fn a_hundred_kills_with_every_option() {
    let clock = Instant::now();
    let figures = kill(&EVERYTHING, 120, 4);
    eprintln!("{figures:?} in {:.0?}", clock.elapsed());
    assert!(figures.kills >= 100 && figures.with_progress > 0);
}
