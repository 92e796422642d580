//! A saved network and the rows that it predicts.

use std::path::PathBuf;

use thinnet::{
    Error,
    checkpoint::Model,
    data::{Dataset, OwnedInputs, OwnedTargets, Split},
    exchange::FileKind,
    nn::{Loss, Mlp, Targets},
};

use crate::{inputs, loss, numbers, outputs::Named, source::Data};

/// The arguments that name them.
#[derive(Debug, clap::Args)]
pub struct ModelAndData {
    /// A network that `thinnet train --out`, `thinnet convert` or `thinnet quantize` wrote
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    data: Data,
    /// Use only the first N rows of the test set, from 1 to 4294967295 [default: all]
    #[arg(long, value_name = "N", value_parser = numbers::count(numbers::MAX_ROWS))]
    limit: Option<usize>,
}

impl ModelAndData {
    /// Returns the files that are read.
    pub fn files(&self) -> Vec<Named> {
        let mut files = self.data.files();
        files.push(("--model", self.model.clone()));
        files
    }

    /// Reads the model and the test set, and checks that they fit.
    ///
    /// # Errors
    /// A file cannot be read, or the network does not fit the data.
    pub fn read(&self) -> anyhow::Result<(Model, Dataset)> {
        self.with_test_set(self.read_model()?)
    }

    fn with_test_set(&self, model: Model) -> anyhow::Result<(Model, Dataset)> {
        let mlp = model.network();
        let data = self.data.like(Split::Test, mlp, &self.name())?;
        let test = data.read(Split::Test, mlp.loss(), Some(mlp.inputs()))?;
        self.check(model.network(), test.inputs().columns(), Some(test.targets()))?;
        Ok((
            model,
            match self.limit {
                Some(limit) if limit < test.rows() => test.split_at(limit)?.0,
                _ => test,
            },
        ))
    }

    /// Like [`Self::read`], for a command that is about classes.
    ///
    /// # Errors
    /// Those of [`Self::read`], or the network has another loss.
    pub fn read_classifier(&self) -> anyhow::Result<(Model, Dataset)> {
        let model = self.read_model()?;
        let of_model = model.network().loss();
        anyhow::ensure!(
            loss::has_classes(of_model),
            "--model {}: the network has the loss {}: expected {} (one class per row)",
            self.model.display(),
            of_model.name(),
            Loss::SoftmaxCrossEntropy.name()
        );
        self.with_test_set(model)
    }

    /// Like [`Self::read`], for rows that may have no targets. Also returns the number of rows to
    /// predict, which `--limit` may reduce.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn read_rows(&self) -> anyhow::Result<(Model, OwnedInputs, Option<OwnedTargets>, usize)> {
        let model = self.read_model()?;
        let mlp = model.network();
        let data = self.data.like(Split::Test, mlp, &self.name())?;
        let (rows, targets) = data.read_rows(Split::Test, mlp.loss(), mlp.inputs())?;
        let view = targets.as_ref().map(OwnedTargets::view);
        self.check(model.network(), rows.view().columns(), view)?;
        let limit = rows.view().rows().min(self.limit.unwrap_or(usize::MAX));
        Ok((model, rows, targets, limit))
    }

    /// Returns the argument that names the model, for messages.
    fn name(&self) -> String {
        format!("--model {}", self.model.display())
    }

    fn read_model(&self) -> anyhow::Result<Model> {
        Model::load(&self.model).map_err(|error| self.explain(error))
    }

    /// Checks that the network fits rows of so many columns with these targets.
    fn check(&self, mlp: &Mlp, columns: usize, targets: Option<Targets<'_>>) -> anyhow::Result<()> {
        anyhow::ensure!(
            mlp.inputs() == columns,
            "--model {}: the network has {} inputs, but the rows of --data {} have {columns} columns",
            self.model.display(),
            mlp.inputs(),
            self.data,
        );
        let labels = match targets {
            Some(Targets::Classes(labels)) => labels,
            Some(Targets::Values(targets) | Targets::Binary(targets)) => {
                anyhow::ensure!(
                    targets.columns() == mlp.targets(),
                    "{}: the rows have {} each, but --model {} predicts {} (loss {})",
                    self.data.targets_name(),
                    numbers::counted(targets.columns(), "target"),
                    self.model.display(),
                    mlp.targets(),
                    mlp.loss(),
                );
                return Ok(());
            }
            _ => return Ok(()),
        };
        let classes = mlp.outputs();
        if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
            anyhow::bail!(
                "{} has class {}, but --model {} has {classes} classes, numbered from 0",
                self.data.label_name(Split::Test, row),
                labels[row],
                self.model.display()
            );
        }
        Ok(())
    }

    /// Returns the error with the argument's name, or for a file from elsewhere the advice to convert it.
    fn explain(&self, error: Error) -> anyhow::Error {
        // A pipe cannot be read a second time.
        let is_file = self.model.metadata().is_ok_and(|about| about.is_file());
        match is_file.then(|| FileKind::read(&self.model)) {
            Some(Ok(kind)) if kind != FileKind::Thinnet => anyhow::anyhow!(
                "--model {}: {kind}: expected a model (`thinnet convert` converts it to one)",
                self.model.display()
            ),
            _ => inputs::explain(&[(self.name(), &self.model, "a model")], error),
        }
    }
}
