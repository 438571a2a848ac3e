//! DICOM's value types as clients write them in JSON.

use serde_json::Value;

use crate::{
    Fault, Parse,
    dicom::{AccessionNumber, Modality, PersonName, Uid},
    parse,
};

macro_rules! parse_by_from_str {
    ($($name:ty: $expected:literal),+ $(,)?) => {$(
        impl Parse for $name {
            fn parse(value: &Value) -> Result<Self, Fault> {
                parse::text(value)?.parse().map_err(|_| Fault::new($expected))
            }
        }
    )+};
}

parse_by_from_str! {
    AccessionNumber: "must be 1 to 16 characters, without backslash or control characters",
    Modality: "must be one of CR CT MR US XA DX MG NM PT PET_CT RF OT",
    PersonName: "must be a person's name as DICOM writes it, at most 64 characters a spelling",
    Uid: "must be a DICOM UID: numbers with dots between them, at most 64 characters",
}
