//! The memory that a file may ask for.

use super::order::list;

/// Bytes of a network that a file of any size may make.
const ANY: usize = 48 << 20;

/// Bytes of a network for each of the file's: f16 becomes f32, and layers are
/// filled up to multiples of 64 units.
const FOR_EACH: usize = 3;

/// Numbers of each unit besides its weights: its bias, and two f64 while layers
/// are filled.
const OF_UNIT: usize = 5;

/// Numbers of each input while what is done to it is folded into a layer: four f64.
const OF_INPUT: usize = 8;

/// Whether a network of these widths may be made from a file of `file` bytes.
/// With the file itself it is then at most 4 times that and 48 MiB; the rest of
/// the 64 MiB is for what is read along the way.
pub(super) fn check(widths: &[usize], file: usize) -> Result<(), String> {
    let most = file.saturating_mul(FOR_EACH).saturating_add(ANY);
    let padded = |width: usize| width.checked_next_multiple_of(64).unwrap_or(usize::MAX);
    let bytes = widths.windows(2).fold(0_usize, |sum, pair| {
        let weights = padded(pair[0]).saturating_add(OF_UNIT).saturating_mul(padded(pair[1]));
        let numbers = weights.saturating_add(pair[0].saturating_mul(OF_INPUT));
        sum.saturating_add(numbers.saturating_mul(size_of::<f32>()))
    });
    if bytes <= most {
        return Ok(());
    }
    let widths: Vec<_> = widths.iter().map(usize::to_string).collect();
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
