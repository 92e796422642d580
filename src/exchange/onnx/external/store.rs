//! The files with tensors of a graph, opened and checked.

use std::{collections::HashMap, path::Path};

use super::{
    External,
    data_file::DataFile,
    tensor::{ExternalTensor, total},
};
use crate::{error::Error, exchange::onnx::proto::short, files::Identity, memory};

/// The maximum number of files, all of which are open at once: macOS lets a process have 256.
pub(super) const MAX_FILES: usize = 200;

/// The opened files with tensors of a graph.
#[derive(Debug, Default)]
pub(in crate::exchange::onnx) struct Store<'a> {
    pub(super) files: Vec<DataFile>,
    /// The index of the file at each location; several locations can lead to one file.
    locations: HashMap<&'a str, usize>,
    /// The ranges that are not empty, sorted; none overlaps another.
    ranges: Vec<Range<'a>>,
    size: usize,
}

/// The range of a tensor.
#[derive(Debug)]
struct Range<'a> {
    file: usize,
    start: u64,
    end: u64,
    of: ExternalTensor<'a>,
}

impl Range<'_> {
    fn key(&self) -> (usize, u64, u64) {
        (self.file, self.start, self.end)
    }
}

impl<'a> Store<'a> {
    /// Opens the files of all these tensors, which are in `folder`.
    pub(super) fn open(
        wanted: &[ExternalTensor<'a>],
        folder: &Path,
        graph: &Identity,
    ) -> Result<Self, String> {
        let mut store = Self { size: total(wanted)?, ..Self::default() };
        for &of in wanted {
            let file = store.file(&of, folder, graph).map_err(|reason| of.refuse(reason))?;
            let len = store.files[file].len();
            let (start, end) = of.range(len).map_err(|reason| of.refuse(reason))?;
            if start < end {
                let range = Range { file, start, end, of };
                memory::push("ranges", &mut store.ranges, range).map_err(text)?;
            }
        }
        store.ranges.sort_unstable_by_key(Range::key);
        for pair in store.ranges.windows(2) {
            let [one, other] = pair else { continue };
            if one.file == other.file && other.start < one.end {
                let (byte, taken) = (other.start, short(one.of.name));
                return Err(other.of.refuse(format!(
                    "byte {byte} also belongs to {taken}: expected ranges that do not overlap"
                )));
            }
        }
        Ok(store)
    }

    /// The bytes of all ranges, by which a graph with the same tensors inside would be larger.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The elements of a tensor that was checked by [`Self::open`], which take `size` bytes.
    ///
    /// # Errors
    /// The file changed since it was opened, or cannot be read; or memory is short.
    pub fn read(&self, external: &External<'_>, size: u64) -> Result<Vec<u8>, String> {
        if size == 0 {
            return Ok(Vec::new());
        }
        let range = self.locations.get(external.location).and_then(|&file| {
            let key = (file, external.offset, external.offset.checked_add(size)?);
            self.ranges.binary_search_by_key(&key, Range::key).ok()
        });
        let Some(range) = range.map(|index| &self.ranges[index]) else {
            let location = short(external.location);
            return Err(format!(
                "the {size} bytes in {location} belong to none of the graph's tensors"
            ));
        };
        self.files[range.file].read(range.start, size).map_err(|reason| range.of.refuse(reason))
    }

    /// The index of a tensor's file, which is opened if it is not open yet.
    fn file(
        &mut self,
        wanted: &ExternalTensor<'a>,
        folder: &Path,
        graph: &Identity,
    ) -> Result<usize, String> {
        let location = wanted.external.location;
        if let Some(&index) = self.locations.get(location) {
            return Ok(index);
        }
        let file = DataFile::open(folder, location)?;
        if *file.identity() == *graph {
            return Err("that is the graph itself: expected another file".to_owned());
        }
        let known = self.files.iter().position(|known| known.identity() == file.identity());
        let index = known.unwrap_or(self.files.len());
        if known.is_none() {
            if index == MAX_FILES {
                return Err(format!(
                    "more than {MAX_FILES} files: save all tensors to one file: \
                     onnx.save_model(..., all_tensors_to_one_file=True)"
                ));
            }
            memory::push("files", &mut self.files, file).map_err(text)?;
        }
        self.locations.try_reserve(1).map_err(|_| "not enough memory for its name".to_owned())?;
        self.locations.insert(location, index);
        Ok(index)
    }
}

fn text(error: Error) -> String {
    error.to_string()
}
