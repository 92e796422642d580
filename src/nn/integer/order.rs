//! The order of a layer's units, in which those that are active in the same rows are neighbours.

use crate::{
    error::Error,
    memory::{reserve, zeros},
};

/// Neighbouring units that are multiplied together: a quad. They are skipped if none is active.
const QUAD: usize = 4;

/// Units that are ordered together: in windows of this size, time grows in proportion to the number
/// of units instead of its square. In the hidden layers of a trained 784-1024x3-10, windows of 512,
/// half a layer, left 0.5 to 0.8 % more quads active than one window, and windows of 256 1 to 3 %.
const WINDOW: usize = 2048;
const _: () = assert!(WINDOW.is_multiple_of(QUAD));

/// How often each unit is tried in the place of every other one of its window. In the same layers, two
/// passes made 2 to 3 % fewer quads active, one 1.6 to 2.5 %, and ten at most 0.5 % more than two.
const PASSES: usize = 2;

/// The rows in which each unit of a layer is active.
pub(crate) struct ActiveRows {
    /// `[units][rows / 64]`: one bit for each row.
    bits: Vec<u64>,
    units: usize,
    /// Words of bits for each unit.
    words: usize,
}

impl ActiveRows {
    /// No unit is active in any of `rows` rows.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(units: usize, rows: usize) -> Result<Self, Error> {
        let words = rows.div_ceil(64);
        Ok(Self { bits: zeros("active units of calibration rows", [units, words])?, units, words })
    }

    /// Sets a unit active in a row.
    pub fn set(&mut self, unit: usize, row: usize) {
        self.bits[unit * self.words + row / 64] |= 1 << (row % 64);
    }

    /// The rows of one unit.
    fn of(&self, unit: u32) -> &[u64] {
        &self.bits[unit as usize * self.words..][..self.words]
    }

    /// The order of the units, as their indices: units that are active in the same rows are in the same
    /// quad as far as possible, so that few quads are active in a row. Units that are never active are
    /// last. The order depends on the rows in which each unit is active, and on nothing else.
    ///
    /// The units are sorted, rarest first, and each window of them is divided into quads. A quad
    /// begins with the rarest unit left. Three times it takes the unit that adds the fewest rows to
    /// those in which it is active; of several, the rarest, and then the one with the lowest index. At
    /// the end, pairs of units of different quads change places if that makes fewer rows active.
    ///
    /// The time is proportional to units * min(units, [`WINDOW`]) * rows: for 2,000 rows of a trained
    /// network, 0.05 s for 1,024 units and 3 s for 10,000.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn order(&self) -> Result<Vec<u32>, Error> {
        self.in_windows(WINDOW)
    }

    fn in_windows(&self, size: usize) -> Result<Vec<u32>, Error> {
        let mut counts = reserve("units", self.units)?;
        // No layer has more than 2^32 units.
        counts.extend((0..self.units as u32).map(|unit| count(self.of(unit))));
        let mut order = reserve("units", self.units)?;
        order.extend(0..self.units as u32);
        order.sort_unstable_by_key(|&unit| {
            let count = counts[unit as usize];
            (count == 0, count, unit)
        });
        let active = order.partition_point(|&unit| counts[unit as usize] > 0);
        let mut quads = Quads::new(self, &counts, size.min(active))?;
        for window in order[..active].chunks_mut(size) {
            quads.divide(window);
            quads.exchange(window);
        }
        Ok(order)
    }
}

/// The number of rows.
fn count(rows: &[u64]) -> usize {
    rows.iter().map(|rows| rows.count_ones() as usize).sum()
}

/// The number of rows that are in at least one of two sets.
fn count_either(a: &[u64], b: &[u64]) -> usize {
    a.iter().zip(b).map(|(a, b)| (a | b).count_ones() as usize).sum()
}

/// Adds the rows of `more` to `rows`.
fn add(rows: &mut [u64], more: &[u64]) {
    for (rows, more) in rows.iter_mut().zip(more) {
        *rows |= more;
    }
}

/// What [`ActiveRows::order`] knows about a window of units and their quads.
struct Quads<'a> {
    active: &'a ActiveRows,
    /// The number of rows of each unit of the layer.
    counts: &'a [usize],
    /// `[window][words]`: for each position, the rows in which one of the other units of its quad is
    /// active.
    others: Vec<u64>,
    /// The number of these rows.
    others_counts: Vec<usize>,
    /// For each quad, the number of rows in which it is active.
    quad_counts: Vec<usize>,
}

impl<'a> Quads<'a> {
    /// For windows of at most `window` units.
    fn new(active: &'a ActiveRows, counts: &'a [usize], window: usize) -> Result<Self, Error> {
        Ok(Self {
            active,
            counts,
            others: zeros("active units of calibration rows", [window, active.words])?,
            others_counts: zeros("units", [1, window])?,
            quad_counts: zeros("units", [1, window / QUAD])?,
        })
    }

    /// Sorts units so that each quad begins with the rarest unit left, followed by those that add
    /// the fewest rows to it. `window` must be in ascending order of counts.
    fn divide(&mut self, window: &mut [u32]) {
        let active = self.active;
        let rows = &mut self.others[..active.words];
        for i in 0..window.len() {
            if i % QUAD == 0 {
                rows.copy_from_slice(active.of(window[i]));
                continue;
            }
            let left = window[i..].iter().map(|&unit| count_either(rows, active.of(unit)));
            if let Some((best, _)) = left.enumerate().min_by_key(|&(_, count)| count) {
                // The units left remain in ascending order.
                window[i..=i + best].rotate_right(1);
            }
            add(rows, active.of(window[i]));
        }
    }

    /// Exchanges units of whole quads, each with the one that makes the number of rows in which
    /// their quads are active as small as possible.
    fn exchange(&mut self, window: &mut [u32]) {
        let quads = window.as_chunks().0;
        for (q, quad) in quads.iter().enumerate() {
            self.set(q, quad);
        }
        let len = quads.len() * QUAD;
        for _ in 0..PASSES {
            let mut done = true;
            for i in 0..len {
                let (mut with, mut saved) = (i, 0);
                for j in 0..len {
                    if let Some(more) = self.saved(window, i, j, saved) {
                        (with, saved) = (j, more);
                    }
                }
                if saved > 0 {
                    window.swap(i, with);
                    let quads = window.as_chunks().0;
                    self.set(i / QUAD, &quads[i / QUAD]);
                    self.set(with / QUAD, &quads[with / QUAD]);
                    done = false;
                }
            }
            if done {
                return;
            }
        }
    }

    /// The rows in which two quads would no longer be active if their units at `i` and `j` changed
    /// places, or nothing unless they are more than `than`.
    fn saved(&self, window: &[u32], i: usize, j: usize, than: usize) -> Option<usize> {
        let (a, b) = (window[i], window[j]);
        let now = self.quad_counts[i / QUAD] + self.quad_counts[j / QUAD];
        // Two sets have together at least as many rows as the larger one. This saves more than half of the counting.
        let least_at = |position: usize, unit: u32| {
            self.others_counts[position].max(self.counts[unit as usize])
        };
        let saves = |count| now.checked_sub(count).filter(|&saved| saved > than);
        saves(least_at(i, b) + least_at(j, a))?;
        if i / QUAD == j / QUAD {
            return None;
        }
        let at_i = count_either(self.others(i), self.active.of(b));
        saves(at_i + least_at(j, a))?;
        saves(at_i + count_either(self.others(j), self.active.of(a)))
    }

    fn others(&self, position: usize) -> &[u64] {
        &self.others[position * self.active.words..][..self.active.words]
    }

    /// Computes the sets and numbers of a quad.
    fn set(&mut self, q: usize, quad: &[u32; QUAD]) {
        let words = self.active.words;
        for i in 0..QUAD {
            let position = q * QUAD + i;
            let others = &mut self.others[position * words..][..words];
            others.fill(0);
            for (j, &unit) in quad.iter().enumerate() {
                if i != j {
                    add(others, self.active.of(unit));
                }
            }
            self.others_counts[position] = count(others);
        }
        self.quad_counts[q] = count_either(self.others(q * QUAD), self.active.of(quad[0]));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The same as sets of row numbers.
    type Rows = Vec<BTreeSet<usize>>;

    fn of(units: &Rows, rows: usize) -> ActiveRows {
        let mut active = ActiveRows::new(units.len(), rows).unwrap();
        for (unit, of_unit) in units.iter().enumerate() {
            for &row in of_unit {
                active.set(unit, row);
            }
        }
        active
    }

    /// The number of active quads, over all rows.
    fn active_quads(units: &Rows, order: &[u32]) -> usize {
        let quad = |quad: &[u32]| {
            let rows: BTreeSet<_> = quad.iter().flat_map(|&unit| &units[unit as usize]).collect();
            rows.len()
        };
        order.chunks(QUAD).map(quad).sum()
    }

    /// The order in the simplest possible loops.
    fn plain(units: &Rows, window: usize) -> Vec<u32> {
        let mut sorted: Vec<u32> = (0..units.len() as u32).collect();
        sorted.sort_by_key(|&unit| units[unit as usize].len());
        let (never, mut left): (Vec<u32>, Vec<u32>) =
            sorted.into_iter().partition(|&unit| units[unit as usize].is_empty());
        let mut order = Vec::new();
        while !left.is_empty() {
            let mut taken: Vec<u32> = left.drain(..window.min(left.len())).collect();
            let mut here: Vec<u32> = Vec::new();
            while !taken.is_empty() {
                let quad = &here[here.len() / QUAD * QUAD..];
                let start = if quad.is_empty() { &taken[..1] } else { &taken[..] };
                let best = start
                    .iter()
                    .min_by_key(|&&unit| active_quads(units, &[quad, &[unit]].concat()));
                let best = *best.unwrap();
                here.push(best);
                taken.retain(|&unit| unit != best);
            }
            let whole = here.len() / QUAD * QUAD;
            for _ in 0..PASSES {
                for i in 0..whole {
                    let swapped = (0..whole).map(|j| {
                        let mut swapped = here.clone();
                        swapped.swap(i, j);
                        swapped
                    });
                    let best = swapped.min_by_key(|order| active_quads(units, order)).unwrap();
                    if active_quads(units, &best) < active_quads(units, &here) {
                        here = best;
                    }
                }
            }
            order.extend(here);
        }
        order.extend(never);
        order
    }

    /// Units of similar sets of rows, with some equal and some empty ones.
    fn layers() -> impl Strategy<Value = (Rows, usize)> {
        (1usize..150).prop_flat_map(|rows| {
            let set = prop::collection::btree_set(0..rows, 0..=rows.min(6));
            let sets = prop::collection::vec(set, 1..8);
            let unit = (
                any::<prop::sample::Index>(),
                any::<prop::sample::Index>(),
                0..rows + rows / 2 + 1,
            );
            (sets, prop::collection::vec(unit, 0..30)).prop_map(move |(sets, units)| {
                let unit = |(a, b, extra): (prop::sample::Index, prop::sample::Index, usize)| {
                    let mut set: BTreeSet<_> = a.get(&sets) & b.get(&sets);
                    set.extend(Some(extra).filter(|&extra| extra < rows));
                    set
                };
                (units.into_iter().map(unit).collect(), rows)
            })
        })
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_plain_loops((units, rows) in layers(), window in 1usize..5) {
            let window = window * QUAD;
            let order = of(&units, rows).in_windows(window).unwrap();
            prop_assert_eq!(&order, &plain(&units, window));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..units.len() as u32));
            let first_never = order.partition_point(|&unit| !units[unit as usize].is_empty());
            prop_assert!(order[first_never..].is_sorted());
            prop_assert!(order[first_never..].iter().all(|&unit| units[unit as usize].is_empty()));
        }

        #[test]
        fn the_order_of_the_rows_does_not_matter((units, rows) in layers(), by in any::<prop::sample::Index>()) {
            let by = by.index(rows);
            let turned: Rows = units
                .iter()
                .map(|of_unit| of_unit.iter().map(|row| (row + by) % rows).collect())
                .collect();
            prop_assert_eq!(of(&units, rows).order().unwrap(), of(&turned, rows).order().unwrap());
        }

        #[test]
        fn groups_of_units_that_are_active_together_become_quads(
            sets in prop::collection::btree_set(prop::collection::btree_set(0usize..100, 1..20), 1..20),
            seed in any::<u64>(),
        ) {
            let sets: Vec<_> = sets.into_iter().collect();
            let mut group: Vec<usize> = (0..sets.len() * QUAD).map(|unit| unit / QUAD).collect();
            let shuffled = |(i, _): &(usize, usize)| (*i as u64 + 1).wrapping_mul(seed | 1);
            let mut numbered: Vec<_> = group.iter().copied().enumerate().collect();
            numbered.sort_by_key(shuffled);
            group = numbered.into_iter().map(|(_, group)| group).collect();
            let units: Rows = group.iter().map(|&group| sets[group].clone()).collect();
            let order = of(&units, 100).order().unwrap();
            for quad in order.chunks(QUAD) {
                let groups: BTreeSet<_> = quad.iter().map(|&unit| group[unit as usize]).collect();
                prop_assert_eq!(groups.len(), 1);
            }
            // No order has fewer: a quad is active at least as often as its most frequent unit.
            let least: usize = sets.iter().map(BTreeSet::len).sum();
            prop_assert_eq!(active_quads(&units, &order), least);
        }
    }

    #[test]
    fn exchanges_leave_no_more_quads_active() {
        let mut x = 1u64;
        for _ in 0..20 {
            let units: Rows = (0..64)
                .map(|_| {
                    (0..70)
                        .filter(|_| {
                            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                            x >> 61 == 0
                        })
                        .collect()
                })
                .collect();
            let active = of(&units, 70);
            let counts: Vec<_> = units.iter().map(BTreeSet::len).collect();
            let mut quads = Quads::new(&active, &counts, 64).unwrap();
            let mut order: Vec<u32> = (0..64).collect();
            order.sort_by_key(|&unit| counts[unit as usize]);
            quads.divide(&mut order);
            let divided = active_quads(&units, &order);
            quads.exchange(&mut order);
            assert!(active_quads(&units, &order) < divided);
        }
    }

    #[test]
    fn without_rows_the_order_is_the_original_one() {
        assert_eq!(ActiveRows::new(5, 0).unwrap().order().unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(ActiveRows::new(0, 7).unwrap().order().unwrap(), [0; 0]);
    }
}
