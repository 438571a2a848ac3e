//! The ids that this service issues: UUIDv7, so that newest first is by id.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Fault, Parse, parse};

macro_rules! id {
    ($($(#[$about:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id of this moment.
            pub fn mint() -> Self {
                Self(Uuid::now_v7())
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(formatter)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Fault;

            fn from_str(text: &str) -> Result<Self, Fault> {
                Uuid::try_parse(text).map(Self).map_err(|_| Fault::new("must be a UUID"))
            }
        }

        impl Parse for $name {
            fn parse(value: &Value) -> Result<Self, Fault> {
                parse::text(value)?.parse()
            }
        }
    )+};
}

id! {
    OrderId,
    StudyId,
    ImageId,
    ReportId,
    FindingId,
    /// That one person has said of a finding that it is not theirs.
    DeclineId,
    /// What one recipient is told of one event. The receiver tells by it what comes twice.
    DeliveryId,
    /// One upload, and what became of it. It also names the blob: see [`crate::blob_name`].
    UploadId,
    /// Whatever has an id here, for a filter that asks of no kind of thing in particular.
    ResourceId,
}
