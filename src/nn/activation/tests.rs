//! The vector code of each unit, compared with its formulas in f64, and those with PyTorch's numbers.

use serde::Deserialize;

use super::*;
use crate::{
    simd::{Isa, Kernel, LANES, Lanes, tests::on_each_isa},
    thin::Slope,
};

/// The largest error of a value and of a derivative, relative to it or, if it is less than 1, to 1.
const CLOSE: f64 = 6e-7;

#[derive(Clone, Copy)]
struct Ask<'a> {
    isa: Isa,
    z: &'a [f32; LANES],
}

struct Asked<'a, U>(&'a [f32; LANES], U);

impl<U: Unit> Kernel for Asked<'_, U> {
    type Output = (u16, [[f32; LANES]; 4]);

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Self::Output {
        let Self(z, unit) = self;
        let z = l.load(z);
        let mut out = [[0.0; LANES]; 4];
        let value = unit.value(l, z);
        let (same, derivative) = unit.value_and_derivative(l, z);
        l.store(value, &mut out[0]);
        l.store(same, &mut out[1]);
        l.store(derivative, &mut out[2]);
        let found = if U::Slope::KEPT { derivative } else { value };
        l.store(unit.slope().of(l, found), &mut out[3]);
        (unit.active(l, z), out)
    }
}

impl UnitVisitor for Ask<'_> {
    type Output = (u16, [[f32; LANES]; 4]);

    fn visit<U: Unit>(self, unit: U) -> Self::Output {
        self.isa.dispatch(Asked(self.z, unit))
    }
}

fn all() -> Vec<Activation> {
    let leaky = [0.3, 1.5].map(|slope| Activation::LeakyRelu(NegativeSlope::new(slope).unwrap()));
    let elu = [0.3, 2.0].map(|alpha| Activation::Elu(EluAlpha::new(alpha).unwrap()));
    Activation::ALL.iter().copied().chain(leaky).chain(elu).collect()
}

/// Every 4999th finite float of both signs, and many where the functions bend.
#[test]
fn values_and_derivatives_are_those_of_the_formulas() {
    let floats = (0..=u32::MAX).step_by(4999).map(f32::from_bits).filter(|z| z.is_finite());
    let dense = (-40_000..40_000).map(|i| i as f32 * 7.3e-4);
    let edges =
        [0.0, -0.0, 12.0, -12.0, 14.5, -14.5, 88.8, -88.8, 110.0, -110.0, f32::MAX, f32::MIN];
    let all_z: Vec<f32> = floats.chain(dense).chain(edges).collect();
    on_each_isa(|isa| {
        for f in all() {
            for z in all_z.chunks(LANES) {
                let mut line = [1.0; LANES];
                line[..z.len()].copy_from_slice(z);
                let (active, [value, same, derivative, slope]) = f.dispatch(Ask { isa, z: &line });
                for (i, &z) in line.iter().enumerate() {
                    let (y, d) = (f.value(z.into()), f.derivative(z.into()));
                    if active >> i & 1 == 0 {
                        assert_eq!((y, d), (0.0, 0.0), "{f} {z}");
                        continue;
                    }
                    assert_eq!(value[i].to_bits(), same[i].to_bits(), "{isa} {f} {z}");
                    for (got, want) in [(value[i], y), (derivative[i], d), (slope[i], d)] {
                        let error = (f64::from(got) - want).abs();
                        let close = got == want as f32 || error <= CLOSE * want.abs().max(1.0);
                        assert!(close, "{isa} {f} {z}: {got}, not {want}");
                    }
                }
            }
        }
    });
}

/// At the ends of the range, values and derivatives are their limits; NaN stays NaN.
#[test]
fn limits_are_reached_and_nan_stays() {
    let line: [f32; LANES] = std::array::from_fn(|i| {
        [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, 1e4, -1e4, -0.0][i % 8]
    });
    on_each_isa(|isa| {
        for f in all() {
            let (active, [value, _, derivative, _]) = f.dispatch(Ask { isa, z: &line });
            for (i, &z) in line.iter().enumerate() {
                let (y, d) = (f.value(z.into()), f.derivative(z.into()));
                let what = format!("{isa} {f} {z}: {} {}, not {y} {d}", value[i], derivative[i]);
                if z.is_nan() {
                    let known = matches!(f, Activation::Relu | Activation::Identity);
                    let kept = known || matches!(f, Activation::LeakyRelu(_));
                    assert!(active >> i & 1 == 1 && value[i].is_nan() && y.is_nan(), "{what}");
                    assert!(kept || derivative[i].is_nan() && d.is_nan(), "{what}");
                } else if active >> i & 1 == 1 {
                    let near = |got: f32, want: f64| {
                        f64::from(got) == want || (f64::from(got) - want).abs() < 1e-6 * want.abs()
                    };
                    assert!(near(value[i], f64::from(y as f32)), "{what}");
                    assert!(near(derivative[i], f64::from(d as f32)), "{what}");
                    assert!(y.is_finite() || z.is_infinite(), "{what}");
                }
            }
        }
    });
}

/// The derivative is the limit of differences, except at a kink.
#[test]
fn derivatives_are_those_of_the_values() {
    const STEP: f64 = 1e-5;
    for f in all() {
        for i in -3000..3000 {
            let z = f64::from(i) * 4.1e-3 + 1e-3;
            let slope = (f.value(z + STEP) - f.value(z - STEP)) / (2.0 * STEP);
            assert!((slope - f.derivative(z)).abs() < 1e-9, "{f} {z}: {slope}");
        }
    }
}

/// `tests/oracle/pytorch_units.json`, generated by `pytorch_units.py` next to it.
#[derive(Deserialize)]
struct Oracle {
    z: Vec<f64>,
    units: Vec<OracleUnit>,
}

#[derive(Deserialize)]
struct OracleUnit {
    activation: Activation,
    values: Vec<f64>,
    derivatives: Vec<f64>,
}

#[test]
fn formulas_match_pytorch() {
    let text = include_str!("../../../tests/oracle/pytorch_units.json");
    let oracle: Oracle = serde_json::from_str(text).unwrap();
    for f in Activation::ALL {
        assert!(oracle.units.iter().any(|unit| unit.activation == *f), "{f} is missing");
    }
    for unit in &oracle.units {
        let f = unit.activation;
        for ((&z, &value), &derivative) in oracle.z.iter().zip(&unit.values).zip(&unit.derivatives)
        {
            for (got, want) in [(f.value(z), value), (f.derivative(z), derivative)] {
                // PyTorch's softplus is z above 20, which leaves out e^-20 = 2e-9.
                let error = if f == Activation::Softplus && z > 20.0 { 3e-9 } else { 1e-13 };
                let close = (got - want).abs() <= error * want.abs().max(1.0);
                assert!(close, "{f} {z}: {got}, PyTorch {want}");
            }
        }
    }
}
