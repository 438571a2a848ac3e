//! What the API has to show of a real file, worked out from what pydicom read in it and from nothing of ours.

use serde_json::{Value, json};
use tests::{dicom::identity::Identity, files::RealFile};

/// What the catalogue knows: keyword, the name that the metadata has for it, value representation.
const ATTRIBUTES: [(&str, &str, &str); 44] = [
    ("SpecificCharacterSet", "00080005", "CS"),
    ("ImageType", "00080008", "CS"),
    ("SOPClassUID", "00080016", "UI"),
    ("SOPInstanceUID", "00080018", "UI"),
    ("StudyDate", "00080020", "DA"),
    ("AcquisitionDate", "00080022", "DA"),
    ("ContentDate", "00080023", "DA"),
    ("StudyTime", "00080030", "TM"),
    ("AcquisitionTime", "00080032", "TM"),
    ("ContentTime", "00080033", "TM"),
    ("AccessionNumber", "00080050", "SH"),
    ("Modality", "00080060", "CS"),
    ("Manufacturer", "00080070", "LO"),
    ("InstitutionName", "00080080", "LO"),
    ("StationName", "00081010", "SH"),
    ("StudyDescription", "00081030", "LO"),
    ("SeriesDescription", "0008103E", "LO"),
    ("PerformingPhysicianName", "00081050", "PN"),
    ("OperatorsName", "00081070", "PN"),
    ("PatientName", "00100010", "PN"),
    ("PatientID", "00100020", "LO"),
    ("PatientBirthDate", "00100030", "DA"),
    ("PatientSex", "00100040", "CS"),
    ("BodyPartExamined", "00180015", "CS"),
    ("SliceThickness", "00180050", "DS"),
    ("StudyInstanceUID", "0020000D", "UI"),
    ("SeriesInstanceUID", "0020000E", "UI"),
    ("SeriesNumber", "00200011", "IS"),
    ("InstanceNumber", "00200013", "IS"),
    ("ImagePositionPatient", "00200032", "DS"),
    ("ImageOrientationPatient", "00200037", "DS"),
    ("SliceLocation", "00201041", "DS"),
    ("ImageComments", "00204000", "LT"),
    ("PhotometricInterpretation", "00280004", "CS"),
    ("NumberOfFrames", "00280008", "IS"),
    ("Rows", "00280010", "US"),
    ("Columns", "00280011", "US"),
    ("PixelSpacing", "00280030", "DS"),
    ("BitsAllocated", "00280100", "US"),
    ("BitsStored", "00280101", "US"),
    ("WindowCenter", "00281050", "DS"),
    ("WindowWidth", "00281051", "DS"),
    ("CompletionFlag", "0040A491", "CS"),
    ("VerificationFlag", "0040A493", "CS"),
];

/// Of these the nearest place that has a value tells: a functional group, the detector, the date and time in one.
const ELSEWHERE_TOO: [&str; 8] = [
    "acquisitionDate",
    "acquisitionTime",
    "imageOrientation",
    "imagePosition",
    "pixelSpacing",
    "sliceThickness",
    "windowCenter",
    "windowWidth",
];

/// A file under the identity that it was sent with.
pub struct Expected<'a> {
    pub file: &'a RealFile,
    pub identity: &'a Identity,
}

impl Expected<'_> {
    /// What the file says, as a list of values; empty for none.
    fn values(&self, keyword: &str) -> Vec<Value> {
        let given = match keyword {
            "SOPInstanceUID" => &self.identity.sop,
            "StudyInstanceUID" => &self.identity.study,
            "SeriesInstanceUID" => &self.identity.series,
            "PatientID" => &self.identity.patient_id,
            "AccessionNumber" => &self.identity.accession,
            _ => &None,
        };
        match (given, self.file.attributes.get(keyword)) {
            (Some(text), _) => vec![json!(text)],
            (None, Some(Value::Array(values))) => values.clone(),
            (None, Some(value)) => vec![value.clone()],
            (None, None) => Vec::new(),
        }
    }

    fn text(&self, keyword: &str) -> Value {
        match self.values(keyword).first().and_then(Value::as_str).map(str::trim) {
            None | Some("") => Value::Null,
            Some(text) => json!(text),
        }
    }

    fn list(&self, keyword: &str) -> Value {
        let texts: Vec<String> = self
            .values(keyword)
            .iter()
            .filter_map(Value::as_str)
            .map(|text| text.trim().to_owned())
            .collect();
        if texts.is_empty() { Value::Null } else { json!(texts.join("\\")) }
    }

    fn real(&self, keyword: &str) -> Value {
        match self.values(keyword).first() {
            Some(Value::String(text)) => {
                text.trim().parse::<f64>().map_or(Value::Null, |number| json!(number))
            }
            Some(Value::Number(number)) => json!(number.as_f64()),
            _ => Value::Null,
        }
    }

    fn date(&self, keyword: &str) -> Value {
        self.text(keyword).as_str().and_then(date).map_or(Value::Null, Value::String)
    }

    fn time(&self, keyword: &str) -> Value {
        self.text(keyword).as_str().and_then(time).map_or(Value::Null, Value::String)
    }

    fn name(&self, keyword: &str) -> Value {
        let names: Vec<String> = self
            .values(keyword)
            .iter()
            .filter_map(Value::as_str)
            .map(tidy)
            .filter(|name| !name.is_empty())
            .collect();
        if names.is_empty() { Value::Null } else { json!(names.join("\\")) }
    }

    /// The name of the patient, without delimiters that delimit nothing.
    pub fn patient_name(&self) -> Option<String> {
        self.name("PatientName").as_str().map(str::to_owned)
    }

    /// The modality as the contract lists it.
    pub fn modality(&self) -> &'static str {
        let listed = ["CR", "CT", "MR", "US", "XA", "DX", "MG", "NM", "PT", "RF"];
        listed.into_iter().find(|term| self.text("Modality") == *term).unwrap_or("OT")
    }

    /// What is wrong with an image that `GET /api/images/:id` answered.
    pub fn faults_of_image(&self, image: &Value, sent: usize) -> Vec<String> {
        let expected = [
            ("status", json!("STORED")),
            ("fileSize", json!(sent)),
            ("seriesInstanceUID", self.text("SeriesInstanceUID")),
            ("sopInstanceUID", self.text("SOPInstanceUID")),
            ("sopClassUID", self.text("SOPClassUID")),
            ("transferSyntaxUID", json!(self.transfer_syntax())),
            // The contract has a number in any case.
            ("seriesNumber", or_zero(self.real("SeriesNumber"))),
            ("instanceNumber", or_zero(self.real("InstanceNumber"))),
            ("seriesDescription", self.text("SeriesDescription")),
            ("imageType", self.list("ImageType")),
            ("photometricInterpretation", self.text("PhotometricInterpretation")),
            ("rows", self.real("Rows")),
            ("columns", self.real("Columns")),
            ("bitsAllocated", self.real("BitsAllocated")),
            ("bitsStored", self.real("BitsStored")),
            ("pixelSpacing", self.list("PixelSpacing")),
            ("sliceThickness", self.real("SliceThickness")),
            ("sliceLocation", self.real("SliceLocation")),
            ("imagePosition", self.list("ImagePositionPatient")),
            ("imageOrientation", self.list("ImageOrientationPatient")),
            ("acquisitionDate", self.date("AcquisitionDate")),
            ("acquisitionTime", self.time("AcquisitionTime")),
            ("contentDate", self.date("ContentDate")),
            ("contentTime", self.time("ContentTime")),
            ("windowCenter", self.real("WindowCenter")),
            ("windowWidth", self.real("WindowWidth")),
        ];
        let columns = expected
            .iter()
            .filter(|(field, wanted)| !(wanted.is_null() && ELSEWHERE_TOO.contains(field)))
            .filter(|(field, wanted)| !is_same(&image[*field], wanted))
            .map(|(field, wanted)| format!("{}: {field} is {}, not {wanted}", self.file.name, image[*field]));
        columns.chain(self.faults_of_metadata(&image["metadata"])).collect()
    }

    /// The metadata is the file in DICOM JSON (DICOM PS3.18 annex F): each attribute that pydicom read, and no value
    /// where it read none.
    fn faults_of_metadata(&self, metadata: &Value) -> Vec<String> {
        let fault = |keyword: &str, shown: &Value, wanted: &[Value]| {
            Some(format!("{}: metadata has {keyword} {shown}, not {wanted:?}", self.file.name))
        };
        let attribute = |(keyword, tag, vr): &(&str, &str, &str)| {
            let shown = &metadata[*tag];
            let wanted = self.values(keyword);
            let values = shown["Value"].as_array().cloned().unwrap_or_default();
            let is_right = match wanted.len() {
                0 => values.iter().all(|value| value.is_null() || *value == json!({}) || *value == json!("")),
                count => {
                    count == values.len()
                        && values.iter().zip(&wanted).all(|(value, wanted)| says(vr, value, wanted))
                }
            };
            if is_right { None } else { fault(keyword, shown, &wanted) }
        };
        let pixels = &metadata["7FE00010"];
        // Of pixels there is only where they are: in the file, unless all of it is compressed.
        let has_pixels = self.file.header < self.file.bytes;
        let is_by_reference = pixels["BulkDataURI"].as_str().is_some_and(|uri| uri.starts_with("?offset="));
        let pixel_fault = if has_pixels == is_by_reference { None } else { fault("PixelData", pixels, &[]) };
        ATTRIBUTES.iter().filter_map(attribute).chain(pixel_fault).collect()
    }

    /// What a study may show that took what it did not know from this file.
    pub fn study(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("studyTime", self.time("StudyTime")),
            ("studyDescription", self.text("StudyDescription")),
            ("performingPhysician", self.name("PerformingPhysicianName")),
            ("operatorName", self.name("OperatorsName")),
            ("institutionName", self.text("InstitutionName")),
            ("stationName", self.text("StationName")),
            ("patientDOB", midnight(&self.date("PatientBirthDate"))),
            ("patientSex", self.text("PatientSex")),
        ]
    }

    /// What more a study shows that was made for an order because of this file.
    pub fn new_study(&self) -> Vec<(&'static str, Value)> {
        vec![("patientName", self.name("PatientName")), ("studyDate", midnight(&self.date("StudyDate")))]
    }

    /// What the file is in; of one that does not say so, as its bytes show.
    fn transfer_syntax(&self) -> &str {
        match (self.file.transfer_syntax.as_deref(), &*self.file.name) {
            (Some(named), _) => named,
            (None, "pydicom/test_files/ExplVR_BigEndNoMeta.dcm") => "1.2.840.10008.1.2.2",
            (None, "pydicom/test_files/ExplVR_LitEndNoMeta.dcm") => "1.2.840.10008.1.2.1",
            (None, _) => "1.2.840.10008.1.2",
        }
    }
}

/// A date where the contract has a moment.
fn midnight(date: &Value) -> Value {
    date.as_str().map_or(Value::Null, |date| json!(format!("{date}T00:00:00.000Z")))
}

fn or_zero(number: Value) -> Value {
    if number.is_null() { json!(0) } else { number }
}

/// Numbers are the same whether they are whole or not.
pub fn is_same(shown: &Value, wanted: &Value) -> bool {
    match (shown.as_f64(), wanted.as_f64()) {
        (Some(shown), Some(wanted)) => shown == wanted,
        _ => shown == wanted,
    }
}

/// Whether a value of DICOM JSON is this value of the file.
fn says(vr: &str, shown: &Value, wanted: &Value) -> bool {
    let text = wanted.as_str().map_or_else(|| wanted.to_string(), |text| text.trim().to_owned());
    if text.is_empty() {
        return shown.is_null();
    }
    match (vr, shown) {
        ("PN", Value::Object(spellings)) => {
            let spelling = |group: &str| spellings.get(group).and_then(Value::as_str).unwrap_or_default();
            let name = [spelling("Alphabetic"), spelling("Ideographic"), spelling("Phonetic")].join("=");
            tidy(&name) == tidy(&text)
        }
        (_, Value::Number(number)) => text.parse::<f64>().ok() == number.as_f64(),
        (_, Value::String(shown)) => shown.trim() == text,
        _ => false,
    }
}

/// A name without padding and without delimiters after the last thing that it says (DICOM PS3.5 6.2.1).
fn tidy(name: &str) -> String {
    let spellings: Vec<&str> =
        name.split('=').map(|spelling| spelling.trim().trim_end_matches('^').trim()).collect();
    spellings.join("=").trim_end_matches('=').to_owned()
}

/// `20061219`, and the `2006.12.19` of ACR-NEMA, as the API writes it.
fn date(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|character| *character != '.').collect();
    let is_date =
        digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits != "00000000";
    is_date.then(|| format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]))
}

/// `111154.812` as the API writes it: with all six decimals, or none if they are zero.
fn time(text: &str) -> Option<String> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let clock: String = clock.chars().filter(|character| *character != ':').collect();
    let is_clock = matches!(clock.len(), 2 | 4 | 6) && clock.bytes().all(|byte| byte.is_ascii_digit());
    if !is_clock || fraction.len() > 6 {
        return None;
    }
    let clock = format!("{clock:0<6}");
    let whole = format!("{}:{}:{}", &clock[..2], &clock[2..4], &clock[4..]);
    let fraction = format!("{fraction:0<6}");
    Some(if fraction == "000000" { whole } else { format!("{whole}.{fraction}") })
}
