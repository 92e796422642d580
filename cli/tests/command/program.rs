//! Runs the command in a folder and checks its output.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// The path of the command.
pub const FILE: &str = env!("CARGO_BIN_EXE_thinnet");

/// Returns the command, to be run in a folder without input.
pub fn thinnet(folder: &Path) -> Command {
    let mut command = Command::new(FILE);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the command and returns its exit code and output.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    thinnet(folder).args(arguments).output().unwrap()
}

/// Returns the stdout of a run that must succeed without output on stderr.
pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the only error line of a run that must fail.
pub fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty() && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    stderr
}

/// Checks that the command succeeds even if nobody reads its output.
#[cfg(unix)]
pub fn survives_a_closed_pipe(folder: &Path, arguments: &[&str]) {
    let mut child = thinnet(folder)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {stderr}");
}
