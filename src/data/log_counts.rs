//! log(1 + count).

use super::CsrMatrix;
use crate::error::Error;

impl CsrMatrix {
    /// Replaces each value x by ln(1 + x), the natural logarithm: counts that span orders of magnitude,
    /// as of words or clicks, become numbers of similar size, and 0 stays 0. It is computed in double
    /// precision, without the system's functions, so that it has the same bits on every machine.
    ///
    /// ```
    /// use thinnet::data::CsrMatrix;
    ///
    /// let mut rows = CsrMatrix::new(vec![0, 2], vec![1, 3], vec![1.0, 9.0], 4)?;
    /// rows.log_counts()?;
    /// let logarithms = rows.view().row(0)?.1;
    /// assert!((logarithms[0] - 2_f32.ln()).abs() < 1e-6 && (logarithms[1] - 10_f32.ln()).abs() < 1e-6);
    ///
    /// let mut rows = CsrMatrix::new(vec![0, 1], vec![3], vec![-1.0], 4)?;
    /// let error = rows.log_counts().unwrap_err().to_string();
    /// let words = "count at row 0, column 3: expected a finite number of at least 0, got -1.0";
    /// assert_eq!(error, words);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// A value is negative, infinite or NaN; nothing is changed then. Hashed features with signs have
    /// negative values: see [`FeatureHasher::unsigned`](super::FeatureHasher::unsigned).
    pub fn log_counts(&mut self) -> Result<(), Error> {
        self.view().check_counts()?;
        let log = |x: &mut f32| *x = libm::log1p(f64::from(*x)) as f32;
        self.values_mut().iter_mut().for_each(log);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_row(values: Vec<f32>) -> CsrMatrix {
        let columns = values.len();
        CsrMatrix::new(vec![0, columns], (0..columns as u32).collect(), values, columns).unwrap()
    }

    /// Against the standard library in double precision: two of its functions, rounded differently,
    /// may be on two sides of the middle between two floats.
    #[test]
    fn counts_become_logarithms() {
        // All magnitudes, in steps of some 0.6 %.
        let counts = (0..f32::INFINITY.to_bits()).step_by(50_021).map(f32::from_bits);
        let counts: Vec<f32> = counts.chain([f32::MAX, 1.0, 2.0, -0.0]).collect();
        let mut rows = one_row(counts.clone());
        rows.log_counts().unwrap();
        let (_, _, logarithms) = rows.into_parts();
        for (&x, &log) in counts.iter().zip(&logarithms) {
            let expected = f64::from(x).ln_1p() as f32;
            assert!(log.to_bits().abs_diff(expected.to_bits()) <= 1, "{x}: {log}, not {expected}");
        }
        assert_eq!(logarithms[0].to_bits(), 0);
    }

    #[test]
    fn what_is_no_count_is_refused_and_nothing_changed() {
        for bad in [-1.0, -f32::MIN_POSITIVE, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut rows = one_row(vec![3.0, 4.0, bad]);
            let error = rows.log_counts().unwrap_err().to_string();
            let words = "count at row 0, column 2: expected a finite number of at least 0, got";
            assert_eq!(error, format!("{words} {:?}", f64::from(bad)));
            let (_, _, values) = rows.into_parts();
            assert_eq!(values[..2], [3.0, 4.0]);
        }
    }
}
