//! What the contract tells of an image, its study and its patient, out of the elements that say it.

use std::fmt;

use serde::Serialize;

use super::accession_number::AccessionNumber;
use super::character_set::CharacterSet;
use super::modality::Modality;
use super::moment::{Date, Time, split_date_time};
use super::person_name::PersonName;
use super::reason::Reason;
use super::tag::Tag;
use super::uid::Uid;
use super::walk::Element;

/// The facts of one file. Serialises as `{"patient":{…},"study":{…},"image":{…}}` under the contract's
/// camelCase names; what the file does not say, or says in a form that means nothing, is `null` (its text is
/// in the metadata all the same).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    pub patient: PatientFacts,
    pub study: StudyFacts,
    pub image: ImageFacts,
}

/// Whose image it is (PS3.3 C.7.1.1).
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PatientFacts {
    /// At most 64 characters, as is the issuer; longer ones are not taken.
    pub patient_id: Option<String>,
    pub issuer_of_patient_id: Option<String>,
    /// A string: DICOM's own spelling, `Doe^John`.
    pub patient_name: Option<PersonName>,
    /// `YYYY-MM-DD`.
    #[serde(rename = "patientDOB")]
    pub patient_birth_date: Option<Date>,
    /// M, F or O as a rule.
    pub patient_sex: Option<String>,
}

/// Without who it is, which has no place in a log.
impl fmt::Debug for PatientFacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PatientFacts(…)")
    }
}

/// The study that it belongs to (PS3.3 C.7.2.1, C.7.3.1, C.7.5.1).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StudyFacts {
    #[serde(rename = "studyInstanceUID")]
    pub study_instance_uid: Uid,
    /// None as well when it has more than sixteen characters: no order can have that number.
    pub accession_number: Option<AccessionNumber>,
    /// `YYYY-MM-DD`, by the clock of the device.
    pub study_date: Option<Date>,
    /// `HH:MM:SS[.ffffff]`, by the clock of the device.
    pub study_time: Option<Time>,
    /// `+0100`; what the device's clock is ahead of UTC, where it says so.
    pub timezone_offset: Option<String>,
    pub study_description: Option<String>,
    /// The file's own, of the contract's list.
    pub modality: Modality,
    /// As the file has it: `SR`, `CTPROTOCOL`.
    pub modality_term: Option<String>,
    pub body_part: Option<String>,
    pub institution_name: Option<String>,
    pub station_name: Option<String>,
    pub manufacturer: Option<String>,
    /// Names in DICOM's spelling; of several, joined by a backslash as DICOM does.
    pub performing_physician: Option<String>,
    pub operator_name: Option<String>,
    pub referring_physician: Option<String>,
}

/// The image itself. Lists of numbers are strings as DICOM writes them (`0.5\0.5`), single ones are numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    #[serde(rename = "seriesInstanceUID")]
    pub series_instance_uid: Uid,
    #[serde(rename = "sopInstanceUID")]
    pub sop_instance_uid: Uid,
    #[serde(rename = "sopClassUID")]
    pub sop_class_uid: Uid,
    /// Of a file without meta information, the one that it turned out to be in.
    #[serde(rename = "transferSyntaxUID")]
    pub transfer_syntax_uid: Uid,
    pub series_number: Option<i32>,
    pub series_description: Option<String>,
    pub instance_number: Option<i32>,
    /// `ORIGINAL\PRIMARY\AXIAL`.
    pub image_type: Option<String>,
    pub photometric_interpretation: Option<String>,
    pub rows: Option<u32>,
    pub columns: Option<u32>,
    pub bits_allocated: Option<u32>,
    pub bits_stored: Option<u32>,
    pub number_of_frames: Option<u32>,
    /// Row spacing and column spacing in mm. Of a projection without Pixel Spacing the spacing at the
    /// detector (Imager Pixel Spacing). Of a multi-frame image, like all that follows, from the functional
    /// groups: those shared by all frames, else those of the first.
    pub pixel_spacing: Option<String>,
    /// In mm.
    pub slice_thickness: Option<f64>,
    /// In mm.
    pub slice_location: Option<f64>,
    /// `x\y\z` in mm.
    pub image_position: Option<String>,
    /// Six direction cosines.
    pub image_orientation: Option<String>,
    pub acquisition_date: Option<Date>,
    pub acquisition_time: Option<Time>,
    pub content_date: Option<Date>,
    pub content_time: Option<Time>,
    /// The first of several windows.
    pub window_center: Option<f64>,
    pub window_width: Option<f64>,
}

/// Where in a data set an element stands, as far as it matters for what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    DataSet,
    /// In the functional groups that all frames share.
    Shared,
    /// In the first frame's functional groups.
    FirstFrame,
    /// In the first detector's description, where nuclear medicine has position and orientation.
    Detector,
    Elsewhere,
}

/// How much of a value is looked at: no fact is longer, unless it is meant to harm.
const VALUE_LENGTH: usize = 4 << 10;

/// Where geometry is looked for, in this order.
const GEOMETRY: [Place; 4] = [Place::DataSet, Place::Shared, Place::FirstFrame, Place::Detector];

/// The elements that facts are made of, as they are found.
#[derive(Default)]
pub(super) struct Found<'a> {
    elements: Vec<(Place, Element<'a>, CharacterSet)>,
}

impl<'a> Found<'a> {
    pub(super) fn consider(&mut self, place: Place, element: Element<'a>, character_set: CharacterSet) {
        let is_wanted = match place {
            Place::DataSet => is_fact(element.tag),
            Place::Shared | Place::FirstFrame | Place::Detector => is_geometry(element.tag),
            Place::Elsewhere => false,
        };
        // A functional group that is there twice cannot make this grow: the first stands.
        if is_wanted && self.find(place, element.tag).is_none() {
            let value = element.value.get(..VALUE_LENGTH).unwrap_or(element.value);
            self.elements.push((place, Element { value, ..element }, character_set));
        }
    }

    pub(super) fn facts(&self, transfer_syntax_uid: Uid) -> Result<Facts, Reason> {
        let sop_class_uid =
            self.uid(Tag::SOP_CLASS_UID, Reason::MissingSopClassUid, Reason::InvalidSopClassUid)?;
        let image = self.image(sop_class_uid, transfer_syntax_uid)?;
        Ok(Facts { patient: self.patient(), study: self.study()?, image })
    }

    fn patient(&self) -> PatientFacts {
        PatientFacts {
            patient_id: self.identifier(Tag::PATIENT_ID),
            issuer_of_patient_id: self.identifier(Tag::ISSUER_OF_PATIENT_ID),
            patient_name: self.text(Tag::PATIENT_NAME).and_then(|name| PersonName::read(&name)),
            patient_birth_date: self.parsed(Tag::PATIENT_BIRTH_DATE),
            patient_sex: self.text(Tag::PATIENT_SEX),
        }
    }

    fn study(&self) -> Result<StudyFacts, Reason> {
        let modality_term = self.text(Tag::MODALITY);
        Ok(StudyFacts {
            study_instance_uid: self.uid(
                Tag::STUDY_INSTANCE_UID,
                Reason::MissingStudyInstanceUid,
                Reason::InvalidStudyInstanceUid,
            )?,
            accession_number: self.parsed(Tag::ACCESSION_NUMBER),
            study_date: self.parsed(Tag::STUDY_DATE),
            study_time: self.parsed(Tag::STUDY_TIME),
            timezone_offset: self.text(Tag::TIMEZONE_OFFSET_FROM_UTC),
            study_description: self.text(Tag::STUDY_DESCRIPTION),
            modality: modality_term.as_deref().map_or(Modality::Other, Modality::from_dicom),
            modality_term,
            body_part: self.text(Tag::BODY_PART_EXAMINED),
            institution_name: self.text(Tag::INSTITUTION_NAME),
            station_name: self.text(Tag::STATION_NAME),
            manufacturer: self.text(Tag::MANUFACTURER),
            performing_physician: self.names(Tag::PERFORMING_PHYSICIAN_NAME),
            operator_name: self.names(Tag::OPERATORS_NAME),
            referring_physician: self.names(Tag::REFERRING_PHYSICIAN_NAME),
        })
    }

    fn image(&self, sop_class_uid: Uid, transfer_syntax_uid: Uid) -> Result<ImageFacts, Reason> {
        let (acquisition_date, acquisition_time) = self.acquired();
        Ok(ImageFacts {
            series_instance_uid: self.uid(
                Tag::SERIES_INSTANCE_UID,
                Reason::MissingSeriesInstanceUid,
                Reason::InvalidSeriesInstanceUid,
            )?,
            sop_instance_uid: self.uid(
                Tag::SOP_INSTANCE_UID,
                Reason::MissingSopInstanceUid,
                Reason::InvalidSopInstanceUid,
            )?,
            sop_class_uid,
            transfer_syntax_uid,
            series_number: self.whole(Tag::SERIES_NUMBER),
            series_description: self.text(Tag::SERIES_DESCRIPTION),
            instance_number: self.whole(Tag::INSTANCE_NUMBER),
            image_type: self.list(Tag::IMAGE_TYPE),
            photometric_interpretation: self.text(Tag::PHOTOMETRIC_INTERPRETATION),
            rows: self.count(Tag::ROWS),
            columns: self.count(Tag::COLUMNS),
            bits_allocated: self.count(Tag::BITS_ALLOCATED),
            bits_stored: self.count(Tag::BITS_STORED),
            number_of_frames: self.count(Tag::NUMBER_OF_FRAMES),
            pixel_spacing: self.list(Tag::PIXEL_SPACING).or_else(|| self.list(Tag::IMAGER_PIXEL_SPACING)),
            slice_thickness: self.real(Tag::SLICE_THICKNESS),
            slice_location: self.real(Tag::SLICE_LOCATION),
            image_position: self.list(Tag::IMAGE_POSITION_PATIENT),
            image_orientation: self.list(Tag::IMAGE_ORIENTATION_PATIENT),
            acquisition_date,
            acquisition_time,
            content_date: self.parsed(Tag::CONTENT_DATE),
            content_time: self.parsed(Tag::CONTENT_TIME),
            window_center: self.real(Tag::WINDOW_CENTER),
            window_width: self.real(Tag::WINDOW_WIDTH),
        })
    }

    /// Acquisition Date and Time, else those of Acquisition DateTime, else of the first frame's.
    fn acquired(&self) -> (Option<Date>, Option<Time>) {
        let date_time = |tag| self.text(tag).map_or((None, None), |text| split_date_time(&text));
        let (date, time) = (self.parsed(Tag::ACQUISITION_DATE), self.parsed(Tag::ACQUISITION_TIME));
        if date.is_some() || time.is_some() {
            return (date, time);
        }
        match date_time(Tag::ACQUISITION_DATE_TIME) {
            (None, _) => date_time(Tag::FRAME_ACQUISITION_DATE_TIME),
            acquired => acquired,
        }
    }

    fn find(&self, place: Place, tag: Tag) -> Option<&(Place, Element<'a>, CharacterSet)> {
        self.elements.iter().find(|(at, element, _)| *at == place && element.tag == tag)
    }

    /// The element that says it: the data set's own, or of geometry the nearest that has a value.
    fn element(&self, tag: Tag) -> Option<(&Element<'a>, CharacterSet)> {
        let filled = |place| self.find(place, tag).filter(|(_, element, _)| !element.value.is_empty());
        let (_, element, character_set) = GEOMETRY.into_iter().find_map(filled)?;
        Some((element, *character_set))
    }

    fn texts(&self, tag: Tag) -> Vec<String> {
        self.element(tag).map_or_else(Vec::new, |(element, character_set)| element.texts(character_set))
    }

    fn text(&self, tag: Tag) -> Option<String> {
        self.texts(tag).into_iter().next().filter(|text| !text.is_empty())
    }

    /// LO, which others match on: an identifier that is too long to be one is none, rather than half of one.
    fn identifier(&self, tag: Tag) -> Option<String> {
        self.text(tag).filter(|text| text.chars().count() <= 64)
    }

    fn list(&self, tag: Tag) -> Option<String> {
        Some(self.texts(tag).join("\\")).filter(|list| !list.is_empty())
    }

    fn names(&self, tag: Tag) -> Option<String> {
        let names: Vec<String> = self
            .texts(tag)
            .iter()
            .filter_map(|name| PersonName::read(name))
            .map(|name| name.to_string())
            .collect();
        Some(names.join("\\")).filter(|names| !names.is_empty())
    }

    fn parsed<T: std::str::FromStr>(&self, tag: Tag) -> Option<T> {
        self.text(tag)?.parse().ok()
    }

    fn uid(&self, tag: Tag, missing: Reason, invalid: Reason) -> Result<Uid, Reason> {
        let text = self.text(tag).ok_or(missing)?;
        Uid::read(&text).map_err(|_| invalid)
    }

    fn real(&self, tag: Tag) -> Option<f64> {
        self.element(tag)?.0.number().filter(|number| number.is_finite())
    }

    fn whole(&self, tag: Tag) -> Option<i32> {
        let number = self.real(tag)?;
        (number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX)).then_some(number as i32)
    }

    fn count(&self, tag: Tag) -> Option<u32> {
        self.whole(tag)?.try_into().ok()
    }
}

fn is_geometry(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::PIXEL_SPACING
            | Tag::SLICE_THICKNESS
            | Tag::IMAGE_POSITION_PATIENT
            | Tag::IMAGE_ORIENTATION_PATIENT
            | Tag::WINDOW_CENTER
            | Tag::WINDOW_WIDTH
            | Tag::FRAME_ACQUISITION_DATE_TIME
    )
}

fn is_fact(tag: Tag) -> bool {
    is_geometry(tag)
        || matches!(
            tag,
            Tag::IMAGE_TYPE
                | Tag::SOP_CLASS_UID
                | Tag::SOP_INSTANCE_UID
                | Tag::STUDY_DATE
                | Tag::ACQUISITION_DATE
                | Tag::CONTENT_DATE
                | Tag::ACQUISITION_DATE_TIME
                | Tag::STUDY_TIME
                | Tag::ACQUISITION_TIME
                | Tag::CONTENT_TIME
                | Tag::ACCESSION_NUMBER
                | Tag::MODALITY
                | Tag::MANUFACTURER
                | Tag::INSTITUTION_NAME
                | Tag::REFERRING_PHYSICIAN_NAME
                | Tag::TIMEZONE_OFFSET_FROM_UTC
                | Tag::STATION_NAME
                | Tag::STUDY_DESCRIPTION
                | Tag::SERIES_DESCRIPTION
                | Tag::PERFORMING_PHYSICIAN_NAME
                | Tag::OPERATORS_NAME
                | Tag::PATIENT_NAME
                | Tag::PATIENT_ID
                | Tag::ISSUER_OF_PATIENT_ID
                | Tag::PATIENT_BIRTH_DATE
                | Tag::PATIENT_SEX
                | Tag::BODY_PART_EXAMINED
                | Tag::IMAGER_PIXEL_SPACING
                | Tag::STUDY_INSTANCE_UID
                | Tag::SERIES_INSTANCE_UID
                | Tag::SERIES_NUMBER
                | Tag::INSTANCE_NUMBER
                | Tag::SLICE_LOCATION
                | Tag::PHOTOMETRIC_INTERPRETATION
                | Tag::NUMBER_OF_FRAMES
                | Tag::ROWS
                | Tag::COLUMNS
                | Tag::BITS_ALLOCATED
                | Tag::BITS_STORED
        )
}
