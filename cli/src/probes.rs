//! Rows unlike the training data, made from the rows of a data set.

use thinnet::{
    data::Dataset,
    mask::{Domain, Streams},
    tensor::{Matrix, MatrixView},
};

/// The streams that shuffle columns and that draw numbers outside the ranges.
const SHUFFLED: u64 = 0;
const OUTSIDE: u64 = 1;

/// The name of a kind of altered rows, and the rows.
pub type Probe = (&'static str, Matrix);

/// Returns the altered rows of `data`, as many as it has, of each kind that makes sense for it:
///
/// - rotated by 90°, if they are known to be square images;
/// - with the columns shuffled independently: every number still comes from its column, but the
///   numbers of a row do not belong together;
/// - with every number outside its column's range: below the minimum or above the maximum by half
///   to all of the range's width. A constant column does not change.
///
/// The last two are left out if all columns are constant. Sparse rows are not altered: most of their columns are 0
/// in most rows, so neither kind would be unlike them.
///
/// # Errors
/// The rows cannot be allocated.
pub fn of(data: &Dataset) -> anyhow::Result<Vec<Probe>> {
    let mut probes = Vec::new();
    let Ok(x) = data.dense_inputs() else { return Ok(probes) };
    if let Some([height, width]) = data.image_shape()
        && height == width
    {
        probes.push(("rotated by 90°", rotated(x, width)?));
    }
    let ranges = ranges(x)?;
    if ranges.iter().any(|[least, most]| least < most) {
        probes.push(("columns shuffled", shuffled(x)?));
        probes.push(("outside the ranges", outside(x, &ranges)?));
    }
    Ok(probes)
}

/// Returns square images rotated clockwise by 90°.
fn rotated(x: MatrixView<'_>, side: usize) -> anyhow::Result<Matrix> {
    let mut rotated = Matrix::zeroed(x.rows(), x.columns())?;
    for row in 0..x.rows() {
        let (from, to) = (x.row(row)?, rotated.row_mut(row)?);
        for (i, to) in to.iter_mut().enumerate() {
            *to = from[(side - 1 - i % side) * side + i / side];
        }
    }
    Ok(rotated)
}

/// Returns the rows with each column in its own random order.
fn shuffled(x: MatrixView<'_>) -> anyhow::Result<Matrix> {
    let mut shuffled = Matrix::zeroed(x.rows(), x.columns())?;
    let mut order: Vec<usize> = (0..x.rows()).collect();
    for column in 0..x.columns() {
        let streams = Streams::new(0, Domain::Other, SHUFFLED, column as u64);
        order.sort_by_cached_key(|&row| streams.hash(row as u64));
        for (row, &from) in order.iter().enumerate() {
            shuffled.row_mut(row)?[column] = x.row(from)?[column];
        }
    }
    Ok(shuffled)
}

/// Returns the minimum and the maximum of each column.
fn ranges(x: MatrixView<'_>) -> anyhow::Result<Vec<[f32; 2]>> {
    let mut ranges = vec![[f32::INFINITY, f32::NEG_INFINITY]; x.columns()];
    for row in 0..x.rows() {
        for ([least, most], &x) in ranges.iter_mut().zip(x.row(row)?) {
            (*least, *most) = (least.min(x), most.max(x));
        }
    }
    Ok(ranges)
}

/// Returns rows whose numbers lie below or above the ranges of their columns.
fn outside(x: MatrixView<'_>, ranges: &[[f32; 2]]) -> anyhow::Result<Matrix> {
    let mut outside = Matrix::zeroed(x.rows(), x.columns())?;
    for row in 0..x.rows() {
        let streams = Streams::new(0, Domain::Other, OUTSIDE, row as u64);
        let to = outside.row_mut(row)?;
        for (column, (to, &[least, most])) in to.iter_mut().zip(ranges).enumerate() {
            let bits = streams.hash(column as u64);
            let (least, most) = (f64::from(least), f64::from(most));
            // From 0.5 to 1, by 32 of the bits.
            let part = 0.5 + 0.5 * (bits >> 32) as f64 / f64::from(u32::MAX);
            let beyond = part * (most - least);
            let number = if bits & 1 == 0 { most + beyond } else { least - beyond };
            *to = number.clamp(f32::MIN.into(), f32::MAX.into()) as f32;
        }
    }
    Ok(outside)
}

#[cfg(test)]
mod tests {
    use thinnet::data::Split;

    use super::*;

    fn table(numbers: &[f32], columns: usize) -> Dataset {
        let rows = numbers.len() / columns;
        let inputs = Matrix::from_rows(numbers, rows, columns).unwrap();
        Dataset::new(inputs, vec![0; rows]).unwrap()
    }

    fn names(data: &Dataset) -> Vec<&'static str> {
        of(data).unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn only_images_are_rotated() {
        let rest = ["columns shuffled", "outside the ranges"];
        // Four columns alone do not make a 2 x 2 image.
        let numbers: Vec<f32> = (0..40).map(|i| (i * i % 7) as f32).collect();
        assert_eq!(names(&table(&numbers, 4)), rest);
        assert_eq!(names(&table(&[1.0; 4], 4)), [""; 0]);
        let digits = Dataset::digits(Split::Test).unwrap().split_at(20).unwrap().0;
        assert_eq!(names(&digits), [&["rotated by 90°"][..], &rest].concat());
        let rotated = &of(&digits).unwrap()[0].1;
        for (y, x) in [(0, 0), (10, 20), (14, 13)] {
            let [before, after] =
                [digits.dense_inputs().unwrap(), rotated.view()].map(|x| x.row(0).unwrap());
            // Clockwise: the bottom left corner moves to the top left.
            assert_eq!(after[y * 28 + x], before[(27 - x) * 28 + y]);
        }
    }

    #[test]
    fn shuffled_columns_have_the_same_numbers_in_another_order() {
        let numbers: Vec<f32> = (0..200).map(|i| i as f32).collect();
        let data = table(&numbers, 2);
        let probe = &of(&data).unwrap()[0].1;
        let mut together = 0;
        let mut columns = [Vec::new(), Vec::new()];
        for row in 0..100 {
            let [a, b] = *probe.row(row).unwrap() else { panic!("two columns") };
            together += usize::from(b == a + 1.0);
            columns[0].push(a);
            columns[1].push(b);
        }
        // Of 100 pairs, one is expected to stay together; 10 or more do with probability 1e-7.
        assert!(together < 10, "{together}");
        for (i, mut column) in columns.into_iter().enumerate() {
            assert!(!column.is_sorted());
            column.sort_by(f32::total_cmp);
            assert_eq!(column, numbers.iter().copied().skip(i).step_by(2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_outside_the_ranges_occur_in_no_row() {
        // Standardised; far from 0; constant; near the largest finite numbers.
        let columns = [[-1.5, 0.0, 1.5], [1e6, 1e6 + 2.0, 1e6 + 8.0], [3.0; 3], [-3e38, 0.0, 3e38]];
        let numbers: Vec<f32> = (0..300).map(|i| columns[i % 4][i / 4 % 3]).collect();
        let data = table(&numbers, 4);
        let probe = &of(&data).unwrap()[1].1;
        let mut below = [0; 4];
        for row in 0..75 {
            for (column, &x) in probe.row(row).unwrap().iter().enumerate() {
                let [least, _, most] = columns[column];
                let distance = most - least;
                below[column] += usize::from(x < least);
                match column {
                    2 => assert_eq!(x, 3.0),
                    3 => assert!(x.is_finite() && x.abs() > 3e38),
                    _ => {
                        let beyond = if x < least { least - x } else { x - most } / distance;
                        assert!((0.49..1.01).contains(&beyond), "{x}");
                    }
                }
            }
        }
        // Binomial (75, 0.5) lies outside 15 to 60 with probability 1e-7.
        for column in [0, 1, 3] {
            assert!((15..=60).contains(&below[column]), "{below:?}");
        }
    }
}
