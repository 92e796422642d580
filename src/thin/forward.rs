//! Product 1: the forward pass of a layer, from active lists to active lists.

use super::{
    Element, Lists, Panel, Panels, Slope, Tile, Tiles, Unit, VECTORS, add_scaled, dense, input,
    lists::{Block, ListRuns, ListWriter},
    load, load_from,
    path::{OUTPUT_ROWS, ProductPath, ROWS},
    store, store_to, vectors,
};
use crate::{
    mask::{Mask, valid_bits},
    parallel::{Divide, Runs, threads},
    pass::Pass,
    rate::Keep,
    simd::{Kernel, LANES, Lanes, Supported},
};

/// What product 1 multiplies: the weights of a layer and its inputs, in one of their forms.
pub(crate) trait Operands: Copy + Sync {
    /// The number of rows of x.
    fn rows(self) -> usize;
    /// The number of outputs of w.
    fn outputs(self) -> usize;
    /// Writes `sum_k x[row][k] w[k][n]` for panel `n` and those after it, a run of `sums` each, and
    /// the rows from `first` on.
    fn sums(self, pass: Pass, n: usize, first: usize, sums: Runs<'_, Panel>);
    /// The number of panels that are best computed together.
    const PANELS: usize;
}

/// Floats, as they are or as bfloat16.
#[derive(Clone, Copy)]
pub(crate) struct Floats<'a, E: Element = f32> {
    /// w
    pub w: &'a Tiles<E>,
    /// x
    pub x: &'a Lists,
}

/// The parameters of a layer in f32.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    /// w
    pub w: &'a Tiles,
    /// What is applied to the sums.
    pub scale: Scale<'a>,
}

/// `z = b + s sum`
#[derive(Clone, Copy)]
pub(crate) struct Scale<'a> {
    /// b
    pub bias: &'a [Panel],
    /// s, if max-norm left factors pending.
    pub pending: Option<&'a [Panel]>,
}

impl<E: Element> Operands for Floats<'_, E> {
    fn rows(self) -> usize {
        self.x.rows()
    }

    fn outputs(self) -> usize {
        self.w.outputs()
    }

    #[inline]
    fn sums(self, pass: Pass, n: usize, first: usize, sums: Runs<'_, Panel>) {
        for (i, sums) in sums.data.chunks_mut(sums.size).enumerate() {
            pass.dispatch(Sums { isa: pass.isa, operands: self, n: n + i, first, sums });
        }
    }
    const PANELS: usize = 1;
}

impl Scale<'_> {
    /// `b + s sum` for vector `c` of panel `n`. A sum of -0.0, which a product that underflows
    /// leaves, counts as +0.0: a further entry with the value 0 would turn it into that.
    #[inline(always)]
    pub(super) fn apply<L: Lanes>(self, l: L, n: usize, c: usize, sums: L::F) -> L::F {
        let [b] = load_from(l, &self.bias[n], c);
        let s = match self.pending {
            Some(s) => {
                let [s] = load_from(l, &s[n], c);
                s
            }
            None => l.splat(1.0),
        };
        l.mul_add(s, l.add(sums, l.splat(0.0)), b)
    }
}

/// `sums[row][n] = sum_k x[row][k] w[k][n]` for panel `n`, starting from 0 and adding
/// over ascending blocks and units. `sums` holds the rows from `first` on. On the
/// narrow path, all vectors but the first are 0 from the start, and stay so.
struct Sums<'a, E: Element> {
    isa: Supported,
    operands: Floats<'a, E>,
    n: usize,
    first: usize,
    sums: &'a mut [Panel],
}

impl<E: Element> Kernel for Sums<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        match ProductPath::of(self.operands.rows(), self.operands.outputs()) {
            ProductPath::Narrow => self.product::<L, 1>(l, false),
            ProductPath::FewRows => self.product::<L, VECTORS>(l, false),
            ProductPath::Lists => self.product::<L, VECTORS>(l, true),
        }
    }
}

impl<E: Element> Sums<'_, E> {
    /// Processes large batches in parts whose sums stay in cache. `ahead` says whether the
    /// next tile is prefetched in the meantime; after the last tile comes the first of the
    /// next panel.
    #[inline(always)]
    fn product<L: Lanes, const V: usize>(self, l: L, ahead: bool) {
        let Self { isa, operands: Floats { w, x }, n, first, sums } = self;
        for sums in &mut *sums {
            store(l, [l.splat(0.0); V], sums);
        }
        for (part, sums) in sums.chunks_mut(ROWS).enumerate() {
            let first = first + part * ROWS;
            for b in 0..x.blocks() {
                let next = match (ahead, b + 1 < x.blocks()) {
                    (false, _) => None,
                    (true, true) => Some(&w.block(b + 1)[n]),
                    (true, false) => w.block(0).get(n + 1),
                };
                let tile = &w.block(b)[n];
                match x.full(b) {
                    Some(x) if dense::pays(L::REGISTERS) => {
                        isa.dispatch(dense::Forward::<E, V> { tile, next, x, first, sums })
                    }
                    _ => pass::<L, E, V>(l, tile, next, x.block(b), first, sums),
                }
            }
        }
    }
}

/// Adds a tile's contribution to the rows while prefetching the next tile.
#[inline(always)]
fn pass<L: Lanes, E: Element, const V: usize>(
    l: L,
    tile: &Tile<E>,
    next: Option<&Tile<E>>,
    x: Block<'_>,
    first: usize,
    sums: &mut [Panel],
) {
    let rows = sums.len();
    for (i, sums) in sums.iter_mut().enumerate() {
        if let Some(next) = next {
            E::prefetch_part(l, next, i, rows);
        }
        let (offsets, values) = x.of(first + i);
        let mut acc: [L::F; V] = load(l, sums);
        for (&offset, &value) in offsets.iter().zip(values) {
            acc = add_scaled(l, l.splat(value), E::load(l, input(tile, offset), 0), acc);
        }
        store(l, acc, sums);
    }
}

/// Applies bias, activation, mask and scale, writing directly to the next layer's lists.
pub(crate) struct Epilogue<'a, U> {
    /// The non-linearity.
    pub unit: U,
    /// The number of outputs of the layer, without padding.
    pub width: usize,
    /// The keep rate of the layer's outputs, which determines the scale.
    pub keep: Keep,
    /// The mask bits of the layer's outputs, one mask row per row of the batch. Without a
    /// mask, every unit stays.
    pub mask: Option<&'a Mask>,
    /// Whether a backward pass follows: f'(z) r is then written over z if the unit's
    /// [`Slope`] is kept there.
    pub backward: bool,
}

/// A panel for an epilogue.
pub(crate) struct FinishPanel<'a> {
    /// The layer's bias and pending factors.
    pub(super) scale: Scale<'a>,
    /// The panel's index.
    pub(super) n: usize,
    /// One panel per row.
    pub(super) sums: &'a mut [Panel],
    /// Where the outputs go.
    pub(super) out: ListRuns<'a>,
}

/// An [`Epilogue`] as a trait object. It is called once per panel, so that the pass over the tiles
/// is compiled for each element type, and not for each pair of element type and unit.
pub(crate) trait Finish: Sync {
    /// Turns a panel's sums into outputs.
    fn finish(&self, pass: Pass, panel: FinishPanel<'_>);
}

impl<U: Unit> Finish for Epilogue<'_, U> {
    fn finish(&self, pass: Pass, panel: FinishPanel<'_>) {
        pass.dispatch(Activate { epilogue: self, panel });
    }
}

struct Activate<'a, U> {
    epilogue: &'a Epilogue<'a, U>,
    panel: FinishPanel<'a>,
}

impl<U: Unit> Kernel for Activate<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { epilogue, panel: FinishPanel { scale, n, sums, out } } = self;
        let factor = l.splat(epilogue.keep.scale());
        let keeps_slope = U::Slope::KEPT && epilogue.backward;
        let vectors = vectors(epilogue.width, n);
        let mut to = ListWriter::new(out);
        for (row, panel) in sums.iter_mut().enumerate() {
            let bits = match epilogue.mask {
                Some(mask) => mask.at(row).block(n),
                None => valid_bits(epilogue.width, n),
            };
            for c in 0..vectors {
                let [sums] = load_from(l, panel, c);
                let z = scale.apply(l, n, c, sums);
                let active = epilogue.unit.active(l, z) & (bits >> (c * LANES)) as u16;
                if keeps_slope {
                    let (y, slope) = epilogue.unit.value_and_derivative(l, z);
                    to.push(l, c, active, l.mul(y, factor));
                    store_to(l, [l.keep(active, l.mul(slope, factor))], panel, c);
                } else {
                    to.push(l, c, active, l.mul(epilogue.unit.value(l, z), factor));
                }
            }
            if keeps_slope {
                panel[vectors * LANES..].fill(0.0);
            }
            to.end_of_row(row);
        }
    }
}

/// The panels of a task: those that are best computed together, or one if the threads would have too
/// few tasks to share.
pub(super) fn panels_of_task<O: Operands>(pass: Pass, panels: usize) -> usize {
    if pass.parallel && panels < 4 * O::PANELS * threads() { 1 } else { O::PANELS }
}

/// Forward pass of a hidden layer, from its operands to lists `out`. `z` is left with the sums, or
/// with f'(z) r: see [`Epilogue::backward`].
pub(crate) fn hidden<O: Operands>(
    pass: Pass,
    operands: O,
    scale: Scale<'_>,
    epilogue: &dyn Finish,
    z: &mut Panels,
    out: &mut Lists,
) {
    z.set_rows(operands.rows());
    out.set_rows(operands.rows());
    let watch = z.watch(pass.isa);
    let several = panels_of_task::<O>(pass, z.panels());
    let panels = (z.runs_mut(), out.runs_mut());
    pass.each_of(several, panels, &|n, (sums, mut out): (Runs<'_, Panel>, _)| {
        let (size, data) = (sums.size, sums.data);
        operands.sums(pass, n, 0, Runs { data, size });
        for (i, sums) in data.chunks_mut(size).enumerate() {
            let out = out.take(1);
            watch.look(n + i, 0, sums, |unit| unit);
            epilogue.finish(pass, FinishPanel { scale, n: n + i, sums, out });
        }
    });
    z.set_watched(watch);
}

/// Applies the bias and pending factors, without an activation.
struct Logits<'a> {
    /// The number of outputs of the layer, without padding.
    width: usize,
    scale: Scale<'a>,
    n: usize,
    sums: &'a mut [Panel],
}

impl Kernel for Logits<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { width, scale, n, sums } = self;
        for z in sums {
            for c in 0..vectors(width, n) {
                let [sums] = load_from(l, z, c);
                store_to(l, [scale.apply(l, n, c, sums)], z, c);
            }
        }
    }
}

/// Forward pass of the output layer, from its operands to pre-activations `z`.
pub(crate) fn output<O: Operands>(pass: Pass, operands: O, scale: Scale<'_>, z: &mut Panels) {
    z.set_rows(operands.rows());
    let watch = z.watch(pass.isa);
    let width = operands.outputs();
    let panels = |n: usize, first, sums: Runs<'_, Panel>| {
        let (size, data) = (sums.size, sums.data);
        operands.sums(pass, n, first, Runs { data, size });
        for (i, sums) in data.chunks_mut(size).enumerate() {
            pass.dispatch(Logits { width, scale, n: n + i, sums });
            watch.look(n + i, first, sums, |unit| unit);
        }
    };
    if z.panels() == 1 {
        // A single panel is divided by rows.
        let parts = Runs { data: z.runs_mut().data, size: OUTPUT_ROWS };
        pass.each(parts, &|part, sums| panels(0, part * OUTPUT_ROWS, sums));
    } else {
        let several = panels_of_task::<O>(pass, z.panels());
        pass.each_of(several, z.runs_mut(), &|n, sums| panels(n, 0, sums));
    }
    z.set_watched(watch);
}
