//! The same files by another reader, dicom-object, in Rust as ours is: where both answer, they answer the same.

use std::io::Cursor;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions};
use domain::dicom::{Facts, Uid, read_header};
use tests::files::{self, RealFile};

/// What both say of one attribute, as text; nothing where it has no value.
struct Both {
    keyword: &'static str,
    ours: Option<String>,
    theirs: Option<String>,
}

/// Only whole files are given to it: it allocates what a length declares before it has read it, and is not built to inflate.
/// One file has been made anonymous with hashes for UIDs, which ours refuses.
fn is_for_it(file: &RealFile) -> bool {
    let is_uid = |uid: &str| uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let has_uids = file.text("SeriesInstanceUID").is_some_and(is_uid);
    let is_deflated = file.transfer_syntax.as_deref() == Some("1.2.840.10008.1.2.1.99");
    file.complete && !file.cut && file.preamble && has_uids && !is_deflated
}

#[test]
fn dicom_object_reads_the_same_in_every_real_file() {
    let (mut read, mut compared, mut differences) = (0, 0, Vec::new());
    for file in files::all().unwrap().iter().filter(|file| is_for_it(file)) {
        let bytes = file.read().unwrap();
        let Ok(theirs) = OpenFileOptions::new().read_until(tags::PIXEL_DATA).from_reader(Cursor::new(&bytes))
        else {
            continue;
        };
        let ours =
            read_header(&bytes, bytes.len() as u64).unwrap_or_else(|error| panic!("{}: {error}", file.name));

        read += 1;
        for both in both(&ours.facts, &theirs, has_text_it_cannot_decode(file)) {
            compared += usize::from(both.ours.is_some());
            if both.ours != both.theirs {
                differences
                    .push(format!("{}: {} {:?} {:?}", file.name, both.keyword, both.ours, both.theirs));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(read >= 100, "only {read} files");
    assert!(compared >= 1500, "only {compared} values");
}

/// It ignores escape sequences, and has another table for ISO_IR 148 (dicom-rs issue 443).
fn has_text_it_cannot_decode(file: &RealFile) -> bool {
    file.texts("SpecificCharacterSet").len() > 1
}

fn both(facts: &Facts, theirs: &DefaultDicomObject, without_text: bool) -> Vec<Both> {
    let Facts { patient, study, image } = facts;
    let uid = |uid: &Uid| Some(uid.as_str().to_owned());
    let mut texts = vec![
        ("SOPClassUID", tags::SOP_CLASS_UID, uid(&image.sop_class_uid)),
        ("SOPInstanceUID", tags::SOP_INSTANCE_UID, uid(&image.sop_instance_uid)),
        ("StudyInstanceUID", tags::STUDY_INSTANCE_UID, uid(&study.study_instance_uid)),
        ("SeriesInstanceUID", tags::SERIES_INSTANCE_UID, uid(&image.series_instance_uid)),
        ("PatientID", tags::PATIENT_ID, patient.patient_id.clone()),
        ("PatientSex", tags::PATIENT_SEX, patient.patient_sex.clone()),
        ("Modality", tags::MODALITY, study.modality_term.clone()),
        ("BodyPartExamined", tags::BODY_PART_EXAMINED, study.body_part.clone()),
        ("ImageType", tags::IMAGE_TYPE, image.image_type.clone()),
        (
            "PhotometricInterpretation",
            tags::PHOTOMETRIC_INTERPRETATION,
            image.photometric_interpretation.clone(),
        ),
    ];
    if !without_text {
        texts.extend([
            ("StudyDescription", tags::STUDY_DESCRIPTION, study.study_description.clone()),
            ("InstitutionName", tags::INSTITUTION_NAME, study.institution_name.clone()),
            ("StationName", tags::STATION_NAME, study.station_name.clone()),
            ("Manufacturer", tags::MANUFACTURER, study.manufacturer.clone()),
            ("SeriesDescription", tags::SERIES_DESCRIPTION, image.series_description.clone()),
            ("PatientName", tags::PATIENT_NAME, patient.patient_name.as_ref().map(ToString::to_string)),
        ]);
    }
    let numbers = [
        ("Rows", tags::ROWS, image.rows.map(f64::from)),
        ("Columns", tags::COLUMNS, image.columns.map(f64::from)),
        ("BitsAllocated", tags::BITS_ALLOCATED, image.bits_allocated.map(f64::from)),
        ("BitsStored", tags::BITS_STORED, image.bits_stored.map(f64::from)),
        ("SeriesNumber", tags::SERIES_NUMBER, image.series_number.map(f64::from)),
        ("InstanceNumber", tags::INSTANCE_NUMBER, image.instance_number.map(f64::from)),
        ("SliceLocation", tags::SLICE_LOCATION, image.slice_location),
    ];
    let dates = [
        ("StudyDate", tags::STUDY_DATE, &study.study_date),
        ("ContentDate", tags::CONTENT_DATE, &image.content_date),
        ("PatientBirthDate", tags::PATIENT_BIRTH_DATE, &patient.patient_birth_date),
    ];
    let digits = |text: String| text.replace(['-', '.'], "");

    let texts = texts.into_iter().map(|(keyword, tag, ours)| (keyword, tag, ours, text(theirs, tag)));
    let numbers = numbers.into_iter().map(|(keyword, tag, ours)| {
        (
            keyword,
            tag,
            ours.map(|number| number.to_string()),
            number(theirs, tag).map(|number| number.to_string()),
        )
    });
    let dates = dates.into_iter().map(|(keyword, tag, ours)| {
        let ours = ours.as_ref().map(ToString::to_string);
        (keyword, tag, ours.map(digits), text(theirs, tag).map(digits))
    });
    texts
        .chain(numbers)
        .chain(dates)
        .filter(|(_, tag, ..)| !is_unknown(theirs, *tag))
        .map(|(keyword, _, ours, theirs)| Both { keyword, ours, theirs })
        .collect()
}

/// What a file has under the representation UN it does not look up.
fn is_unknown(object: &DefaultDicomObject, tag: Tag) -> bool {
    element(object, tag, |element| Some(element.vr() == VR::UN)).unwrap_or_default()
}

fn number(object: &DefaultDicomObject, tag: Tag) -> Option<f64> {
    element(object, tag, |element| element.to_float64().ok())
}

fn element<T>(
    object: &DefaultDicomObject,
    tag: Tag,
    read: impl FnOnce(&dicom_object::mem::InMemElement) -> Option<T>,
) -> Option<T> {
    object.element_opt(tag).ok().flatten().and_then(read)
}

fn text(object: &DefaultDicomObject, tag: Tag) -> Option<String> {
    let values = element(object, tag, |element| {
        let values = element.to_multi_str().ok()?.into_owned();
        Some(if element.vr() == VR::PN { values.iter().map(|name| tidy(name)).collect() } else { values })
    })?;
    let values: Vec<&str> = values.iter().map(|value| value.trim_matches([' ', '\0'])).collect();
    Some(values.join("\\")).filter(|text| !text.is_empty())
}

/// A name without delimiters after the last thing that it says.
fn tidy(name: &str) -> String {
    let spellings: Vec<&str> =
        name.split('=').map(|spelling| spelling.trim_end_matches(['^', ' '])).collect();
    spellings.join("=").trim_end_matches('=').to_owned()
}
