//! A saved classifier and the rows that it is asked about.

use std::path::PathBuf;

use thinnet::{
    Error, checkpoint,
    data::{Dataset, Split},
    exchange::FileKind,
    nn::{Loss, Mlp},
};

use crate::source::Source;

/// The arguments that name them.
#[derive(Debug, clap::Args)]
pub struct ModelAndData {
    /// The network, as `thinnet train --out` wrote it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Folder with MNIST's IDX files (plain or .gz), or `digits` for those
    /// inside this program; the test set is used
    #[arg(long, value_name = "DIR|digits", default_value = "digits")]
    data: Source,
}

impl ModelAndData {
    /// Reads the model and the test set, which have to fit each other.
    ///
    /// # Errors
    /// A file that cannot be read, a network with another loss or for other
    /// data.
    pub fn read(&self) -> anyhow::Result<(Mlp, Dataset)> {
        let (model, source) = (self.model.display(), &self.data);
        let mlp = Mlp::load(&self.model).map_err(|error| self.explain(error))?;
        anyhow::ensure!(
            mlp.loss() == Loss::SoftmaxCrossEntropy,
            "--model {model}: trained with the loss {}, expected {} (one class a row)",
            mlp.loss().name(),
            Loss::SoftmaxCrossEntropy.name()
        );
        let test = source.read(Split::Test)?;
        let columns = test.inputs().columns();
        anyhow::ensure!(
            mlp.inputs() == columns,
            "--model {model}: takes {} inputs, expected the {columns} of --data {source}",
            mlp.inputs()
        );
        Ok((mlp, test))
    }

    /// The error, or what has to be done first with a file from elsewhere.
    fn explain(&self, error: Error) -> anyhow::Error {
        let kind =
            checkpoint::read(&self.model).and_then(|bytes| FileKind::of(&bytes, &self.model));
        match kind {
            Ok(kind) if kind != FileKind::Thinnet => anyhow::anyhow!(
                "--model {}: {kind}: expected a model, which `thinnet convert` makes of it",
                self.model.display()
            ),
            _ => error.into(),
        }
    }
}
