//! The shape of a row on its path through a graph.

use super::sizes::{Size, Sizes, place};

/// The dimensions of a row: those of the tensor without the first one, which counts the rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The sizes; `None` if one is not stated.
    pub dims: Vec<Option<usize>>,
    /// The kind of the elements if they are whole numbers.
    pub integer: Option<i64>,
    /// The number of rows that the graph was made for, if it is stated.
    pub rows: Option<usize>,
    /// The number of rows that a `Reshape` states while it infers another size. For another number
    /// of input rows it would give rows of another size.
    pub fixed: Option<i64>,
}

/// The maximum number of dimensions; exporters write a few.
const MAX_DIMENSIONS: usize = 16;

/// What a node needs if the sizes of its rows are not known.
pub(super) const SIZES_UNKNOWN: &str = "the sizes of the rows are unknown: expected an input of the \
                                        graph whose sizes, except the number of rows, are fixed";

impl Row {
    /// A row with one dimension.
    pub fn flat(columns: Option<usize>) -> Self {
        Self { dims: vec![columns], integer: None, rows: None, fixed: None }
    }

    /// A row of these dimensions.
    pub fn of(shape: &[usize]) -> Self {
        let dims = shape.iter().map(|&size| Some(size)).collect();
        Self { dims, integer: None, rows: None, fixed: None }
    }

    /// The number of elements of the row, if it is known.
    pub fn columns(&self) -> Option<usize> {
        product(&self.dims)
    }

    /// Whether the product with a matrix treats the row as one vector.
    pub fn is_vector(&self) -> bool {
        match &self.dims[..] {
            [] => false,
            [ones @ .., _] => ones.iter().all(|&size| size == Some(1)),
        }
    }

    /// The same elements in other dimensions.
    fn with(&self, dims: Vec<Option<usize>>) -> Self {
        Self { dims, ..*self }
    }

    /// The value of `Shape`.
    pub fn shape(&self) -> Sizes {
        let dims = self.dims.iter().map(|size| Some(Size::of(i64::try_from((*size)?).ok()?)));
        Sizes::vector([Some(Size::ROWS)].into_iter().chain(dims).collect())
    }

    /// Whether arithmetic with a tensor of `shape` leaves the shape of the rows as it is.
    pub fn covers(&self, shape: &Sizes) -> bool {
        let mut own = self.shape().items.into_iter().rev();
        let one = Some(Size::of(1));
        shape.is_vector
            && shape.items.iter().rev().all(|&size| match own.next() {
                Some(own) => size.is_some() && (size == own || size == one),
                None => false,
            })
    }

    /// Whether dimension `axis` of the tensor ends before or at `end`.
    pub fn ends_within(&self, axis: i64, end: i64) -> bool {
        match place(axis, self.dims.len() + 1) {
            None => false,
            // There cannot be more rows than that.
            Some(0) => end >= i64::from(i32::MAX),
            Some(at) => match self.dims[at - 1] {
                Some(size) => usize::try_from(end).is_ok_and(|end| end >= size),
                None => end == i64::MAX,
            },
        }
    }

    /// The elements of a row in one dimension; `axis` of the tensor is the first that is flattened.
    pub fn flatten(&self, axis: i64) -> Result<Self, String> {
        let rank = self.dims.len() + 1;
        if axis != 1 && place(axis, rank) != Some(1) {
            return Err(format!("axis {axis}: expected 1, which keeps the rows"));
        }
        Ok(self.with(vec![self.columns()]))
    }

    /// The same elements in the shape of a `Reshape`, whose first dimension must be that of the
    /// rows. 0 keeps a size, unless it is `literal`.
    pub fn reshape(&self, shape: &Sizes, literal: bool) -> Result<Self, String> {
        let text = || describe(shape);
        let [rows, rest @ ..] = &shape.items[..] else {
            return Err("shape []: expected rows and columns".to_owned());
        };
        let known = self.columns();
        let mut dims = Vec::with_capacity(rest.len());
        // At most one size is inferred from the others.
        let mut inferred = None;
        for (at, size) in rest.iter().enumerate() {
            dims.push(match size.map(Size::number) {
                None => None,
                Some(None) => {
                    return Err(format!(
                        "shape {}: expected the rows only as the first size",
                        text()
                    ));
                }
                Some(Some(0)) if !literal => *self.dims.get(at).ok_or_else(|| {
                    format!(
                        "shape {}: 0 as size {}, but the input has no such dimension",
                        text(),
                        at + 1
                    )
                })?,
                Some(Some(-1)) if inferred.is_none() => {
                    inferred = Some(at);
                    // So that the product is that of the other sizes.
                    Some(1)
                }
                Some(Some(size)) if size >= 1 => Some(
                    usize::try_from(size).map_err(|_| format!("shape {}: too large", text()))?,
                ),
                Some(Some(_)) => {
                    return Err(format!("shape {}: expected sizes above 0", text()));
                }
            });
        }
        let others = product(&dims);
        let mut fixed = self.fixed;
        let any_rows = match rows.map(|size| (size, size.number())) {
            Some((size, _)) if size == Size::ROWS => true,
            Some((_, Some(0))) if !literal => true,
            Some((_, Some(0))) => {
                return Err(format!(
                    "shape {} with allowzero has no rows: expected at least one",
                    text()
                ));
            }
            Some((_, Some(-1))) if inferred.is_none() => false,
            // The number of rows that the graph was made for.
            Some((_, Some(rows @ 1..))) => match self.rows {
                Some(stated) if i64::try_from(stated) != Ok(rows) => {
                    return Err(format!(
                        "shape {}: {rows} rows, but the input has {stated}: expected 0 or -1 for \
                         the rows",
                        text()
                    ));
                }
                Some(_) => false,
                // If all sizes are stated, the graph fails for another number of rows.
                None => {
                    fixed = inferred.map(|_| rows).or(fixed);
                    false
                }
            },
            _ => {
                return Err(format!(
                    "shape {}: expected the number of rows as the first size",
                    text()
                ));
            }
        };
        if let Some(at) = inferred {
            dims[at] = match (known, others) {
                (Some(known), Some(others)) => {
                    if others == 0 || known % others != 0 {
                        return Err(format!(
                            "shape {}: expected sizes whose product divides {known}",
                            text()
                        ));
                    }
                    Some(known / others)
                }
                _ => None,
            };
            if known.is_none() && !any_rows {
                return Err(format!("shape {}: {SIZES_UNKNOWN}", text()));
            }
            return Ok(Self { fixed, ..self.with(dims) });
        }
        match (known, others) {
            (Some(known), Some(others)) if known != others => {
                Err(format!("makes rows of {others} elements: expected {known}, as in its input"))
            }
            (None, Some(others)) if !any_rows => {
                Err(format!("makes rows of {others} elements: {SIZES_UNKNOWN}"))
            }
            (_, None) if !any_rows => Err(format!("shape {}: {SIZES_UNKNOWN}", text())),
            _ => Ok(self.with(dims)),
        }
    }

    /// Without the dimensions `axes` of the tensor; by default, without all of size 1.
    pub fn squeeze(&self, axes: Option<&[i64]>) -> Result<Self, String> {
        let rank = self.dims.len() + 1;
        let Some(axes) = axes else {
            if self.dims.contains(&None) {
                return Err(format!("no axes: {SIZES_UNKNOWN}"));
            }
            if self.rows == Some(1) {
                return Err(
                    "without axes, a Squeeze of a single row also removes the dimension of the \
                     rows: expected axes"
                        .to_owned(),
                );
            }
            let dims = self.dims.iter().copied().filter(|&size| size != Some(1));
            return Ok(self.with(dims.collect()));
        };
        let mut dims: Vec<_> = self.dims.iter().copied().map(Some).collect();
        for &axis in axes {
            let at = place(axis, rank).and_then(|at| at.checked_sub(1));
            let Some(at) = at else {
                return Err(format!("axis {axis}: expected an axis after that of the rows"));
            };
            match dims[at] {
                Some(None | Some(1)) => dims[at] = None,
                Some(Some(size)) => return Err(format!("axis {axis} has size {size}: expected 1")),
                None => return Err(format!("axis {axis} twice: expected it once")),
            }
        }
        Ok(self.with(dims.into_iter().flatten().collect()))
    }

    /// With dimensions of size 1 at `axes` of the result.
    pub fn unsqueeze(&self, axes: &[i64]) -> Result<Self, String> {
        let rank = self.dims.len() + 1 + axes.len();
        if rank > MAX_DIMENSIONS {
            return Err(format!(
                "adds axes up to {rank} dimensions: expected at most {MAX_DIMENSIONS}"
            ));
        }
        let mut is_new = vec![false; rank];
        for &axis in axes {
            match place(axis, rank) {
                Some(at) if at > 0 && !is_new[at] => is_new[at] = true,
                _ => {
                    return Err(format!(
                        "axis {axis}: expected an axis after that of the rows, once"
                    ));
                }
            }
        }
        let mut rest = self.dims.iter().copied();
        let dims =
            is_new[1..].iter().filter_map(|&new| if new { Some(Some(1)) } else { rest.next() });
        Ok(self.with(dims.collect()))
    }

    /// The dimensions in another order, if that keeps the order of the elements.
    pub fn transpose(&self, perm: &[i64]) -> Result<Self, String> {
        let rank = self.dims.len() + 1;
        let places: Option<Vec<usize>> = perm.iter().map(|&axis| place(axis, rank)).collect();
        let places = places.filter(|places| {
            let mut sorted = places.clone();
            sorted.sort_unstable();
            sorted.into_iter().eq(0..rank)
        });
        let Some([0, places @ ..]) = places.as_deref() else {
            return Err(format!("perm {perm:?}: expected the rows to stay first"));
        };
        let kept: Vec<_> = places.iter().filter(|&&at| self.dims[at - 1] != Some(1)).collect();
        if !kept.is_sorted() {
            return Err(format!(
                "perm {perm:?} changes the order of a row's elements: expected the same order"
            ));
        }
        Ok(self.with(places.iter().map(|&at| self.dims[at - 1]).collect()))
    }

    /// Item `index` of dimension `axis`, which must be the only one.
    pub fn gather(&self, axis: i64, index: &Sizes) -> Result<Self, String> {
        let at = place(axis, self.dims.len() + 1).and_then(|at| at.checked_sub(1));
        let Some(at) = at else {
            return Err(format!("axis {axis}: expected an axis after that of the rows"));
        };
        let size = self.dims[at].map_or("?".to_owned(), |size| size.to_string());
        match (self.dims[at], &index.numbers()?[..]) {
            (Some(1), [0 | -1]) => {}
            (_, index) => {
                return Err(format!(
                    "takes {index:?} of axis {axis}, which has size {size}: expected a size of 1"
                ));
            }
        }
        let mut row = self.clone();
        if !index.is_vector {
            row.dims.remove(at);
        }
        Ok(row)
    }
}

/// The product of the sizes, if all are known.
fn product(dims: &[Option<usize>]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |n, size| n.checked_mul((*size)?))
}

/// A shape as it is shown in errors.
fn describe(shape: &Sizes) -> String {
    let items = shape.items.iter().map(|item| match item {
        None => "?".to_owned(),
        Some(size) => match size.number() {
            Some(number) => number.to_string(),
            None if *size == Size::ROWS => "rows".to_owned(),
            None => "a multiple of rows".to_owned(),
        },
    });
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// Compares with the standard's definition for whole tensors with the elements 0, 1, 2, ...
#[cfg(test)]
mod tests {
    use super::*;

    /// Shapes of up to three dimensions of 1 to 3.
    fn shapes() -> Vec<Vec<usize>> {
        let more = |all: &[Vec<usize>]| -> Vec<Vec<usize>> {
            all.iter().flat_map(|dims| (1..=3).map(|n| [&dims[..], &[n]].concat())).collect()
        };
        let [one, two] = [more(&[vec![]]), more(&more(&[vec![]]))];
        let three = more(&two);
        [vec![vec![]], one, two, three].concat()
    }

    fn permutations(n: usize) -> Vec<Vec<i64>> {
        if n == 0 {
            return vec![vec![]];
        }
        let shorter = permutations(n - 1);
        let with = |at: usize| {
            shorter.iter().map(move |perm| {
                let mut perm = perm.clone();
                perm.insert(at, n as i64 - 1);
                perm
            })
        };
        (0..n).flat_map(with).collect()
    }

    fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
        shape.iter().fold(vec![vec![]], |all, &size| {
            all.iter().flat_map(|index| (0..size).map(|at| [&index[..], &[at]].concat())).collect()
        })
    }

    /// The place of an index in the order of the elements.
    fn offset(shape: &[usize], index: &[usize]) -> usize {
        shape.iter().zip(index).fold(0, |offset, (&size, &at)| offset * size + at)
    }

    fn natural(axis: i64, rank: usize) -> Option<usize> {
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        (0..rank).find(|&at| at as i64 == axis)
    }

    /// Checks that the row has the shape of the whole tensor, or is refused if that is not `rows`
    /// rows of the same elements.
    fn check(what: &str, ours: Result<Row, String>, theirs: Option<Vec<usize>>, rows: usize) {
        let ours = ours.ok().map(|row| row.dims.into_iter().map(Option::unwrap).collect());
        let theirs = theirs.filter(|shape| shape.first() == Some(&rows));
        assert_eq!(ours, theirs.map(|shape| shape[1..].to_vec()), "{what}");
    }

    #[test]
    fn transposes_that_keep_the_elements_in_order_are_read_and_no_others() {
        let rows = 5;
        for dims in shapes() {
            let shape = [&[rows], &dims[..]].concat();
            for perm in permutations(shape.len()) {
                let to: Vec<_> = perm.iter().map(|&at| shape[at as usize]).collect();
                let is_same = indices(&to).iter().enumerate().all(|(place, index)| {
                    let mut from = vec![0; index.len()];
                    perm.iter().zip(index).for_each(|(&at, &i)| from[at as usize] = i);
                    offset(&shape, &from) == place
                });
                let theirs = (is_same && perm[0] == 0).then_some(to);
                let what = format!("{shape:?} {perm:?}");
                check(&what, Row::of(&dims).transpose(&perm), theirs, rows);
            }
        }
    }

    #[test]
    fn squeezes_and_unsqueezes_are_those_of_the_whole_tensor() {
        let rows = 5;
        for dims in shapes() {
            let shape = [&[rows], &dims[..]].concat();
            let rank = shape.len();
            let without = |gone: &dyn Fn(usize) -> bool| {
                (0..rank).filter(|&at| !gone(at)).map(|at| shape[at]).collect::<Vec<_>>()
            };
            let all = without(&|at| shape[at] == 1);
            check(&format!("{shape:?}"), Row::of(&dims).squeeze(None), Some(all), rows);
            let range = -(rank as i64) - 1..=rank as i64;
            for axes in range.clone().flat_map(|a| range.clone().map(move |b| [a, b])) {
                let what = format!("{shape:?} {axes:?}");
                let [a, b] = axes.map(|axis| natural(axis, rank));
                let squeezed = (a != b
                    && [a, b].iter().all(|at| at.is_some_and(|at| shape[at] == 1)))
                .then(|| without(&|at| a == Some(at) || b == Some(at)));
                check(&what, Row::of(&dims).squeeze(Some(&axes)), squeezed, rows);

                let [a, b] = axes.map(|axis| natural(axis, rank + 2));
                let mut sizes = shape.iter().copied();
                let size = |at| if a == Some(at) || b == Some(at) { Some(1) } else { sizes.next() };
                let unsqueezed = (a.is_some() && b.is_some() && a != b)
                    .then(|| (0..rank + 2).map_while(size).collect());
                check(&what, Row::of(&dims).unsqueeze(&axes), unsqueezed, rows);
            }
        }
    }

    /// The result of `Reshape` by the standard's definition.
    fn reshaped(from: &[usize], to: &[i64], literal: bool) -> Option<Vec<usize>> {
        let count: usize = from.iter().product();
        let mut sizes = Vec::new();
        for (at, &size) in to.iter().enumerate() {
            sizes.push(match size {
                0 if !literal => *from.get(at)?,
                -1 => 1,
                size => size as usize,
            });
        }
        let others: usize = sizes.iter().product();
        let mut inferred = to.iter().enumerate().filter(|&(_, &size)| size == -1);
        if let Some((at, _)) = inferred.next() {
            if inferred.next().is_some() || others == 0 || !count.is_multiple_of(others) {
                return None;
            }
            sizes[at] = count / others;
        }
        (sizes.iter().product::<usize>() == count).then_some(sizes)
    }

    #[test]
    fn reshapes_are_those_of_the_whole_tensor() {
        const SIZES: [i64; 7] = [-1, 0, 1, 2, 3, 5, 6];
        let mut targets = vec![vec![]];
        let mut all = Vec::new();
        for _ in 0..3 {
            let more =
                targets.iter().flat_map(|to: &Vec<i64>| SIZES.map(|n| [&to[..], &[n]].concat()));
            targets = more.collect();
            all.extend(targets.clone());
        }
        for (dims, to) in shapes().iter().flat_map(|dims| all.iter().map(move |to| (dims, to))) {
            let items = to.iter().map(|&n| Some(Size::of(n))).collect();
            let sizes = Sizes::vector(items);
            for literal in [false, true] {
                let what = format!("{dims:?} {to:?} {literal}");
                let of = |rows| reshaped(&[&[rows], &dims[..]].concat(), to, literal);
                let stated = Row { rows: Some(5), ..Row::of(dims) };
                check(&what, stated.reshape(&sizes, literal), of(5), 5);

                // For every number of rows for which the whole tensor can be reshaped.
                let ours = Row::of(dims).reshape(&sizes, literal);
                let each = [2, 3, 5, 7].map(|rows| {
                    of(rows).map(|shape| (shape[0] == rows).then(|| shape[1..].to_vec()))
                });
                match ours {
                    Err(_) => {
                        assert!(each.iter().any(|each| !matches!(each, Some(Some(_)))), "{what}")
                    }
                    Ok(Row { dims, fixed, .. }) => {
                        let dims: Vec<_> = dims.into_iter().map(Option::unwrap).collect();
                        if let Some(fixed) = fixed {
                            let whole = [&[fixed as usize], &dims[..]].concat();
                            assert_eq!(of(fixed as usize), Some(whole), "{what}");
                        } else {
                            for theirs in each.into_iter().flatten() {
                                assert_eq!(Some(&dims), theirs.as_ref(), "{what}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn gathers_of_an_only_item_are_read_and_no_others() {
        let rows = 5;
        for dims in shapes() {
            let shape = [&[rows], &dims[..]].concat();
            let rank = shape.len();
            for axis in -(rank as i64) - 1..=rank as i64 {
                let vectors = [vec![0], vec![-1], vec![0, 0]].map(|at| (true, at));
                let numbers = [-2, -1, 0, 1].map(|at| (false, vec![at]));
                for (is_vector, at) in vectors.into_iter().chain(numbers) {
                    let what = format!("{shape:?} {axis} {at:?}");
                    let items = at.iter().map(|&n| Some(Size::of(n))).collect();
                    let ours = Row::of(&dims).gather(axis, &Sizes { is_vector, items });
                    let theirs = natural(axis, rank).filter(|&axis| {
                        axis > 0
                            && shape[axis] == at.len()
                            && at
                                .iter()
                                .enumerate()
                                .all(|(i, &n)| natural(n, shape[axis]) == Some(i))
                    });
                    let theirs = theirs.map(|axis| {
                        let mut shape = shape.clone();
                        if !is_vector {
                            shape.remove(axis);
                        }
                        shape
                    });
                    check(&what, ours, theirs, rows);
                }
            }
        }
    }
}
