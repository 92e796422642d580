//! Columns of numbers.

use serde::{Deserialize, Serialize};

/// What takes the place of a missing number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fill {
    /// The mean of the training rows in which the number is present.
    Mean,
    /// Their median.
    #[default]
    Median,
}

/// The largest number of bins.
pub(super) const MAX_BINS: usize = 256;

/// A column of numbers x that was fitted to training rows. See
/// [`Preprocessor`](super::Preprocessor) for the formulas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numeric {
    /// Takes the place of a missing x.
    fill: f64,
    mean: f64,
    /// The standard deviation; 0 if all x are equal.
    deviation: f64,
    /// Whether there is an output that says that x is missing.
    indicator: bool,
    /// The smallest and the largest x that are not clipped.
    range: [f64; 2],
    /// The edges b[0] < ... < b[T] of the bins; none without the encoding.
    edges: Vec<f64>,
}

impl Numeric {
    /// Fits a column to the numbers that are present, at least one. They are sorted first, so that the
    /// order of the rows does not change a bit.
    pub fn fit(x: &mut [f64], missing: bool, fill: Fill, bins: usize, clip: Option<f64>) -> Self {
        x.sort_unstable_by(f64::total_cmp);
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let constant = x[0] == x[x.len() - 1];
        let (mean, deviation) = if constant {
            (x[0], 0.0)
        } else {
            let squares: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
            (mean, (squares / n).sqrt())
        };
        let fill = match fill {
            Fill::Mean => mean,
            Fill::Median => quantile(x, 1, 2),
        };
        let range = match clip {
            Some(clip) => [mean - clip * deviation, mean + clip * deviation],
            None => [-f64::from(f32::MAX), f64::from(f32::MAX)],
        };
        let mut edges: Vec<f64> = (0..=bins).map(|t| quantile(x, t, bins.max(1))).collect();
        edges.dedup();
        // One bin would repeat the standardised number.
        if edges.len() <= 2 {
            edges.clear();
        }
        Self { fill, mean, deviation, indicator: missing, range, edges }
    }

    /// Checks what was read. The error is the reason.
    pub fn check(&self) -> Result<(), String> {
        let Self { fill, mean, deviation, range: [least, most], edges, .. } = self;
        let numbers = [fill, mean, deviation, least, most].into_iter().chain(edges);
        if let Some(x) = numbers.into_iter().find(|x| !x.is_finite()) {
            return Err(format!("number {x}: expected finite numbers"));
        }
        if *deviation < 0.0 {
            return Err(format!("deviation {deviation}: expected at least 0"));
        }
        if least > most {
            return Err(format!("range from {least} to {most}: expected ascending numbers"));
        }
        if edges.len() > MAX_BINS + 1 || (1..=2).contains(&edges.len()) {
            let n = edges.len();
            return Err(format!("{n} edges of bins: expected none, or 3 to {}", MAX_BINS + 1));
        }
        if !edges.is_sorted_by(|a, b| a < b) {
            return Err("edges of bins: expected ascending numbers".to_owned());
        }
        Ok(())
    }

    /// The number of outputs.
    pub fn width(&self) -> usize {
        1 + self.bins() + usize::from(self.indicator)
    }

    fn bins(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// Whether all numbers of the training rows were equal.
    pub fn is_constant(&self) -> bool {
        self.deviation == 0.0
    }

    /// The name of an output of the column `name`.
    pub fn output_name(&self, name: &str, output: usize) -> String {
        match output {
            0 => name.to_owned(),
            t if t <= self.bins() => format!("{name}: bin {t}"),
            _ => format!("{name}: missing"),
        }
    }

    /// Calls `put` with the outputs that are not 0, in order. The result is false if one is not finite.
    #[inline]
    pub fn encode(&self, x: Option<f64>, mut put: impl FnMut(usize, f32)) -> bool {
        let mut finite = true;
        let mut put = |output, value: f64| {
            let value = value as f32;
            finite &= value.is_finite();
            if value != 0.0 {
                put(output, value);
            }
        };
        let [least, most] = self.range;
        // `max` and `min` do not meet NaN here.
        let given = x.unwrap_or(self.fill).max(least).min(most);
        if self.deviation > 0.0 {
            put(0, (given - self.mean) / self.deviation);
        }
        let bins = self.bins();
        if bins > 0 {
            // The bin of x, or the first or the last one.
            let inner = &self.edges[1..bins];
            let bin = inner.partition_point(|edge| *edge <= given);
            (0..bin).for_each(|t| put(1 + t, 1.0));
            let (low, high) = (self.edges[bin], self.edges[bin + 1]);
            put(1 + bin, (given - low) / (high - low));
        }
        if x.is_none() && self.indicator {
            put(1 + bins, 1.0);
        }
        finite
    }
}

/// The quantile t / of of sorted numbers, interpolated linearly: NumPy's default.
fn quantile(sorted: &[f64], t: usize, of: usize) -> f64 {
    // In integers, so that a quantile that is a number of the list is exactly that.
    let place = t as u128 * (sorted.len() as u128 - 1);
    let (below, rest) = ((place / of as u128) as usize, (place % of as u128) as f64);
    let low = sorted[below];
    let high = sorted[(below + 1).min(sorted.len() - 1)];
    low + (high - low) * (rest / of as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The outputs as a list, in the plainest form of equation (1) of the paper.
    fn plain(of: &Numeric, x: Option<f64>) -> Vec<f64> {
        let given = x.unwrap_or(of.fill);
        let given = if given < of.range[0] { of.range[0] } else { given };
        let given = if given > of.range[1] { of.range[1] } else { given };
        let z = if of.deviation == 0.0 { 0.0 } else { (given - of.mean) / of.deviation };
        let mut outputs = vec![z];
        let bins = of.edges.len().max(1) - 1;
        for t in 1..=bins {
            let (low, high) = (of.edges[t - 1], of.edges[t]);
            outputs.push(if given < low && t > 1 {
                0.0
            } else if given >= high && t < bins {
                1.0
            } else {
                (given - low) / (high - low)
            });
        }
        if of.indicator {
            outputs.push(if x.is_none() { 1.0 } else { 0.0 });
        }
        outputs
    }

    fn outputs(of: &Numeric, x: Option<f64>) -> Vec<f64> {
        let mut all = vec![0.0; of.width()];
        let mut last = None;
        assert!(of.encode(x, |output, value| {
            assert!(last < Some(output), "ascending");
            last = Some(output);
            all[output] = f64::from(value);
        }));
        all
    }

    proptest! {
        #[test]
        fn outputs_are_those_of_the_formula(
            mut training in prop::collection::vec(prop::sample::select(&[-3.5, -1.0, 0.0, 0.25, 2.0, 7.0, 40.0][..]), 1..40),
            x in prop::option::of(-100.0..100.0),
            bins in 0_usize..9,
            clip in prop::option::of(0.5..7.0),
            missing in any::<bool>(),
            mean in any::<bool>(),
        ) {
            let fill = if mean { Fill::Mean } else { Fill::Median };
            let of = Numeric::fit(&mut training, missing, fill, bins, clip);
            of.check().unwrap();
            let expected = plain(&of, x);
            let names: Vec<String> = (0..of.width()).map(|i| of.output_name("a", i)).collect();
            prop_assert_eq!(names.len(), expected.len());
            for (found, expected) in outputs(&of, x).into_iter().zip(expected) {
                // An f32 is rounded by half an ulp.
                prop_assert!((found - expected).abs() <= 1e-7 * expected.abs().max(1e-30));
            }
            // The edges themselves.
            for &edge in &of.edges {
                let found = outputs(&of, Some(edge));
                let expected: Vec<f64> = plain(&of, Some(edge)).iter().map(|x| f64::from(*x as f32)).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn a_number_far_away_is_not_infinite() {
        let mut tiny = [1e-300, 2e-300];
        let of = Numeric::fit(&mut tiny, false, Fill::Mean, 0, None);
        // The squares underflow to 0, so that the numbers count as equal.
        assert!(of.encode(Some(1e38), |_, _| {}) && of.is_constant());
        let of = Numeric::fit(&mut [1e-100, 2e-100], false, Fill::Mean, 0, None);
        assert!(!of.encode(Some(1e38), |_, _| {}) && !of.is_constant());
        let of = Numeric::fit(&mut [1e-100, 2e-100], false, Fill::Mean, 4, Some(6.0));
        assert!(of.encode(Some(1e38), |_, value| assert!(value <= 60.0)));
    }
}
