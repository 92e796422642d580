//! Product 1: a layer forward, from active lists to active lists.

use super::{
    Lists, PANEL, Panel, Panels, Tiles, Unit, add_scaled,
    lists::{ListRuns, Slot},
    load, store,
};
use crate::{
    mask::{Mask, valid_bits},
    parallel::{Runs, divide},
    rate::Keep,
    simd::{Isa, Kernel, LANES, Lanes},
};

/// `acc[row][n] = sum_k x[row][k] w[k][n]` for one panel, from 0, over
/// ascending blocks and units.
#[inline(always)]
fn product<L: Lanes>(l: L, w: &[Panel], x: &Lists, acc: &mut [Panel]) {
    acc.fill([0.0; PANEL]);
    for (block, tile) in w.chunks(PANEL).enumerate() {
        let lists = x.block(block);
        for (row, acc) in acc.iter_mut().enumerate() {
            let (offsets, values) = lists.of(row);
            let mut sums = load(l, acc);
            for (&offset, &value) in offsets.iter().zip(values) {
                sums = add_scaled(l, l.splat(value), load(l, &tile[usize::from(offset)]), sums);
            }
            store(l, sums, acc);
        }
    }
}

/// Bias, activation, mask and scale, straight into the next layer's lists.
pub(crate) struct Epilogue<'a, U> {
    /// The non-linearity.
    pub unit: U,
    /// The layer's outputs, padding not counted.
    pub width: usize,
    /// The keep rate of the layer's outputs, for its scale.
    pub keep: Keep,
    /// The bits of the layer's outputs, a row of the batch each; without one
    /// every unit stays.
    pub mask: Option<&'a Mask>,
}

impl<U: Unit> Epilogue<'_, U> {
    #[inline(always)]
    fn write<L: Lanes>(&self, l: L, n: usize, row: usize, b: &Panel, z: &Panel, mut to: Slot<'_>) {
        let bits = match self.mask {
            Some(mask) => mask.at(row).block(n),
            None => valid_bits(self.width, n),
        };
        let scale = l.splat(self.keep.scale());
        let (z, b) = (load(l, z), load(l, b));
        for (c, (z, b)) in z.into_iter().zip(b).enumerate() {
            let z = l.add(z, b);
            let active = self.unit.active(l, z) & (bits >> (c * LANES)) as u16;
            to.push(l, c, active, l.mul(self.unit.value(l, z), scale));
        }
    }
}

struct Hidden<'a, U> {
    w: &'a Tiles,
    b: &'a [Panel],
    x: &'a Lists,
    epilogue: &'a Epilogue<'a, U>,
    first: usize,
    acc: Runs<'a, Panel>,
    out: ListRuns<'a>,
}

impl<U: Unit> Kernel for Hidden<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let rows = self.acc.size;
        let (lengths, offsets, values) = self.out;
        let out = lengths.data.chunks_mut(rows);
        let out = out.zip(offsets.data.chunks_mut(rows)).zip(values.data.chunks_mut(rows));
        for (i, (acc, ((lengths, offsets), values))) in
            self.acc.data.chunks_mut(rows).zip(out).enumerate()
        {
            let n = self.first + i;
            product(l, self.w.panel(n), self.x, acc);
            for (row, (((z, length), offsets), values)) in
                acc.iter().zip(lengths).zip(offsets).zip(values).enumerate()
            {
                let slot = Slot::new(length, offsets, values);
                self.epilogue.write(l, n, row, &self.b[n], z, slot);
            }
        }
    }
}

/// A hidden layer: lists `x` in, lists `out` out; `z` is its working memory.
#[expect(clippy::too_many_arguments, reason = "a product has three operands and a place to work")]
pub(crate) fn hidden<U: Unit>(
    isa: Isa,
    parallel: bool,
    w: &Tiles,
    b: &[Panel],
    x: &Lists,
    epilogue: &Epilogue<'_, U>,
    z: &mut Panels,
    out: &mut Lists,
) {
    z.set_rows(x.rows());
    out.set_rows(x.rows());
    divide(parallel, 1, (z.runs_mut(), out.runs_mut()), &|first, (acc, out)| {
        isa.dispatch(Hidden { w, b, x, epilogue, first, acc, out });
    });
}

struct Output<'a> {
    w: &'a Tiles,
    b: &'a [Panel],
    x: &'a Lists,
    first: usize,
    acc: Runs<'a, Panel>,
}

impl Kernel for Output<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        for (i, acc) in self.acc.data.chunks_mut(self.acc.size).enumerate() {
            let n = self.first + i;
            product(l, self.w.panel(n), self.x, acc);
            let b = load(l, &self.b[n]);
            for z in acc {
                let sums = load(l, z);
                store(l, std::array::from_fn(|c| l.add(sums[c], b[c])), z);
            }
        }
    }
}

/// The output layer: lists `x` in, pre-activations `z` out.
pub(crate) fn output(isa: Isa, parallel: bool, w: &Tiles, b: &[Panel], x: &Lists, z: &mut Panels) {
    z.set_rows(x.rows());
    divide(parallel, 1, z.runs_mut(), &|first, acc| {
        isa.dispatch(Output { w, b, x, first, acc });
    });
}
