//! What kind of machine made the images.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The modalities that the contract knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Modality {
    #[serde(rename = "CR")]
    ComputedRadiography,
    #[serde(rename = "CT")]
    ComputedTomography,
    #[serde(rename = "MR")]
    MagneticResonance,
    #[serde(rename = "US")]
    Ultrasound,
    #[serde(rename = "XA")]
    Angiography,
    #[serde(rename = "DX")]
    DigitalRadiography,
    #[serde(rename = "MG")]
    Mammography,
    #[serde(rename = "NM")]
    NuclearMedicine,
    #[serde(rename = "PT")]
    PositronEmission,
    /// A study that holds both; no single file says so.
    #[serde(rename = "PET_CT")]
    PetCt,
    #[serde(rename = "RF")]
    Fluoroscopy,
    #[serde(rename = "OT")]
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("A modality is one of CR, CT, MR, US, XA, DX, MG, NM, PT, PET_CT, RF and OT.")]
pub struct InvalidModality;

impl Modality {
    pub const ALL: [Self; 12] = [
        Self::ComputedRadiography,
        Self::ComputedTomography,
        Self::MagneticResonance,
        Self::Ultrasound,
        Self::Angiography,
        Self::DigitalRadiography,
        Self::Mammography,
        Self::NuclearMedicine,
        Self::PositronEmission,
        Self::PetCt,
        Self::Fluoroscopy,
        Self::Other,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::ComputedRadiography => "CR",
            Self::ComputedTomography => "CT",
            Self::MagneticResonance => "MR",
            Self::Ultrasound => "US",
            Self::Angiography => "XA",
            Self::DigitalRadiography => "DX",
            Self::Mammography => "MG",
            Self::NuclearMedicine => "NM",
            Self::PositronEmission => "PT",
            Self::PetCt => "PET_CT",
            Self::Fluoroscopy => "RF",
            Self::Other => "OT",
        }
    }

    /// A file's Modality (0008,0060): any other defined term (PS3.3 C.7.3.1.1.1) is filed as OT.
    pub fn from_dicom(term: &str) -> Self {
        term.trim().to_ascii_uppercase().parse().unwrap_or(Self::Other)
    }

    /// What a study is once it holds images of both: a PET study with its CT is PET_CT (and stays it),
    /// everything else keeps what it was.
    pub const fn joined_by(self, image: Self) -> Self {
        match (self, image) {
            (Self::PositronEmission, Self::ComputedTomography)
            | (Self::ComputedTomography, Self::PositronEmission) => Self::PetCt,
            _ => self,
        }
    }
}

impl FromStr for Modality {
    type Err = InvalidModality;

    fn from_str(text: &str) -> Result<Self, InvalidModality> {
        Self::ALL.into_iter().find(|modality| modality.code() == text).ok_or(InvalidModality)
    }
}

impl fmt::Display for Modality {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modality_outside_the_list_is_other() {
        assert_eq!(Modality::from_dicom(" ct "), Modality::ComputedTomography);
        assert_eq!(Modality::from_dicom("SR"), Modality::Other);
        assert_eq!(Modality::from_dicom(""), Modality::Other);
    }

    #[test]
    fn codes_are_what_json_says() {
        for modality in Modality::ALL {
            assert_eq!(serde_json::to_value(modality).unwrap(), modality.code());
            assert_eq!(modality.code().parse(), Ok(modality));
        }
    }
}
