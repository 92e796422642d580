//! The memory that the network in a file may need.

use super::order::list;

/// The bytes that the network in a file of any size may need.
const BASE_BYTES: usize = 48 << 20;

/// The bytes of a network for each byte of the file: f16 becomes f32, and layers are padded to
/// multiples of 64 units.
const BYTES_PER_FILE_BYTE: usize = 3;

/// The numbers for each unit besides its weights, in f32: its bias, and two f64 while layers are
/// read.
const NUMBERS_PER_UNIT: usize = 5;

/// The numbers for each input while operations are folded into a layer, in f32: four f64.
const NUMBERS_PER_INPUT: usize = 8;

/// [`check_shapes`] for a network of these widths.
pub(super) fn check(widths: &[usize], file: usize) -> Result<(), String> {
    let shapes: Vec<_> = widths.windows(2).map(|pair| [pair[1], pair[0]]).collect();
    check_shapes(&shapes, file)
}

/// Refuses a network of layers of these shapes, `[outputs, inputs]`, that is too large for a file of
/// `file` bytes. Network and file then take at most 4 times the size of the file plus 48 MiB; the rest
/// of the 64 MiB is for what the readers need meanwhile.
pub(super) fn check_shapes(shapes: &[[usize; 2]], file: usize) -> Result<(), String> {
    let most = file.saturating_mul(BYTES_PER_FILE_BYTE).saturating_add(BASE_BYTES);
    let padded = |width: usize| width.checked_next_multiple_of(64).unwrap_or(usize::MAX);
    let bytes = shapes.iter().fold(0_usize, |sum, &[outputs, inputs]| {
        let weights =
            padded(inputs).saturating_add(NUMBERS_PER_UNIT).saturating_mul(padded(outputs));
        let numbers = weights.saturating_add(inputs.saturating_mul(NUMBERS_PER_INPUT));
        sum.saturating_add(numbers.saturating_mul(size_of::<f32>()))
    });
    if bytes <= most {
        return Ok(());
    }
    let inputs = shapes.first().map(|[_, inputs]| inputs);
    let widths = inputs.into_iter().chain(shapes.iter().map(|[outputs, _]| outputs));
    let widths: Vec<_> = widths.map(usize::to_string).collect();
    let widths = list(&widths);
    Err(format!(
        "layers of {widths} units take {bytes} bytes of memory (padded to multiples of 64): \
         expected at most {most} for a file of this size"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_networks_fit_and_thin_ones_of_a_million_units_do_not() {
        for widths in [&[784, 1024, 1024, 10][..], &[1, 1, 1], &[100_000, 1000, 1]] {
            let weights: usize = widths.windows(2).map(|pair| pair[0] * pair[1]).sum();
            assert_eq!(check(widths, 2 * weights), Ok(()), "as f16");
        }
        let reason = check(&[1, 1_000_000, 1], 12_000_000).unwrap_err();
        assert!(reason.contains("expected at most 86331648"), "{reason}");
        assert!(check(&[usize::MAX, usize::MAX], usize::MAX / 8).is_err());
    }
}
