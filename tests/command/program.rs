//! The command as its tests run it: in a folder, with what it said.

use std::{path::Path, process::Output};

use assert_cmd::Command;

/// The command, run in a folder.
fn thinnet(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("thinnet").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

/// What a run that has to succeed said on stdout; it says nothing on stderr.
pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = thinnet(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && stderr.is_empty(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one error line of a run that has to fail.
pub fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = thinnet(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty() && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    stderr
}
