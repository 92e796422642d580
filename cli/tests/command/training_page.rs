//! The command lines of docs/TRAINING.md.

use std::{fmt::Write, fs, path::Path};

use tempfile::TempDir;
use thinnet::{
    data::npy,
    mask::{Domain, Streams},
    tensor::Matrix,
};

use crate::program::run;

/// The table that the page speaks of: 600 rows, one in five of class 1; and two values for each.
fn write(folder: &Path) {
    const COLUMNS: usize = 6;
    let streams = Streams::new(1, Domain::Other, 0, 0);
    let (mut rows, mut labels, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..600 {
        let label = u32::from(row % 5 == 0);
        labels.push(label);
        for column in 0..COLUMNS {
            let bits = streams.hash((row * COLUMNS + column) as u64) >> 40;
            rows.push(bits as f32 / (1 << 23) as f32 - 1.0 + 0.7 * label as f32);
        }
    }
    for row in rows.chunks(COLUMNS) {
        values.extend([row[0] - row[1] * row[2], row[3] + row[4]]);
    }
    let values = Matrix::from_rows(&values, 600, 2).unwrap();
    npy::write_matrix(folder.join("values.npy"), values.view()).unwrap();
    let rows = Matrix::from_rows(&rows, 600, COLUMNS).unwrap();
    npy::write_matrix(folder.join("x.npy"), rows.view()).unwrap();
    npy::write_labels(folder.join("y.npy"), &labels).unwrap();
    let mut sparse = String::new();
    for (row, label) in rows.view().iter().zip(&labels) {
        write!(sparse, "{label}").unwrap();
        for (index, x) in (1..).zip(row) {
            write!(sparse, " {index}:{x}").unwrap();
        }
        sparse.push('\n');
    }
    fs::write(folder.join("rows.svm"), sparse).unwrap();
}

/// Each `thinnet` line of the page's `sh` blocks succeeds, in order, in one folder, with its
/// TOML block as run.toml.
#[test]
fn every_command_line_of_the_page_succeeds() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/TRAINING.md");
    let page = fs::read_to_string(page).unwrap();
    let folder = TempDir::new().unwrap();
    write(folder.path());
    let settings = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    fs::write(folder.path().join("run.toml"), settings.expect("a block of TOML")).unwrap();
    let mut lines = 0;
    for block in page.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("\\\n", " ");
        for line in block.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let (program, arguments) = words.split_first().expect("no empty line");
            assert_eq!(*program, "thinnet", "{line}");
            let output = run(folder.path(), arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line}: {said}");
            lines += 1;
        }
    }
    assert!(lines >= 5, "{lines}");
    for file in ["rows.safetensors", "curves.svg", "log.jsonl", "values.safetensors"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}
