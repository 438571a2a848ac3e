//! What the tests plant of patients, to be found in clear nowhere: in no log, and in no database.
//!
//! Every log is held against it when a [`Hospital`](crate::Hospital) closes, and `tests/database.rs` holds a dump of the
//! database against it. Who plants something else in a test adds it here.

use std::{collections::BTreeSet, sync::OnceLock};

use crate::files;

/// Patients, as DICOM writes them: `family^given`, and other spellings after `=` (DICOM PS3.5 6.2.1). Those of the real
/// files come beside them.
const NAMES: &[&str] = &[
    "Doe^Jane",
    "DOÉ^JANE",
    "Roe^Richard",
    "Plantedname^Adelheid",
    "Müller^Anna=山田^花子",
    "Müller^Jürgen",
    "Dvořák^Antonín",
    "Чехов^Антон",
    "Καζαντζάκης^Νίκος",
    "ใจดี^สมชาย",
    "Nguyễn^Văn An=阮^文安",
    "Zhang^XiaoDong=张^小东",
];

const BIRTH_DATES: &[&str] = &["1970-02-03", "1931-07-23", "1999-12-31"];

/// What is written of patients: orders, metadata, reports, findings, and the reasons that are given. What begins with
/// `planted` is planted by `tests/database.rs`.
const TEXTS: &[&str] = &[
    "planted",
    "plantedname",
    "plantedsex",
    // Orders and studies.
    "Persistent cough for six weeks",
    "Verdacht auf Meniskusriß",
    "Gadolinium, 2019",
    "Please hurry",
    "CT chest, low dose",
    "Claustrophobia",
    "A view is missing",
    "Another view is missing",
    "The patient left",
    "The ward called",
    "The patient has moved away",
    "Wrong patient",
    // Reports.
    "Dense consolidation in the right lower lobe",
    "No prior study for comparison",
    "Community acquired pneumonia",
    "The side was wrong",
    "Cough and fever for a week",
    "Helical, without contrast",
    "No pleural effusion on either side",
    "Follow up in six weeks",
    // Findings.
    "Large pneumothorax on the left",
    "Pneumothorax left, understood",
    "Call the ward",
    "Chest tube",
    "Not on duty",
    // What structured reports state.
    "Großer linksseitiger Pneumothorax",
    "Dr. Doe um 10:05 angerufen",
    "Intracranial hemorrhage (Brain)",
    "Pulmonary embolism [unverified]",
    "Pneumothorax [partial report, unverified]",
    // Breaking the glass, and other reasons for the audit.
    "Unconscious in the emergency room",
    "Bewusstlos in der Notaufnahme, Höhe unklar",
    "Her son has died in the crash",
];

/// Who somebody is. It lies in clear in the database, since other systems match on it, and has no place in a log.
const IDENTIFIERS: &[&str] = &["MRN", "Operator^Olga", "Dr. Ray"];

/// A planted word that was found.
#[derive(Debug, PartialEq)]
pub struct Found {
    pub word: String,
    /// The line in which it stands, or as much of it as can be looked at.
    pub line: String,
}

/// What a text, such as a dump of the database, tells of a patient.
pub fn told_of_patients(text: &str) -> Option<Found> {
    first(text, |planted| planted.of_patients)
}

/// What a log tells of a patient, or of who it is that it tells of.
pub fn told_in_log(text: &str) -> Option<Found> {
    first(text, |_| true)
}

struct Planted {
    word: String,
    /// What is looked for in a folded line.
    pattern: String,
    of_patients: bool,
}

fn first(text: &str, asked: impl Fn(&Planted) -> bool) -> Option<Found> {
    let asked: Vec<_> = planted().iter().filter(|planted| asked(planted)).collect();
    text.lines().find_map(|line| {
        let folded = fold(line);
        let found = asked.iter().find(|planted| folded.contains(&planted.pattern))?;
        Some(Found { word: found.word.clone(), line: line.chars().take(2000).collect() })
    })
}

fn planted() -> &'static [Planted] {
    static PLANTED: OnceLock<Vec<Planted>> = OnceLock::new();
    PLANTED.get_or_init(|| {
        let (names, dates) = files::patients().expect("the catalogue of the real files is sound");
        let mut planted = Vec::new();
        let mut add = |word: &str, patterns: BTreeSet<String>, of_patients| {
            planted.extend(patterns.into_iter().map(|pattern| Planted {
                word: word.to_owned(),
                pattern,
                of_patients,
            }));
        };
        for name in NAMES.iter().copied().chain(names.iter().map(String::as_str)) {
            add(name, patterns_of_name(name), true);
        }
        for date in BIRTH_DATES.iter().copied().chain(dates.iter().map(String::as_str)) {
            add(date, patterns_of_date(date), true);
        }
        for text in TEXTS {
            add(text, patterns_of_text(text), true);
        }
        for word in IDENTIFIERS {
            let names = patterns_of_name(word);
            add(word, if names.is_empty() { patterns_of_text(word) } else { names }, false);
        }
        planted
    })
}

/// Family and given name in either order, whatever stands between them. A name of one part is too like other words.
fn patterns_of_name(name: &str) -> BTreeSet<String> {
    let mut patterns = BTreeSet::new();
    for spelling in name.split('=') {
        let mut parts = spelling.split('^');
        let (family, given) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if family.trim().is_empty() || given.trim().is_empty() {
            continue;
        }
        patterns.extend([fold(&format!("{family} {given}")), fold(&format!("{given} {family}"))]);
    }
    patterns
}

/// A date `YYYY-MM-DD` as DICOM writes it, and as people do, with whatever stands between its parts.
fn patterns_of_date(date: &str) -> BTreeSet<String> {
    let parts: Vec<_> = date.split('-').collect();
    let [year, month, day] = parts.as_slice() else { panic!("{date} is no date") };
    // No space after a day: a time may follow at once. A year at the end does end there: seconds and microseconds of
    // a moment, `07:04.195022`, are no date.
    BTreeSet::from([
        format!(" {year} {month} {day}"),
        format!(" {year}{month}{day}"),
        format!(" {day} {month} {year} "),
        format!(" {month} {day} {year} "),
    ])
}

/// The first three words of a text, since its end may have been cut off.
fn patterns_of_text(text: &str) -> BTreeSet<String> {
    let folded = fold(text);
    let words: Vec<_> = folded.split_whitespace().collect();
    BTreeSet::from([match words.as_slice() {
        [first, second, third, ..] => format!(" {first} {second} {third}"),
        _ => folded.clone(),
    }])
}

/// Words in lower case with one space before, between and after them, whatever stood there: `Doe^Jane`, `DOE, JANE` and
/// `doe%5Ejane` are the same.
fn fold(text: &str) -> String {
    let mut folded = String::from(" ");
    for character in percent_decoded(text).chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            folded.push(character);
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    if !folded.ends_with(' ') {
        folded.push(' ');
    }
    folded
}

fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let (mut decoded, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, others @ ..] = rest {
        let escaped = others
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn what_is_planted_is_found_however_it_is_written() {
        for (line, word) in [
            (r#"{"message":"no patient Doe^Jane here"}"#, "Doe^Jane"),
            ("the patient is Jane  Doe.", "Doe^Jane"),
            ("DOE, JANE", "Doe^Jane"),
            ("GET /api/studies?patientName=doe%5Ejane&limit=1", "Doe^Jane"),
            ("GET /api/studies?patientName=jane+doe", "Doe^Jane"),
            ("Mueller or Müller^Jürgen^^Dr.", "Müller^Jürgen"),
            ("山田^花子", "Müller^Anna=山田^花子"),
            ("of a real file: Wang^XiaoDong", "Wang^XiaoDong=王^小东"),
            (r#""patientDOB":"1970-02-03T00:00:00.000Z""#, "1970-02-03"),
            ("(0010,0030) DA [19700203]", "1970-02-03"),
            ("born 3.2.1970 or 03.02.1970", "1970-02-03"),
            ("02/03/1970", "1970-02-03"),
            ("PERSISTENT COUGH FOR S", "Persistent cough for six weeks"),
            ("reason=call%20the%20ward", "Call the ward"),
            ("Planted-Note", "planted"),
            ("Key (organization, patient_id)=(org-1, MRN-1) already exists.", "MRN"),
        ] {
            let log = format!("a line before\n{line}\na line after");
            let found = told_in_log(&log).unwrap_or_else(|| panic!("{line}: not found"));
            assert_eq!((found.word.as_str(), found.line.as_str()), (word, line));
        }
    }

    #[test]
    fn what_is_like_it_is_not_found() {
        for line in [
            r#"{"level":"INFO","message":"request","method":"GET","route":"/api/imaging-orders/...","status":200}"#,
            "what this does, Jane, is nothing",
            "an implanted device",
            "2026-01-02T09:30:15.250Z 019700203 1970-02-30",
            "2.25.119700203119700203",
            "the ward was called",
        ] {
            assert_eq!(told_in_log(line), None);
        }
        // Whom a row is about lies in the database in clear.
        assert_eq!(told_of_patients("(org-1, MRN-1, Operator^Olga)"), None);
    }

    /// The fields of the service that hold what is planted (the contract's list of what is sealed).
    const FIELDS: [&str; 25] = [
        "patientName",
        "patientDOB",
        "clinicalIndication",
        "instructions",
        "contrastNotes",
        "statusReason",
        "reason",
        "note",
        "clinicalHistory",
        "technique",
        "comparison",
        "findings",
        "impression",
        "recommendations",
        "macros",
        "amendmentReason",
        "finding",
        "notes",
        "followUpAction",
        "readBack",
        "x-break-glass",
        "performingPhysician",
        "operatorName",
        "transcribedBy",
        "patientId",
    ];

    /// The texts that a source file gives these fields: `"field": "text"`, `"field"] = json!("text")`, `("field", "text")`.
    fn given(source: &str) -> Vec<&str> {
        let mut given = Vec::new();
        for field in FIELDS {
            for (at, name) in source.match_indices(&format!("\"{field}\"")) {
                let rest = &source[at + name.len()..];
                let rest = rest.trim_start_matches([']', ' ', ':', ',', '=']);
                let rest = rest.strip_prefix("json!(").unwrap_or(rest);
                given.extend(rest.strip_prefix('"').and_then(|text| text.split('"').next()));
            }
        }
        given
    }

    #[test]
    fn every_text_that_the_tests_give_a_patient_is_on_the_list() {
        let room = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![room.join("src"), room.join("tests")];
        let (mut texts, mut missing) = (0, BTreeSet::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs")
                    && !path.ends_with(file!())
                {
                    let source = fs::read_to_string(&path).unwrap();
                    for text in given(&source) {
                        texts += 1;
                        // One or two words are too like what a log may say.
                        let telling = text.contains('^') || fold(text).split_whitespace().count() > 2;
                        if telling && told_in_log(text).is_none() {
                            missing.insert(text.to_owned());
                        }
                    }
                }
            }
        }
        assert!(texts > 30, "{texts} texts were found");
        assert_eq!(missing, BTreeSet::new(), "add these to the lists of tests/src/planted.rs");
    }
}
