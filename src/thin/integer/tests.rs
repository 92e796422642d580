//! The product against its formula written out, bit for bit, on every backend.

use super::*;
use crate::{
    nn::integer::{rounded, scale_of},
    pass::Pass,
    rate::Keep,
    simd::{Isa, dots::Dotter, tests::on_each_isa},
    tensor::MatrixView,
    thin::{
        Gaps, InputBits, Lists, Panels,
        forward::{self, Scale},
        tests::{numbers, padded, serial},
    },
};

const SIZES: [usize; 8] = [1, 3, 63, 65, 255, 256, 257, 700];

fn lists(pass: Pass, x: &[f32], rows: usize) -> Lists {
    let width = x.len() / rows;
    let mut lists = Lists::with_capacity(rows + 2, width).unwrap();
    lists.set_rows(rows);
    let x = MatrixView::new(x, rows, width).unwrap();
    lists.fill(pass, Keep::ONE, InputBits::All, Gaps::Nothing, x);
    lists
}

/// The same numbers in another order.
fn shuffled(n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_by_key(|&i| (u64::from(i) * 7919 + 13) % 1009);
    order
}

struct Case {
    rows: usize,
    inputs: usize,
    outputs: usize,
    x: Vec<f32>,
    w: Vec<i8>,
    s: Vec<f32>,
    bias: Vec<f32>,
}

impl Case {
    fn new(rows: usize, inputs: usize, outputs: usize, density: f64) -> Self {
        let x = numbers(1, rows * inputs, density);
        let w =
            numbers(2, outputs * inputs, 1.0).into_iter().map(|w: f32| (w * 127.4).round() as i8);
        let s = numbers(3, outputs, 1.0).into_iter().map(|s| 1e-3 + s * s).collect();
        Self { rows, inputs, outputs, x, w: w.collect(), s, bias: numbers(4, outputs, 1.0) }
    }

    /// The bits of z by the formula.
    fn wanted(&self) -> Vec<u32> {
        let mut z = Vec::new();
        for x in self.x.chunks(self.inputs) {
            let t = scale_of(x.iter().copied());
            for (n, w) in self.w.chunks(self.inputs).enumerate() {
                let products =
                    w.iter().zip(x).map(|(&w, &x)| i32::from(w) * i32::from(rounded(x, t)));
                let sum: i32 = products.sum();
                z.push((sum as f32 * (t * self.s[n]) + 0.0 + self.bias[n]).to_bits());
            }
        }
        z
    }

    /// The bits of z by the product.
    fn product(&self, isa: Isa, order: Option<&[u32]>) -> Vec<u32> {
        let pass = serial(isa);
        let other = if isa == Isa::Portable { Isa::detect() } else { Isa::Portable };
        let parameters = Parameters { weights: &self.w, scales: &self.s, bias: &self.bias };
        // The lists are in the order of the quads.
        let x: Vec<f32> = match order {
            None => self.x.clone(),
            Some(order) => {
                let rows = self.x.chunks(self.inputs);
                rows.flat_map(|x| order.iter().map(|&unit| x[unit as usize])).collect()
            }
        };
        let orders = Orders { inputs: order, outputs: None };
        let mut w = QuadTiles::new(parameters, orders, Dotter::of(other)).unwrap();
        w.arrange(Dotter::of(isa));
        let mut quads = QuadLists::with_capacity(self.rows + 1, self.inputs).unwrap();
        let mut z = Panels::with_capacity(self.rows + 1, self.outputs).unwrap();
        let bias = padded(&self.bias);
        let scale = Scale { bias: bias.as_chunks().0, pending: None };
        // The second time, over what the first one left.
        for _ in 0..2 {
            quads.fill(pass, &lists(pass, &x, self.rows));
            forward::output(pass, Integers { w: &w, x: &quads }, scale, &mut z);
        }
        let at = |i: usize| z.get(i / self.outputs, i % self.outputs).to_bits();
        (0..self.rows * self.outputs).map(at).collect()
    }
}

#[test]
fn products_are_those_of_the_formula_in_any_order() {
    for inputs in SIZES {
        for (rows, outputs, density) in [(1, 65, 0.4), (5, 3, 1.0), (3, 130, 0.0), (2, 64, 0.9)] {
            let mut case = Case::new(rows, inputs, outputs, density);
            if inputs % 2 == 0 {
                // As after ReLU units.
                case.x.iter_mut().for_each(|x| *x = x.max(0.0));
            }
            let (want, order) = (case.wanted(), shuffled(inputs));
            on_each_isa(|isa| {
                for order in [None, Some(&*order)] {
                    assert_eq!(case.product(isa, order), want, "{isa} {rows} {inputs} {outputs}");
                }
            });
        }
    }
}

/// A full block in every row, and the largest sums.
#[test]
fn the_largest_numbers_do_not_overflow() {
    let mut case = Case::new(300, 512, 2, 1.0);
    case.x.fill(-3.0);
    case.w[..512].fill(127);
    case.w[512..].fill(-127);
    let want = case.wanted();
    on_each_isa(|isa| assert_eq!(case.product(isa, None), want, "{isa}"));
}

#[test]
fn halves_are_rounded_to_even_and_tiny_rows_to_zero() {
    let mut case = Case::new(2, 6, 1, 1.0);
    let tiny = f32::MIN_POSITIVE * 100.0;
    case.x = vec![127.0, 0.5, -1.5, 2.5, -3.5, 0.0, tiny, -tiny, 1e-45, 0.0, 0.0, tiny];
    case.w = vec![0, 64, 16, 4, 1, 127];
    (case.s[0], case.bias[0]) = (1.0, 0.0);
    let sum = -2.0 * 16.0 + 2.0 * 4.0 - 4.0;
    assert_eq!(case.wanted(), [sum, 0.0_f32].map(f32::to_bits));
    on_each_isa(|isa| assert_eq!(case.product(isa, None), case.wanted(), "{isa}"));
}

/// And in no other row.
#[test]
fn a_number_that_is_not_finite_makes_all_sums_of_its_row_nan() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in [0, 5, 69] {
            let clean = Case::new(3, 70, 5, 0.5);
            let mut case = Case::new(3, 70, 5, 0.5);
            case.x[70 + at] = bad;
            on_each_isa(|isa| {
                let (z, clean) = (case.product(isa, None), clean.product(isa, None));
                assert!(z[5..10].iter().all(|&z| f32::from_bits(z).is_nan()), "{isa} {bad}");
                assert_eq!((&z[..5], &z[10..]), (&clean[..5], &clean[10..]), "{isa} {bad}");
            });
        }
    }
}
