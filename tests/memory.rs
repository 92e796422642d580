//! Where there is no memory for something large, that is an error: nothing aborts.

mod failing;

use failing::{Failing, LARGE, refuse_each};
use thinnet::{data::Dataset, tensor::Matrix};

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
    assert_eq!(refuse_each(|| Ok::<_, thinnet::Error>(data.fingerprint())), 0);
}
