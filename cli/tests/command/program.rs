//! The command as its tests run it: in a folder, with what it said.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// The command's file.
pub const FILE: &str = env!("CARGO_BIN_EXE_thinnet");

/// The command, to be run in a folder, with no input.
pub fn thinnet(folder: &Path) -> Command {
    let mut command = Command::new(FILE);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// What a run ended as.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    thinnet(folder).args(arguments).output().unwrap()
}

/// What a run that has to succeed said on stdout; it says nothing on stderr.
pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one error line of a run that has to fail.
pub fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty() && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    stderr
}

/// Whether it ends well where nobody reads what it says.
#[cfg(unix)]
pub fn outlives_its_reader(folder: &Path, arguments: &[&str]) {
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
