//! Tensors whose elements are stored in other files in the graph's folder.
//!
//! A tensor states a range of a file ([`stated`], [`location`]). All ranges of a graph are checked
//! in one place, [`Store::open`], which opens each file once ([`data_file`]). After that they are
//! read through those handles, a tensor at a time.

mod data_file;
mod location;
mod stated;
mod store;
mod tensor;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub(super) use stated::{External, Stated};
pub(super) use store::Store;
pub(super) use tensor::ExternalTensor;

use crate::files::Identity;

/// The place of a graph, in which its tensors may be stored.
#[derive(Clone, Debug)]
pub(super) struct DataFolder {
    /// The graph's file, and its folder.
    place: Option<(PathBuf, PathBuf)>,
}

impl DataFolder {
    /// No place, for a graph that was not read from a file.
    pub fn none() -> Self {
        Self { place: None }
    }

    /// The place of a graph's file. If `graph` is a link, that is the folder of the link.
    pub fn of(graph: &Path) -> Self {
        let folder = graph.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        Self { place: Some((graph.to_owned(), folder)) }
    }

    /// The paths of all files with tensors, each once.
    pub fn files(&self, wanted: &[ExternalTensor<'_>]) -> Result<Vec<PathBuf>, String> {
        let Some((_, folder)) = &self.place else { return Ok(Vec::new()) };
        let mut files = BTreeSet::new();
        for tensor in wanted {
            let names = location::names(tensor.external.location);
            let names = names.map_err(|reason| tensor.refuse(reason))?;
            files.insert(names.iter().fold(folder.clone(), |path, name| path.join(name)));
        }
        Ok(files.into_iter().collect())
    }

    /// Opens the files of all these tensors.
    ///
    /// # Errors
    /// A location does not lead to a regular file in the folder or below it, goes through a
    /// symbolic link, or is the graph itself; a range is not in its file, does not have the size
    /// of the tensor, or overlaps another one; there are more than 200 files, or more than 16 GiB
    /// in all.
    pub fn open<'a>(&self, wanted: &[ExternalTensor<'a>]) -> Result<Store<'a>, String> {
        let [first, ..] = wanted else { return Ok(Store::default()) };
        let Some((graph, folder)) = &self.place else {
            return Err(first.refuse(
                "expected the graph to be read from a file in the same folder, not from a pipe or \
                 bytes",
            ));
        };
        let graph = Identity::of(graph).map_err(|error| error.to_string())?;
        Store::open(wanted, folder, &graph)
    }
}

#[cfg(test)]
mod tests;
