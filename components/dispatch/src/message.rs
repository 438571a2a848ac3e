//! What a message says. Of a patient or a finding only what the event carries, which is nothing unless the organization
//! wants it: a message travels through other hands.

use domain::{Severity, dicom::PersonName};
use serde_json::{Value, json};

/// What somebody is told of, or no longer.
pub(crate) const TOPICS: &[&str] = &[
    "access.emergency",
    "finding.acknowledged",
    "finding.escalated",
    "finding.raised",
    "finding.shared",
    "report.amended",
    "study.images_after_report",
];

/// One message, as the platform's notification service takes it, but for whom it is.
pub(crate) struct Message {
    kind: &'static str,
    priority: &'static str,
    subject: String,
    message: String,
}

impl Message {
    /// What an event is worth telling; nothing when nobody is told of it.
    pub(crate) fn of(event: &Value, portal: Option<&str>) -> Option<Self> {
        match text(event, "/topic") {
            "finding.raised" | "finding.shared" => Self::of_finding(event, portal, "was reported", ""),
            "finding.escalated" => {
                let again = "Nobody has acknowledged it yet. ";
                Self::of_finding(event, portal, "waits for somebody to acknowledge it", again)
            }
            "report.amended" => Some(Self::of_report(event, portal)),
            "study.images_after_report" => Some(Self {
                kind: "STUDY_IMAGES_AFTER_REPORT",
                priority: "HIGH",
                subject: format!("Images after the report: {}", text(event, "/study/accessionNumber")),
                message: format!(
                    "Images have come for the study with accession number {} after it was reported. Look at it again{}",
                    text(event, "/study/accessionNumber"),
                    link(portal, "studies", text(event, "/study/id")),
                ),
            }),
            "access.emergency" => Some(Self {
                kind: "EMERGENCY_ACCESS",
                priority: "HIGH",
                subject: "Somebody broke the glass".to_owned(),
                message: format!(
                    "{} ({}) has broken the glass at {}: {}. The audit has the reason{}",
                    text(event, "/access/actor"),
                    text(event, "/access/role"),
                    text(event, "/access/at"),
                    text(event, "/access/action"),
                    link(portal, "audit-events", text(event, "/resourceId")),
                ),
            }),
            _ => None,
        }
    }

    fn of_finding(event: &Value, portal: Option<&str>, is: &str, more: &str) -> Option<Self> {
        let severity: Severity = text(event, "/finding/severity").parse().ok()?;
        let (category, accession) = (text(event, "/finding/category"), text(event, "/study/accessionNumber"));
        let of_patient = match PersonName::read(text(event, "/study/patientName")) {
            Some(name) => {
                let name = name.alphabetic().unwrap_or_default().replace('^', " ");
                format!("Patient {name} ({}). ", text(event, "/study/patientId"))
            }
            None => String::new(),
        };
        let found = match text(event, "/finding/finding") {
            "" => String::new(),
            found => format!("{found} "),
        };
        Some(Self {
            kind: "CRITICAL_FINDING",
            priority: match severity {
                Severity::Critical => "CRITICAL",
                Severity::High => "HIGH",
                Severity::Moderate => "NORMAL",
                Severity::Low => "LOW",
            },
            subject: format!("{severity} finding: {category}, {accession}"),
            message: format!(
                "A finding of severity {severity} ({category}) on the study with accession number {accession} {is}. \
                 {more}{of_patient}{found}Acknowledge it by {}{}",
                text(event, "/finding/dueAt"),
                link(portal, "critical-findings", text(event, "/finding/id")),
            ),
        })
    }

    fn of_report(event: &Value, portal: Option<&str>) -> Self {
        let (number, status) = (text(event, "/report/reportNumber"), text(event, "/report/status"));
        let accession = text(event, "/study/accessionNumber");
        Self {
            kind: "REPORT_AMENDED",
            priority: "HIGH",
            subject: format!("Report {number} is {status}"),
            message: format!(
                "Report {number} on the study with accession number {accession} is {status}: it says something else than \
                 the version that you know. Read it again{}",
                link(portal, "reports", text(event, "/report/id")),
            ),
        }
    }

    /// The message for one recipient.
    pub(crate) fn body(&self, recipient: &str) -> Value {
        json!({"notifications": [{
            "recipient": recipient,
            "subject": self.subject,
            "message": self.message,
            "priority": self.priority,
            "type": self.kind,
        }]})
    }
}

/// Where the thing is seen, after what was said; without a portal that is the end of the sentence.
fn link(portal: Option<&str>, things: &str, id: &str) -> String {
    match portal {
        Some(portal) => format!(": {}/{things}/{id}", portal.trim_end_matches('/')),
        None => ".".to_owned(),
    }
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
