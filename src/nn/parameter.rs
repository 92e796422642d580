//! The number in the name of an activation or a loss, as in `leaky_relu(0.2)`.

/// A name and its number, and the number's text, if this is how the text is made up.
pub(super) fn split(text: &str) -> Option<(&str, f32, &str)> {
    let (name, number) = text.strip_suffix(')')?.split_once('(')?;
    Some((name, number.parse().ok()?, number))
}

/// Generates the type of such a number, which is positive and finite.
macro_rules! parameter {
    (
        $(#[$about:meta])*
        $type:ident of $what:literal;
        $(#[$about_default:meta])*
        DEFAULT = $default:literal;
        $(#[$about_new:meta])*
        new;
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $type(f32);

        // The number is never NaN.
        impl Eq for $type {}

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.to_bits().hash(state);
            }
        }

        impl $type {
            $(#[$about_default])*
            pub const DEFAULT: Self = Self($default);

            $(#[$about_new])*
            pub fn new(number: f32) -> Result<Self, $crate::error::Error> {
                Self::checked(number, "a finite number above 0", || number.to_string())
            }

            /// The number.
            pub const fn get(self) -> f32 {
                self.0
            }

            /// Checks a number that was written as `text`.
            pub(in crate::nn) fn written(number: f32, text: &str) -> Result<Self, $crate::error::Error> {
                // The error quotes the text: as an f32, 1e39 is infinite and 1e-50 is 0.
                let expected = "a number above 0 that single precision can hold";
                Self::checked(number, expected, || text.to_owned())
            }

            fn checked(
                number: f32,
                expected: &'static str,
                text: impl FnOnce() -> String,
            ) -> Result<Self, $crate::error::Error> {
                if number > 0.0 && number.is_finite() {
                    return Ok(Self(number));
                }
                let (parameter, value) = ($what, text());
                Err($crate::error::Error::Parameter { parameter, value, expected })
            }
        }
    };
}

pub(super) use parameter;
