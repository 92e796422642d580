//! Value parsers: what is out of range is a usage error that names its flag.

use std::{fmt, str::FromStr};

use thinnet::Keep;

/// Units of the hidden layers, written `1024,1024`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widths(pub Vec<usize>);

impl FromStr for Widths {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let widths: Result<Vec<_>, _> = text.split(',').map(|width| count(width.trim())).collect();
        widths
            .map(Self)
            .map_err(|_| "expected whole numbers of at least 1, separated by commas".to_owned())
    }
}

impl fmt::Display for Widths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<_> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&widths.join(","))
    }
}

/// A number whose nearest f32, which the engine computes with, is in a range.
fn number(text: &str, expected: &str, fits: impl Fn(f32) -> bool) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (value as f32).is_finite() && fits(value as f32) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

/// A finite number of at least 0.
pub fn at_least_zero(text: &str) -> Result<f64, String> {
    number(text, "a finite number of at least 0", |x| x >= 0.0)
}

/// A finite number above 0.
pub fn above_zero(text: &str) -> Result<f64, String> {
    number(text, "a finite number above 0", |x| x > 0.0)
}

/// A momentum: from 0 to below 1.
pub fn momentum(text: &str) -> Result<f64, String> {
    number(text, "a number from 0 to below 1", |x| (0.0..1.0).contains(&x))
}

/// A keep rate; the number as it was given.
pub fn keep(text: &str) -> Result<f64, String> {
    let value = text.parse().map_err(|_| "expected a number above 0 and at most 1".to_owned())?;
    Keep::new(value).map(|_| value).map_err(|error| error.to_string())
}

/// How many of something, at least one.
pub fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a whole number of at least 1".to_owned()),
    }
}

/// How many threads: more than any machine has are a mistake.
pub fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("expected a whole number from 1 to 1024".to_owned()),
    }
}
