//! The inputs of a layer before they are rounded, as a row of floats at their places.

use crate::{
    mask::{Factors, Mask},
    rate::Keep,
    simd::{LANES, Lanes},
    thin::{Lists, PANEL, Panel, Panels, VECTORS, load_from, rows::Rows, store_to},
};

/// Rows of inputs.
pub(crate) trait Inputs: Sync {
    /// The number of rows.
    fn rows(&self) -> usize;
    /// Writes a row, and 0 after its end.
    fn write<L: Lanes>(&self, l: L, row: usize, to: &mut [Panel]);
}

/// Lists have the inputs in order.
impl Inputs for Lists {
    fn rows(&self) -> usize {
        Self::rows(self)
    }

    #[inline(always)]
    fn write<L: Lanes>(&self, _: L, row: usize, to: &mut [Panel]) {
        to.as_flattened_mut().fill(0.0);
        for (b, to) in to.iter_mut().enumerate().take(self.blocks()) {
            let (offsets, values) = self.of(b, row);
            for (&offset, &value) in offsets.iter().zip(values) {
                to[usize::from(offset) % PANEL] = value;
            }
        }
    }
}

/// Rows of numbers that are not yet multiplied by what was drawn for them.
pub(crate) trait Source: Sync {
    /// Panel `n` of a row, and 0 after the row's end.
    fn panel<L: Lanes>(&self, l: L, row: usize, n: usize) -> [L::F; VECTORS];
}

/// The outputs of the layer below, at the units' places.
impl Source for &Panels {
    #[inline(always)]
    fn panel<L: Lanes>(&self, l: L, row: usize, n: usize) -> [L::F; VECTORS] {
        load_from(l, self.at(n, row), 0)
    }
}

/// The rows of a batch.
impl<R: Rows> Source for R {
    #[inline(always)]
    fn panel<L: Lanes>(&self, l: L, row: usize, n: usize) -> [L::F; VECTORS] {
        Rows::panel(*self, l, row, n)
    }
}

/// The rows of a source, multiplied by what was drawn for them.
#[derive(Clone, Copy)]
pub(crate) struct Drawn<'a, S> {
    /// Where the numbers are.
    pub source: S,
    /// The row of the source that each row is made from.
    pub of: Of<'a>,
    /// The number of units.
    pub width: usize,
    /// The unit at each place. Without it, each is at its own.
    pub units: Option<&'a [[u32; PANEL]]>,
    /// What was drawn for each row and unit.
    pub noise: Noise<'a>,
}

/// The rows of a source that are used.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// So many, from the first one on.
    First(usize),
    /// Those with these numbers.
    These(&'a [usize]),
}

/// What multiplies the numbers of a source.
#[derive(Clone, Copy)]
pub(crate) enum Noise<'a> {
    /// 1
    Nothing,
    /// 1/p for the units that stay, and 0 for the others, whatever their numbers are.
    Mask(&'a Mask, Keep),
    /// A number for each unit.
    Factors(&'a Factors),
}

impl<S: Source> Inputs for Drawn<'_, S> {
    fn rows(&self) -> usize {
        match self.of {
            Of::First(rows) => rows,
            Of::These(of) => of.len(),
        }
    }

    #[inline(always)]
    fn write<L: Lanes>(&self, l: L, row: usize, to: &mut [Panel]) {
        let of = match self.of {
            Of::First(_) => row,
            Of::These(of) => of[row],
        };
        let (to, padding) = to.split_at_mut(self.width.div_ceil(PANEL));
        padding.as_flattened_mut().fill(0.0);
        let to = to.iter_mut().enumerate();
        match self.noise {
            Noise::Nothing => {
                for (n, to) in to {
                    store_to(l, self.source.panel(l, of, n), to, 0);
                }
            }
            Noise::Mask(mask, keep) => {
                let (bits, scale) = (mask.at(row), l.splat(keep.scale()));
                for (n, to) in to {
                    let x = self.source.panel(l, of, n);
                    let kept = match self.units {
                        None => bits.block(n),
                        Some(units) => kept(bits.words(), &units[n], present(l, x)),
                    };
                    for (c, &x) in x.iter().enumerate() {
                        let x = l.keep((kept >> (c * LANES)) as u16, l.mul(x, scale));
                        store_to(l, [x], to, c);
                    }
                }
            }
            Noise::Factors(factors) => {
                for (n, to) in to {
                    store_to(l, self.source.panel(l, of, n), to, 0);
                    for (place, to) in to.iter_mut().enumerate() {
                        let unit = self.units.map_or(n * PANEL + place, |u| u[n][place] as usize);
                        *to *= factors.block(row, unit / PANEL)[unit % PANEL];
                    }
                }
            }
        }
    }
}

/// The bits of the units at these places. They are looked up where there is something to keep.
#[inline(always)]
fn kept(words: &[u64], units: &[u32; PANEL], present: u64) -> u64 {
    let (mut left, mut kept) = (present, 0);
    while left != 0 {
        let place = left.trailing_zeros();
        let unit = units[place as usize % PANEL];
        let word = words.get(unit as usize / PANEL).copied().unwrap_or(0);
        kept |= (word >> (unit % PANEL as u32) & 1) << place;
        left &= left - 1;
    }
    kept
}

/// The places of a panel that are not 0, NaN among them.
#[inline(always)]
fn present<L: Lanes>(l: L, x: [L::F; VECTORS]) -> u64 {
    let mut present = 0;
    for (c, x) in x.into_iter().enumerate() {
        present |= u64::from(nonzero(l, x)) << (c * LANES);
    }
    present
}

/// The lanes that are not 0, NaN among them.
#[inline(always)]
pub(super) fn nonzero<L: Lanes>(l: L, x: L::F) -> u16 {
    let zero = l.splat(0.0);
    l.less(x, zero) | l.less(zero, x) | l.is_nan(x)
}
