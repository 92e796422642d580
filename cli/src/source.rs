//! Where rows come from: a folder of IDX or NPY files, two NPY files, or the
//! embedded digits.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use thinnet::{
    data::{Dataset, Split, npy},
    tensor::Matrix,
};

use crate::{
    console::{self, usage},
    outputs::Named,
};

/// So many classes may have no rows, however few labels there are.
const ANY_CLASSES: usize = 1024;

/// And so many for each label that occurs.
const CLASSES_EACH: usize = 16;

/// What `--data` names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// The digits inside this program.
    Digits,
    /// A folder with the usual file names.
    Folder(PathBuf),
    /// An NPY file of rows, or a pipe of one.
    Array(PathBuf),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let path = PathBuf::from(text);
        let extension = path.extension().unwrap_or_default();
        Ok(match text {
            "digits" => Self::Digits,
            _ if path.is_dir() => Self::Folder(path),
            _ if extension.eq_ignore_ascii_case("npy") || is_stream(&path) => Self::Array(path),
            _ => Self::Folder(path),
        })
    }
}

/// Whether it is a pipe or a device, or one of the names that the system has for a program's own
/// open files: /dev/stdin, and /dev/fd/63 of a shell's `<(...)`.
fn is_stream(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| !about.is_dir() && !about.is_file() || path.starts_with("/dev"))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits => f.write_str("digits"),
            Self::Folder(path) | Self::Array(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The arguments that name the rows.
#[derive(Clone, Debug, clap::Args)]
pub struct Data {
    /// Labelled rows: a folder with MNIST's IDX files (plain or .gz), or with x_train.npy,
    /// y_train.npy, x_test.npy and y_test.npy; a .npy file of rows; or `digits`, the 10,000 digits
    /// inside this program. Bytes are divided by 255, other numbers are taken as they are
    #[arg(long = "data", value_name = "DIR|FILE.npy|digits", default_value = "digits")]
    source: Source,
    /// Labels of the rows of a .npy file: another one, with a class number (from 0) per row
    #[arg(long, value_name = "FILE.npy")]
    labels: Option<PathBuf>,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Data {
    /// The digits inside this program.
    pub fn digits() -> Self {
        Self { source: Source::Digits, labels: None }
    }

    /// The files that are read; of a folder all that have the name of a data set's
    /// file, be they there or not: what is written under it would be read the next time.
    pub fn files(&self) -> Vec<Named> {
        let sets = [Split::Train, Split::Test];
        let mut files = Vec::new();
        if let Source::Array(path) | Source::Folder(path) = &self.source {
            files.push(("--data", path.clone()));
        }
        if let Source::Folder(path) = &self.source {
            let names = sets.into_iter().flat_map(Dataset::file_names);
            files.extend(names.map(|name| ("--data", path.join(name))));
        }
        files.extend(self.labels.clone().map(|path| ("--labels", path)));
        files
    }

    /// Reads one of the two sets; what two files hold is either.
    ///
    /// # Errors
    /// There is no such folder, its files are not what they have to be, or they
    /// hold no rows.
    pub fn read(&self, split: Split) -> anyhow::Result<Dataset> {
        let data = match (&self.source, &self.labels) {
            (Source::Array(inputs), Some(labels)) => {
                if let Some(reason) = no_array(labels, "a .npy file of labels") {
                    anyhow::bail!("--labels {}: {reason}", labels.display());
                }
                Dataset::from_npy_files(inputs, labels)?
            }
            (Source::Array(_), None) => {
                return Err(usage(format!(
                    "--data {self}: expected --labels FILE.npy beside it, with a label for each row"
                )));
            }
            (_, Some(labels)) => {
                return Err(usage(format!(
                    "--labels {}: expected --data FILE.npy beside it, which it has the labels of",
                    labels.display()
                )));
            }
            (Source::Digits, None) => Dataset::digits(split)?,
            (Source::Folder(folder), None) => {
                anyhow::ensure!(folder.is_dir(), "--data {self}: {}", no_folder(folder));
                Dataset::from_folder(folder, split)?
            }
        };
        let name = if split == Split::Train { "training" } else { "test" };
        anyhow::ensure!(data.rows() > 0, "--data {self}: the {name} set has no rows");
        Ok(data)
    }

    /// The rows of the test set, and their labels where there are any: an NPY file
    /// needs none.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_rows(&self) -> anyhow::Result<(Matrix, Option<Vec<u32>>)> {
        if let (Source::Array(inputs), None) = (&self.source, &self.labels) {
            let rows = npy::read_inputs(inputs)?;
            anyhow::ensure!(rows.rows() > 0, "--data {self}: has no rows");
            return Ok((rows, None));
        }
        let (rows, labels) = self.read(Split::Test)?.into_parts();
        Ok((rows, Some(labels)))
    }

    /// What to train on and what to measure the error on: the training and the
    /// test set, or with `held_out` rows and a seed, the training set without some
    /// rows and those rows ([`Dataset::hold_out`]), the test set being left unread.
    ///
    /// # Errors
    /// As [`Self::read`]; sets of different widths; more rows held out than
    /// there are, or none of two files.
    pub fn read_pair(&self, held_out: Option<(usize, u64)>) -> anyhow::Result<(Dataset, Dataset)> {
        let train = self.read(Split::Train)?;
        anyhow::ensure!(
            train.classes() > 1,
            "--data {self}: the label of every training row is 0, expected at least two classes"
        );
        if let Some((held_out, seed)) = held_out {
            let rows = train.rows();
            if held_out >= rows {
                return Err(usage(format!(
                    "--held-out {held_out}: expected fewer than the {rows} training rows"
                )));
            }
            self.check_classes(&train, &train)?;
            return Ok(train.hold_out(held_out, seed)?);
        }
        if let Source::Array(_) = self.source {
            return Err(usage(format!(
                "--data {self}: expected --held-out N beside it, or a folder that has a test set too"
            )));
        }
        let test = self.read(Split::Test)?;
        let (columns, of_test) = (train.inputs().columns(), test.inputs().columns());
        anyhow::ensure!(
            columns == of_test,
            "--data {self}: the test rows have {of_test} inputs, expected the {columns} of the training rows"
        );
        self.check_classes(&train, &test)?;
        Ok((train, test))
    }

    /// Refuses labels that are hardly classes: a network has an output for each number up to the
    /// largest label, so one wrong label can make it huge. Classes without a row get a warning.
    fn check_classes(&self, train: &Dataset, test: &Dataset) -> anyhow::Result<()> {
        let larger = if test.classes() > train.classes() { test } else { train };
        let classes = larger.classes();
        let counts = train.class_counts()?;
        let occur = counts.iter().filter(|&&count| count > 0).count();
        if classes > ANY_CLASSES.max(CLASSES_EACH * occur) {
            let label = classes - 1;
            let row = larger.labels().iter().position(|&class| class as usize == label);
            let row = row.unwrap_or_default();
            anyhow::bail!(
                "--data {self}: label {label} at row {row} asks for {classes} outputs, though only \
                 {occur} labels occur: expected classes numbered from 0"
            );
        }
        let empty = classes - occur;
        if empty > 0 {
            let first = counts.iter().position(|&count| count == 0).unwrap_or(counts.len());
            console::remark(&format!(
                "warning: --data {self}: {empty} of {classes} classes have no training row, the \
                 first of them class {first} (classes are numbered from 0)"
            ));
        }
        Ok(())
    }
}

/// What is wrong with a path that has to be a folder.
fn no_folder(path: &Path) -> String {
    let expected = "a folder of IDX or NPY files, a file whose name ends in .npy, or `digits`";
    if !path.exists() {
        return format!("no such folder or file (expected {expected})");
    }
    no_array(path, expected).unwrap_or_else(|| format!("is no folder (expected {expected})"))
}

/// What is wrong with a file that has numbers, as its name says, but not as NPY; and what
/// makes a NPY file of it.
fn no_array(path: &Path, expected: &str) -> Option<String> {
    let ending = path.extension()?.to_str()?.to_lowercase();
    let python = |path: &Path| format!("{:?}", path.display().to_string());
    let table = |separator| {
        let load = format!("numpy.loadtxt({}, delimiter={separator}, skiprows=1)", python(path));
        ("a table is not read", "one of numbers, below a line of names", load)
    };
    let (what, of, load) = match &*ending {
        "csv" | "txt" | "dat" => table("\",\""),
        "tsv" | "tab" => table("\"\\t\""),
        "npz" => {
            let load = format!("numpy.load({})[\"NAME\"]", python(path));
            ("an archive is not read", "the array NAME in it", load)
        }
        _ => return None,
    };
    let array = python(&path.with_extension("npy"));
    Some(format!(
        "{what}: expected {expected}; this line of Python makes a .npy file of {of}: import numpy; \
         numpy.save({array}, {load})"
    ))
}
