//! Which of two ways is faster.

use std::time::Duration;

use crate::{Outcome, Work};

/// Turns of each, and calls of a turn.
const TURNS: usize = 7;
const CALLS: usize = 5;

/// The faster of two; the least time of several turns counts.
pub fn faster<W: Work>(mut one: W, mut other: W) -> Outcome<W> {
    let (mut least, mut least_of_other) = (Duration::MAX, Duration::MAX);
    for _ in 0..TURNS {
        least = least.min(one.run(CALLS)?);
        least_of_other = least_of_other.min(other.run(CALLS)?);
    }
    Ok(if least < least_of_other { one } else { other })
}
