//! The svmlight reader never panics on any bytes; what it reads, or refuses, is what a plain parser
//! that has the whole text does; rows that were read, written and read again are the same, and
//! gzipped bytes are read like plain ones.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use thinnet::data::svmlight::{Svmlight, SvmlightRows};

/// The settings of the reader, for the plain parser.
#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    first_index: Option<u32>,
    columns: Option<usize>,
    sorted: bool,
}

/// What a file holds: the number of columns, and for each row its target and its entries.
type Contents = (usize, Vec<(f64, Vec<(u32, f32)>)>);

impl Settings {
    fn reader(self) -> Svmlight {
        let Self { first_index, columns, sorted } = self;
        let reader = Svmlight::new();
        let reader = first_index.map_or(reader, |first| reader.first_index(first));
        let reader = columns.map_or(reader, |columns| reader.columns(columns));
        if sorted { reader.sorted() } else { reader }
    }

    /// `None` for a file that has to be refused.
    fn parse(self, bytes: &[u8]) -> Option<Contents> {
        let mut rows = Vec::new();
        for line in bytes.split(|&byte| byte == b'\n') {
            let line = line.split(|&byte| byte == b'#').next()?;
            let words = line.split(|byte| b" \t\r".contains(byte)).filter(|word| !word.is_empty());
            let words: Vec<&[u8]> = words.collect();
            if words.iter().any(|word| word.len() > 256) {
                return None;
            }
            let Some((target, entries)) = words.split_first() else { continue };
            let target: f64 = std::str::from_utf8(target).ok()?.parse().ok()?;
            let mut row = Vec::new();
            for entry in entries.iter().filter(|entry| !entry.starts_with(b"qid:")) {
                let (index, value) = std::str::from_utf8(entry).ok()?.split_once(':')?;
                let (index, value): (u32, f32) = (index.parse().ok()?, value.parse().ok()?);
                if index < self.first_index.unwrap_or(0) || !value.is_finite() {
                    return None;
                }
                row.push((index, value));
            }
            if self.sorted {
                row.sort_by_key(|&(index, _)| index);
            }
            if !target.is_finite() || !row.is_sorted_by(|a, b| a.0 < b.0) {
                return None;
            }
            rows.push((target, row));
        }
        let indices = || rows.iter().flat_map(|(_, row)| row.iter().map(|&(index, _)| index));
        let first = self.first_index.unwrap_or(if indices().any(|i| i == 0) { 0 } else { 1 });
        let least = indices().map(|i| (i - first) as usize + 1).max().unwrap_or(0);
        let columns = self.columns.unwrap_or(least);
        if columns < least {
            return None;
        }
        rows.iter_mut().flat_map(|(_, row)| row).for_each(|(index, _)| *index -= first);
        Some((columns, rows))
    }
}

fn contents(read: &SvmlightRows) -> Contents {
    let view = read.rows.view();
    assert_eq!(view.rows(), read.targets.len());
    let row = |(row, &target): (usize, &f64)| {
        let (columns, values) = view.row(row).unwrap();
        (target, columns.iter().copied().zip(values.iter().copied()).collect())
    };
    (view.columns(), read.targets.iter().enumerate().map(row).collect())
}

/// With indices from 1.
fn written((_, rows): &Contents) -> String {
    let mut text = String::new();
    for (target, row) in rows {
        text += &target.to_string();
        for (column, value) in row {
            text += &format!(" {}:{value}", u64::from(*column) + 1);
        }
        text.push('\n');
    }
    text
}

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    let usual = Settings::default();
    if bytes.first() == Some(&0x1f) {
        // Taken for a gzipped file.
        let _ = usual.reader().from_bytes(bytes);
        return;
    }
    for settings in [
        usual,
        Settings { sorted: true, ..usual },
        Settings { first_index: Some(0), columns: Some(7), ..usual },
        Settings { first_index: Some(1), sorted: true, ..usual },
    ] {
        let read = settings.reader().from_bytes(bytes);
        let got = read.as_ref().ok().map(contents);
        assert_eq!(got, settings.parse(bytes), "{settings:?}: {:?}", read.err());
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    let read = usual.reader().from_bytes(bytes).ok();
    assert_eq!(usual.reader().from_bytes(&packer.finish().unwrap()).ok(), read);

    let Some(read) = read.as_ref().map(contents) else { return };
    // The index after the largest column of a file with indices from 0 may be too large.
    if read.0 <= u32::MAX as usize {
        let again = Svmlight::new().first_index(1).columns(read.0);
        assert_eq!(contents(&again.from_bytes(written(&read).as_bytes()).unwrap()), read);
    }
}
