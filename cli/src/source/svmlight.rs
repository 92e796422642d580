//! Sparse rows from svmlight files.

use std::path::{Path, PathBuf};

use thinnet::{
    data::{Dataset, OwnedInputs, Split, svmlight::Svmlight},
    nn::TargetKind,
};

use super::form::Form;
use crate::{
    console::usage,
    inputs::{self, Input},
    numbers,
};

/// The endings of the names of svmlight files, plain or gzipped.
const ENDINGS: [&str; 3] = ["svm", "svmlight", "libsvm"];

/// The index of the first column, unless an option or a model says otherwise.
const FIRST_INDEX: u32 = 1;

/// How svmlight files are read.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct SvmlightOptions {
    /// With svmlight files: the index of the first column, 0 or 1 [default: 1, or as the model was trained]
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u32).range(0..=1))]
    first_index: Option<u32>,
    /// With svmlight files: the number of columns, from 1 to 4294967295 [default: as many as the largest
    /// index of the training rows needs, or as many as the model has inputs]
    #[arg(long, value_name = "N", value_parser = numbers::count(u32::MAX as usize))]
    columns: Option<usize>,
    /// With svmlight files: replace each value x by ln(1 + x), for counts, as of words [default: as the model
    /// was trained]
    #[arg(long)]
    log_counts: bool,
}

impl SvmlightOptions {
    /// Returns the flag of an option that was given.
    pub fn given(self) -> Option<&'static str> {
        let first_index = self.first_index.map(|_| "--first-index");
        let columns = self.columns.map(|_| "--columns");
        first_index.or(columns).or(self.log_counts.then_some("--log-counts"))
    }

    /// Returns how files are read.
    pub fn form(self) -> Form {
        let Self { first_index, log_counts, .. } = self;
        Form { first_index: first_index.unwrap_or(FIRST_INDEX), log_counts }
    }

    /// Returns these options for a network that was trained on files of this form; `model` is the argument
    /// that names it.
    ///
    /// # Errors
    /// An option that was given says otherwise.
    pub fn like(self, form: Form, model: &str) -> anyhow::Result<Self> {
        let Form { first_index, log_counts } = form;
        if self.log_counts && !log_counts {
            return Err(usage(format!(
                "--log-counts: {model} was trained on svmlight files without it: expected no --log-counts"
            )));
        }
        match self.first_index {
            Some(given) if given != first_index => Err(usage(format!(
                "--first-index {given}: {model} was trained on svmlight files with --first-index \
                 {first_index}: expected {first_index}, or no --first-index"
            ))),
            _ => Ok(Self { first_index: Some(first_index), log_counts, ..self }),
        }
    }

    /// Reads a file, which has `columns` columns, if that is known and no other number was given.
    ///
    /// # Errors
    /// The file cannot be read, is malformed, or has other targets; or a value is not a count, of which the
    /// logarithm is wanted.
    pub fn read(
        self,
        (name, path): (String, &Path),
        kind: TargetKind,
        columns: Option<usize>,
    ) -> anyhow::Result<Dataset> {
        let mut settings = Svmlight::new().first_index(self.form().first_index);
        if let Some(columns) = self.columns.or(columns) {
            settings = settings.columns(columns);
        }
        let data = Dataset::from_svmlight(path, settings, kind).map_err(|error| {
            let file: Input<'_> = (name, path, "an svmlight file");
            let error = inputs::explain(&[file], error);
            if self.first_index.is_none() && error.to_string().contains("whole number from 1 ") {
                return anyhow::anyhow!(
                    "{error} (--first-index 0 if the first column has index 0)"
                );
            }
            error
        })?;
        if !self.log_counts {
            return Ok(data);
        }
        match data.into_parts() {
            (OwnedInputs::Sparse(mut rows), targets, _) => {
                rows.log_counts().map_err(|error| {
                    anyhow::anyhow!("{}: {error} (--log-counts)", path.display())
                })?;
                Ok(Dataset::new(rows, targets)?)
            }
            _ => anyhow::bail!("{}: expected sparse rows", path.display()),
        }
    }
}

/// Whether a file is an svmlight file, by its name.
pub fn is_named(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

/// Returns the names of the files that a folder may have for one of its sets.
pub fn file_names(split: Split) -> impl Iterator<Item = String> {
    let set = if split == Split::Train { "train" } else { "test" };
    let named = move |ending| ["", ".gz"].map(|gz| format!("{set}.{ending}{gz}"));
    ENDINGS.into_iter().flat_map(named)
}

/// Returns the svmlight file of a folder that has no files of other formats for this set.
pub fn in_folder(folder: &Path, split: Split) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| path.exists() && !path.is_dir();
    if Dataset::file_names(split).into_iter().any(|name| is_there(&folder.join(name))) {
        return None;
    }
    file_names(split).map(|name| folder.join(name)).find(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_endings() {
        for name in ["a.svm", "a/b.c.SVM.GZ", "x.libsvm", "x.svmlight.gz"] {
            assert!(is_named(Path::new(name)), "{name}");
        }
        for name in ["svm", "a.svm.txt", "a.npy", "a.gz", "", "a.svm/b"] {
            assert!(!is_named(Path::new(name)), "{name}");
        }
        for split in [Split::Train, Split::Test] {
            assert!(file_names(split).all(|name| is_named(Path::new(&name))));
        }
    }
}
