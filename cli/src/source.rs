//! Where rows come from: a folder of IDX, NPY or svmlight files, two NPY files, an svmlight file, or the
//! built-in digits.

mod form;
mod svmlight;

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use thinnet::{
    Error,
    data::{Dataset, OwnedInputs, OwnedTargets, Split, npy},
    nn::{Loss, Mlp, TargetKind},
};

use crate::{
    console::{self, usage},
    inputs::{self, Input},
    loss,
    outputs::Named,
    train::RowWeights,
    watch::{Given, ValidationRows},
};

pub use form::Form;

/// This many classes are always allowed, however few labels occur.
const ANY_CLASSES: usize = 1024;

/// This many classes are allowed per label that occurs.
const CLASSES_PER_LABEL: usize = 16;

/// The value of `--data`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// The digits built into this program.
    Digits,
    /// A folder with the usual file names.
    Folder(PathBuf),
    /// An NPY file of rows, or a pipe that carries one.
    Array(PathBuf),
    /// An svmlight file of sparse rows and their targets.
    Svmlight(PathBuf),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let path = PathBuf::from(text);
        let extension = path.extension().unwrap_or_default();
        Ok(match text {
            "digits" => Self::Digits,
            _ if path.is_dir() => Self::Folder(path),
            _ if svmlight::is_named(&path) => Self::Svmlight(path),
            _ if extension.eq_ignore_ascii_case("npy") || is_stream(&path) => Self::Array(path),
            _ => Self::Folder(path),
        })
    }
}

/// Whether the path is a pipe or a device, or a name for one of this process's open files, such as
/// /dev/stdin, or /dev/fd/63 from a shell's `<(...)`.
fn is_stream(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| !about.is_dir() && !about.is_file() || path.starts_with("/dev"))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits => f.write_str("digits"),
            Self::Folder(path) | Self::Array(path) | Self::Svmlight(path) => {
                write!(f, "{}", path.display())
            }
        }
    }
}

/// The arguments that name the rows.
#[derive(Clone, Debug, clap::Args)]
pub struct Data {
    /// Rows and their labels or other targets: a folder with MNIST's IDX files (plain or .gz), or with
    /// x_train.npy, y_train.npy, x_test.npy and y_test.npy, or with svmlight files train.svm and test.svm; a
    /// .npy file of rows, with --labels or --targets; an svmlight file of sparse rows with their targets
    /// (.svm, .svmlight or .libsvm, plain or .gz); or `digits`, 10,000 MNIST digits built into this program.
    /// Bytes of the rows are divided by 255; other numbers are used unchanged
    #[arg(long = "data", value_name = "DIR|FILE.npy|FILE.svm|digits", default_value = "digits")]
    source: Source,
    /// With --data FILE.npy: a second .npy file with one class number (from 0) per row. Required,
    /// except by `thinnet predict` and `thinnet quantize`
    #[arg(long, value_name = "FILE.npy")]
    labels: Option<PathBuf>,
    /// With --data FILE.npy: a second .npy file with the targets of a network whose loss is not
    /// softmax: a number per row, or a row of numbers. They are not scaled
    #[arg(long, value_name = "FILE.npy", conflicts_with = "labels")]
    targets: Option<PathBuf>,
    #[command(flatten)]
    svmlight: svmlight::SvmlightOptions,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Data {
    /// Returns the digits built into this program.
    pub fn digits() -> Self {
        let svmlight = svmlight::SvmlightOptions::default();
        Self { source: Source::Digits, labels: None, targets: None, svmlight }
    }

    /// Returns the files that are read. For a folder, these are all the files that a data set may
    /// have, even if they do not exist: an output under such a name would be read the next time.
    pub fn files(&self) -> Vec<Named> {
        let sets = [Split::Train, Split::Test];
        let mut files = Vec::new();
        if let Source::Array(path) | Source::Folder(path) | Source::Svmlight(path) = &self.source {
            files.push(("--data", path.clone()));
        }
        if let Source::Folder(path) = &self.source {
            let names = sets.into_iter().flat_map(file_names);
            files.extend(names.map(|name| ("--data", path.join(name))));
        }
        files.extend(self.targets_file().map(|(flag, path)| (flag, path.to_owned())));
        files
    }

    /// Returns the second file, with the flag that names it.
    fn targets_file(&self) -> Option<(&'static str, &Path)> {
        let labels = self.labels.as_deref().map(|path| ("--labels", path));
        labels.or(self.targets.as_deref().map(|path| ("--targets", path)))
    }

    fn array<'a>(&self, path: &'a Path) -> Input<'a> {
        (format!("--data {self}"), path, "a .npy file of rows")
    }

    /// Returns the argument that the labels or other targets are from, for messages.
    pub fn targets_name(&self) -> String {
        match self.targets_file() {
            Some((flag, path)) => format!("{flag} {}", path.display()),
            None => format!("--data {self}"),
        }
    }

    /// Returns the argument and the row that a label is from, for messages.
    pub fn label_name(&self, split: Split, row: usize) -> String {
        let set = match (self.targets_file(), split) {
            // One file serves as either set.
            (Some(_), _) => "",
            _ if matches!(self.source, Source::Svmlight(_)) => "",
            (None, Split::Test) => "test ",
            (None, _) => "training ",
        };
        format!("{}: {set}row {row}", self.targets_name())
    }

    /// Whether one of the two sets is in svmlight format.
    fn is_svmlight(&self, split: Split) -> bool {
        match &self.source {
            Source::Svmlight(_) => true,
            Source::Folder(folder) => svmlight::in_folder(folder, split).is_some(),
            Source::Digits | Source::Array(_) => false,
        }
    }

    /// Returns how svmlight files are read, if one of the two sets is in that format.
    pub fn form(&self, split: Split) -> Option<Form> {
        self.is_svmlight(split).then(|| self.svmlight.form())
    }

    /// Returns the same arguments for rows of a trained network: svmlight files are read as for its
    /// training, if its notes say how. `model` is the argument that names it.
    ///
    /// # Errors
    /// An option that was given says otherwise, or the notes cannot be read; or the network expects
    /// logarithms of counts, which are made of svmlight files only.
    pub fn like(&self, split: Split, mlp: &Mlp, model: &str) -> anyhow::Result<Self> {
        let mut data = self.clone();
        match Form::of(mlp).map_err(|error| anyhow::anyhow!("{model}: {error}"))? {
            Some(form) if self.is_svmlight(split) => {
                data.svmlight = self.svmlight.like(form, model)?;
            }
            Some(Form { log_counts: true, .. }) => anyhow::bail!(
                "--data {self}: not in svmlight format, but {model} was trained on svmlight files with \
                 --log-counts: expected such files"
            ),
            _ => {}
        }
        Ok(data)
    }

    /// Refuses options about svmlight files where none is read.
    fn check_options(&self, split: Split) -> anyhow::Result<()> {
        match self.svmlight.given() {
            Some(flag) if !self.is_svmlight(split) => Err(usage(format!(
                "{flag}: cannot be used with --data {self}, which is not in svmlight format: expected no \
                 {flag}, or --data FILE.svm"
            ))),
            _ => Ok(()),
        }
    }

    /// Reads one of the two sets, with targets for this loss. Two NPY files, or an svmlight file, serve as
    /// either. Svmlight files have `columns` columns, if that is known.
    ///
    /// # Errors
    /// There is no such folder, its files are malformed, they have no rows, or the loss cannot have
    /// the targets.
    pub fn read(
        &self,
        split: Split,
        loss: Loss,
        columns: Option<usize>,
    ) -> anyhow::Result<Dataset> {
        let kind = loss.target_kind();
        self.check_options(split)?;
        let data = match (&self.source, self.targets_file()) {
            (Source::Array(rows), Some((flag, path))) => {
                let expected = match flag {
                    "--labels" => "a .npy file of labels",
                    _ => "a .npy file of targets",
                };
                if let Some(reason) = no_array(path, expected) {
                    anyhow::bail!("{}: {reason}", self.targets_name());
                }
                Dataset::from_npy_targets(rows, path, kind).map_err(|error| {
                    let is_of_targets =
                        matches!(&error, Error::Format { path: Some(of), .. } if of == path);
                    let files = [self.array(rows), (self.targets_name(), path, expected)];
                    let error = inputs::explain(&files, error);
                    if flag == "--targets" && loss::has_classes(loss) && is_of_targets {
                        return anyhow::anyhow!("{error} (--loss names a loss for other targets)");
                    }
                    error
                })?
            }
            (Source::Array(_), None) => {
                let expected = if loss::has_classes(loss) {
                    "--labels FILE.npy too, with a label for each row"
                } else {
                    "--targets FILE.npy too, with the targets of each row"
                };
                return Err(usage(format!("--data {self}: expected {expected}")));
            }
            (Source::Folder(folder), _) if !folder.is_dir() => {
                anyhow::bail!("--data {self}: {}", no_folder(folder));
            }
            (Source::Digits, Some((flag, _))) => {
                return Err(usage(format!(
                    "{}: cannot be used with the built-in digits: expected --data FILE.npy with the rows \
                     that these {} belong to",
                    self.targets_name(),
                    &flag[2..]
                )));
            }
            (Source::Folder(_) | Source::Svmlight(_), Some((flag, _))) => {
                return Err(usage(format!(
                    "{}: cannot be used with --data {self}, which has its own {}: expected no {flag}, or \
                     --data FILE.npy",
                    self.targets_name(),
                    &flag[2..]
                )));
            }
            (Source::Digits, None) => Dataset::digits(split)?.into_kind(kind).map_err(|error| {
                anyhow::anyhow!("--data {self}: {error} (loss {})", loss.name())
            })?,
            (Source::Svmlight(path), None) => {
                self.svmlight.read((format!("--data {self}"), path), kind, columns)?
            }
            (Source::Folder(folder), None) => match svmlight::in_folder(folder, split) {
                Some(path) => {
                    self.svmlight.read((path.display().to_string(), &path), kind, columns)?
                }
                None => from_folder(folder, split, kind)?,
            },
        };
        let name = if split == Split::Train { "training" } else { "test" };
        anyhow::ensure!(data.rows() > 0, "--data {self}: the {name} set has no rows");
        loss::check(loss, &data, || match self.targets_file() {
            Some(_) => self.targets_name(),
            None => format!("--data {self}: the {name} set"),
        })?;
        Ok(data)
    }

    /// Reads the rows of one of the two sets, and their targets for this loss if there are any: an NPY
    /// file needs none. Svmlight files have `columns` columns.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn read_rows(
        &self,
        split: Split,
        loss: Loss,
        columns: usize,
    ) -> anyhow::Result<(OwnedInputs, Option<OwnedTargets>)> {
        if let (Source::Array(path), None) = (&self.source, self.targets_file()) {
            self.check_options(split)?;
            let rows = npy::read_inputs(path)
                .map_err(|error| inputs::explain(&[self.array(path)], error))?;
            anyhow::ensure!(rows.rows() > 0, "--data {self}: the array has no rows");
            return Ok((rows.into(), None));
        }
        let (rows, targets, _) = self.read(split, loss, Some(columns))?.into_parts();
        Ok((rows, Some(targets)))
    }

    /// Reads the rows to train on, with their weights, and the rows to measure the error on, without
    /// weights. These are the training and
    /// the test set; or, given a number of held-out rows and a seed, the rest of the training set
    /// and the held-out rows ([`Dataset::hold_out`]). In that case the test set is not read.
    ///
    /// # Errors
    /// Those of [`Self::read`]; the sets have different widths or numbers of targets; all training rows,
    /// or more, are held out; or a single file is given without held-out rows.
    pub fn read_pair(
        &self,
        loss: Loss,
        held_out: Option<(usize, u64)>,
        row_weights: &RowWeights,
    ) -> anyhow::Result<(Dataset, Dataset)> {
        let train = row_weights.of(self.read(Split::Train, loss, None)?)?;
        anyhow::ensure!(
            train.classes() > 1 || !loss::has_classes(loss),
            "{}: every training row has label 0: expected at least two classes",
            self.targets_name()
        );
        if let Some((held_out, seed)) = held_out {
            let rows = train.rows();
            if held_out >= rows {
                return Err(usage(format!(
                    "--held-out {held_out}: expected fewer than the {rows} training rows"
                )));
            }
            self.check_classes(loss, &train, &train)?;
            let (train, held_out) = train.hold_out(held_out, seed)?;
            return Ok((train, held_out.without_weights()));
        }
        if let Source::Array(_) | Source::Svmlight(_) = self.source {
            return Err(usage(format!(
                "--data {self} has no test set: expected --held-out N too, or a folder with both sets"
            )));
        }
        let columns = train.inputs().columns();
        let test = self.read(Split::Test, loss, Some(columns))?;
        let of_test = test.inputs().columns();
        anyhow::ensure!(
            columns == of_test,
            "--data {self}: the test rows have {of_test} columns, but the training rows have {columns}"
        );
        let name = format!("--data {self}: the test rows");
        loss::check_columns((&name, &test), ("the training rows", &train))?;
        self.check_classes(loss, &train, &test)?;
        Ok((train, test))
    }

    /// Returns the rows to train on and the validation rows: rows held out of `train`, drawn by `seed`, or
    /// the test set of a folder. Svmlight files are read like those of the training rows.
    ///
    /// # Errors
    /// As for [`ValidationRows::of`]; or there is no such folder, its files are malformed, or its
    /// rows do not fit the others.
    pub fn validation_rows(
        &self,
        rows: &ValidationRows,
        loss: Loss,
        (train, test): (Dataset, &Dataset),
        seed: u64,
    ) -> anyhow::Result<(Dataset, Dataset)> {
        let folder = match rows.of(train.rows())? {
            Given::HeldOut(held_out) => return Ok(train.hold_out(held_out, seed)?),
            Given::Folder(folder) => folder,
        };
        anyhow::ensure!(
            folder.is_dir(),
            "--validation {rows}: no such folder: expected a folder of IDX, NPY or svmlight files, a share \
             above 0 and below 1, or a number of rows"
        );
        let kind = loss.target_kind();
        let found = match (self.form(Split::Train), svmlight::in_folder(folder, Split::Test)) {
            (Some(_), Some(path)) => {
                let columns = train.inputs().columns();
                self.svmlight.read((path.display().to_string(), &path), kind, Some(columns))?
            }
            (None, Some(path)) => anyhow::bail!(
                "--validation {rows}: {} is in svmlight format, but --data {self} is not: expected a folder of \
                 IDX or NPY files",
                path.display()
            ),
            (Some(Form { log_counts: true, .. }), None) => anyhow::bail!(
                "--validation {rows}: not in svmlight format, but --log-counts is given: expected a folder with \
                 svmlight files"
            ),
            (_, None) => from_folder(folder, Split::Test, kind)?,
        };
        anyhow::ensure!(found.rows() > 0, "--validation {rows}: the test set has no rows");
        loss::check(loss, &found, || format!("--validation {rows}"))?;
        let [columns, expected] = [&found, &train].map(|data| data.inputs().columns());
        anyhow::ensure!(
            columns == expected,
            "--validation {rows}: its rows have {columns} columns, but the training rows have {expected}"
        );
        let name = format!("--validation {rows}: its rows");
        loss::check_columns((&name, &found), ("the training rows", &train))?;
        let (classes, of_others) = (found.classes(), train.classes().max(test.classes()));
        anyhow::ensure!(
            classes <= of_others,
            "--validation {rows}: label {}: expected a label below {of_others}, as in the training rows",
            classes.saturating_sub(1)
        );
        Ok((train, found))
    }

    /// Refuses labels that are unlikely to be classes: the network gets an output for each number up
    /// to the largest label, so one wrong label could make it huge. Prints a warning about classes
    /// without a training row.
    /// Targets that are not classes are not its concern.
    fn check_classes(&self, loss: Loss, train: &Dataset, test: &Dataset) -> anyhow::Result<()> {
        if !loss::has_classes(loss) {
            return Ok(());
        }
        let larger = if test.classes() > train.classes() { test } else { train };
        let classes = larger.classes();
        let counts = train.class_counts()?;
        let occur = counts.iter().filter(|&&count| count > 0).count();
        if classes > ANY_CLASSES.max(CLASSES_PER_LABEL * occur) {
            let label = classes - 1;
            let row = larger.labels()?.iter().position(|&class| class as usize == label);
            let row = row.unwrap_or_default();
            let split = if test.classes() > train.classes() { Split::Test } else { Split::Train };
            anyhow::bail!(
                "{} has label {label}, which would need {classes} outputs, but only {occur} different \
                 labels occur: expected classes numbered from 0",
                self.label_name(split, row)
            );
        }
        let empty = classes - occur;
        if empty > 0 {
            let first = counts.iter().position(|&count| count == 0).unwrap_or(counts.len());
            console::remark(&format!(
                "warning: {}: {empty} of {classes} classes {} no training row; the first is class \
                 {first} (classes are numbered from 0)",
                self.targets_name(),
                if empty == 1 { "has" } else { "have" }
            ));
        }
        Ok(())
    }
}

/// Returns the names of all files in which a folder may have one of its sets.
pub fn file_names(split: Split) -> impl Iterator<Item = String> {
    Dataset::file_names(split).into_iter().chain(svmlight::file_names(split))
}

/// Reads a set of a folder that has no svmlight file for it.
fn from_folder(folder: &Path, split: Split, kind: TargetKind) -> anyhow::Result<Dataset> {
    Dataset::from_folder_targets(folder, split, kind).map_err(|error| {
        if file_names(split).any(|name| folder.join(name).exists()) {
            return error.into();
        }
        let names: Vec<_> = svmlight::file_names(split).collect();
        anyhow::anyhow!("{error}; or an svmlight file: {}", names.join(", "))
    })
}

/// Returns the reason why a path is not a folder of data.
fn no_folder(path: &Path) -> String {
    let expected = "a folder of IDX, NPY or svmlight files, a file whose name ends in .npy or .svm, or `digits`";
    if !path.exists() {
        return format!("no such folder or file (expected {expected})");
    }
    no_array(path, expected).unwrap_or_else(|| format!("not a folder (expected {expected})"))
}

/// Returns the reason why a table or an archive cannot be read, and the line of Python that converts
/// it to an NPY file. `None` for other names.
fn no_array(path: &Path, expected: &str) -> Option<String> {
    let ending = path.extension()?.to_str()?.to_lowercase();
    let python = |path: &Path| format!("{:?}", path.display().to_string());
    let table = |separator| {
        let load = format!("numpy.loadtxt({}, delimiter={separator}, skiprows=1)", python(path));
        ("tables cannot be read", "a table of numbers with one header line", load)
    };
    let (what, of, load) = match &*ending {
        "csv" | "txt" | "dat" => table("\",\""),
        "tsv" | "tab" => table("\"\\t\""),
        "npz" => {
            let load = format!("numpy.load({})[\"NAME\"]", python(path));
            ("archives cannot be read", "the array NAME in the archive", load)
        }
        _ => return None,
    };
    let array = python(&path.with_extension("npy"));
    Some(format!(
        "{what}: expected {expected}; this line of Python converts {of} to a .npy file: import numpy; \
         numpy.save({array}, {load})"
    ))
}
