//! Where rows come from: a folder of IDX files, or the embedded digits.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

use thinnet::data::{Dataset, Split};

use crate::console::usage;

/// What `--data` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The digits inside this program.
    Digits,
    /// A folder with MNIST's file names.
    Folder(PathBuf),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "digits" { Self::Digits } else { Self::Folder(text.into()) })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits => f.write_str("digits"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Source {
    /// Reads one of the two sets.
    ///
    /// # Errors
    /// There is no such folder, its files are not what they have to be, or they
    /// hold no rows.
    pub fn read(&self, split: Split) -> anyhow::Result<Dataset> {
        let data = match self {
            Self::Digits => Dataset::digits(split)?,
            Self::Folder(folder) => {
                anyhow::ensure!(
                    folder.is_dir(),
                    "--data {self}: no such folder (expected a folder of IDX files, or `digits`)"
                );
                Dataset::from_idx_folder(folder, split)?
            }
        };
        let name = if split == Split::Train { "training" } else { "test" };
        anyhow::ensure!(data.rows() > 0, "--data {self}: the {name} set has no rows");
        Ok(data)
    }

    /// What to train on and what to measure the error on: the training and the
    /// test set, or with `held_out` the training set without and with only its
    /// last rows, the test set being left unread.
    ///
    /// # Errors
    /// As [`Self::read`]; sets of different widths; more rows held out than
    /// there are.
    pub fn read_pair(&self, held_out: Option<usize>) -> anyhow::Result<(Dataset, Dataset)> {
        let train = self.read(Split::Train)?;
        if let Some(held_out) = held_out {
            let rows = train.rows();
            return match rows.checked_sub(held_out) {
                None | Some(0) => Err(usage(format!(
                    "--held-out {held_out}: expected fewer than the {rows} training rows"
                ))),
                Some(middle) => Ok(train.split_at(middle)?),
            };
        }
        let test = self.read(Split::Test)?;
        let (columns, of_test) = (train.inputs().columns(), test.inputs().columns());
        anyhow::ensure!(
            columns == of_test,
            "--data {self}: test images have {of_test} pixels, expected the {columns} of training"
        );
        Ok((train, test))
    }
}
