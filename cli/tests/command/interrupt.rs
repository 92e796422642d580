//! Ctrl-C, SIGTERM and SIGHUP during training.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{checkpoint::Contents, files::WriteLock};

use crate::program::thinnet;

/// Starts a run of 63 steps per epoch.
fn start(folder: &Path, epochs: &str, more: &[&str]) -> Child {
    thinnet(folder)
        .args(["train", "--hidden=64", "--threads=1", "--report=r.json", "--out=m"])
        .args(["--keep", "0.6", epochs])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends a signal, by its name.
fn send(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
    assert!(sent.success());
}

/// Whether the process that started the tests ignores a signal, which children inherit. Shells ignore
/// SIGINT for the processes that they start in the background.
fn is_ignored(signal: &str) -> bool {
    let shell = Command::new("sh").args(["-c", &format!("kill -s {signal} $$")]).status();
    shell.unwrap().signal().is_none()
}

/// Waits until a file exists.
fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_signal_is_an_error_if_the_state_cannot_be_saved() {
    if is_ignored("TERM") {
        println!("SIGTERM is ignored here");
        return;
    }
    let folder = TempDir::new().unwrap();
    let [sub, moved] = ["sub", "moved"].map(|name| folder.path().join(name));
    fs::create_dir(&sub).unwrap();
    let child =
        start(folder.path(), "--epochs=1000", &["--checkpoint=sub/c", "--checkpoint-every=10"]);
    wait_for(&sub.join("c"));
    fs::rename(&sub, &moved).unwrap();
    send(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = said.lines().last().unwrap();
    let words = "but the checkpoint could not be saved: --checkpoint sub/c: no such folder: ";
    assert!(line.starts_with("error: interrupted after step ") && line.contains(words), "{said}");
    assert!(line.ends_with("; an earlier checkpoint is unchanged"), "{said}");
    Contents::read(moved.join("c")).unwrap();
}

#[test]
fn the_first_signal_saves_and_prints_how_to_resume() {
    let folder = TempDir::new().unwrap();
    let unbroken = start(folder.path(), "--epochs=12", &[]).wait_with_output().unwrap();
    assert!(unbroken.status.success());
    let report = |folder: &Path| -> Value {
        serde_json::from_slice(&fs::read(folder.join("r.json")).unwrap()).unwrap()
    };
    let expected = report(folder.path());

    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        // Under `nohup`, the signal stays ignored.
        if is_ignored(signal) {
            println!("SIG{signal} is ignored here");
            continue;
        }
        let folder = TempDir::new().unwrap();
        let more = ["--checkpoint", "a file", "--checkpoint-every=10"];
        let child = start(folder.path(), "--epochs=12", &more);
        wait_for(&folder.path().join("a file"));
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(output.stdout.is_empty());
        assert_eq!(names(folder.path()), ["a file"], "no outputs, nothing left over");
        let step = Contents::read(folder.path().join("a file")).unwrap().training.unwrap().step;
        let line = said.lines().last().unwrap();
        assert!(line.starts_with(&format!("interrupted: saved after step {step};")), "{said}");

        // The printed command, run by a shell.
        let (_, command) = line.split_once("resume with: ").unwrap();
        let shell = Command::new("sh").current_dir(folder.path()).args(["-c", command]).output();
        let shell = shell.unwrap();
        assert!(shell.status.success(), "{command}: {}", stderr(&shell));
        let found = report(folder.path());
        for name in ["digest", "curves", "densities", "steps"] {
            assert_eq!(found[name], expected[name], "{signal}: {name}");
        }
        assert_eq!(found["resumed_at_step"], step);
    }
}

#[test]
fn without_a_checkpoint_the_first_signal_ends_at_once() {
    let folder = TempDir::new().unwrap();
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        if is_ignored(signal) {
            continue;
        }
        let child = start(folder.path(), "--epochs=100000", &["--quiet"]);
        std::thread::sleep(Duration::from_millis(300));
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(number));
        assert!(names(folder.path()).is_empty());
    }
}

/// A run that a shell started in the background, or by `nohup`, continues.
#[cfg(target_os = "linux")]
#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let folder = TempDir::new().unwrap();
    let train = "exec \"$0\" train --hidden=64 --threads=1 --quiet --epochs=12 --checkpoint=c \
                 --checkpoint-every=10 --out=m";
    let child = Command::new("sh")
        .current_dir(folder.path())
        .args(["-c", &format!("trap '' INT HUP; {train}"), crate::program::FILE])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&folder.path().join("c"));
    send(&child, "INT");
    send(&child, "HUP");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(folder.path().join("m").exists());
}

/// Steps that take about a second each: the first signal waits for the one in
/// progress, the second does not. SIGTERM, since a shell's background ignores SIGINT.
#[test]
fn the_second_signal_ends_at_once() {
    let folder = TempDir::new().unwrap();
    let more = ["--hidden=2000,2000", "--batch=8000", "--checkpoint=c", "--checkpoint-every=1"];
    let mut child = thinnet(folder.path())
        .args(["train", "--threads=1", "--quiet", "--keep=1", "--keep-input=1"])
        .args(more)
        .spawn()
        .unwrap();
    wait_for(&folder.path().join("c"));
    let last = fs::read(folder.path().join("c")).unwrap();
    // The run is in its second step.
    std::thread::sleep(Duration::from_millis(50));
    send(&child, "TERM");
    std::thread::sleep(Duration::from_millis(50));
    assert!(child.try_wait().unwrap().is_none(), "it waits for its step");
    send(&child, "TERM");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    // The lock file that is left does not prevent another run. Neither does an unfinished file, if
    // the step ended and was being saved.
    let mut left = names(folder.path());
    left.retain(|name| !name.starts_with(".thinnet-unfinished-"));
    assert_eq!(left, [".thinnet-c.lock", "c"]);
    assert!(fs::read(folder.path().join("c")).unwrap() == last);
    WriteLock::take(folder.path().join("c")).unwrap();
}
