//! Data element tags (PS3.6) that this module looks at by name.

use std::fmt;

/// A data element tag: group in the upper half, element in the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u32);

impl Tag {
    pub const SPECIFIC_CHARACTER_SET: Self = Self(0x0008_0005);
    pub const IMAGE_TYPE: Self = Self(0x0008_0008);
    pub const SOP_CLASS_UID: Self = Self(0x0008_0016);
    pub const SOP_INSTANCE_UID: Self = Self(0x0008_0018);
    pub const STUDY_DATE: Self = Self(0x0008_0020);
    pub const ACQUISITION_DATE: Self = Self(0x0008_0022);
    pub const CONTENT_DATE: Self = Self(0x0008_0023);
    pub const ACQUISITION_DATE_TIME: Self = Self(0x0008_002A);
    pub const STUDY_TIME: Self = Self(0x0008_0030);
    pub const ACQUISITION_TIME: Self = Self(0x0008_0032);
    pub const CONTENT_TIME: Self = Self(0x0008_0033);
    pub const ACCESSION_NUMBER: Self = Self(0x0008_0050);
    pub const MODALITY: Self = Self(0x0008_0060);
    pub const MANUFACTURER: Self = Self(0x0008_0070);
    pub const INSTITUTION_NAME: Self = Self(0x0008_0080);
    pub const REFERRING_PHYSICIAN_NAME: Self = Self(0x0008_0090);
    pub const CODE_VALUE: Self = Self(0x0008_0100);
    pub const CODING_SCHEME_DESIGNATOR: Self = Self(0x0008_0102);
    pub const CODE_MEANING: Self = Self(0x0008_0104);
    pub const LONG_CODE_VALUE: Self = Self(0x0008_0119);
    pub const URN_CODE_VALUE: Self = Self(0x0008_0120);
    pub const TIMEZONE_OFFSET_FROM_UTC: Self = Self(0x0008_0201);
    pub const STATION_NAME: Self = Self(0x0008_1010);
    pub const STUDY_DESCRIPTION: Self = Self(0x0008_1030);
    pub const SERIES_DESCRIPTION: Self = Self(0x0008_103E);
    pub const PERFORMING_PHYSICIAN_NAME: Self = Self(0x0008_1050);
    pub const OPERATORS_NAME: Self = Self(0x0008_1070);
    pub const REFERENCED_SOP_INSTANCE_UID: Self = Self(0x0008_1155);
    pub const REFERENCED_SOP_SEQUENCE: Self = Self(0x0008_1199);
    pub const PATIENT_NAME: Self = Self(0x0010_0010);
    pub const PATIENT_ID: Self = Self(0x0010_0020);
    pub const ISSUER_OF_PATIENT_ID: Self = Self(0x0010_0021);
    pub const PATIENT_BIRTH_DATE: Self = Self(0x0010_0030);
    pub const PATIENT_SEX: Self = Self(0x0010_0040);
    pub const BODY_PART_EXAMINED: Self = Self(0x0018_0015);
    pub const SLICE_THICKNESS: Self = Self(0x0018_0050);
    pub const IMAGER_PIXEL_SPACING: Self = Self(0x0018_1164);
    pub const FRAME_ACQUISITION_DATE_TIME: Self = Self(0x0018_9074);
    pub const STUDY_INSTANCE_UID: Self = Self(0x0020_000D);
    pub const SERIES_INSTANCE_UID: Self = Self(0x0020_000E);
    pub const STUDY_ID: Self = Self(0x0020_0010);
    pub const SERIES_NUMBER: Self = Self(0x0020_0011);
    pub const INSTANCE_NUMBER: Self = Self(0x0020_0013);
    pub const IMAGE_POSITION_PATIENT: Self = Self(0x0020_0032);
    pub const IMAGE_ORIENTATION_PATIENT: Self = Self(0x0020_0037);
    pub const SLICE_LOCATION: Self = Self(0x0020_1041);
    pub const PHOTOMETRIC_INTERPRETATION: Self = Self(0x0028_0004);
    pub const NUMBER_OF_FRAMES: Self = Self(0x0028_0008);
    pub const ROWS: Self = Self(0x0028_0010);
    pub const COLUMNS: Self = Self(0x0028_0011);
    pub const PIXEL_SPACING: Self = Self(0x0028_0030);
    pub const BITS_ALLOCATED: Self = Self(0x0028_0100);
    pub const BITS_STORED: Self = Self(0x0028_0101);
    pub const PIXEL_REPRESENTATION: Self = Self(0x0028_0103);
    pub const WINDOW_CENTER: Self = Self(0x0028_1050);
    pub const WINDOW_WIDTH: Self = Self(0x0028_1051);
    pub const MEASUREMENT_UNITS_CODE_SEQUENCE: Self = Self(0x0040_08EA);
    pub const VALUE_TYPE: Self = Self(0x0040_A040);
    pub const CONCEPT_NAME_CODE_SEQUENCE: Self = Self(0x0040_A043);
    pub const UID_VALUE: Self = Self(0x0040_A124);
    pub const TEXT_VALUE: Self = Self(0x0040_A160);
    pub const FLOATING_POINT_VALUE: Self = Self(0x0040_A161);
    pub const CONCEPT_CODE_SEQUENCE: Self = Self(0x0040_A168);
    pub const MEASURED_VALUE_SEQUENCE: Self = Self(0x0040_A300);
    pub const NUMERIC_VALUE: Self = Self(0x0040_A30A);
    pub const COMPLETION_FLAG: Self = Self(0x0040_A491);
    pub const VERIFICATION_FLAG: Self = Self(0x0040_A493);
    pub const CONTENT_TEMPLATE_SEQUENCE: Self = Self(0x0040_A504);
    pub const CONTENT_SEQUENCE: Self = Self(0x0040_A730);
    pub const TEMPLATE_IDENTIFIER: Self = Self(0x0040_DB00);
    pub const REFERENCED_CONTENT_ITEM_IDENTIFIER: Self = Self(0x0040_DB73);
    pub const DETECTOR_INFORMATION_SEQUENCE: Self = Self(0x0054_0022);
    pub const SHARED_FUNCTIONAL_GROUPS_SEQUENCE: Self = Self(0x5200_9229);
    pub const PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE: Self = Self(0x5200_9230);
    pub const FLOAT_PIXEL_DATA: Self = Self(0x7FE0_0008);
    pub const DOUBLE_FLOAT_PIXEL_DATA: Self = Self(0x7FE0_0009);
    pub const PIXEL_DATA: Self = Self(0x7FE0_0010);
    pub const DATA_SET_TRAILING_PADDING: Self = Self(0xFFFC_FFFC);
    pub const ITEM: Self = Self(0xFFFE_E000);
    pub const ITEM_DELIMITATION: Self = Self(0xFFFE_E00D);
    pub const SEQUENCE_DELIMITATION: Self = Self(0xFFFE_E0DD);

    pub const fn new(group: u16, element: u16) -> Self {
        Self((group as u32) << 16 | element as u32)
    }

    pub const fn group(self) -> u16 {
        (self.0 >> 16) as u16
    }

    pub const fn element(self) -> u16 {
        self.0 as u16
    }

    /// Odd groups belong to manufacturers (PS3.5 7.8).
    pub const fn is_private(self) -> bool {
        self.group() & 1 == 1
    }

    /// (gggg,0010-00FF) of an odd group names who owns the block (PS3.5 7.8.1).
    pub const fn is_private_creator(self) -> bool {
        self.is_private() && self.element() >= 0x0010 && self.element() <= 0x00FF
    }

    /// (gggg,0000), retired but still written (PS3.5 7.2).
    pub const fn is_group_length(self) -> bool {
        self.element() == 0
    }

    pub(super) const fn is_pixel_data(self) -> bool {
        matches!(self, Self::PIXEL_DATA | Self::FLOAT_PIXEL_DATA | Self::DOUBLE_FLOAT_PIXEL_DATA)
    }
}

/// Eight upper case hexadecimal digits, as DICOM JSON names attributes (PS3.18 F.2.2).
impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08X}", self.0)
    }
}
