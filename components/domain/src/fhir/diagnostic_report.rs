//! DiagnosticReport: a report, in any of its versions.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Exchange, Update,
    exchange::{System, day_or_moment, text, words_of},
};
use crate::ReportStatus;

/// The parts of a report as it is read, in the order in which it is.
const PARTS: [(&str, &str); 7] = [
    ("clinicalHistory", "CLINICAL HISTORY"),
    ("technique", "TECHNIQUE"),
    ("comparison", "COMPARISON"),
    ("findings", "FINDINGS"),
    ("impression", "IMPRESSION"),
    ("recommendations", "RECOMMENDATIONS"),
    ("amendmentReason", "REASON FOR THE CHANGE"),
];

impl Exchange<'_> {
    /// A report, as `reports.exchanged` documents it.
    pub fn diagnostic_report(self, report: &Value) -> Value {
        let of_report = text(report, "status").and_then(|status| status.parse().ok());
        let status = match of_report {
            Some(ReportStatus::Preliminary) => "preliminary",
            Some(ReportStatus::Final) => "final",
            Some(ReportStatus::Amended) => "amended",
            Some(ReportStatus::Corrected) => "corrected",
            None => "unknown",
        };
        // One that nobody has signed is issued anew whenever it is edited.
        let issued: &[&str] = match of_report {
            Some(ReportStatus::Preliminary) => &["updatedAt", "preliminaryDate"],
            _ => &["amendedDate", "signedAt", "preliminaryDate", "updatedAt"],
        };
        let issued = issued.iter().find_map(|name| text(report, name));
        let radiologist = self.theirs("Practitioner", System::Practitioner, text(report, "radiologistId"));
        let radiologist = match radiologist {
            Value::Object(mut reference) => {
                reference.insert("display".to_owned(), json!(words_of(report, "radiologistName")));
                Value::Object(reference)
            }
            none => none,
        };
        self.report(
            report,
            status,
            json!({
                "issued": issued,
                "resultsInterpreter": [radiologist],
                "conclusion": words_of(report, "impression"),
                "presentedForm": [{
                    "contentType": "text/plain; charset=utf-8",
                    "data": STANDARD.encode(whole(report)),
                    "title": "Radiology report",
                    "creation": issued,
                }],
            }),
        )
    }

    /// What a report is about, be it there or not, and "more" of what it says.
    fn report(self, report: &Value, status: &str, more: Value) -> Value {
        let study = report.get("study");
        let mut elements = json!({
            "identifier": [
                text(report, "reportNumber").map(|number| self.identifier(System::ReportNumber, number)),
            ],
            "basedOn": self.references_to_order(report.get("order")),
            "status": status,
            "category": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
                "code": "RAD",
                "display": "Radiology",
            }]}],
            "code": {"coding": [
                {"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"},
            ]},
            "subject": self.theirs(
                "Patient", System::Patient, study.and_then(|study| text(study, "patientId"))),
            "effectiveDateTime": study.and_then(|study| day_or_moment(study, "studyDate")),
            "imagingStudy": [self.reference_to_study(study)],
        });
        if let (Value::Object(elements), Value::Object(more)) = (&mut elements, more) {
            elements.extend(more);
        }
        self.resource("DiagnosticReport", report, elements)
    }

    /// How it is sent that a report which nobody had signed is withdrawn: what it said is gone.
    pub fn update_of_removed_report(self, report: &Value) -> Option<Update> {
        Self::update(self.report(report, "entered-in-error", Value::Null))
    }

    /// How a version of a report is sent.
    pub fn update_of_report(self, report: &Value) -> Option<Update> {
        Self::update(self.diagnostic_report(report))
    }
}

/// The whole of a report, as a person reads it.
fn whole(report: &Value) -> String {
    let parts = PARTS.iter().filter_map(|(name, title)| Some(format!("{title}\n{}\n", text(report, name)?)));
    let mut whole: Vec<String> = parts.collect();
    if let (Some(by), Some(at)) = (text(report, "signedBy"), text(report, "signedAt")) {
        whole.push(format!("Signed by {by} at {at}\n"));
    } else {
        whole.push("PRELIMINARY: nobody has signed it yet\n".to_owned());
    }
    whole.join("\n")
}
