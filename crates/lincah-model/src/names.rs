//! Choices with names, as options and files write them.

/// A name that none of the choices has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no {what}; it is one of {}", known.join(", "))]
pub struct UnknownName {
    /// What was to be chosen.
    pub what: &'static str,
    /// The name.
    pub name: String,
    /// The names that there are.
    pub known: &'static [&'static str],
}

/// Gives a plain enum `ALL`, `NAMES` and `name()`, and makes it readable and writable by name.
#[macro_export]
#[doc(hidden)]
macro_rules! named_choices {
    ($choice:ident, $what:literal: $($variant:ident = $name:literal),+ $(,)?) => {
        impl $choice {
            /// Every choice.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Their names, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Its name, as options and files write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $choice {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }

        impl std::str::FromStr for $choice {
            type Err = $crate::UnknownName;

            fn from_str(name: &str) -> Result<Self, $crate::UnknownName> {
                let found = Self::ALL.iter().copied().find(|choice| choice.name() == name);
                found.ok_or_else(|| $crate::UnknownName { what: $what, name: name.to_owned(), known: Self::NAMES })
            }
        }
    };
}
