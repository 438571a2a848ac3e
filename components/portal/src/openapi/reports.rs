//! `/api/reports`

use domain::{
    Amendment, ExternalId, FirstStatus, Line, Macros, Modality, Moment, Prose, ReportId, ReportStatus,
    StudyId, StudyStatus, dicom::AccessionNumber,
};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Number, Time, changing, habit, list, nullable, object, one_of, only_with,
        optional, reference, required,
    },
    shared::version,
};

pub(super) const TAG: (&str, &str) =
    ("Reports", "What a radiologist has read in a study. Every version is kept as it was written.");

/// The members of a report, in every reply that shows one.
fn report() -> Vec<Member> {
    vec![
        required::<ReportId>("id"),
        required::<String>("reportNumber").like("RPT-0000000013"),
        required::<StudyId>("studyId"),
        required::<ExternalId>("radiologistId")
            .like("radiologist-1")
            .says("Whose report it is: who may sign it."),
        required::<String>("radiologistName").like("Doe^Jane"),
        required::<ReportStatus>("status").like("FINAL"),
        nullable::<String>("clinicalHistory").like("Persistent cough for six weeks"),
        nullable::<String>("technique").like("CT of the chest without contrast"),
        nullable::<String>("comparison").like(Value::Null),
        required::<String>("findings").like("The lungs are clear."),
        required::<String>("impression").like("No acute abnormality."),
        nullable::<String>("recommendations").like(Value::Null),
        nullable::<Time>("preliminaryDate"),
        nullable::<Time>("finalizedDate"),
        nullable::<Time>("amendedDate").like(Value::Null),
        nullable::<String>("amendmentReason").like(Value::Null),
        nullable::<String>("signedBy").like("Doe^Jane").says("The name under it, as it is shown."),
        nullable::<Time>("signedAt"),
        nullable::<String>("transcribedBy").like(Value::Null),
        nullable::<Time>("transcribedAt").like(Value::Null),
        nullable::<String>("template").like("CT-CHEST"),
        nullable::<Macros>("macros").like(Value::Null).says("What the client made its texts from."),
        required::<Number>("contentVersion")
            .says("Counts what it has said: editing, signing and amending make one more."),
        required::<String>("contentHash")
            .like("k1.3f6c1d4c0b5e9a27f0a8c5b1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f60718293a4b")
            .says("Of what it says, keyed: a signature binds it."),
    ]
    .into_iter()
    .chain(version())
    .collect()
}

/// What a report may say, be it written, edited or amended; null takes away what may be left out.
fn texts() -> Vec<Member> {
    vec![
        optional::<Prose>("clinicalHistory").like("Persistent cough for six weeks"),
        optional::<Prose>("technique").like("CT of the chest without contrast"),
        optional::<Prose>("comparison").like("None"),
        optional::<Prose>("recommendations").like("Follow up in twelve months"),
        optional::<Line>("template").like("CT-CHEST"),
        optional::<Macros>("macros").like(json!({"normal": true})),
    ]
}

fn signed_by() -> Member {
    optional::<Line>("signedBy")
        .like("Doe^Jane")
        .says("How the name is shown; who signs is the token's holder.")
}

fn changed_texts() -> Vec<Member> {
    let mut members = texts();
    members.push(optional::<Prose>("findings").like("The lungs are clear."));
    members.push(optional::<Prose>("impression").like("No acute abnormality."));
    members
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let mut written = vec![
        required::<StudyId>("studyId").says("A study that is completed, or beyond."),
        required::<ExternalId>("radiologistId").like("radiologist-1"),
        required::<Line>("radiologistName").like("Doe^Jane"),
        required::<Prose>("findings").like("The lungs are clear."),
        required::<Prose>("impression").like("No acute abnormality."),
        optional::<FirstStatus>("status")
            .says("PRELIMINARY unless told otherwise; FINAL only from who signs it."),
        signed_by(),
        optional::<Line>("transcribedBy").like("Doe^Jane"),
        optional::<Moment>("transcribedAt"),
    ];
    written.extend(texts());
    let mut changed = changed_texts();
    changed.extend([
        optional::<ExternalId>("radiologistId")
            .like("radiologist-1")
            .says("Whose report it is, with the name."),
        optional::<Line>("radiologistName").like("Doe^Jane"),
        optional::<Line>("transcribedBy").like("Doe^Jane").says("Null takes it away."),
        optional::<Moment>("transcribedAt").says("Null takes it away."),
        habit("status", one_of(&[ReportStatus::Preliminary])),
    ]);
    let mut amended = changed_texts();
    amended.extend([
        required::<Prose>("amendmentReason").like("The side was wrong"),
        optional::<Amendment>("kind")
            .says("AMENDED: added to or put otherwise, unless told that it was wrong: CORRECTED."),
        signed_by(),
        habit("status", one_of(Amendment::ALL)),
    ]);
    let study = object([
        required::<StudyId>("id"),
        required::<AccessionNumber>("accessionNumber"),
        required::<String>("studyInstanceUID").like("2.25.3325446512345678901234567890123456789"),
        required::<Time>("studyDate"),
        required::<Modality>("modality"),
        required::<String>("bodyPart").like("CHEST"),
        required::<String>("patientId").like("MRN-1"),
        nullable::<String>("patientName").like("Doe^Jane"),
        nullable::<Time>("patientDOB").like("1970-02-03T00:00:00.000Z"),
        nullable::<String>("patientSex").like("F"),
        required::<StudyStatus>("status").like("FINAL"),
    ]);
    let content_version = object([
        required::<Number>("contentVersion"),
        required::<ReportStatus>("status"),
        required::<Time>("at"),
        required::<ExternalId>("by").like("radiologist-1"),
        required::<String>("contentHash")
            .like("k1.3f6c1d4c0b5e9a27f0a8c5b1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f60718293a4b"),
    ]);
    vec![
        ("Report", object(report())),
        (
            "WholeReport",
            object(report().into_iter().chain([
                Member::new("study", reference("StudyInBrief")),
                Member::new("versions", list(content_version)).says("In the order they were written."),
            ])),
        ),
        ("StudyInBrief", study),
        ("NewReport", object(written)),
        (
            "ReportChange",
            only_with(
                changing(
                    object(changed),
                    &["findings", "impression", "radiologistId", "radiologistName"],
                    &[
                        "clinicalHistory",
                        "technique",
                        "comparison",
                        "recommendations",
                        "template",
                        "macros",
                        "transcribedBy",
                        "transcribedAt",
                    ],
                ),
                "radiologistId",
                "radiologistName",
            ),
        ),
        ("Signature", object([signed_by(), habit("status", one_of(&[ReportStatus::Final]))])),
        ("ReportAmendment", object(amended)),
    ]
}

const BUSY: (&str, &str) = ("report_busy", "others are changing it: try again");

pub(super) fn operations() -> Vec<Operation> {
    let one = "/api/reports/{reportId}";
    vec![
        Operation::new("post", "/api/reports", "writeReport")
            .says(
                "Write a report",
                "Unsigned, also for another to sign; or FINAL, signed by whose report it is.",
            )
            .takes(
                "NewReport",
                &json!({
                    "studyId": StudyId::example(),
                    "radiologistId": "radiologist-1",
                    "radiologistName": "Doe^Jane",
                    "findings": "The lungs are clear.",
                    "impression": "No acute abnormality.",
                }),
            )
            .once()
            .creates("report", "Report")
            .conflicts(&[("study_not_reportable", "the study is not completed yet, or it is cancelled")])
            .leads_to("readReport", "reportId", "report/id")
            .leads_to("editReport", "reportId", "report/id")
            .leads_to("signReport", "reportId", "report/id")
            .leads_to("amendReport", "reportId", "report/id")
            .leads_to("deleteReport", "reportId", "report/id")
            .leads_to("listReportsOfStudy", "studyId", "report/studyId")
            .leads_to("listReportsOfRadiologist", "radiologistId", "report/radiologistId"),
        Operation::new("get", one, "readReport")
            .says("Read a report", "With what it is of, and its versions by number.")
            .in_an_emergency()
            .answers_one("report", "WholeReport")
            .leads_to("signReport", "reportId", "report/id")
            .leads_to("amendReport", "reportId", "report/id")
            .leads_to("readStudy", "studyId", "report/studyId"),
        Operation::new("patch", one, "editReport")
            .says("Edit a report that nobody has signed", "Once it is signed, it is amended.")
            .of_a_version()
            .takes("ReportChange", &json!({"impression": "No acute abnormality.", "comparison": null}))
            .answers_one("report", "Report")
            .conflicts(&[("report_not_editable", "it is signed: amend it"), BUSY])
            .leads_to("signReport", "reportId", "report/id"),
        Operation::new("delete", one, "deleteReport")
            .says("Delete a report that nobody has signed", "What it said is kept, and read by nobody.")
            .of_a_version()
            .answers_nothing()
            .conflicts(&[("report_not_deletable", "it is signed, and stays for good")]),
        Operation::new("post", "/api/reports/{reportId}/sign", "signReport")
            .says("Sign a report", "As it stands; only the radiologist whom it names may.")
            .of_a_version()
            .may_take("Signature", &json!({"signedBy": "Doe^Jane"}))
            .once()
            .answers_one("report", "Report")
            .conflicts(&[("report_already_signed", "it is not signed a second time")])
            .leads_to("amendReport", "reportId", "report/id")
            .leads_to("readReport", "reportId", "report/id"),
        Operation::new("post", "/api/reports/{reportId}/amend", "amendReport")
            .says(
                "Amend or correct a signed report",
                "Whose report it is signs what it says from now on; what it said before stays a version.",
            )
            .of_a_version()
            .takes("ReportAmendment", &json!({"amendmentReason": "The side was wrong", "kind": "CORRECTED"}))
            .once()
            .answers_one("report", "Report")
            .conflicts(&[("report_not_amendable", "nobody has signed it: edit it"), BUSY])
            .leads_to("readReport", "reportId", "report/id"),
        Operation::new("get", "/api/reports/{reportId}/versions/{contentVersion}", "readReportVersion")
            .says("Read a report as it was", "In one of its content versions.")
            .in_an_emergency()
            .answers(200, [Member::new("report", reference("Report"))]),
        Operation::new("get", "/api/reports/study/{studyId}", "listReportsOfStudy")
            .says("List a study's reports", "Those that the caller may read, newest first.")
            .in_an_emergency()
            .answers(200, [Member::new("reports", list(reference("Report")))]),
        Operation::new("get", "/api/reports/radiologist/{radiologistId}", "listReportsOfRadiologist")
            .says("List a radiologist's reports", "Those that the caller may read, newest first.")
            .never_missing()
            .paged()
            .in_an_emergency()
            .answers_page("reports", "Report"),
    ]
}
