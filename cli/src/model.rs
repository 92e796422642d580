//! A saved classifier and the rows that it is asked about.

use std::path::PathBuf;

use thinnet::{
    Error,
    data::{Dataset, Split},
    exchange::FileKind,
    nn::{Loss, Mlp},
    tensor::Matrix,
};

use crate::{numbers, outputs::Named, source::Data};

/// The arguments that name them.
#[derive(Debug, clap::Args)]
pub struct ModelAndData {
    /// The network, as `thinnet train --out` or `thinnet convert` wrote it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    data: Data,
    /// Use only the first N rows of the test set, from 1 to 4294967295 [default: all]
    #[arg(
        long, value_name = "N", value_parser = numbers::count(numbers::MAX_ROWS),
        allow_negative_numbers = true,
    )]
    limit: Option<usize>,
}

impl ModelAndData {
    /// The files that are read.
    pub fn files(&self) -> Vec<Named> {
        let mut files = self.data.files();
        files.push(("--model", self.model.clone()));
        files
    }

    /// Reads the model and the test set, which have to fit each other.
    ///
    /// # Errors
    /// A file that cannot be read, a network with another loss or for other
    /// data.
    pub fn read(&self) -> anyhow::Result<(Mlp, Dataset)> {
        let mlp = self.read_model()?;
        let test = self.data.read(Split::Test)?;
        self.check(&mlp, test.inputs().columns(), test.labels())?;
        Ok((
            mlp,
            match self.limit {
                Some(limit) if limit < test.rows() => test.split_at(limit)?.0,
                _ => test,
            },
        ))
    }

    /// The same, with labels only where there are some; and how many of the rows are
    /// asked for.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_rows(&self) -> anyhow::Result<(Mlp, Matrix, Option<Vec<u32>>, usize)> {
        let mlp = self.read_model()?;
        let (rows, labels) = self.data.read_rows()?;
        self.check(&mlp, rows.columns(), labels.as_deref().unwrap_or_default())?;
        let limit = rows.rows().min(self.limit.unwrap_or(usize::MAX));
        Ok((mlp, rows, labels, limit))
    }

    fn read_model(&self) -> anyhow::Result<Mlp> {
        let model = self.model.display();
        let mlp = Mlp::load(&self.model).map_err(|error| self.explain(error))?;
        anyhow::ensure!(
            mlp.loss() == Loss::SoftmaxCrossEntropy,
            "--model {model}: trained with the loss {}, expected {} (one class a row)",
            mlp.loss().name(),
            Loss::SoftmaxCrossEntropy.name()
        );
        Ok(mlp)
    }

    /// Whether the network is one for rows of so many columns with such labels.
    fn check(&self, mlp: &Mlp, columns: usize, labels: &[u32]) -> anyhow::Result<()> {
        anyhow::ensure!(
            mlp.inputs() == columns,
            "--model {}: takes {} inputs, expected the {columns} of --data {}",
            self.model.display(),
            mlp.inputs(),
            self.data
        );
        let classes = mlp.outputs();
        if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
            anyhow::bail!(
                "--data {}: row {row} has the class {}, expected one of the {classes} from 0 on that \
                 --model {} has",
                self.data,
                labels[row],
                self.model.display()
            );
        }
        Ok(())
    }

    /// The error, or what has to be done first with a file from elsewhere.
    fn explain(&self, error: Error) -> anyhow::Error {
        // Of a pipe there is nothing left to be read.
        let is_file = self.model.metadata().is_ok_and(|about| about.is_file());
        match is_file.then(|| FileKind::read(&self.model)) {
            Some(Ok(kind)) if kind != FileKind::Thinnet => anyhow::anyhow!(
                "--model {}: {kind}: expected a model, which `thinnet convert` makes of it",
                self.model.display()
            ),
            _ => error.into(),
        }
    }
}
