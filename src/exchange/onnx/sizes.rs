//! Whole numbers that a graph computes from shapes, in which the number of rows is unknown.

use super::constant::{Constant, MAX_INTS};

/// factor rows^power
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    factor: i64,
    power: u32,
}

impl Size {
    /// The number of rows.
    pub const ROWS: Self = Self { factor: 1, power: 1 };

    pub const fn of(number: i64) -> Self {
        Self { factor: number, power: 0 }
    }

    /// The number, if it does not depend on the rows.
    pub fn number(self) -> Option<i64> {
        (self.power == 0 || self.factor == 0).then_some(self.factor)
    }

    fn add(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self { factor: 0, .. }, size) | (size, Self { factor: 0, .. }) => Some(size),
            (a, b) if a.power == b.power => {
                Some(Self { factor: a.factor.checked_add(b.factor)?, ..a })
            }
            _ => None,
        }
    }

    fn negate(self) -> Option<Self> {
        Some(Self { factor: self.factor.checked_neg()?, ..self })
    }

    fn multiply(self, other: Self) -> Option<Self> {
        let factor = self.factor.checked_mul(other.factor)?;
        Some(Self { factor, power: self.power.checked_add(other.power)? })
    }

    /// The quotient, rounded towards 0 as in the standard. If the sizes depend on the rows, it must
    /// be exact.
    fn divide(self, other: Self) -> Option<Self> {
        let factor = self.factor.checked_div(other.factor)?;
        let power = self.power.checked_sub(other.power)?;
        let exact = factor.checked_mul(other.factor)? == self.factor;
        (exact || (self.power == 0 && other.power == 0)).then_some(Self { factor, power })
    }
}

/// A number or a vector of numbers; `None` if one is unknown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sizes {
    pub is_vector: bool,
    pub items: Vec<Option<Size>>,
}

/// An operation on two numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Sizes {
    pub fn vector(items: Vec<Option<Size>>) -> Self {
        Self { is_vector: true, items }
    }

    pub fn scalar(item: Option<Size>) -> Self {
        Self { is_vector: false, items: vec![item] }
    }

    pub fn of(constant: &Constant<'_>) -> Result<Self, String> {
        let (ints, is_vector) = constant.ints()?;
        let items = ints.into_iter().map(|number| Some(Size::of(number))).collect();
        Ok(Self { is_vector, items })
    }

    /// The numbers, if all of them are known and do not depend on the rows.
    pub fn numbers(&self) -> Result<Vec<i64>, String> {
        let numbers = self.items.iter().map(|item| item.and_then(Size::number));
        numbers.collect::<Option<_>>().ok_or_else(|| {
            "some numbers depend on the number of rows or are unknown: expected constants"
                .to_owned()
        })
    }

    /// Whether the numbers fit into 32 bits.
    pub fn fit_i32(&self) -> bool {
        self.items.iter().flatten().all(|size| i32::try_from(size.factor).is_ok())
    }

    /// Computes element by element; a single number applies to all elements.
    pub fn compute(&self, op: Arithmetic, other: &Self) -> Result<Self, String> {
        let (a, b) = (&self.items, &other.items);
        let n = if a.len() == 1 { b.len() } else { a.len() };
        if b.len() != n && b.len() != 1 {
            return Err(format!(
                "{} and {} numbers: expected the same number of both, or one number",
                a.len(),
                b.len()
            ));
        }
        let at = |items: &[Option<Size>], i: usize| items[if items.len() == 1 { 0 } else { i }];
        let compute = |i| {
            let (a, b) = (at(a, i)?, at(b, i)?);
            match op {
                Arithmetic::Add => a.add(b),
                Arithmetic::Subtract => a.add(b.negate()?),
                Arithmetic::Multiply => a.multiply(b),
                Arithmetic::Divide => a.divide(b),
            }
        };
        let items = (0..n).map(compute).collect();
        Ok(Self { is_vector: self.is_vector || other.is_vector, items })
    }

    /// The items at these indices; negative ones count from the end.
    pub fn gather(&self, indices: &Self) -> Result<Self, String> {
        self.check_vector()?;
        let gathered = indices.numbers()?.into_iter().map(|index| {
            let n = self.items.len();
            place(index, n)
                .and_then(|index| self.items.get(index))
                .copied()
                .ok_or_else(|| format!("index {index}: expected one of {n} dimensions"))
        });
        Ok(Self { is_vector: indices.is_vector, items: gathered.collect::<Result<_, _>>()? })
    }

    /// The items from `start` on, before `end`.
    pub fn slice(&self, start: i64, end: i64, step: i64) -> Result<Self, String> {
        self.check_vector()?;
        if step != 1 {
            return Err(format!("step {step}: expected 1"));
        }
        let n = self.items.len();
        let bound = |at: i64| {
            let at = if at < 0 { at.saturating_add(n as i64) } else { at };
            usize::try_from(at.max(0)).unwrap_or(n).min(n)
        };
        let (start, end) = (bound(start), bound(end));
        Ok(Self::vector(self.items[start..end.max(start)].to_vec()))
    }

    /// The items of all parts, one after the other.
    pub fn concat(parts: &[Self]) -> Result<Self, String> {
        let mut items = Vec::new();
        for part in parts {
            part.check_vector()?;
            items.extend(&part.items);
        }
        if items.len() > MAX_INTS {
            return Err(format!("{} numbers: expected at most {MAX_INTS}", items.len()));
        }
        Ok(Self::vector(items))
    }

    /// The product of all numbers.
    pub fn product(&self) -> Option<Size> {
        self.items.iter().try_fold(Size::of(1), |product, item| product.multiply((*item)?))
    }

    /// A number as a vector of one number, or the reverse.
    pub fn with_rank(self, is_vector: bool) -> Result<Self, String> {
        match self.items[..] {
            [_] => Ok(Self { is_vector, ..self }),
            _ => Err(format!("{} numbers: expected one", self.items.len())),
        }
    }

    fn check_vector(&self) -> Result<(), String> {
        if self.is_vector { Ok(()) } else { Err("a number: expected a vector".to_owned()) }
    }
}

/// The place of `index` among `n`; a negative one counts from the end.
pub(super) fn place(index: i64, n: usize) -> Option<usize> {
    let n = i64::try_from(n).ok()?;
    let index = if index < 0 { index.checked_add(n)? } else { index };
    usize::try_from(index).ok().filter(|_| index < n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[i64]) -> Sizes {
        Sizes::vector(numbers.iter().map(|&number| Some(Size::of(number))).collect())
    }

    fn rows(factor: i64) -> Option<Size> {
        Size::of(factor).multiply(Size::ROWS)
    }

    #[test]
    fn the_number_of_rows_stays_symbolic() {
        let shape = Sizes::vector(vec![rows(1), Some(Size::of(3)), Some(Size::of(4))]);
        let all = Sizes::scalar(shape.product());
        assert_eq!(all.items, [rows(12)]);
        let first = shape.gather(&of(&[0]).with_rank(false).unwrap()).unwrap();
        let columns = all.compute(Arithmetic::Divide, &first).unwrap();
        assert_eq!(columns, Sizes::scalar(Some(Size::of(12))));
        assert_eq!(columns.numbers().unwrap(), [12]);
        assert!(all.numbers().unwrap_err().contains("depend on the number of rows"));
        // Half the number of rows may not be whole; one row more is not a multiple.
        let half = shape.compute(Arithmetic::Divide, &of(&[2])).unwrap();
        assert_eq!(half.items, [None, Some(Size::of(1)), Some(Size::of(2))]);
        let more = first.compute(Arithmetic::Add, &of(&[1])).unwrap();
        assert_eq!(more.items, [None]);
        let none = first.compute(Arithmetic::Subtract, &first).unwrap();
        assert_eq!(none.items[0].and_then(Size::number), Some(0));
    }

    #[test]
    fn numbers_are_computed_as_in_the_standard() {
        let compute = |op, a: i64, b: i64| {
            of(&[a]).compute(op, &of(&[b])).unwrap().numbers().ok().map(|numbers| numbers[0])
        };
        assert_eq!(compute(Arithmetic::Divide, 7, 2), Some(3));
        assert_eq!(compute(Arithmetic::Divide, -7, 2), Some(-3), "towards 0");
        assert_eq!(compute(Arithmetic::Divide, 7, 0), None);
        assert_eq!(compute(Arithmetic::Divide, i64::MIN, -1), None);
        assert_eq!(compute(Arithmetic::Multiply, i64::MAX, 2), None);
        assert_eq!(compute(Arithmetic::Subtract, 0, i64::MIN), None);
        assert_eq!(compute(Arithmetic::Add, 3, 4), Some(7));
    }

    #[test]
    fn vectors_are_taken_apart_and_put_together() {
        let four = of(&[5, 6, 7, 8]);
        assert_eq!(four.slice(1, i64::MAX, 1).unwrap(), of(&[6, 7, 8]));
        assert_eq!(four.slice(-3, -1, 1).unwrap(), of(&[6, 7]));
        assert_eq!(four.slice(i64::MIN, 2, 1).unwrap(), of(&[5, 6]));
        assert_eq!(four.slice(3, 1, 1).unwrap(), of(&[]));
        assert!(four.slice(0, 1, -1).unwrap_err().contains("step -1"));
        assert_eq!(four.gather(&of(&[-1, 0])).unwrap(), of(&[8, 5]));
        assert!(four.gather(&of(&[4])).unwrap_err().contains("index 4"));
        assert!(four.gather(&of(&[-5])).is_err());
        assert_eq!(Sizes::concat(&[of(&[1]), of(&[2, 3])]).unwrap(), of(&[1, 2, 3]));
        assert!(Sizes::concat(&[of(&[1; 16]), of(&[1])]).unwrap_err().contains("17 numbers"));
        let one = Sizes::scalar(Some(Size::of(1)));
        assert!(Sizes::concat(&[one]).unwrap_err().contains("expected a vector"));
        assert!(of(&[1, 2]).compute(Arithmetic::Add, &of(&[1, 2, 3])).is_err());
    }
}
