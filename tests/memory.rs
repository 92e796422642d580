//! Where there is no memory for something large, that is an error: nothing aborts.

mod failing;

use failing::{Failing, LARGE, refuse_each};
use thinnet::{
    Error,
    data::{
        CsrMatrix, Dataset, TfIdf, idx,
        npy::{self, Npy},
        svmlight::Svmlight,
    },
    files,
    tensor::Matrix,
};

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// So many that a row, and the labels of as many rows, are large.
const MANY: usize = LARGE / 4;

#[test]
fn a_request_that_is_refused_is_an_error() {
    let refused = refuse_each(|| {
        let mut bytes = Vec::<u8>::new();
        bytes.try_reserve_exact(LARGE)?;
        bytes.try_reserve_exact(2 * LARGE)
    });
    assert_eq!(refused, 2);
}

#[test]
fn rows_are_split_or_refused() {
    let data = Dataset::new(Matrix::zeroed(2 * MANY, 1).unwrap(), vec![0; 2 * MANY]).unwrap();
    // Rows and labels of both parts.
    assert_eq!(refuse_each(|| data.split_at(MANY)), 4);
}

#[test]
fn a_fingerprint_takes_no_memory() {
    let data = Dataset::new(Matrix::zeroed(2, MANY).unwrap(), vec![0, 1]).unwrap();
    assert_eq!(refuse_each(|| Ok::<_, Error>(data.fingerprint())), 0);
}

#[test]
fn arrays_are_read_and_written_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let matrix = Matrix::zeroed(2, MANY).unwrap();
    let labels = vec![1; MANY];
    assert_eq!(refuse_each(|| npy::write_matrix(&path, matrix.view())), 1);
    assert_eq!(refuse_each(|| npy::read_inputs(&path)), 1);
    // The bytes, and the matrix that is made of them.
    assert_eq!(refuse_each(|| Npy::read(&path)?.matrix()), 2);
    assert_eq!(refuse_each(|| npy::write_labels(&path, &labels)), 1);
    assert_eq!(refuse_each(|| npy::read_labels(&path)), 1);
    assert_eq!(refuse_each(|| Npy::read(&path)?.labels()), 2);
    assert_eq!(refuse_each(|| files::read_if(&path, files::MAX_BYTES, |_| Ok(()))), 1);
}

#[test]
fn images_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [images, labels] = ["images", "labels"].map(|name| folder.path().join(name));
    let rows = (MANY as u32).to_be_bytes();
    let one = [0, 0, 0, 1];
    let pixels = vec![7; 4 * MANY];
    let four = [0, 0, 0, 4];
    std::fs::write(&images, [&[0, 0, 8, 3][..], &rows, &one, &four, &pixels].concat()).unwrap();
    std::fs::write(&labels, [&[0, 0, 8, 1][..], &rows, &pixels[..MANY]].concat()).unwrap();
    // No more than the matrix and the labels.
    assert_eq!(refuse_each(|| Dataset::from_idx_files(&images, &labels)), 2);
    assert_eq!(refuse_each(|| idx::read(&images, 3)), 1);
}

/// Memory that grows is refused wherever it does.
#[test]
fn a_gzipped_file_is_read_or_refused() {
    let bytes = [&[0, 0, 8, 1, 0, 0x40, 0, 0][..], &vec![7; 4 << 20]].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &bytes).unwrap();
    let bytes = gzip.finish().unwrap();
    let refused = refuse_each(|| idx::from_bytes(&bytes, 1));
    assert!((2..=6).contains(&refused), "{refused}");
}

/// Rows and targets, or the entries of a row and what sorts them, grow.
#[test]
fn sparse_rows_are_read_or_refused() {
    let rows = "1 1:1\n".repeat(MANY);
    let refused = refuse_each(|| Svmlight::new().from_bytes(rows.as_bytes()));
    assert!((4..=12).contains(&refused), "{refused}");
    let entries: String = (1..=MANY).rev().map(|index| format!(" {index}:1")).collect();
    let row = format!("1{entries}");
    let refused = refuse_each(|| Svmlight::new().sorted().from_bytes(row.as_bytes()));
    assert!((3..=6).contains(&refused), "{refused}");
}

#[test]
fn sparse_rows_are_built_or_refused() {
    let build = |columns: u32| {
        let mut rows = CsrMatrix::builder(MANY);
        rows.push_row((0..columns).rev().map(|column| (column, 1.0)))?;
        Ok::<_, Error>(rows.finish())
    };
    let refused = refuse_each(|| build(MANY as u32));
    assert!((3..=6).contains(&refused), "{refused}");
    let rows = build(3).unwrap();
    // Frequencies of all columns, and what follows from them.
    assert_eq!(refuse_each(|| TfIdf::new().fit(rows.view())), 2);
}
