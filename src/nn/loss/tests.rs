//! Tests of the loss kernels against the formulas in f64, at widths around multiples of a panel.

use super::*;
use crate::{
    mask::{Domain, Streams},
    nn::reference::{self, Near},
    simd::tests::on_each_isa,
    thin::PANEL,
};

/// Exponentials and logistics are accurate to 3 ULP, sums over 200 outputs to about 100.
const RELATIVE: f64 = 2e-5;

fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let streams = Streams::new(seed, Domain::Other, 0, 0);
    (0..n).map(|i| (streams.hash(i as u64) as f64 / u64::MAX as f64) as f32).collect()
}

#[test]
fn losses_gradients_and_links_equal_their_formulas_in_every_panel() {
    on_each_isa(|isa| {
        for &loss in Loss::ALL {
            for width in [1, 2, 15, 16, 17, 63, 64, 65, 128, 130, 200] {
                let rows = 3;
                let z: Vec<f32> = numbers(1, rows * width).iter().map(|z| 8.0 * z - 4.0).collect();
                let t = numbers(2, rows * width);
                let view = MatrixView::new(&t, rows, width).unwrap();
                let classes: Vec<u32> = [0, width / 2, width - 1].map(|c| c as u32).to_vec();
                let targets = match loss {
                    Loss::SoftmaxCrossEntropy => Targets::Classes(&classes),
                    Loss::SquaredError => Targets::Values(view),
                    Loss::BinaryCrossEntropy => Targets::Binary(view),
                };
                let mut panels = Panels::with_capacity(rows, width).unwrap();
                // The padding of the last panel must not matter.
                panels.runs_mut().data.iter_mut().for_each(|panel| panel.fill(50.0));
                for row in 0..rows {
                    for n in 0..width {
                        panels.at_mut(n / PANEL, row)[n % PANEL] = z[row * width + n];
                    }
                }
                let mut linked = Matrix::zeroed(rows, width).unwrap();
                loss.predictions(isa, &mut panels.clone(), &mut linked);
                let mut losses = [f32::NAN; 3];
                loss.gradient(isa, targets, width, &mut panels, &mut losses).unwrap();
                for row in 0..rows {
                    let z: Vec<f64> =
                        z[row * width..][..width].iter().map(|&z| f64::from(z)).collect();
                    let y = loss.link(&z);
                    let z: Vec<Near> = z.into_iter().map(Near::exact).collect();
                    let (want, dz) = reference::loss(&z, targets, row);
                    assert!(want.allows(losses[row]), "{isa} {loss}: {} {want:?}", losses[row]);
                    let over_rows = Near::exact(1.0 / rows as f64).rounded(1.0);
                    for n in 0..width {
                        let near = (f64::from(linked.at(row)[n]) - y[n]).abs();
                        assert!(near <= RELATIVE * (1.0 + y[n].abs()), "{isa} {loss} link {n}");
                        let (got, want) = (panels.get(row, n), dz[n] * over_rows);
                        assert!(want.allows(got), "{isa} {loss} output {n}: {got} {want:?}");
                    }
                }
            }
        }
    });
}

#[test]
fn targets_of_another_kind_are_refused_and_change_nothing() {
    let t = [0.5; 4];
    let view = MatrixView::new(&t, 2, 2).unwrap();
    let all = [Targets::Classes(&[0, 1]), Targets::Values(view), Targets::Binary(view)];
    for (i, &loss) in Loss::ALL.iter().enumerate() {
        for (j, targets) in all.into_iter().enumerate().filter(|&(j, _)| j != i) {
            let mut z = Panels::with_capacity(2, 2).unwrap();
            let refused = loss.gradient(Isa::Portable, targets, 2, &mut z, &mut [0.0; 2]);
            let Err(Error::TargetKind { expected, got }) = refused else {
                panic!("{loss} took {targets:?}: {refused:?}")
            };
            let kinds = ["Classes", "Values", "Binary"];
            assert_eq!([expected, got], [kinds[i], kinds[j]]);
            assert!((0..2).all(|row| *z.at(0, row) == [0.0; PANEL]));
        }
    }
}
