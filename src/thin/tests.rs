//! Compares the products with their formulas as naive f64 loops, at sizes around the
//! vector, block and panel widths, on every backend.

use super::{forward::Floats, *};
use crate::{
    mask::{Domain, Mask, MaskSpec, Streams, scalar},
    nn::{
        Activation, PlainLayer,
        reference::{self, Near, Rows},
    },
    parallel::PerThread,
    pass::Pass,
    rate::Keep,
    simd::{Isa, tests::on_each_isa},
    tensor::{AlignedBuffer, MatrixView},
};

const SIZES: [usize; 8] = [1, 2, 15, 16, 17, 63, 65, 130];

/// Numbers in [-1, 1), of which a fraction of about `density` is not zero.
pub(super) fn numbers(seed: u64, n: usize, density: f64) -> Vec<f32> {
    let uniform = |i: usize, row: u64| {
        let h = Streams::new(seed, Domain::Other, 0, 0).hash(2 * i as u64 + row);
        (h >> 11) as f64 / (1u64 << 53) as f64
    };
    let one = |i| if uniform(i, 1) < density { 2.0 * uniform(i, 0) - 1.0 } else { 0.0 };
    (0..n).map(|i| one(i) as f32).collect()
}

fn tiles(w: &[f32], inputs: usize, outputs: usize) -> Tiles {
    let mut tiles = Tiles::zeroed(inputs, outputs).unwrap();
    tiles.set_rows(w).unwrap();
    assert_eq!(tiles.to_rows().unwrap(), w);
    tiles
}

fn panels(dense: &[f32], rows: usize, width: usize) -> Panels {
    let mut panels = Panels::with_capacity(rows + 3, width).unwrap();
    panels.set_rows(rows);
    for row in 0..rows {
        for unit in 0..width {
            panels.at_mut(unit / PANEL, row)[unit % PANEL] = dense[row * width + unit];
        }
    }
    panels
}

pub(super) fn padded(b: &[f32]) -> AlignedBuffer<f32> {
    let mut buffer = AlignedBuffer::zeroed(b.len().next_multiple_of(PANEL)).unwrap();
    buffer[..b.len()].copy_from_slice(b);
    buffer
}

pub(super) fn serial(isa: Isa) -> Pass {
    Pass { isa: isa.supported(), parallel: false }
}

fn lists(isa: Isa, x: &[f32], rows: usize, width: usize, keep: Keep, bits: InputBits) -> Lists {
    filled(isa, x, rows, width, keep, bits, Gaps::Nothing)
}

fn filled(
    isa: Isa,
    x: &[f32],
    rows: usize,
    width: usize,
    keep: Keep,
    bits: InputBits,
    gaps: Gaps,
) -> Lists {
    let mut lists = Lists::with_capacity(rows + 2, width).unwrap();
    lists.set_rows(rows);
    lists.fill(serial(isa), keep, bits, gaps, MatrixView::new(x, rows, width).unwrap());
    lists
}

/// The lists as a dense matrix; checks that the offsets are ascending.
fn dense(lists: &Lists, rows: usize, width: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * width];
    for block in 0..lists.blocks() {
        for row in 0..rows {
            let (offsets, values) = lists.block(block).of(row);
            assert!(offsets.is_sorted_by(|a, b| a < b));
            for (&offset, &value) in offsets.iter().zip(values) {
                out[row * width + block * PANEL + usize::from(offset)] = value;
            }
        }
    }
    out
}

/// A unit invented for these tests, so that value, zeros and slope can be told apart:
/// y = z / 2 for z > 0, and "slope" y + 1/2.
#[derive(Clone, Copy)]
struct Halved;
impl Unit for Halved {
    type Slope = Self;
    fn slope(self) -> Self {
        self
    }
    type Moments = Self;
    fn moments(self, _: Supported) -> Self {
        self
    }
    fn plain_value(self, z: f64) -> f64 {
        0.5 * z.max(0.0)
    }
    fn plain_derivative(self, z: f64) -> f64 {
        0.5 * z + 0.5
    }
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        l.mul(z, l.splat(0.5))
    }
    fn active<L: Lanes>(self, l: L, z: L::F) -> u16 {
        l.less(l.splat(0.0), z)
    }
}
impl Moments for Halved {}
impl Slope for Halved {
    const KEPT: bool = false;
    fn of<L: Lanes>(self, l: L, y: L::F) -> L::F {
        l.add(y, l.splat(0.5))
    }
}

/// The same unit, except that product 1 keeps its slope.
#[derive(Clone, Copy)]
struct HalvedKept;
impl Unit for HalvedKept {
    type Slope = Kept;
    fn slope(self) -> Kept {
        Kept
    }
    type Moments = Halved;
    fn moments(self, _: Supported) -> Halved {
        Halved
    }
    fn plain_value(self, z: f64) -> f64 {
        Halved.plain_value(z)
    }
    fn plain_derivative(self, z: f64) -> f64 {
        Halved.plain_derivative(z)
    }
    fn value<L: Lanes>(self, l: L, z: L::F) -> L::F {
        Halved.value(l, z)
    }
    fn value_and_derivative<L: Lanes>(self, l: L, z: L::F) -> (L::F, L::F) {
        Halved.value_and_derivative(l, z)
    }
    fn active<L: Lanes>(self, l: L, z: L::F) -> u16 {
        Halved.active(l, z)
    }
}

impl Halved {
    /// y of a kept unit, divided by p.
    fn plain(z: Near, keep: Keep) -> Near {
        let positive = z.increasing(|z| z.max(0.0));
        positive * Near::exact(0.5) * Near::exact(keep.scale().into())
    }
}

fn near(got: f32, want: Near, what: &str) {
    assert!(want.allows(got), "{what}: got {got}, want {want:?}");
}

/// The rows of a row-major f32 matrix of `width` columns.
fn rows_of(x: &[f32], width: usize) -> Rows {
    x.chunks_exact(width).map(reference::exact).collect()
}

/// A layer in f64, with the incoming weights of each unit multiplied by its factor in `s`.
fn plain_layer(w: &[f32], s: &[f32], b: &[f32]) -> PlainLayer {
    let unit = |(w, &s): (&[f32], &f32)| w.iter().map(|&w| f64::from(s) * f64::from(w)).collect();
    PlainLayer {
        weights: w.chunks_exact(w.len() / s.len()).zip(s).map(unit).collect(),
        bias: b.iter().map(|&b| b.into()).collect(),
        activation: Activation::Identity,
        pieces: 1,
    }
}

#[test]
fn input_lists_hold_what_is_kept_and_not_zero() {
    let keep = Keep::new(0.8).unwrap();
    on_each_isa(|isa| {
        for width in SIZES {
            let rows = 11;
            let mut x = numbers(1, rows * width, 0.5);
            x[0] = f32::NAN;
            x[width - 1] = f32::INFINITY;
            let streams = Streams::new(9, Domain::Training, 0, 3);
            let spec = MaskSpec { keep, streams, first_row: 20, isa };
            let mask = Mask::draw(spec, rows, width).unwrap();
            let masked =
                dense(&lists(isa, &x, rows, width, keep, InputBits::Mask(&mask)), rows, width);
            let bits = InputBits::Sparse { keep, streams, first_row: 20 };
            let sparse = dense(&lists(isa, &x, rows, width, keep, bits), rows, width);
            let all = dense(&lists(isa, &x, rows, width, Keep::ONE, InputBits::All), rows, width);
            for (i, &x) in x.iter().enumerate() {
                let (row, unit) = (i / width, i % width);
                let want = |kept: bool| if kept && x != 0.0 { x * keep.scale() } else { 0.0 };
                assert_eq!(masked[i].to_bits(), want(mask.get(row, unit)).to_bits());
                let kept = scalar::kept_at(keep, streams.hash(20 + row as u64), unit as u64);
                assert_eq!(sparse[i].to_bits(), want(kept).to_bits());
                assert_eq!(all[i].to_bits(), if x == 0.0 { 0 } else { x.to_bits() });
            }
        }
    });
}

#[test]
fn forward_equals_its_formula() {
    let keep = Keep::new(0.8).unwrap();
    on_each_isa(|isa| {
        for (case, inputs) in SIZES.into_iter().enumerate() {
            for outputs in SIZES {
                for (rows, density) in [(1, 0.4), (2, 1.0), (5, 0.4), (9, 1.0)] {
                    let x = numbers(2, rows * inputs, density);
                    let w = numbers(3, outputs * inputs, 1.0);
                    let b = numbers(4, outputs, 1.0);
                    let (w_tiles, b_panels) = (tiles(&w, inputs, outputs), padded(&b));
                    let b_panels = b_panels.as_chunks().0;
                    let x_lists = lists(isa, &x, rows, inputs, Keep::ONE, InputBits::All);
                    let streams = Streams::new(case as u64, Domain::Training, 1, 0);
                    let spec = MaskSpec { keep, streams, first_row: 0, isa };
                    let mask = Mask::draw(spec, rows, outputs).unwrap();
                    let mut z = Panels::with_capacity(rows + 1, outputs).unwrap();
                    let mut out = Lists::with_capacity(rows + 1, outputs).unwrap();
                    let mut logits = z.clone();
                    let s = padded(&numbers(16, outputs, 1.0));
                    let operands = Floats { w: &w_tiles, x: &x_lists };
                    let scale = forward::Scale {
                        bias: b_panels,
                        pending: (case % 2 == 0).then(|| s.as_chunks().0),
                    };
                    let s = if case % 2 == 0 { s[..outputs].to_vec() } else { vec![1.0; outputs] };
                    let layer = plain_layer(&w, &s, &b);
                    forward::output(serial(isa), operands, scale, &mut logits);
                    let epilogue = forward::Epilogue {
                        unit: Halved,
                        width: outputs,
                        keep,
                        mask: Some(&mask),
                        backward: false,
                    };
                    let z = &mut z;
                    forward::hidden(serial(isa), operands, scale, &epilogue, z, &mut out);
                    let out = dense(&out, rows, outputs);
                    for (row, x) in rows_of(&x, inputs).iter().enumerate() {
                        for (n, z) in reference::affine(&layer, x).into_iter().enumerate() {
                            // The pending factor adds a rounding of its own.
                            let z = z.rounded(1.0);
                            near(logits.get(row, n), z, "z");
                            let y = out[row * outputs + n];
                            if mask.get(row, n) {
                                near(y, Halved::plain(z, keep), "y");
                            } else {
                                assert_eq!(y.to_bits(), 0);
                            }
                        }
                    }
                }
            }
        }
    });
}

/// Products 2 and 3, and the bias gradients of this layer and the one below.
#[test]
fn the_gradients_equal_their_formulas() {
    let keep = Keep::HALF;
    on_each_isa(|isa| {
        for inputs in SIZES {
            for outputs in SIZES {
                for (rows, density) in [(1, 0.4), (4, 0.4), (9, 1.0), (33, 0.4)] {
                    let y = numbers(5, rows * inputs, density);
                    let w = numbers(6, outputs * inputs, 1.0);
                    let dz = numbers(7, rows * outputs, 0.7);
                    let s = numbers(8, outputs, if rows == 4 { 0.0 } else { 1.0 });
                    let s: Vec<f32> = s.iter().map(|s| s + 1.0).collect();
                    let lists = lists(isa, &y, rows, inputs, Keep::ONE, InputBits::All);
                    let dz_panels = panels(&dz, rows, outputs);
                    let mut below = Panels::with_capacity(rows + 2, inputs).unwrap();
                    let mut below_bias = padded(&vec![0.0; inputs]);
                    let by_input = PerThread::new(ByInput::with_capacity(rows + 1).unwrap());
                    let mut g = Tiles::zeroed(inputs, outputs).unwrap();
                    let s_padded = padded(&s);
                    update::collect(
                        serial(isa),
                        &tiles(&w, inputs, outputs),
                        s_padded.as_chunks().0,
                        visit::Operands {
                            x: visit::Active::Lists(&lists),
                            dz: &dz_panels,
                            outputs,
                            path: ProductPath::of(rows, outputs),
                            by_input: &by_input,
                        },
                        Some(visit::LayerBelow {
                            unit: &Halved,
                            keep,
                            dz: &mut below,
                            bias_gradient: below_bias.as_chunks_mut().0,
                        }),
                        update::Sum { g: &mut g, add: false },
                    );
                    let layer = plain_layer(&w, &s, &vec![0.0; outputs]);
                    let (y, dz) = (rows_of(&y, inputs), rows_of(&dz, outputs));
                    let dz_below = |(y, dz): (&Vec<Near>, &Vec<Near>)| -> Vec<Near> {
                        let p = Near::exact(keep.get());
                        let scale = Near::exact(keep.scale().into());
                        let slope = |y: Near| Near::sum([y * p, Near::exact(0.5)].into_iter());
                        let kept = |(&y, dh): (&Near, Near)| match y == Near::ZERO {
                            true => Near::ZERO,
                            // The pending factor adds a rounding of its own.
                            false => dh.rounded(1.0) * slope(y) * scale,
                        };
                        y.iter().zip(reference::transposed(&layer, dz)).map(kept).collect()
                    };
                    let want: Rows = y.iter().zip(&dz).map(dz_below).collect();
                    for (row, want) in want.iter().enumerate() {
                        for (k, &want) in want.iter().enumerate() {
                            near(below.get(row, k), want, "dz below");
                            if y[row][k] == Near::ZERO {
                                assert_eq!(below.get(row, k).to_bits(), 0);
                            }
                        }
                    }
                    for (k, want) in reference::bias_gradient(&want).into_iter().enumerate() {
                        near(below_bias[k], want, "bias gradient below");
                    }
                    let mut g_bias = padded(&vec![0.0; outputs]);
                    update::bias_gradient(isa.supported(), &dz_panels, g_bias.as_chunks_mut().0);
                    for (n, want) in reference::bias_gradient(&dz).into_iter().enumerate() {
                        near(g_bias[n], want, "bias gradient");
                    }
                    for (n, want) in reference::weight_gradient(&dz, &y).into_iter().enumerate() {
                        for (k, want) in want.into_iter().enumerate() {
                            near(g.get(n, k), want, "weight gradient");
                        }
                    }
                }
            }
        }
    });
}

/// A row without entries contributes nothing, but makes a full block an ordinary one.
#[test]
fn full_lists_give_the_bits_of_lists() {
    on_each_isa(|isa| {
        for inputs in SIZES {
            for outputs in SIZES {
                for rows in [1, 3, 8, 21] {
                    let x = numbers(30, (rows + 1) * inputs, 1.0);
                    let w = tiles(&numbers(31, outputs * inputs, 1.0), inputs, outputs);
                    let dz = numbers(32, (rows + 1) * outputs, 0.7);
                    let pending = numbers(33, outputs, if rows == 8 { 0.0 } else { 1.0 });
                    let s: Vec<f32> = pending.iter().map(|s| s + 1.0).collect();
                    let full = products(isa, &x, &dz, &w, &s, rows);
                    let mut with_empty_row = x.clone();
                    with_empty_row[rows * inputs..].fill(0.0);
                    let lists = products(isa, &with_empty_row, &dz, &w, &s, rows + 1);
                    assert_eq!((full.blocks, lists.blocks), (w.blocks(), 0));
                    for (got, want) in [
                        (&full.g, &lists.g),
                        (&full.bias_gradient, &lists.bias_gradient),
                        (&full.z, &lists.z[..rows * outputs].to_vec()),
                        (&full.below, &lists.below[..rows * inputs].to_vec()),
                        (&full.kept_below, &lists.kept_below[..rows * inputs].to_vec()),
                    ] {
                        assert_eq!(bits(got), bits(want), "{inputs} {outputs} {rows}");
                    }
                }
            }
        }
    });
}

/// Zeros in the place of missing entries change no bit of products 1 and 3, even where all products
/// underflow to -0.0; nor do they count as active. Without them, the lists are as before.
#[test]
fn padded_lists_give_the_bits_of_lists() {
    on_each_isa(|isa| {
        for (inputs, outputs) in [(1, 17), (16, 70), (65, 3), (130, 65)] {
            for (rows, tiny) in [(2, 1.0), (21, 1.0), (130, 1.0), (21, 1e-30)] {
                let scaled = |seed, n, density| -> Vec<f32> {
                    numbers(seed, n, density).iter().map(|x| x * tiny).collect()
                };
                let x = scaled(36, rows * inputs, 0.85);
                let w = tiles(&scaled(37, outputs * inputs, 1.0), inputs, outputs);
                let dz = panels(&scaled(38, rows * outputs, 0.7), rows, outputs);
                let streams = Streams::new(40, Domain::Training, 0, 0);
                let keep = Keep::new(0.95).unwrap();
                let spec = MaskSpec { keep, streams, first_row: 0, isa };
                let mask = Mask::draw(spec, rows, inputs).unwrap();
                let [unpadded, mut padded] = [Gaps::Nothing, Gaps::Zeros]
                    .map(|gaps| filled(isa, &x, rows, inputs, keep, InputBits::Mask(&mask), gaps));
                let (entries, density) = (dense(&unpadded, rows, inputs), unpadded.density());
                let want = first_layer(isa, &unpadded, &dz, &w);
                let lists = &mut padded;
                let pads = dense::pays_with_zeros(isa.dispatch(dense::Registers));
                let full: Vec<bool> = (0..w.blocks()).map(|b| lists.full(b).is_some()).collect();
                let nearly: Vec<bool> = (0..w.blocks())
                    .map(|b| {
                        let all = rows * lists.units(b);
                        let active =
                            (0..rows).map(|row| unpadded.block(b).of(row).0.len()).sum::<usize>();
                        active == all || pads && 4 * active >= 3 * all
                    })
                    .collect();
                assert_eq!(full, nearly, "{isa}");
                assert_eq!(lists.density(), density);
                assert_eq!(dense(lists, rows, inputs), entries);
                assert_eq!(first_layer(isa, lists, &dz, &w), want, "{isa} {inputs} {rows}");
                lists.unpad();
                assert!(!lists.is_padded());
                assert_eq!(lists.density(), density);
                assert_eq!(dense(lists, rows, inputs), entries);
                assert_eq!(first_layer(isa, lists, &dz, &w), want, "{isa} {inputs} {rows}");
            }
        }
    });
}

/// Blocks that are mostly empty stay as they are.
#[test]
fn lists_with_many_gaps_are_not_padded() {
    on_each_isa(|isa| {
        let mut x = numbers(39, 20 * 130, 0.5);
        for row in x.chunks_mut(130) {
            row[64..128].fill(1.0);
        }
        x[64] = 0.0;
        let lists = filled(isa, &x, 20, 130, Keep::ONE, InputBits::All, Gaps::Zeros);
        let full: Vec<bool> = (0..3).map(|b| lists.full(b).is_some()).collect();
        assert_eq!(full, [false, dense::pays_with_zeros(isa.dispatch(dense::Registers)), false]);
    });
}

/// The bits of what products 1 and 3 give if there is no layer below.
fn first_layer(isa: Isa, x: &Lists, dz: &Panels, w: &Tiles) -> (Vec<u32>, Vec<u32>) {
    let (rows, outputs) = (x.rows(), w.outputs());
    let bias = padded(&vec![-0.0; outputs]);
    let scale = forward::Scale { bias: bias.as_chunks().0, pending: None };
    let mut z = Panels::with_capacity(rows, outputs).unwrap();
    forward::output(serial(isa), Floats { w, x }, scale, &mut z);
    let by_input = PerThread::new(ByInput::with_capacity(rows).unwrap());
    let path = ProductPath::of(rows, outputs);
    let operands =
        visit::Operands { x: visit::Active::Lists(x), dz, outputs, path, by_input: &by_input };
    let s = vec![[1.0; PANEL]; w.panels()];
    let mut g = Tiles::zeroed(w.inputs(), outputs).unwrap();
    update::collect(serial(isa), w, &s, operands, None, update::Sum { g: &mut g, add: false });
    let z: Vec<f32> = (0..rows * outputs).map(|i| z.get(i / outputs, i % outputs)).collect();
    (bits(&z), bits(&g.to_rows().unwrap()))
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// What the three products of a layer give, row-major and without padding.
struct Products {
    /// How many blocks of the inputs were full.
    blocks: usize,
    z: Vec<f32>,
    g: Vec<f32>,
    /// dz of the layer below and its sum over rows, if its units are [`Halved`].
    below: Vec<f32>,
    bias_gradient: Vec<f32>,
    /// dz of the layer below, if the slopes were kept in its place.
    kept_below: Vec<f32>,
}

fn products(isa: Isa, x: &[f32], dz: &[f32], w: &Tiles, s: &[f32], rows: usize) -> Products {
    let (inputs, outputs) = (w.inputs(), w.outputs());
    let x = lists(isa, &x[..rows * inputs], rows, inputs, Keep::ONE, InputBits::All);
    let bias = padded(&numbers(34, outputs, 1.0));
    let scale = forward::Scale { bias: bias.as_chunks().0, pending: None };
    let mut z = Panels::with_capacity(rows, outputs).unwrap();
    forward::output(serial(isa), Floats { w, x: &x }, scale, &mut z);

    let dz = panels(dz, rows, outputs);
    let by_input = PerThread::new(ByInput::with_capacity(rows).unwrap());
    let path = ProductPath::of(rows, outputs);
    let operands = visit::Operands {
        x: visit::Active::Lists(&x),
        dz: &dz,
        outputs,
        path,
        by_input: &by_input,
    };
    let backward = |unit: &dyn backward::BelowUnit| {
        let slopes = numbers(35, rows * inputs, 1.0);
        let kept: Vec<f32> = slopes
            .iter()
            .zip(&dense(&x, rows, inputs))
            .map(|(&slope, &x)| if x == 0.0 { 0.0 } else { slope })
            .collect();
        let mut below = panels(&kept, rows, inputs);
        let mut bias_gradient = padded(&vec![0.0; inputs]);
        let mut g = Tiles::zeroed(inputs, outputs).unwrap();
        let to = visit::LayerBelow {
            unit,
            keep: Keep::HALF,
            dz: &mut below,
            bias_gradient: bias_gradient.as_chunks_mut().0,
        };
        update::collect(
            serial(isa),
            w,
            padded(s).as_chunks().0,
            operands,
            Some(to),
            update::Sum { g: &mut g, add: false },
        );
        let rows_of = |below: &Panels| -> Vec<f32> {
            let unit = |i| below.get(i / inputs, i % inputs);
            (0..rows * inputs).map(unit).collect()
        };
        (rows_of(&below), g.to_rows().unwrap(), bias_gradient[..inputs].to_vec())
    };
    let (below, g, bias_gradient) = backward(&Halved);
    let (kept_below, ..) = backward(&Kept);
    let logits = (0..rows * outputs).map(|i| z.get(i / outputs, i % outputs)).collect();
    let blocks = (0..x.blocks()).filter(|&b| x.full(b).is_some()).count();
    Products { blocks, z: logits, g, below, bias_gradient, kept_below }
}

/// A narrow layer has the bits of one that is not, because outputs whose weights and dz are 0 come
/// after its own; also where values underflow, dz overflows, or rows have no entry.
#[test]
fn narrow_layers_have_the_bits_of_lists() {
    on_each_isa(|isa| {
        for inputs in SIZES {
            for outputs in [1, 2, 3, 4, 5, 8, 9, 12, 13, 16] {
                for (rows, density) in [(1, 0.4), (9, 1.0), (33, 0.05), (33, 0.4)] {
                    let mut x = numbers(37, rows * inputs, density);
                    let mut dz = numbers(38, rows * outputs, 0.7);
                    let w = numbers(39, outputs * inputs, 1.0);
                    x.iter_mut().step_by(7).for_each(|x| *x *= 1e-30);
                    dz.iter_mut().step_by(5).for_each(|dz| *dz *= 1e-30);
                    if rows == 9 {
                        dz[rows * outputs / 2] = f32::INFINITY;
                    }
                    let s: Vec<f32> = (0..outputs).map(|n| 1.0 / (n + 1) as f32).collect();
                    let got = products(isa, &x, &dz, &tiles(&w, inputs, outputs), &s, rows);

                    let wide = LANES + 1;
                    let w = [w, vec![0.0; (wide - outputs) * inputs]].concat();
                    let dz: Vec<f32> = dz
                        .chunks(outputs)
                        .flat_map(|dz| [dz, &vec![0.0; wide - outputs]].concat())
                        .collect();
                    let s = [s, vec![1.0; wide - outputs]].concat();
                    let want = products(isa, &x, &dz, &tiles(&w, inputs, wide), &s, rows);
                    let what = format!("{isa} {rows} {inputs} {outputs}");
                    // Only which number a NaN is may differ.
                    let same = |got: &[f32], want: &[f32], name: &str| {
                        for (got, want) in got.iter().zip(want) {
                            let equal = got.to_bits() == want.to_bits();
                            assert!(equal || got.is_nan() && want.is_nan(), "{what}: {name}");
                        }
                    };
                    same(&got.g, &want.g, "g");
                    same(&got.below, &want.below, "below");
                    same(&got.bias_gradient, &want.bias_gradient, "bias gradient");
                    same(&got.kept_below, &want.kept_below, "kept");
                }
            }
        }
    });
}

/// Product 1 with a kept slope writes the same lists and leaves f'(z) r in z's place, from which
/// product 2 computes the same gradients; in a prediction it leaves the sums, as ever.
#[test]
fn a_kept_slope_gives_the_gradients_of_one_from_the_value() {
    on_each_isa(|isa| {
        for inputs in [1, 70] {
            for width in SIZES {
                for (rows, keep) in [(1, Keep::HALF), (5, Keep::ONE), (33, Keep::new(0.8).unwrap())]
                {
                    let x = numbers(20, rows * inputs, 0.4);
                    let (w, b) = (numbers(21, width * inputs, 1.0), numbers(22, width, 1.0));
                    let x = lists(isa, &x, rows, inputs, Keep::ONE, InputBits::All);
                    let streams = Streams::new(23, Domain::Training, 1, 0);
                    let spec = MaskSpec { keep, streams, first_row: 0, isa };
                    let mask = Mask::draw(spec, rows, width).unwrap();
                    let mask = keep.drops().then_some(&mask);
                    let (w, b) = (tiles(&w, inputs, width), padded(&b));
                    let scale = forward::Scale { bias: b.as_chunks().0, pending: None };
                    let operands = (Floats { w: &w, x: &x }, scale);
                    let hidden = |unit, backward| {
                        let epilogue = forward::Epilogue { unit, width, keep, mask, backward };
                        one_pass(isa, operands, &epilogue)
                    };
                    let (sums, want) = hidden(HalvedKept, false);
                    let (kept, got) = hidden(HalvedKept, true);
                    let (same, from_value) = {
                        let unit = Halved;
                        let epilogue =
                            forward::Epilogue { unit, width, keep, mask, backward: true };
                        one_pass(isa, operands, &epilogue)
                    };
                    let want = dense(&want, rows, width);
                    for got in [&got, &from_value] {
                        assert_eq!(dense(got, rows, width), want);
                    }
                    for row in 0..rows {
                        for unit in 0..width.next_multiple_of(PANEL) {
                            // Where nothing is kept, product 1 leaves its sums.
                            assert_eq!(sums.get(row, unit), same.get(row, unit));
                            let slope = kept.get(row, unit);
                            match want.get(row * width + unit).filter(|_| unit < width) {
                                Some(&y) if y != 0.0 => {
                                    let y = Near::exact(y.into()).rounded(2.0);
                                    let scale = Near::exact(keep.scale().into());
                                    let half = Near::exact(0.5) * scale;
                                    near(slope, Near::sum([y, half].into_iter()), "slope")
                                }
                                _ => assert_eq!(slope.to_bits(), 0, "{row} {unit}"),
                            }
                        }
                    }

                    let outputs = 70;
                    let w = tiles(&numbers(24, outputs * width, 1.0), width, outputs);
                    let dz = panels(&numbers(25, rows * outputs, 0.7), rows, outputs);
                    let s = vec![[1.0; PANEL]; 2];
                    let by_input = PerThread::new(ByInput::with_capacity(rows).unwrap());
                    let path = ProductPath::of(rows, outputs);
                    let operands = visit::Operands {
                        x: visit::Active::Lists(&got),
                        dz: &dz,
                        outputs,
                        path,
                        by_input: &by_input,
                    };
                    let (mut kept, mut below) = (kept, same);
                    let mut bias = padded(&vec![0.0; width]);
                    let mut kept_bias = bias.clone();
                    let mut g = Tiles::zeroed(width, outputs).unwrap();
                    let both: [(&dyn backward::BelowUnit, _, _); 2] =
                        [(&Kept, &mut kept, &mut kept_bias), (&Halved, &mut below, &mut bias)];
                    for (unit, dz, bias) in both {
                        let bias_gradient = bias.as_chunks_mut().0;
                        let to = visit::LayerBelow { unit, keep, dz, bias_gradient };
                        let g = update::Sum { g: &mut g, add: false };
                        update::collect(serial(isa), &w, &s, operands, Some(to), g);
                    }
                    for row in 0..rows {
                        for unit in 0..width.next_multiple_of(PANEL) {
                            // Both are rounded a few times, in another order.
                            let want = Near::exact(below.get(row, unit).into()).rounded(8.0);
                            near(kept.get(row, unit), want, "dz");
                        }
                    }
                    for (&got, &want) in kept_bias.iter().zip(bias.iter()) {
                        assert!((got - want).abs() <= 1e-4, "{got} {want}");
                    }
                }
            }
        }
    });
}

/// What product 1 leaves in z's place, and its lists.
fn one_pass<U: Unit>(
    isa: Isa,
    (operands, scale): (Floats<'_>, forward::Scale<'_>),
    epilogue: &forward::Epilogue<'_, U>,
) -> (Panels, Lists) {
    let rows = operands.x.rows();
    let mut z = Panels::with_capacity(rows + 1, epilogue.width).unwrap();
    let mut out = Lists::with_capacity(rows + 1, epilogue.width).unwrap();
    forward::hidden(serial(isa), operands, scale, epilogue, &mut z, &mut out);
    (z, out)
}

/// The factor min(1, c / |w|) that scales the weights into a unit to norm c if they exceed it.
fn projection(w: &[Near], c: f64) -> Near {
    let squares = Near::sum(w.iter().map(|&w| w * w));
    // It falls as the squares grow.
    let factor = |squares: f64| (c / squares.max(0.0).sqrt()).min(1.0);
    let (low, high) = squares.ends();
    // A square root and a quotient.
    Near::between(factor(high), factor(low)).rounded(2.0)
}

/// A rule whose weight and velocity depend on all of g, w and v.
#[derive(Clone, Copy)]
struct Mixed {
    g: f32,
    w: f32,
    v: f32,
}

impl update::Rule<1> for Mixed {
    fn step<L: Lanes>(self, l: L, g: L::F, w: L::F, [v]: [L::F; 1]) -> (L::F, [L::F; 1]) {
        let v = l.mul_add(l.splat(self.v), v, l.mul(l.splat(self.g), g));
        (l.sub(l.mul_add(l.splat(self.w), w, w), v), [v])
    }
}

impl Mixed {
    fn plain(self, g: Near, w: Near, v: Near) -> (Near, Near) {
        let [by_g, by_w, by_v] = [self.g, self.w, self.v].map(|by| Near::exact(by.into()));
        let v = Near::sum([by_v * v, by_g * g].into_iter());
        (Near::sum([by_w * w, w].into_iter()) - v, v)
    }
}

#[test]
fn the_update_equals_its_formula_in_every_panel() {
    let weight_rule = Mixed { g: 0.5, w: -0.1, v: 0.9 };
    let bias_rule = Mixed { g: 0.25, w: 0.0, v: 0.5 };
    on_each_isa(|isa| {
        for inputs in SIZES {
            for outputs in SIZES {
                for most in [None, Some(0.7)] {
                    let rows = 6;
                    let x = numbers(10, rows * inputs, 0.4);
                    let dz = numbers(11, rows * outputs, 0.7);
                    let (w, v) =
                        (numbers(12, outputs * inputs, 1.0), numbers(13, outputs * inputs, 1.0));
                    let (b, bv) = (numbers(14, outputs, 1.0), numbers(15, outputs, 1.0));
                    let s = numbers(16, outputs, if most.is_some() { 1.0 } else { 0.0 });
                    let s: Vec<f32> = s.iter().map(|s| s + 1.0).collect();
                    let lists = lists(isa, &x, rows, inputs, Keep::ONE, InputBits::All);
                    let mut layer = Trained::new(inputs, outputs, &w, &b);
                    layer.state.optimiser[0].weights = tiles(&v, inputs, outputs);
                    layer.state.optimiser[0].bias = padded(&bv);
                    layer.state.pending[..outputs].copy_from_slice(&s);
                    let rules = [weight_rule, bias_rule];
                    let dz_panels = panels(&dz, rows, outputs);
                    assert!(!layer.step(isa, rules, max_norm(most), &lists, &dz_panels));
                    let (pending, velocity) = (&layer.state.pending, &layer.state.optimiser[0]);
                    let with_pending = layer.with_pending();
                    let (x, dz) = (rows_of(&x, inputs), rows_of(&dz, outputs));
                    let dw = reference::weight_gradient(&dz, &x);
                    let db = reference::bias_gradient(&dz);
                    for n in 0..outputs {
                        let (mut new_w, mut new_v) = (Vec::new(), Vec::new());
                        for (k, g) in dw[n].iter().enumerate() {
                            let i = n * inputs + k;
                            let w = Near::exact(s[n].into()) * Near::exact(w[i].into());
                            let (w, v) = weight_rule.plain(*g, w, Near::exact(v[i].into()));
                            new_w.push(w);
                            new_v.push(v);
                        }
                        let factor =
                            most.map_or(Near::exact(1.0), |c: f32| projection(&new_w, c.into()));
                        near(pending[n], factor, "pending factor");
                        for (k, (w, v)) in new_w.into_iter().zip(new_v).enumerate() {
                            near(layer.weights.get(n, k), w, "weight before projection");
                            near(with_pending.get(n, k), w * factor, "weight");
                            let got = velocity.weights.get(n, k);
                            near(got, v, "velocity is not projected");
                        }
                        let [old, old_v] = [b[n], bv[n]].map(|x| Near::exact(x.into()));
                        let (b, bv) = bias_rule.plain(db[n], old, old_v);
                        near(layer.bias[n], b, "bias");
                        near(velocity.bias[n], bv, "bias velocity");
                    }
                    // The padding of the last panel stays 0.
                    assert!(layer.bias[outputs..].iter().all(|b| b.to_bits() == 0));
                }
            }
        }
    });
}

/// Squares overflow f32 before weights do: the norm is bounded all the same.
#[test]
fn max_norm_holds_where_squares_overflow() {
    max_norm_holds([3e25, -4e25, 3.0, 4.0], 1.0);
}

/// The quotient of the bound and the norm would have fewer bits than an f32, or none.
#[test]
fn max_norm_holds_where_its_factor_underflows() {
    max_norm_holds([3e37, -4e37, 3.0, 4.0], 2.0_f32.powi(-15));
    max_norm_holds([3e37, -4e37, 3e37, 4e37], 1e-12);
    max_norm_holds([3e17, -4e17, 3e-3, 4e-3], 1e-22);
}

/// The weights into two units, which are multiples of 3 and 4, get the norm `most`.
fn max_norm_holds(weights: [f32; 4], most: f32) {
    let rule = Mixed { g: 0.0, w: 0.0, v: 0.0 };
    on_each_isa(|isa| {
        let lists = lists(isa, &[0.0; 2], 1, 2, Keep::ONE, InputBits::All);
        let mut layer = Trained::new(2, 2, &weights, &[0.0; 2]);
        let dz = panels(&[0.0; 2], 1, 2);
        assert!(!layer.step(isa, [rule; 2], max_norm(Some(most)), &lists, &dz));
        let weights = layer.with_pending();
        for (n, k, share) in [(0, 0, 0.6), (0, 1, -0.8), (1, 0, 0.6), (1, 1, 0.8)] {
            let want = share * f64::from(most);
            // Under the square root the roundings of the weights count twice, those of the squares
            // and of their sum once: 4, which the root halves. The root, the quotient, the weight
            // itself and the product add one each.
            let want = Near::exact(want).rounded(6.0);
            near(weights.get(n, k), want, "projected weight");
        }
    });
}

/// Infinite weights are reported, with and without max-norm.
#[test]
fn an_overflow_is_told() {
    let rule = Mixed { g: 0.0, w: 1.0, v: 0.0 };
    on_each_isa(|isa| {
        for most in [None, Some(1.0)] {
            let lists = lists(isa, &[0.0; 2], 1, 2, Keep::ONE, InputBits::All);
            let mut layer = Trained::new(2, 1, &[1.0, 3e38], &[0.0]);
            let dz = panels(&[0.0], 1, 1);
            assert!(layer.step(isa, [rule; 2], max_norm(most), &lists, &dz));
        }
    });
}

/// A gradient that is NaN is not hidden by a bound on it.
#[test]
fn a_bound_on_the_gradient_lets_nan_through() {
    let rule = Mixed { g: 1.0, w: 0.0, v: 0.0 };
    let options = update::StepOptions { clip_weights: 0.5, clip_biases: 0.5, ..max_norm(None) };
    on_each_isa(|isa| {
        for dz in [f32::NAN, -f32::NAN] {
            // The inputs are 1 and 0: only the weight from the first, and the bias, are affected.
            let lists = lists(isa, &[1.0, 0.0], 1, 2, Keep::ONE, InputBits::All);
            let mut layer = Trained::new(2, 1, &[1.0; 2], &[1.0]);
            assert!(layer.step(isa, [rule; 2], options, &lists, &panels(&[dz], 1, 1)));
            assert!(layer.weights.get(0, 0).is_nan() && layer.bias[0].is_nan(), "{isa}");
            assert_eq!(layer.weights.get(0, 1), 1.0);
        }
    });
}

/// With this bound on the norm of the weights into a unit, and none on the gradient.
fn max_norm(most: Option<f32>) -> update::StepOptions {
    update::StepOptions {
        clip_weights: f32::INFINITY,
        clip_biases: f32::INFINITY,
        max_norm: most,
        average: 0.0,
    }
}

/// A layer in training, without a layer below.
struct Trained {
    weights: Tiles,
    bias: AlignedBuffer<f32>,
    state: LayerState,
}

impl Trained {
    fn new(inputs: usize, outputs: usize, w: &[f32], b: &[f32]) -> Self {
        let state = LayerState::new(inputs, outputs, &[update::StateInit::zero("v")], &[]);
        Self { weights: tiles(w, inputs, outputs), bias: padded(b), state: state.unwrap() }
    }

    fn step(
        &mut self,
        isa: Isa,
        rules: [Mixed; 2],
        options: update::StepOptions,
        x: &Lists,
        dz: &Panels,
    ) -> bool {
        let by_input = PerThread::new(ByInput::with_capacity(x.rows()).unwrap());
        let outputs = self.weights.outputs();
        let path = ProductPath::of(x.rows(), outputs);
        let operands =
            visit::Operands { x: visit::Active::Lists(x), dz, outputs, path, by_input: &by_input };
        let mut bias_gradient = padded(&vec![0.0; outputs]);
        update::bias_gradient(isa.supported(), dz, bias_gradient.as_chunks_mut().0);
        let tiles = self.weights.blocks() * self.weights.panels();
        let to = update::Parameters {
            before: None,
            weights: &mut self.weights,
            bias: self.bias.as_chunks_mut().0,
            state: &mut self.state,
            bias_gradient: bias_gradient.as_chunks().0,
            squares: &mut vec![[5.0; PANEL]; tiles + 1],
        };
        update::layer(serial(isa), rules, options, operands, None, to)
    }

    fn with_pending(&self) -> Tiles {
        let mut weights = self.weights.clone();
        self.state.apply_pending(&mut weights);
        weights
    }
}
