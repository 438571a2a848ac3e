//! A closed list of names: how the wire, the database and the code spell one thing.

/// Declares an enumeration whose variants are written as the given strings everywhere.
macro_rules! enumeration {
    ($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$note])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Fault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::Fault::new(concat!("must be one of" $(, " ", $text)+))),
                }
            }
        }

        impl $crate::Parse for $name {
            fn parse(value: &serde_json::Value) -> Result<Self, $crate::Fault> {
                $crate::parse::text(value)?.parse()
            }
        }
    };
}

pub(crate) use enumeration;
