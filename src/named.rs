//! Enums whose values have names in files, at the command line and in messages.

/// Generates an enum's `ALL`, `name` and `NAMES` (all names in one text) from a single list.
/// If a variant is missing from the list, the code does not compile.
///
/// A variant with a field is listed with the field's usual value. `also` gives another way
/// to write a value, for messages only: after a variant, one of that variant; after the
/// enum, one of the enum, which comes first. `name of &self` is for an enum that is not `Copy`.
macro_rules! names {
    (
        $(#[$about_all:meta])*
        ALL of $enum:ident $(, also $before:literal)?;
        $(#[$about_name:meta])*
        name $(of $by:tt self)?;
        $($variant:ident $(($field:expr))? => $name:literal $(also $other:literal)?,)+
    ) => {
        impl $enum {
            $(#[$about_all])*
            pub const ALL: &'static [Self] = &[$(Self::$variant $(($field))?),+];

            /// The names of all values, separated by commas.
            pub(crate) const NAMES: &'static str =
                concat!($(", ", $before,)? $(", ", $name $(, ", ", $other)?),+)
                    .split_at(", ".len())
                    .1;

            $(#[$about_name])*
            pub const fn name($($by)? self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)+
                }
            }
        }
    };
}

/// Adds `from_name` to an enum that uses [`names!`]; its error says what kind of thing
/// has no such name.
macro_rules! from_name {
    ($enum:ident, $what:literal) => {
        impl $enum {
            fn from_name(name: &str) -> Result<Self, $crate::error::Error> {
                Self::ALL.iter().find(|value| value.name() == name).cloned().ok_or_else(|| {
                    $crate::error::Error::UnknownName {
                        what: $what,
                        name: name.to_owned(),
                        expected: Self::NAMES,
                    }
                })
            }
        }
    };
}

/// Implements `Display` and `FromStr` for an enum that uses [`names!`], if the names are
/// the only texts it needs.
macro_rules! text_is_name {
    ($enum:ident, $what:literal) => {
        $crate::named::from_name!($enum, $what);

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $enum {
            type Err = $crate::error::Error;

            fn from_str(name: &str) -> Result<Self, $crate::error::Error> {
                Self::from_name(name)
            }
        }
    };
}

/// Lets serde write an enum as the text of `Display`, and read it by `FromStr`; the enum says
/// `#[serde(try_from = "String", into = "String")]`.
macro_rules! text_in_files {
    ($enum:ident) => {
        impl From<$enum> for String {
            fn from(value: $enum) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $enum {
            type Error = $crate::error::Error;

            fn try_from(text: String) -> Result<Self, $crate::error::Error> {
                text.parse()
            }
        }
    };
}

pub(crate) use {from_name, names, text_in_files, text_is_name};

#[cfg(test)]
mod tests {
    use std::{fmt::Display, str::FromStr};

    use serde::Serialize;

    use crate::{
        Isa,
        data::npy::Dtype,
        error::Error,
        metrics::Metric,
        nn::{Activation, Initialisation, Loss, Scaling},
    };

    /// Checks that `Display`, `name` and serde agree, and that any other name is rejected with
    /// this message.
    #[track_caller]
    fn checks<T>(all: &[T], name: fn(T) -> &'static str, refusal: &str)
    where
        T: Copy + Display + FromStr<Err = Error> + PartialEq + Serialize + std::fmt::Debug,
    {
        for &value in all {
            assert_eq!(value.to_string().parse::<T>().unwrap(), value);
            assert_eq!(name(value).parse::<T>().unwrap(), value);
            assert!(value.to_string().starts_with(name(value)));
            assert_eq!(serde_json::to_string(&value).unwrap(), format!("\"{value}\""));
        }
        assert_eq!("Other".parse::<T>().unwrap_err().to_string(), refusal);
    }

    #[test]
    fn a_name_is_the_same_everywhere_and_messages_list_them_all() {
        checks(
            Initialisation::ALL,
            Initialisation::name,
            "initialisation `Other`: expected one of he, glorot, fan_in, paper",
        );
        checks(Scaling::ALL, Scaling::name, "scaling `Other`: expected one of inverted, paper");
        checks(
            Activation::ALL,
            Activation::name,
            "activation `Other`: expected one of relu, leaky_relu, leaky_relu(SLOPE), logistic, \
             tanh, identity, silu, gelu, gelu_tanh, elu, elu(ALPHA), softplus",
        );
        checks(
            Loss::ALL,
            Loss::name,
            "loss `Other`: expected one of softmax_cross_entropy, squared_error, \
             binary_cross_entropy, huber, huber(DELTA), poisson, \
             gaussian_nll, gaussian_nll(BETA), quantile, quantile(LEVEL,LEVEL,...)",
        );
        checks(
            Metric::ALL,
            Metric::name,
            "metric `Other`: expected one of error_rate, accuracy, top_k_accuracy, \
             top_k_accuracy(K), log_loss, brier, calibration_error, calibration_error(BINS), \
             precision, precision(CLASS|macro|weighted|micro), recall, \
             recall(CLASS|macro|weighted|micro), f1, f1(CLASS|macro|weighted|micro), roc_auc, \
             average_precision, rmse, mae, r2, poisson_deviance, gaussian_nll, \
             pinball_loss, quantile_coverage",
        );
        checks(
            Isa::ALL,
            Isa::name,
            "instruction set `Other`: expected one of auto, portable, neon, avx2, avx512",
        );
        assert_eq!(Dtype::NAMES, "b1, u1, u2, u4, u8, i1, i2, i4, i8, f2, f4, f8");
        assert!(Dtype::ALL.iter().map(|dtype| dtype.name()).eq(Dtype::NAMES.split(", ")));
    }
}
