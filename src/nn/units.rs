//! Enums whose values stand for units: activations and losses.

/// Generates an enum from the list of its units, with `ALL`, `name`, `NAMES`, `Display` and
/// `FromStr`, and a trait for code that is generic over the unit of a value, which `dispatch` runs.
///
/// A line `Variant = "name" in module` says that `module` contains the unit, a type with the name
/// of the variant. `Variant(field: Number)` has a number, or several, which are written after the name
/// in parentheses: the unit has it in `field`, into which the number converts. `parameter!` generates
/// the type of a number; another type needs `DEFAULT`, `Display` and `written`, which reads what
/// `Display` writes. `also` gives the form of that text, for messages.
macro_rules! units {
    (
        $(#[$about:meta])*
        pub enum $enum:ident {
            $(
                $(#[$doc:meta])*
                $unit:ident $(($field:ident: $number:ident))? = $name:literal
                    $(also $form:literal)? in $module:ident,
            )+
        }
        $(#[$about_all:meta])*
        ALL;
        $(#[$about_visitor:meta])*
        $seen:vis trait $visitor:ident of $trait:ident;
    ) => {
        $(#[$about])*
        pub enum $enum {
            $($(#[$doc])* $unit $(($number))?,)+
        }

        $crate::named::names! {
            $(#[$about_all])*
            ALL of $enum;
            /// The name without the number.
            name;
            $($unit $(($number::DEFAULT))? => $name $(also $form)?,)+
        }

        $(#[$about_visitor])*
        $seen trait $visitor {
            /// The return type.
            type Output;
            /// Runs the code with this unit.
            fn visit<U: $trait>(self, unit: U) -> Self::Output;
        }

        impl $enum {
            /// Runs `visitor` with the unit. It is inlined, so that a kernel can call it.
            #[inline(always)]
            $seen fn dispatch<V: $visitor>(self, visitor: V) -> V::Output {
                match self {
                    $(
                        Self::$unit $(($field))? => {
                            visitor.visit($module::$unit $({ $field: $field.into() })?)
                        }
                    )+
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())?;
                match self {
                    $($(Self::$unit($field) => write!(f, "({})", $field),)?)+
                    _ => Ok(()),
                }
            }
        }

        impl std::str::FromStr for $enum {
            type Err = $crate::error::Error;

            fn from_str(text: &str) -> Result<Self, $crate::error::Error> {
                let written = match $crate::nn::parameter::split(text) {
                    $($(
                        Some(($name, text)) => {
                            $number::written(text).map(|number| number.map(Self::$unit))
                        }
                    )?)+
                    _ => None,
                };
                written.unwrap_or_else(|| Self::from_name(text))
            }
        }
    };
}

pub(super) use units;
