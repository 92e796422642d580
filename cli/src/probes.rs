//! Rows that a network was not trained for, made of those that it is asked about.

use thinnet::{
    data::Dataset,
    mask::{Domain, Streams},
    tensor::{Matrix, MatrixView},
};

/// The streams of columns that are shuffled, and of numbers outside of a column's.
const SHUFFLED: u64 = 0;
const OUTSIDE: u64 = 1;

/// What the rows of the data became, and what they are called.
pub type Probe = (&'static str, Matrix);

/// As many rows as `data` has of each kind that makes sense for it:
///
/// - turned by 90°, where they are known to be square images;
/// - its columns shuffled, each on its own: every number is one of its column, but
///   they do not belong together;
/// - each number outside of its column's, below the least or above the largest by half
///   to all of the distance between those. A column that does not vary stays.
///
/// The last two are left out where no column varies.
///
/// # Errors
/// Rows that cannot be allocated.
pub fn of(data: &Dataset) -> anyhow::Result<Vec<Probe>> {
    let x = data.inputs();
    let mut probes = Vec::new();
    if let Some([height, width]) = data.image_shape()
        && height == width
    {
        probes.push(("turned by 90°", turned(x, width)?));
    }
    let ranges = ranges(x)?;
    if ranges.iter().any(|[least, most]| least < most) {
        probes.push(("columns shuffled", shuffled(x)?));
        probes.push(("outside the ranges", outside(x, &ranges)?));
    }
    Ok(probes)
}

/// Square images, turned by a quarter.
fn turned(x: MatrixView<'_>, side: usize) -> anyhow::Result<Matrix> {
    let mut turned = Matrix::zeroed(x.rows(), x.columns())?;
    for row in 0..x.rows() {
        let (from, to) = (x.row(row)?, turned.row_mut(row)?);
        for (i, to) in to.iter_mut().enumerate() {
            *to = from[(side - 1 - i % side) * side + i / side];
        }
    }
    Ok(turned)
}

/// Each column in an order of its own.
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

/// The least and the largest number of each column.
fn ranges(x: MatrixView<'_>) -> anyhow::Result<Vec<[f32; 2]>> {
    let mut ranges = vec![[f32::INFINITY, f32::NEG_INFINITY]; x.columns()];
    for row in 0..x.rows() {
        for ([least, most], &x) in ranges.iter_mut().zip(x.row(row)?) {
            (*least, *most) = (least.min(x), most.max(x));
        }
    }
    Ok(ranges)
}

/// Numbers below or above those of their columns.
fn outside(x: MatrixView<'_>, ranges: &[[f32; 2]]) -> anyhow::Result<Matrix> {
    let mut outside = Matrix::zeroed(x.rows(), x.columns())?;
    for row in 0..x.rows() {
        let streams = Streams::new(0, Domain::Other, OUTSIDE, row as u64);
        let to = outside.row_mut(row)?;
        for (column, (to, &[least, most])) in to.iter_mut().zip(ranges).enumerate() {
            let bits = streams.hash(column as u64);
            let (least, most) = (f64::from(least), f64::from(most));
            // 32 bits: from 0.5 to 1.
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
    fn only_images_are_turned() {
        let rest = ["columns shuffled", "outside the ranges"];
        // Four columns are no image of 2 x 2.
        let numbers: Vec<f32> = (0..40).map(|i| (i * i % 7) as f32).collect();
        assert_eq!(names(&table(&numbers, 4)), rest);
        assert_eq!(names(&table(&[1.0; 4], 4)), [""; 0]);
        let digits = Dataset::digits(Split::Test).unwrap().split_at(20).unwrap().0;
        assert_eq!(names(&digits), [&["turned by 90°"][..], &rest].concat());
        let turned = &of(&digits).unwrap()[0].1;
        for (y, x) in [(0, 0), (10, 20), (14, 13)] {
            let [before, after] = [digits.inputs(), turned.view()].map(|x| x.row(0).unwrap());
            // Clockwise: what was at the bottom left is at the top left.
            assert_eq!(after[y * 28 + x], before[(27 - x) * 28 + y]);
        }
    }

    #[test]
    fn shuffled_columns_hold_their_numbers_in_another_order() {
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
        // Of 100 pairs, one is expected to find itself again; 10 with probability 1e-7.
        assert!(together < 10, "{together}");
        for (i, mut column) in columns.into_iter().enumerate() {
            assert!(!column.is_sorted());
            column.sort_by(f32::total_cmp);
            assert_eq!(column, numbers.iter().copied().skip(i).step_by(2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_outside_are_those_of_no_row() {
        // Standardised; far from 0; constant; the largest there are.
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
