//! Sums that do not depend on the order of their terms.

use std::iter::Sum;

/// An exact sum (Shewchuk 1997, "Adaptive Precision Floating-Point Arithmetic", grow-expansion):
/// numbers that do not overlap, ascending by magnitude, whose sum is that of all terms without any
/// rounding. [`Self::value`] rounds once. So a figure is the same bits however the rows are ordered,
/// divided into batches or merged.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    parts: Vec<f64>,
    /// The sum of the terms that are not finite, and of those that overflowed.
    not_finite: f64,
}

impl ExactSum {
    pub fn add(&mut self, mut x: f64) {
        let mut used = 0;
        for i in 0..self.parts.len() {
            let y = self.parts[i];
            let sum = x + y;
            // Knuth's two-sum: the rounding error of `sum`, exactly.
            let of_y = sum - x;
            let error = (x - (sum - of_y)) + (y - of_y);
            if error != 0.0 && sum.is_finite() {
                self.parts[used] = error;
                used += 1;
            }
            x = sum;
        }
        self.parts.truncate(used);
        if !x.is_finite() {
            self.not_finite += x;
        } else if x != 0.0 {
            self.parts.push(x);
        }
    }

    /// Adds a b: its rounded value and the rounding error, which is exact unless it underflows.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        if product.is_finite() {
            self.add(a.mul_add(b, -product));
        }
    }

    pub fn add_all(&mut self, other: &Self) {
        other.parts.iter().for_each(|&part| self.add(part));
        self.not_finite += other.not_finite;
    }

    /// The sum, rounded to the nearest number.
    pub fn value(&self) -> f64 {
        if self.not_finite != 0.0 {
            return self.not_finite;
        }
        let mut parts = self.parts.iter().rev().copied();
        let mut high = parts.next().unwrap_or(0.0);
        while let Some(part) = parts.next() {
            let sum = high + part;
            let error = part - (sum - high);
            high = sum;
            if error != 0.0 {
                // Exactly between two numbers, the next part says which one is nearer.
                let twice = 2.0 * error;
                let further = high + twice;
                if parts.next().is_some_and(|next| next.signum() == error.signum())
                    && further - high == twice
                {
                    high = further;
                }
                break;
            }
        }
        high
    }

    /// `a b - c²`, rounded once.
    pub fn product_less_square(a: &Self, b: &Self, c: &Self) -> f64 {
        let mut sum = Self::default();
        let mut add = |a: &Self, b: &Self, sign: f64| {
            for &a in &a.parts {
                b.parts.iter().for_each(|&b| sum.add_product(sign * a, b));
            }
        };
        add(a, b, 1.0);
        add(c, c, -1.0);
        // Not finite if any of them is.
        sum.value() + 0.0 * (a.not_finite + b.not_finite + c.not_finite)
    }
}

impl Sum<f64> for ExactSum {
    fn sum<I: Iterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        terms.for_each(|x| sum.add(x));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[f64]) -> f64 {
        terms.iter().copied().sum::<ExactSum>().value()
    }

    #[test]
    fn a_sum_is_rounded_once() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum(&[1e308, 1.0, -1e308, 2f64.powi(-1074)]), 1.0);
        // Python's math.fsum([0.1] * 10) and fsum([1, 1e-16, 1e-32]).
        assert_eq!(sum(&[0.1; 10]), 1.0);
        // Half a unit in the last place is rounded to even, unless something follows.
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum(&[1.0, half]), 1.0);
        assert_eq!(sum(&[1.0, half, 1e-40]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[1.0, half, -1e-40]), 1.0);
        assert_eq!(sum(&[1.0 + f64::EPSILON, half]), 1.0 + 2.0 * f64::EPSILON);
        assert_eq!(sum(&[1.0 + f64::EPSILON, half, -1e-40]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(sum(&[f64::NEG_INFINITY, f64::INFINITY]).is_nan());
    }

    #[test]
    fn the_order_and_the_division_of_terms_do_not_matter() {
        let terms: Vec<f64> = (0..200u32)
            .map(|i| {
                let x = f64::from(i.wrapping_mul(2_654_435_761)) - 2e9;
                x * 2f64.powi((i % 90) as i32 - 45) / 3.0
            })
            .collect();
        let want = sum(&terms);
        let backwards: Vec<f64> = terms.iter().rev().copied().collect();
        assert_eq!(sum(&backwards), want);
        for middle in [1, 77, 199] {
            let mut first: ExactSum = terms[..middle].iter().copied().sum();
            first.add_all(&terms[middle..].iter().copied().sum());
            assert_eq!(first.value(), want);
        }
    }

    #[test]
    fn products_are_exact() {
        let x = 1.0 + f64::EPSILON;
        let mut sum = ExactSum::default();
        sum.add_product(x, x);
        sum.add(-1.0 - 2.0 * f64::EPSILON);
        assert_eq!(sum.value(), f64::EPSILON * f64::EPSILON);
        // n sum t² - (sum t)² of 1e8, 1e8 + 1 and 1e8 + 2 is 6: the numbers differ by 1.
        let t = [1e8, 1e8 + 1.0, 1e8 + 2.0];
        let mut squares = ExactSum::default();
        t.iter().for_each(|&t| squares.add_product(t, t));
        let difference =
            ExactSum::product_less_square(&[3.0].into_iter().sum(), &squares, &t.into_iter().sum());
        assert_eq!(difference, 6.0);
    }
}
