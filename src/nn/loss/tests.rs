//! Tests of the loss kernels against the formulas in f64, at widths around multiples of a panel.

use serde::Deserialize;

use super::*;
use crate::{
    mask::{Domain, Streams},
    nn::reference::{self, Near},
    simd::{Isa, tests::on_each_isa},
    tensor::{Matrix, MatrixView},
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
        let huber = [0.1, 3.0].map(|delta| Loss::Huber(HuberDelta::new(delta).unwrap()));
        let beta = Loss::GaussianNll(GaussianBeta::new(0.5).unwrap());
        let quantiles = ["quantile(0.75)", "quantile(0.01,0.05,0.25,0.95)"];
        let quantiles = quantiles.map(|text| text.parse::<Loss>().unwrap());
        for &loss in Loss::ALL.iter().chain(&huber).chain(&[beta]).chain(&quantiles) {
            for columns in [1, 2, 15, 16, 17, 63, 64, 65, 128, 130, 200] {
                let (rows, width) = (3, columns * loss.outputs_per_target());
                let z: Vec<f32> = numbers(1, rows * width).iter().map(|z| 8.0 * z - 4.0).collect();
                let t = numbers(2, rows * columns);
                let view = MatrixView::new(&t, rows, columns).unwrap();
                let classes: Vec<u32> = [0, width / 2, width - 1].map(|c| c as u32).to_vec();
                let targets = match loss.target_kind() {
                    TargetKind::Classes => Targets::Classes(&classes),
                    TargetKind::Values => Targets::Values(view),
                    TargetKind::Binary => Targets::Binary(view),
                };
                let mut panels = Panels::with_capacity(rows, width).unwrap();
                // The padding of the last panel must not matter.
                panels.runs_mut().data.iter_mut().for_each(|panel| panel.fill(50.0));
                for row in 0..rows {
                    for n in 0..width {
                        panels.at_mut(n / PANEL, row)[n % PANEL] = z[row * width + n];
                    }
                }
                let temperatures: &[f64] = if loss.target_kind() == TargetKind::Values {
                    &[1.0]
                } else {
                    &[1.0, 0.3, 7.0]
                };
                for &temperature in temperatures {
                    let link = loss.link_at(Temperature::new(temperature).unwrap());
                    let mut linked = Matrix::zeroed(rows, width).unwrap();
                    link.predictions(isa.supported(), &mut panels.clone(), &mut linked);
                    for row in 0..rows {
                        let z = z[row * width..][..width].iter().map(|&z| f64::from(z));
                        let y = link.of(&z.collect::<Vec<_>>());
                        for (n, (&got, &y)) in linked.at(row).iter().zip(&y).enumerate() {
                            let near = (f64::from(got) - y).abs();
                            assert!(near <= RELATIVE * (1.0 + y.abs()), "{isa} {loss} link {n}");
                        }
                    }
                }
                let mut losses = [f32::NAN; 3];
                loss.gradient(
                    isa.supported(),
                    targets,
                    width,
                    panels.rows(),
                    &mut panels,
                    &mut losses,
                )
                .unwrap();
                for row in 0..rows {
                    let z: Vec<f64> =
                        z[row * width..][..width].iter().map(|&z| f64::from(z)).collect();
                    let z: Vec<Near> = z.into_iter().map(Near::exact).collect();
                    let (want, dz) = reference::loss(loss, &z, targets, row);
                    assert!(want.allows(losses[row]), "{isa} {loss}: {} {want:?}", losses[row]);
                    let over_rows = Near::exact(1.0 / rows as f64).rounded(1.0);
                    for (n, &dz) in dz.iter().enumerate() {
                        let (got, want) = (panels.get(row, n), dz * over_rows);
                        assert!(want.allows(got), "{isa} {loss} output {n}: {got} {want:?}");
                    }
                }
            }
        }
    });
}

/// A loss and its gradient against the formula and its differences in f64.
fn equals_its_formula<U: LossUnit>(
    isa: Isa,
    unit: U,
    trained: TrainedLoss<'_>,
    (targets, width): (Targets<'_>, usize),
) {
    let (of, rows) = (of_kind::<U::Targets>(targets).unwrap(), 3);
    let z: Vec<f32> = numbers(1, rows * width).iter().map(|z| 8.0 * z - 4.0).collect();
    let mut panels = Panels::with_capacity(rows, width).unwrap();
    panels.runs_mut().data.iter_mut().for_each(|panel| panel.fill(50.0));
    for (i, &z) in z.iter().enumerate() {
        panels.at_mut(i % width / PANEL, i / width)[i % width % PANEL] = z;
    }
    let mut losses = [f32::NAN; 3];
    trained.gradient(isa.supported(), targets, width, 7, &mut panels, &mut losses).unwrap();
    for row in 0..rows {
        let mut z: Vec<f64> = z[row * width..][..width].iter().map(|&z| z.into()).collect();
        let want = unit.plain(&z, of, row);
        assert!((f64::from(losses[row]) - want).abs() <= RELATIVE * want, "{isa} {trained:?}");
        for n in 0..width {
            // The error of a central difference is below h² = 1e-8, that of rounding near 1e-12 / h.
            let (at, h) = (z[n], 1e-4);
            let [above, below] = [at + h, at - h].map(|moved| {
                z[n] = moved;
                unit.plain(&z, of, row)
            });
            z[n] = at;
            let (got, want) = (f64::from(panels.get(row, n)), (above - below) / (2.0 * h) / 7.0);
            assert!((got - want).abs() <= 1e-6 + RELATIVE * want.abs(), "{isa} {trained:?} {n}");
        }
    }
}

#[test]
fn weighted_losses_equal_their_formulas_in_every_panel() {
    on_each_isa(|isa| {
        for width in [1, 2, 16, 17, 64, 65, 130] {
            let weights: Vec<f64> = numbers(5, width).iter().map(|&w| 3.0 * f64::from(w)).collect();
            let t = numbers(2, 3 * width);
            let bits: Vec<f32> = t.iter().map(|t| if *t < 0.6 { t.round() } else { *t }).collect();
            let bits = Targets::Binary(MatrixView::new(&bits, 3, width).unwrap());
            let unit = PositiveWeights::new(&weights);
            equals_its_formula(isa, unit, TrainedLoss::Positive(unit), (bits, width));
            if width == 1 {
                continue;
            }
            let classes: Vec<u32> = [0, width / 2, width - 1].map(|c| c as u32).to_vec();
            for smoothing in [0.1, 0.9] {
                let unit = SmoothedSoftmax::new(smoothing, &weights);
                let trained = TrainedLoss::Smoothed(unit);
                equals_its_formula(isa, unit, trained, (Targets::Classes(&classes), width));
            }
        }
    });
}

#[test]
fn targets_of_another_kind_are_refused_and_change_nothing() {
    let t = [0.5; 4];
    let view = MatrixView::new(&t, 2, 2).unwrap();
    let all = [Targets::Classes(&[0, 1]), Targets::Values(view), Targets::Binary(view)];
    for &loss in Loss::ALL {
        let wrong = |targets: &Targets<'_>| targets.kind() != loss.target_kind();
        for targets in all.into_iter().filter(wrong) {
            let mut z = Panels::with_capacity(2, 2).unwrap();
            let refused =
                loss.gradient(Isa::Portable.supported(), targets, 2, 2, &mut z, &mut [0.0; 2]);
            let Err(Error::TargetKind { expected, got }) = refused else {
                panic!("{loss} took {targets:?}: {refused:?}")
            };
            assert_eq!([expected, got], [loss.target_kind(), targets.kind()].map(TargetKind::name));
            assert!((0..2).all(|row| *z.at(0, row) == [0.0; PANEL]));
        }
    }
}

/// `tests/oracle/pytorch_losses.json`, generated by `pytorch_losses.py` next to it.
#[derive(Deserialize)]
struct Oracle {
    losses: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    loss: Loss,
    z: Vec<Vec<f32>>,
    targets: serde_json::Value,
    value: f64,
    gradient: Vec<Vec<f64>>,
}

/// PyTorch has no quantile loss: `quantile_loss.py` next to the other program uses scikit-learn.
#[test]
fn values_and_gradients_match_pytorch_and_scikit_learn() {
    let texts = [
        include_str!("../../../tests/oracle/pytorch_losses.json"),
        include_str!("../../../tests/oracle/quantile_loss.json"),
    ];
    let read = |text: &str| serde_json::from_str::<Oracle>(text).unwrap().losses;
    let losses: Vec<Recorded> = texts.into_iter().flat_map(read).collect();
    let has = |loss: &Loss| losses.iter().any(|recorded| recorded.loss == *loss);
    assert!(Loss::ALL.iter().all(has));
    on_each_isa(|isa| {
        for Recorded { loss, z, targets, value, gradient } in &losses {
            let (rows, width) = (z.len(), z[0].len());
            let columns = loss.targets(width).unwrap();
            let (mut classes, mut numbers) = (Vec::new(), Vec::new());
            if loss.target_kind() == TargetKind::Classes {
                classes = serde_json::from_value::<Vec<u32>>(targets.clone()).unwrap();
            } else {
                let rows: Vec<Vec<f32>> = serde_json::from_value(targets.clone()).unwrap();
                numbers = rows.concat();
            }
            let targets = match loss.target_kind() {
                TargetKind::Classes => Targets::Classes(&classes),
                TargetKind::Values => {
                    Targets::Values(MatrixView::new(&numbers, rows, columns).unwrap())
                }
                TargetKind::Binary => {
                    Targets::Binary(MatrixView::new(&numbers, rows, columns).unwrap())
                }
            };
            targets.check(*loss, width, rows).unwrap();
            let mut panels = Panels::with_capacity(rows, width).unwrap();
            for (row, z) in z.iter().enumerate() {
                panels.at_mut(0, row)[..width].copy_from_slice(z);
            }
            let mut losses = vec![f32::NAN; rows];
            loss.gradient(isa.supported(), targets, width, panels.rows(), &mut panels, &mut losses)
                .unwrap();
            let mean = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / rows as f64;
            // In f32, a few roundings and the exponentials' 3 ULP.
            assert!(
                (mean - value).abs() <= 1e-6 * value.abs(),
                "{isa} {loss}: {mean}, not {value}"
            );
            for (row, want) in gradient.iter().enumerate() {
                for (n, want) in want.iter().enumerate() {
                    let got = f64::from(panels.get(row, n));
                    assert!((got - want).abs() <= 1e-6, "{isa} {loss}: {got}, not {want}");
                }
            }
        }
    });
}

#[test]
fn huber_needs_a_delta_above_0() {
    for (text, words) in [
        ("huber(0)", "huber delta 0: expected a number above 0"),
        ("huber(-1)", "huber delta -1: expected"),
        ("huber(NaN)", "huber delta NaN: expected"),
        ("huber(1e39)", "huber delta 1e39: expected a number above 0 that single precision"),
        ("huber(", "loss `huber(`: expected one of"),
        ("squared_error(1)", "loss `squared_error(1)`: expected one of"),
    ] {
        let error = text.parse::<Loss>().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    for delta in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = HuberDelta::new(delta).unwrap_err().to_string();
        assert_eq!(error, format!("huber delta {delta}: expected a finite number above 0"));
    }
    assert_eq!("huber".parse::<Loss>().unwrap(), Loss::Huber(HuberDelta::DEFAULT));
}

/// Up to e^88.7 the loss is a number; above, it says that it is not.
#[test]
fn a_rate_that_overflows_makes_the_loss_infinite() {
    on_each_isa(|isa| {
        for (z, is_finite) in [(88.0, true), (89.0, false), (3e38, false), (-3e38, true)] {
            let t = [0.0];
            let targets = Targets::Values(MatrixView::new(&t, 1, 1).unwrap());
            let mut panels = Panels::with_capacity(1, 1).unwrap();
            panels.at_mut(0, 0)[0] = z;
            let mut losses = [0.0];
            let isa = isa.supported();
            Loss::Poisson.gradient(isa, targets, 1, 1, &mut panels, &mut losses).unwrap();
            assert_eq!(losses[0].is_finite(), is_finite, "{z}");
            assert_eq!(panels.get(0, 0).is_finite(), is_finite, "{z}");
        }
    });
}

#[test]
fn beta_is_from_0_to_1_and_outputs_are_pairs() {
    for text in ["gaussian_nll(-0.5)", "gaussian_nll(1.5)", "gaussian_nll(NaN)"] {
        let error = text.parse::<Loss>().unwrap_err().to_string();
        let words = "gaussian_nll beta ";
        assert!(
            error.starts_with(words) && error.ends_with("expected a number from 0 to 1"),
            "{error}"
        );
    }
    let plain = Loss::GaussianNll(GaussianBeta::DEFAULT);
    for text in ["gaussian_nll", "gaussian_nll(0)", "gaussian_nll(-0)"] {
        assert_eq!(text.parse::<Loss>().unwrap(), plain);
    }
    assert_eq!(plain.to_string(), "gaussian_nll(0)");
    for (outputs, fits) in [(1, false), (2, true), (3, false), (66, true)] {
        assert_eq!(plain.check_outputs(outputs).is_ok(), fits);
    }
    let t = [0.5; 4];
    let targets = |columns| Targets::Values(MatrixView::new(&t, 4 / columns, columns).unwrap());
    assert!(targets(2).check(plain, 4, 2).is_ok());
    let error = targets(1).check(plain, 3, 4).unwrap_err().to_string();
    assert_eq!(error, "gaussian_nll with 3 outputs: expected 2 for each target");
    let error = targets(4).check(plain, 4, 1).unwrap_err().to_string();
    assert_eq!(error, "columns of the targets: expected 2, got 4");
}

/// A log-variance below that of the smallest f32, and targets that are met exactly.
#[test]
fn precision_that_overflows_makes_the_loss_infinite() {
    on_each_isa(|isa| {
        for (m, l, is_finite) in [
            (1.0, -80.0, true),
            (1.0, -100.0, false),
            (0.0, -100.0, true),
            (0.0, -1e4, false),
            (1.0, 1e4, true),
        ] {
            let t = [0.0];
            let targets = Targets::Values(MatrixView::new(&t, 1, 1).unwrap());
            let mut panels = Panels::with_capacity(1, 2).unwrap();
            panels.at_mut(0, 0)[..2].copy_from_slice(&[m, l]);
            let mut losses = [0.0];
            let loss = Loss::GaussianNll(GaussianBeta::DEFAULT);
            loss.gradient(isa.supported(), targets, 2, 1, &mut panels, &mut losses).unwrap();
            assert_eq!(losses[0].is_finite(), is_finite, "{m} {l}: {}", losses[0]);
            let finite = [0, 1].map(|n| panels.get(0, n).is_finite());
            assert_eq!(finite, [is_finite; 2], "{m} {l}");
        }
    });
}

#[test]
fn quantile_levels_ascend_between_0_and_1() {
    let too_many = format!(
        "quantile({})",
        (1..=17).map(|i| format!("{},", i as f32 / 20.0)).collect::<String>()
    );
    let too_many = too_many.replace(",)", ")");
    for (text, words) in [
        (
            "quantile(0)",
            "quantile level 0: expected a number above 0 and below 1 in single precision",
        ),
        ("quantile(0.5,1)", "quantile level 1: expected a number above 0 and below 1"),
        ("quantile(0.5,-0.5)", "quantile level -0.5: expected"),
        ("quantile(NaN)", "quantile level NaN: expected"),
        ("quantile(1e-50)", "quantile level 1e-50: expected"),
        ("quantile(0.99999999)", "quantile level 0.99999999: expected"),
        (
            "quantile(0.1,0.9,0.5)",
            "quantile levels 0.9, 0.5: expected each larger than the one before",
        ),
        ("quantile(0.1,0.10000000001)", "quantile levels 0.1, 0.10000000001: expected each larger"),
        (&too_many, "number of quantile levels 17: expected 1 to 16 levels"),
        ("quantile()", "loss `quantile()`: expected one of"),
        ("quantile(0.5,)", "loss `quantile(0.5,)`: expected one of"),
        ("quantile(half)", "loss `quantile(half)`: expected one of"),
    ] {
        let error = text.parse::<Loss>().unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
    for (levels, words) in [
        (&[][..], "number of quantile levels 0: expected 1 to 16 levels"),
        (&[0.5; 17], "number of quantile levels 17: expected 1 to 16 levels"),
        (&[0.5, 1.0], "quantile level 1: expected a number above 0 and below 1"),
        (&[f32::NAN], "quantile level NaN: expected a number above 0 and below 1"),
        (&[0.5, 0.5], "quantile levels 0.5, 0.5: expected each larger than the one before"),
    ] {
        assert_eq!(QuantileLevels::new(levels).unwrap_err().to_string(), words);
    }
    assert_eq!("quantile".parse::<Loss>().unwrap(), Loss::Quantile(QuantileLevels::DEFAULT));
    // Neighbours, the ends of the range, and as many as there can be.
    let most: Vec<f32> = (1..=16).map(|i| i as f32 / 17.0).collect();
    for levels in [&[0.1f32, 0.1f32.next_up()][..], &[1e-45, 1.0f32.next_down()], &[0.5], &most] {
        let levels = QuantileLevels::new(levels).unwrap();
        let loss = Loss::Quantile(levels);
        assert_eq!(loss.to_string().parse::<Loss>().unwrap(), loss);
        assert_eq!(loss.outputs_per_target(), levels.as_slice().len());
    }
    let loss = Loss::Quantile(QuantileLevels::DEFAULT);
    for (outputs, fits) in [(1, false), (3, true), (4, false), (66, true)] {
        assert_eq!(loss.check_outputs(outputs).is_ok(), fits);
    }
}

/// Where a target is met exactly the gradient is 0, which is between the slopes of either side.
#[test]
fn a_quantile_that_is_met_is_left_there() {
    on_each_isa(|isa| {
        let loss: Loss = "quantile(0.25,0.75)".parse().unwrap();
        let t = [1.5, -2.0];
        let targets = Targets::Values(MatrixView::new(&t, 1, 2).unwrap());
        let run = |z: [f32; 4]| {
            let mut panels = Panels::with_capacity(1, 4).unwrap();
            panels.at_mut(0, 0)[..4].copy_from_slice(&z);
            let mut losses = [f32::NAN];
            loss.gradient(isa.supported(), targets, 4, 1, &mut panels, &mut losses).unwrap();
            (losses[0], [0, 1, 2, 3].map(|n| panels.get(0, n)))
        };
        assert_eq!(run([1.5, -2.0, 1.5, -2.0]), (0.0, [0.0; 4]));
        // 0.75 * 1 above the first, 0.75 * 2 below the second.
        let (of_row, dz) = run([2.5, -2.0, 1.5, -4.0]);
        assert_eq!((of_row, dz), ((0.75 + 1.5) / 4.0, [0.75 / 4.0, 0.0, 0.0, -0.75 / 4.0]));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (of_row, dz) = run([1.0, 2.0, bad, 3.0]);
            assert!(!of_row.is_finite(), "{bad}");
            assert_eq!(dz[2].is_nan(), bad.is_nan());
        }
    });
}
