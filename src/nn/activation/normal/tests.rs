use super::{
    ELU_DEVIATION, ELU_MEAN, RECTIFIER_DEVIATION, RECTIFIER_MEAN, SQUASHED_DEVIATION,
    SQUASHED_MEAN, STEEP_ELU_DEVIATION,
};
use crate::{
    nn::activation::{Activation, EluAlpha, NegativeSlope, UnitVisitor},
    simd::{Isa, LANES},
    thin::{Unit, moments::of_line},
};

/// The f32 rounding error of a mean and a deviation in closed form, relative to the larger of
/// |m| and s.
const CLOSED: f64 = 2e-5;

struct Ask<'a> {
    isa: Isa,
    mean: &'a [f32; LANES],
    deviation: &'a [f32; LANES],
}

impl UnitVisitor for Ask<'_> {
    type Output = [[f32; LANES]; 2];

    fn visit<U: Unit>(self, unit: U) -> Self::Output {
        of_line(self.isa.supported(), unit, [self.mean, self.deviation])
    }
}

/// The mean and deviation in one lane, while the other lanes hold other numbers.
fn moments(isa: Isa, f: Activation, mean: f32, deviation: f32) -> [f32; 2] {
    let (mut means, mut deviations) = ([1.0; LANES], [0.1; LANES]);
    // Neighbours with small and with large deviations.
    deviations[2..9].fill(30.0);
    (means[5], deviations[5]) = (mean, deviation);
    let [mean, deviation] =
        f.dispatch(Ask { isa, mean: &means, deviation: &deviations }).map(|lanes| lanes[5]);
    // The bits are the same if every lane holds these numbers.
    let (means, deviations) = ([means[5]; LANES], [deviations[5]; LANES]);
    let alone = f.dispatch(Ask { isa, mean: &means, deviation: &deviations }).map(|lanes| lanes[5]);
    assert_eq!(alone.map(f32::to_bits), [mean, deviation].map(f32::to_bits));
    [mean, deviation]
}

/// The trapezoidal rule over 9 deviations to either side, with 400 points per deviation.
fn reference(f: Activation, m: f64, s: f64) -> [f64; 2] {
    const EACH: i32 = 3600;
    let nodes = || (-EACH..=EACH).map(|i| f64::from(i) / 400.0);
    let weight = |x: f64| libm::exp(-0.5 * x * x);
    let sum: f64 = nodes().map(weight).sum();
    let mean = nodes().map(|x| weight(x) * f.value(m + s * x)).sum::<f64>() / sum;
    let square = |x: f64| weight(x) * (f.value(m + s * x) - mean).powi(2);
    [mean, (nodes().map(square).sum::<f64>() / sum).sqrt()]
}

fn all() -> Vec<Activation> {
    let leaky = [0.3, 1.5].map(|slope| Activation::LeakyRelu(NegativeSlope::new(slope).unwrap()));
    let elu = [0.3, 2.0, 30.0, 1e6].map(|alpha| Activation::Elu(EluAlpha::new(alpha).unwrap()));
    Activation::ALL.iter().copied().chain(leaky).chain(elu).collect()
}

#[test]
fn every_mean_and_deviation_has_the_stated_error() {
    let largest = Activation::Elu(EluAlpha::new(1e18).unwrap());
    for isa in Isa::available() {
        for f in all().into_iter().chain([largest]) {
            for s in
                [0.0f32, 1e-3, 0.1, 0.5, 0.74, 0.76, 1.0, 1.01, 1.49, 1.51, 2.0, 4.0, 10.0, 100.0]
            {
                for m in [0.0f32, 0.3, 1.2, 3.0, 5.0, 8.0, 12.0, 20.0] {
                    for m in [m, -m] {
                        let got = moments(isa, f, m, s).map(f64::from);
                        let want = reference(f, m.into(), s.into());
                        let rounding = CLOSED * f64::from(m.abs().max(s));
                        let error = match f {
                            Activation::Logistic => [SQUASHED_MEAN, SQUASHED_DEVIATION],
                            Activation::Tanh => [2.0 * SQUASHED_MEAN, 2.0 * SQUASHED_DEVIATION],
                            Activation::Silu
                            | Activation::Gelu
                            | Activation::GeluTanh
                            | Activation::Softplus => {
                                [RECTIFIER_MEAN, RECTIFIER_DEVIATION].map(|error| error + rounding)
                            }
                            Activation::Elu(alpha) => {
                                let size = f64::from(alpha.get().max(1.0));
                                let is_steep = alpha.get() > 2.0;
                                let spread =
                                    if is_steep { STEEP_ELU_DEVIATION } else { ELU_DEVIATION };
                                [ELU_MEAN, spread].map(|error| error * size + rounding)
                            }
                            _ => [rounding; 2],
                        };
                        for ((got, want), error) in got.iter().zip(want).zip(error) {
                            // Allow for where the kink lies between the reference's nodes.
                            let error = error + 1e-6 * f64::from(s);
                            assert!(
                                (got - want).abs() <= error,
                                "{isa} {f} {m} {s}: {got}, not {want}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// If the mean is near the steep part of the curve, the deviation is much more accurate.
#[test]
fn near_the_slope_deviations_are_close() {
    for isa in Isa::available() {
        for s in [0.01f32, 0.3, 0.74, 0.8, 1.4, 1.6, 3.0, 10.0] {
            for m in [0.0f32, 0.5, 1.0, 2.0] {
                for f in [Activation::Logistic, Activation::Tanh] {
                    let got = f64::from(moments(isa, f, m, s)[1]);
                    let want = reference(f, m.into(), s.into())[1];
                    assert!(
                        (got / want - 1.0).abs() < 3e-3,
                        "{isa} {f} {m} {s}: {got}, not {want}"
                    );
                }
            }
        }
    }
}

#[test]
fn numbers_near_both_ends_of_the_range_stay_numbers() {
    for isa in Isa::available() {
        for f in all() {
            for m in [0.0f32, 1e-30, 1.0, 1e30] {
                for s in [0.0f32, 1e-30, 1.0, 1e30] {
                    for m in [m, -m] {
                        let [mean, deviation] = moments(isa, f, m, s);
                        let sound = mean.is_finite() && deviation.is_finite();
                        assert!(sound && deviation >= 0.0, "{isa} {f} {m} {s}: {mean} {deviation}");
                    }
                }
            }
        }
        for size in [1e-30f32, 1e20, 1e30] {
            // For z of mean 0, the variance of max(0, z) is s² (1/2 - 1 / (2 pi)).
            let [mean, deviation] = moments(isa, Activation::Relu, 0.0, size);
            assert!((mean / size - 0.398_942_3).abs() < 1e-5);
            assert!((deviation / size - 0.583_819_4).abs() < 1e-5, "{deviation}");
            assert_eq!(moments(isa, Activation::Identity, 1.0, size), [1.0, size]);
        }
    }
}

/// The variance of ELU with a larger alpha could overflow.
#[test]
fn moments_of_an_elu_beyond_the_largest_alpha_are_not_numbers() {
    for isa in Isa::available() {
        for alpha in [1.1e18, 2e19, 1e25, f32::MAX] {
            let f = Activation::Elu(EluAlpha::new(alpha).unwrap());
            for (m, s) in [(0.0f32, 0.5), (-2.0, 100.0), (-30.0, 1.0), (1e30, 1e30)] {
                let [mean, deviation] = moments(isa, f, m, s);
                assert!(mean.is_nan() && deviation.is_nan(), "{isa} {f} {m} {s}: {deviation}");
            }
        }
    }
}

#[test]
fn nan_stays() {
    for isa in Isa::available() {
        for f in all() {
            for (m, s) in [(f32::NAN, 1.0), (f32::NAN, 0.0), (f32::NAN, 9.0), (1.0, f32::NAN)] {
                let [mean, deviation] = moments(isa, f, m, s);
                let known = f == Activation::Identity;
                assert!(mean.is_nan() || known && m.is_finite(), "{isa} {f} {m} {s}: {mean}");
                assert!(deviation.is_nan() || m.is_nan() && s.is_finite(), "{isa} {f} {m} {s}");
            }
        }
    }
}
