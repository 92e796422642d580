//! All rows, a batch at a time.

use crate::Outcome;

/// The predictions for all `rows` rows; `predict(first)` returns those of the `batch` rows from
/// `first` on. The last batch ends with the last row, so it may repeat rows.
pub fn in_batches(
    rows: usize,
    batch: usize,
    mut predict: impl FnMut(usize) -> Outcome<Vec<f32>>,
) -> Outcome<Vec<f32>> {
    if batch == 0 || rows < batch {
        return Err(format!("{rows} rows: expected at least a batch of {batch}").into());
    }
    let mut answers = Vec::new();
    for row in (0..rows).step_by(batch) {
        let first = row.min(rows - batch);
        let answer = predict(first)?;
        let repeated = answer.len() / batch * (row - first);
        answers.extend_from_slice(&answer[repeated..]);
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two outputs per row: its number, and that of the batch's first row.
    fn numbers(first: usize, batch: usize) -> Vec<f32> {
        (first..first + batch).flat_map(|row| [row as f32, first as f32]).collect()
    }

    #[test]
    fn each_row_is_answered_once() -> Outcome<()> {
        for (rows, batch) in [(1, 1), (6, 3), (7, 3), (5, 4), (5, 5)] {
            let answers = in_batches(rows, batch, |first| Ok(numbers(first, batch)))?;
            let answered: Vec<f32> = answers.iter().step_by(2).copied().collect();
            let expected: Vec<f32> = (0..rows).map(|row| row as f32).collect();
            assert_eq!(answered, expected, "{rows} rows, batches of {batch}");
        }
        Ok(())
    }

    #[test]
    fn fewer_rows_than_a_batch_are_refused() {
        assert!(in_batches(2, 3, |first| Ok(numbers(first, 3))).is_err());
        assert!(in_batches(2, 0, |first| Ok(numbers(first, 0))).is_err());
    }
}
