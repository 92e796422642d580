//! The number in the name of an activation or a loss, as in `leaky_relu(0.2)`.

/// A name and the text in parentheses after it, if this is how the text is made up.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(')')?.split_once('(')
}

/// The numbers that a parameter can be.
#[derive(Clone, Copy)]
pub(super) enum Range {
    AboveZero,
    UpToOne,
}

impl Range {
    pub fn contains(self, number: f32) -> bool {
        match self {
            Self::AboveZero => number > 0.0 && number.is_finite(),
            Self::UpToOne => (0.0..=1.0).contains(&number),
        }
    }

    /// The numbers in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::AboveZero => "a finite number above 0",
            Self::UpToOne => "a number from 0 to 1",
        }
    }

    /// The numbers that can be written, in words.
    pub const fn written(self) -> &'static str {
        match self {
            Self::AboveZero => "a number above 0 that single precision can hold",
            Self::UpToOne => self.text(),
        }
    }
}

/// Generates the type of such a number, which is in a [`Range`].
macro_rules! parameter {
    (
        $(#[$about:meta])*
        $type:ident of $what:literal, $range:ident;
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
                let expected = $crate::nn::parameter::Range::$range.text();
                Self::checked(number, expected, || number.to_string())
            }

            /// The number.
            pub const fn get(self) -> f32 {
                self.0
            }

            /// Checks a number that was written as `text`; `None` if it is not a number.
            pub(in crate::nn) fn written(text: &str) -> Option<Result<Self, $crate::error::Error>> {
                // The error quotes the text: as an f32, 1e39 is infinite and 1e-50 is 0.
                let expected = $crate::nn::parameter::Range::$range.written();
                Some(Self::checked(text.parse().ok()?, expected, || text.to_owned()))
            }

            fn checked(
                number: f32,
                expected: &'static str,
                text: impl FnOnce() -> String,
            ) -> Result<Self, $crate::error::Error> {
                if $crate::nn::parameter::Range::$range.contains(number) {
                    // There is one 0, without a sign.
                    return Ok(Self(number + 0.0));
                }
                let (parameter, value) = ($what, text());
                Err($crate::error::Error::Parameter { parameter, value, expected })
            }
        }

        impl From<$type> for f32 {
            fn from(number: $type) -> Self {
                number.get()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

pub(super) use parameter;
