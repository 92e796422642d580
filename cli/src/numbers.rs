//! Value parsers. A value out of range is a usage error that names its flag.
//!
//! Every count has a maximum, which its help states. A larger value is a mistake, and is refused
//! before anything of that size is allocated.

use std::{fmt, str::FromStr};

/// Threads; few machines have more.
pub const MAX_THREADS: usize = 1024;

/// Rows of a set; the library numbers them by `u32`.
pub const MAX_ROWS: usize = u32::MAX as usize;

/// Rows of a batch.
pub const MAX_BATCH: usize = 1_000_000;

/// Epochs of a run.
pub const MAX_EPOCHS: usize = 1_000_000;

/// Steps that are measured, or between two checkpoints.
pub const MAX_STEPS: usize = 1_000_000;

/// Thinned networks sampled per row.
pub const MAX_SAMPLES: usize = 1_000_000;

/// Bins of a histogram.
pub const MAX_BINS: usize = 1000;

/// Units of a layer.
const MAX_UNITS: usize = 1_000_000;

/// Hidden layers.
const MAX_LAYERS: usize = 1000;

/// Returns a number of things in words: `1 thread`, `2 threads`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Units of the hidden layers, written `1024,1024`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widths(pub Vec<usize>);

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let width = count(MAX_UNITS);
        // One more than allowed is enough to see that there are too many.
        let widths = text.split(',').take(MAX_LAYERS + 1).map(|text| width(text.trim()));
        match widths.collect::<Result<Vec<_>, _>>() {
            Ok(widths) if widths.len() <= MAX_LAYERS => Ok(Self(widths)),
            _ => Err(format!(
                "expected whole numbers from 1 to {MAX_UNITS}, at most {MAX_LAYERS} of them, \
                 separated by commas"
            )),
        }
    }
}

impl fmt::Display for Widths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<_> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&widths.join(","))
    }
}

/// Parses a number that is in range, and still is when rounded to f32, as the engine computes.
fn number(text: &str, expected: &str, fits: impl Fn(f64) -> bool) -> Result<f64, String> {
    let value = text.parse().ok().filter(|&value| fits(value));
    let value = value.ok_or_else(|| format!("expected {expected}"))?;
    let rounded = value as f32;
    if fits(rounded.into()) {
        return Ok(value);
    }
    Err(format!("it rounds to {rounded} in single precision: expected {expected}"))
}

/// Parses a finite number of at least 0.
pub fn at_least_zero(text: &str) -> Result<f64, String> {
    number(text, "a number from 0 to 3.4e38", |x| (0.0..f64::INFINITY).contains(&x))
}

/// Parses a bound on the norm of weights.
pub fn norm(text: &str) -> Result<f64, String> {
    number(text, "a number from 1e-15 to 3.4e38", |x| (1e-15..f64::INFINITY).contains(&x))
}

/// Parses a number of at least 0 and below 1, such as a momentum or a decay rate.
pub fn fraction(text: &str) -> Result<f64, String> {
    number(text, "a number of at least 0 and below 1", |x| (0.0..1.0).contains(&x))
}

/// Parses a number from the smallest normal f32 on: a bound on gradients, or what an optimiser adds to
/// a divisor.
pub fn above_zero(text: &str) -> Result<f64, String> {
    let least = f64::from(f32::MIN_POSITIVE);
    number(text, "a number from 1.2e-38 to 3.4e38", |x| (least..f64::INFINITY).contains(&x))
}

/// Returns a parser of whole numbers from 1 to `most`. It parses every count on the command line.
pub fn count(most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync {
    move |text| match text.parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(format!("expected a whole number from 1 to {most}")),
    }
}

/// Parses the number of pieces of a maxout unit.
pub fn pieces(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(pieces) if (2..=256).contains(&pieces) => Ok(pieces),
        _ => Err("expected a whole number from 2 to 256".to_owned()),
    }
}

/// Parses a seed: any unsigned number of 64 bits.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_end_at_their_maximum() {
        let five = count(5);
        assert_eq!([five("1"), five("5")], [Ok(1), Ok(5)]);
        let beyond = u64::MAX.to_string();
        let texts = ["0", "-1", "6", "1000000000000", &beyond, "18446744073709551616", "1e3"];
        for text in texts.into_iter().chain(["", " ", "NaN", "inf", "1.0", "0x1", "1,0"]) {
            assert_eq!(five(text), Err("expected a whole number from 1 to 5".to_owned()), "{text}");
        }
        assert_eq!([seed("0"), seed(&beyond)], [Ok(0), Ok(u64::MAX)]);
        assert!(seed("18446744073709551616").unwrap_err().ends_with(&beyond));
    }

    #[test]
    fn numbers_are_in_range_before_they_are_rounded() {
        for text in ["0", "-0", "1e-50", "3.4e38"] {
            assert!(at_least_zero(text).is_ok(), "{text}");
        }
        for text in ["", "NaN", "inf", "-inf", "-1", "-1e-50", "1e39", "1e400", "0x1", "1,5"] {
            assert!(at_least_zero(text).is_err(), "{text}");
            assert!(fraction(text).is_err() && norm(text).is_err());
        }
        assert!(norm("1e-14").is_ok() && norm("1e-16").is_err() && norm("0").is_err());
        assert!(fraction("0.99").is_ok() && fraction("0.999999999999").is_err());
    }

    #[test]
    fn widths_are_bounded_in_number_and_size() {
        let many = |n: usize| vec!["1"; n].join(",");
        assert_eq!("3, 4".parse(), Ok(Widths(vec![3, 4])));
        assert_eq!("1000000".parse(), Ok(Widths(vec![1_000_000])));
        assert_eq!(many(1000).parse::<Widths>().unwrap().0.len(), 1000);
        for text in ["", "0", "1,", "1000001", "1e3", "5,-1", &many(1001), &many(1_000_000)] {
            let message = text.parse::<Widths>().unwrap_err();
            assert!(message.contains("from 1 to 1000000, at most 1000"), "{message}");
        }
    }
}
