//! Radiology reports.

use crate::enumeration::enumeration;

enumeration! {
    ReportStatus {
        Preliminary = "PRELIMINARY",
        Final = "FINAL",
        Amended = "AMENDED",
        Corrected = "CORRECTED",
    }
}

impl ReportStatus {
    /// A radiologist has put a name to it.
    pub const SIGNED: &'static [Self] = &[Self::Final, Self::Amended, Self::Corrected];
}
