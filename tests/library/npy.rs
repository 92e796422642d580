//! NPY files that NumPy wrote, against what it says they hold.

#[cfg(unix)]
use std::process::Command;
use std::{collections::BTreeMap, fs};

use serde::Deserialize;
use tempfile::TempDir;
use thinnet::{
    Error,
    data::{
        Dataset, Split,
        npy::{self, Npy},
    },
    nn::{TargetKind, Targets},
    tensor::Matrix,
};

/// A case of `tests/oracle/npy.py`.
#[derive(Deserialize)]
struct Case {
    bytes: String,
    shape: Vec<usize>,
    rows: Option<Vec<f64>>,
    labels: Option<Vec<u32>>,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        let digit = |at| u8::from_str_radix(&self.bytes[at..at + 2], 16).unwrap();
        (0..self.bytes.len()).step_by(2).map(digit).collect()
    }
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_str(include_str!("../oracle/npy.json")).unwrap()
}

fn bits(matrix: &Matrix) -> Vec<u32> {
    let rows = (0..matrix.rows()).map(|row| matrix.row(row).unwrap());
    rows.flatten().map(|x| x.to_bits()).collect()
}

#[test]
fn what_numpy_wrote_is_read_as_numpy_reads_it() {
    let cases = cases();
    assert!(cases.len() > 40);
    for (name, case) in &cases {
        // Its oracle is little-endian.
        if cfg!(target_endian = "big") && name.starts_with("spelled-") && !name.contains('>') {
            continue;
        }
        let npy = Npy::from_bytes(&case.bytes()).unwrap();
        assert_eq!(npy.dimensions(), case.shape, "{name}");
        if let Some(rows) = &case.rows {
            let matrix = npy.matrix().unwrap();
            assert_eq!(matrix.rows(), case.shape[0], "{name}");
            assert_eq!(matrix.columns(), case.shape[1..].iter().product::<usize>(), "{name}");
            // JSON has every one exactly.
            let want: Vec<u32> = rows.iter().map(|&x| (x as f32).to_bits()).collect();
            assert_eq!(bits(&matrix), want, "{name}");
        }
        if let Some(labels) = &case.labels {
            assert_eq!(&npy.labels().unwrap(), labels, "{name}");
        }
    }
}

#[test]
fn what_is_written_is_what_numpy_writes() {
    let cases = cases();
    for name in ["<f4", "no-rows", "one-row"] {
        let case = &cases[name];
        let rows: Vec<f32> = case.rows.iter().flatten().map(|&x| x as f32).collect();
        let matrix = Matrix::from_rows(&rows, case.shape[0], case.shape[1]).unwrap();
        assert_eq!(npy::matrix_to_bytes(matrix.view()).unwrap(), case.bytes(), "{name}");
    }
    let case = &cases["<u4-labels"];
    assert_eq!(npy::labels_to_bytes(case.labels.as_ref().unwrap()).unwrap(), case.bytes());
}

#[test]
fn files_come_back() {
    let folder = TempDir::new().unwrap();
    let [x, y] = ["x.npy", "y.npy"].map(|name| folder.path().join(name));
    // Wider than a cache line, so that rows are padded, and numbers that print badly.
    let rows: Vec<f32> = (0..51).map(|i| (i as f32 - 25.0) / 3.0).collect();
    let matrix = Matrix::from_rows(&rows, 3, 17).unwrap();
    npy::write_matrix(&x, matrix.view()).unwrap();
    npy::write_labels(&y, &[2, 0, u32::MAX]).unwrap();
    assert_eq!(Npy::read(&x).unwrap().matrix().unwrap(), matrix);
    assert_eq!(Npy::read(&y).unwrap().labels().unwrap(), [2, 0, u32::MAX]);
    let message = Npy::read(folder.path().join("z.npy")).unwrap_err().to_string();
    assert!(message.contains("z.npy"), "{message}");
    assert!(npy::write_matrix(folder.path().join("no/x.npy"), matrix.view()).is_err());
}

#[test]
fn a_folder_of_arrays_is_a_data_set() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let at = |name: &str| path.join(name);
    let message = Dataset::from_folder(path, Split::Train).unwrap_err().to_string();
    assert!(message.contains("x_train.npy") && message.contains("train-images-idx3-ubyte"));
    let images = cases()["images"].bytes();
    fs::write(at("x_train.npy"), &images).unwrap();
    let message = Dataset::from_folder(path, Split::Train).unwrap_err().to_string();
    assert!(message.contains("no NPY labels") && message.contains("y_train.npy"), "{message}");
    npy::write_labels(at("y_train.npy"), &[1, 0, 1]).unwrap();
    let message = Dataset::from_folder(path, Split::Train).unwrap_err().to_string();
    assert!(message.contains("3 labels: expected 2"), "{message}");
    npy::write_labels(at("y_train.npy"), &[1, 0]).unwrap();
    let npy = Dataset::from_folder(path, Split::Train).unwrap();
    assert_eq!((npy.rows(), npy.inputs().columns(), npy.classes()), (2, 25, 2));
    // The same images in IDX are the same data, and come first.
    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 5];
    idx.extend((0..50).map(|i| 5 * i));
    fs::write(at("train-images-idx3-ubyte"), idx).unwrap();
    fs::write(at("train-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 2, 1, 0]).unwrap();
    let idx = Dataset::from_folder(path, Split::Train).unwrap();
    assert_eq!(idx.fingerprint(), npy.fingerprint());
    fs::write(at("y_train.npy"), "broken").unwrap();
    assert!(Dataset::from_folder(path, Split::Train).is_ok());
    // The test set, by MNIST's names.
    fs::write(at("t10k-images.npy"), &images).unwrap();
    npy::write_labels(at("t10k-labels.npy"), &[0, 3]).unwrap();
    let test = Dataset::from_folder(path, Split::Test).unwrap();
    assert_eq!((test.rows(), test.classes()), (2, 4));
    let (inputs, targets, weights) = test.into_parts();
    assert_eq!((inputs.rows(), targets.classes().unwrap(), weights), (2, &[0, 3][..], None));
}

/// Pipes, whose length says 0: more than they hold at once, in both orders, and gzipped IDX.
#[cfg(unix)]
#[test]
fn files_are_read_through_pipes() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["x.npy", "y.npy", "images", "labels"] {
        assert!(Command::new("mkfifo").arg(at(name)).status().unwrap().success());
    }
    let rows = 3000;
    let elements: Vec<f32> = (0..rows * 100).map(|i| i as f32).collect();
    let matrix = Matrix::from_rows(&elements, rows, 100).unwrap();
    let labels: Vec<u32> = (0..rows as u32).map(|i| i % 7).collect();
    let x = npy::matrix_to_bytes(matrix.view()).unwrap();
    let y = npy::labels_to_bytes(&labels).unwrap();
    // One writer after the other, as a shell would do it.
    let read = |files: &[(&str, &[u8])], read: &dyn Fn() -> Result<Dataset, Error>| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (name, bytes) in files {
                    // A reader that refuses the file closes the pipe.
                    let _ = fs::write(at(name), bytes);
                }
            });
            read()
        })
    };
    let npy = || Dataset::from_npy_files(at("x.npy"), at("y.npy"));
    let data = read(&[("x.npy", &x), ("y.npy", &y)], &npy).unwrap();
    assert_eq!(data.labels().unwrap(), labels);
    let (inputs, ..) = data.into_parts();
    assert_eq!(inputs.into_dense().unwrap(), matrix);

    let turned: Vec<f32> = (0..rows * 100).map(|i| elements[i % rows * 100 + i / rows]).collect();
    let turned = Matrix::from_rows(&turned, 100, rows).unwrap();
    let mut fortran = npy::matrix_to_bytes(turned.view()).unwrap();
    let header = String::from_utf8(fortran[10..128].to_vec()).unwrap();
    let header = header.replace("False", "True ").replace("(100, 3000)", "(3000, 100)");
    fortran[10..128].copy_from_slice(header.as_bytes());
    let data = read(&[("x.npy", &fortran), ("y.npy", &y)], &npy).unwrap();
    assert_eq!(data.into_parts().0.into_dense().unwrap(), matrix);

    let mut images = vec![0, 0, 8, 3, 0, 0, 0x0b, 0xb8, 0, 0, 0, 10, 0, 0, 0, 10];
    images.extend((0..rows * 100).map(|i| i as u8));
    let mut few = vec![0, 0, 8, 1, 0, 0, 0x0b, 0xb8];
    few.extend(labels.iter().map(|&label| label as u8));
    let idx = || Dataset::from_idx_files(at("images"), at("labels"));
    let data = read(&[("images", &gzip(&images)), ("labels", &few)], &idx).unwrap();
    assert_eq!((data.labels().unwrap(), data.rows()), (&labels[..], rows));
    assert_eq!(data.dense_inputs().unwrap().row(2).unwrap()[55], f32::from(255_u8) / 255.0);

    // A pipe that ends too early, and a header of much that never comes.
    let error = read(&[("x.npy", &x[..1000])], &npy).unwrap_err().to_string();
    assert!(error.contains("truncated: expected"), "{error}");
}

#[cfg(unix)]
fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn targets_of_any_kind_are_read() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    npy::write_matrix(at("x.npy"), Matrix::zeroed(3, 2).unwrap().view()).unwrap();
    let read = |name: &str, kind| Dataset::from_npy_targets(at("x.npy"), at(name), kind);
    let refused = |name: &str, kind| {
        let error = read(name, kind).map(drop).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", at(name).display())).unwrap().to_owned()
    };
    let matrix = Matrix::from_rows(&[0.0, -1.5, 2.0, 1.0, 0.5, 0.25], 3, 2).unwrap();
    npy::write_matrix(at("values.npy"), matrix.view()).unwrap();
    let data = read("values.npy", TargetKind::Values).unwrap();
    let Targets::Values(values) = data.targets() else { panic!("{data:?}") };
    assert!(values.iter().eq(matrix.iter()) && data.classes() == 0);
    assert_eq!(
        refused("values.npy", TargetKind::Binary),
        "target -1.5 at row 0, column 1: expected a number from 0 to 1"
    );
    assert_eq!(
        refused("values.npy", TargetKind::Classes),
        "shape [3, 2]: expected one dimension of labels"
    );
    // Whole numbers in one dimension, which are classes too.
    npy::write_labels(at("y.npy"), &[1, 0, 1]).unwrap();
    let data = read("y.npy", TargetKind::Binary).unwrap();
    let Targets::Binary(bits) = data.targets() else { panic!("{data:?}") };
    assert!(bits.iter().eq([[1.0], [0.0], [1.0]]));
    assert_eq!(read("y.npy", TargetKind::Classes).unwrap().labels().unwrap(), [1, 0, 1]);
    npy::write_labels(at("few.npy"), &[1, 0]).unwrap();
    let rows = format!("expected 3, one for each row of {}", at("x.npy").display());
    assert_eq!(refused("few.npy", TargetKind::Values), format!("2 rows of targets: {rows}"));
    assert_eq!(refused("few.npy", TargetKind::Classes), format!("2 labels: {rows}"));
    // Bytes are not scaled, as those of inputs are.
    let bytes = |descr: &str, elements: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (3,), }}");
        let header = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(elements);
        bytes
    };
    fs::write(at("bytes.npy"), bytes("|u1", &[1, 255, 0])).unwrap();
    let data = read("bytes.npy", TargetKind::Values).unwrap();
    let Targets::Values(values) = data.targets() else { panic!("{data:?}") };
    assert!(values.iter().eq([[1.0], [255.0], [0.0]]));
    let huge: Vec<u8> = [1.0, 1e300, 2.0f64].iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(at("huge.npy"), bytes("<f8", &huge)).unwrap();
    assert_eq!(
        refused("huge.npy", TargetKind::Values),
        "element 0 of row 1 is 1e300: expected a finite number that an f32 can hold"
    );
}
