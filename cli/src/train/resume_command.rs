//! The command that resumes an interrupted run.

use std::{ffi::OsString, path::Path};

/// Returns the current command line with `--resume FILE`, which replaces any `--resume` in it, quoted
/// for a POSIX shell.
pub fn resume_command(arguments: impl Iterator<Item = OsString>, file: &Path) -> String {
    let mut words = Vec::new();
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        if argument == "--resume" {
            arguments.next();
        } else if !argument.starts_with("--resume=") {
            words.push(quoted(&argument));
        }
    }
    // As one word, for file names that start with a dash.
    words.push(quoted(&format!("--resume={}", file.display())));
    words.join(" ")
}

/// Quotes a word for the shell, if it needs quotes.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_the_same_except_for_resume() {
        let resumed = |words: &[&str], file: &str| {
            resume_command(words.iter().map(|&word| word.into()), file.as_ref())
        };
        assert_eq!(
            resumed(&["thinnet", "train", "--checkpoint", "c", "--seed=2"], "c"),
            "thinnet train --checkpoint c --seed=2 --resume=c"
        );
        for resume in [&["--resume", "c"][..], &["--resume=c"]] {
            let words = [&["thinnet", "train"], resume, &["--quiet"]].concat();
            assert_eq!(resumed(&words, "c"), "thinnet train --quiet --resume=c");
        }
        assert_eq!(
            resumed(&["thinnet", "train", "--data", "my data", "--out", "it's", ""], "a&b"),
            r"thinnet train --data 'my data' --out 'it'\''s' '' '--resume=a&b'"
        );
    }
}
