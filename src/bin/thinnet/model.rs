//! A saved classifier and the rows that it is asked about.

use std::path::Path;

use thinnet::{
    data::{Dataset, Split},
    nn::{Loss, Mlp},
};

use crate::source::Source;

/// Reads the model and the test set, which have to fit each other.
///
/// # Errors
/// A file that cannot be read, a network with another loss or for other data.
pub fn with_test_set(path: &Path, source: &Source) -> anyhow::Result<(Mlp, Dataset)> {
    let model = path.display();
    let mlp = Mlp::load(path)?;
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
