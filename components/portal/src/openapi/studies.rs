//! `/api/studies`, but for their images

use domain::{
    BirthDate, ExternalId, Line, Modality, Moment, OrderId, Priority, RangeEnd, ReportId, ReportStatus, Sex,
    StudyId, StudyStatus,
    dicom::{AccessionNumber, PersonName, Uid},
};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    orders::reason,
    schema::{
        Described, Member, Number, Time, changing, habit, list, nullable, object, one_of, only_with,
        optional, or_null, reference, required,
    },
    shared::version,
};

pub(super) const TAG: (&str, &str) =
    ("Studies", "The examination as it is performed: from the day it is scheduled to its final report.");

/// The members of a study, in every reply that shows one.
pub(super) fn study() -> Vec<Member> {
    vec![
        required::<StudyId>("id"),
        nullable::<OrderId>("orderId").says("None, when images made it without an order."),
        required::<AccessionNumber>("accessionNumber"),
        required::<String>("studyInstanceUID").like("2.25.3325446512345678901234567890123456789"),
        required::<Time>("studyDate"),
        nullable::<String>("studyTime").like("07:08:09"),
        nullable::<String>("studyDescription").like("CT chest without contrast"),
        required::<Modality>("modality"),
        required::<String>("bodyPart").like("CHEST"),
        required::<Number>("numberOfSeries").says("Counted from the images that are stored."),
        required::<Number>("numberOfInstances").like(240).says("Counted from the images that are stored."),
        nullable::<Time>("imagesAfterReportAt")
            .like(Value::Null)
            .says("When images came last after its report was written: its reader has to look again."),
        required::<String>("patientId").like("MRN-1"),
        nullable::<String>("patientName").like("Doe^Jane").says("As DICOM writes it."),
        nullable::<Time>("patientDOB").like("1970-02-03T00:00:00.000Z"),
        nullable::<String>("patientSex").like("F"),
        nullable::<String>("performingPhysician").like("Doe^Jane"),
        nullable::<String>("operatorName").like("Doe^Jane"),
        nullable::<String>("institutionName").like("General Hospital"),
        nullable::<String>("stationName").like("CT-2"),
        required::<StudyStatus>("status").like("IN_PROGRESS"),
        nullable::<String>("statusReason")
            .like(Value::Null)
            .says("Why it came to the status, where that took a reason."),
        nullable::<Priority>("priority").like("ROUTINE"),
    ]
    .into_iter()
    .chain(version())
    .collect()
}

/// What became of a study, where it is shown whole.
pub(super) fn reported() -> [Member; 2] {
    [
        Member::new("reports", list(reference("Report")))
            .says("Those that the caller may read, newest first."),
        Member::new("criticalFindings", list(reference("Finding")))
            .says("Those that the caller may read, newest first."),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let order_in_brief = object([
        required::<String>("orderNumber").like("IMG-0000000012"),
        required::<Priority>("priority").like("ROUTINE"),
    ]);
    vec![
        ("Study", object(study())),
        (
            "StudyInList",
            object(study().into_iter().chain([
                Member::new("order", or_null(order_in_brief)),
                Member::new("reports", list(reference("ReportSummary"))),
            ])),
        ),
        (
            "WholeStudy",
            object(
                study().into_iter().chain(reported()).chain([
                    Member::new("order", or_null(reference("Order")))
                        .says("Null when there is none, or none to be read."),
                    Member::new("images", list(reference("Image")))
                        .says("The first 1,000, without their metadata."),
                    required::<bool>("imagesTruncated")
                        .like(false)
                        .says("There are more; they are read by page."),
                ]),
            ),
        ),
        ("ReportSummary", object([required::<ReportId>("id"), required::<ReportStatus>("status")])),
        (
            "NewStudy",
            object([
                required::<OrderId>("orderId").says("An open order of the same patient and modality."),
                optional::<AccessionNumber>("accessionNumber").says(
                    "Taken when given. Else an order's first study has the order's, a further one its own.",
                ),
                optional::<Uid>("studyInstanceUID").says("Taken when given, issued when not."),
                required::<Moment>("studyDate"),
                optional::<Line>("studyTime").like("07:08:09"),
                optional::<Line>("studyDescription").like("CT chest without contrast"),
                required::<Modality>("modality"),
                required::<Line>("bodyPart").like("CHEST"),
                required::<ExternalId>("patientId"),
                optional::<PersonName>("patientName")
                    .like("Doe^Jane")
                    .says("Required where no health record can be asked for it."),
                optional::<BirthDate>("patientDOB"),
                optional::<Sex>("patientSex").like("F"),
                optional::<Line>("performingPhysician").like("Doe^Jane"),
                optional::<Line>("operatorName").like("Doe^Jane"),
                optional::<Line>("institutionName").like("General Hospital"),
                optional::<Line>("stationName").like("CT-2"),
                optional::<Priority>("priority").says("The order's, unless told otherwise."),
                habit("status", one_of(&[StudyStatus::Scheduled])),
            ]),
        ),
        (
            "StudyChange",
            only_with(
                changing(
                    object([
                        optional::<Line>("performingPhysician").like("Doe^Jane"),
                        optional::<Line>("operatorName").like("Doe^Jane"),
                        optional::<Line>("stationName").like("CT-2"),
                        optional::<Line>("studyDescription").like("CT chest without contrast"),
                        optional::<StudyStatus>("status").like("ARRIVED"),
                        reason(),
                    ]),
                    &["performingPhysician", "operatorName", "stationName", "studyDescription", "status"],
                    &[],
                ),
                "reason",
                "status",
            ),
        ),
        ("StudyStep", object([required::<StudyStatus>("status").like("ARRIVED"), reason()])),
    ]
}

const CONFLICTS: [(&str, &str); 3] = [
    ("study_transition_not_allowed", "it cannot come to that status from where it is"),
    ("study_has_no_images", "it is completed once it holds at least one image"),
    ("order_report_signed", "a report of its order is signed, and the order is not opened again"),
];

pub(super) fn operations() -> Vec<Operation> {
    let one = "/api/studies/{studyId}";
    vec![
        Operation::new("post", "/api/studies", "registerStudy")
            .says("Register a study of an order", "The order becomes SCHEDULED with it.")
            .takes(
                "NewStudy",
                &json!({
                    "orderId": OrderId::example(),
                    "studyDate": "2026-01-02",
                    "modality": "CT",
                    "bodyPart": "CHEST",
                    "patientId": "MRN-1",
                    "patientName": "Doe^Jane",
                    "patientDOB": "1970-02-03",
                    "patientSex": "F",
                }),
            )
            .once()
            .creates("study", "Study")
            .conflicts(&[
                ("duplicate", "another study has the accession number or the UID"),
                ("order_not_open", "the order is completed or cancelled"),
            ])
            .leads_to("readStudy", "studyId", "study/id")
            .leads_to("changeStudy", "studyId", "study/id")
            .leads_to("moveStudy", "studyId", "study/id")
            .leads_to("registerImage", "studyId", "study/id")
            .leads_to("listImages", "studyId", "study/id")
            .leads_to("findStudy", "accessionNumber", "study/accessionNumber")
            .leads_to("listReportsOfStudy", "studyId", "study/id")
            .leads_to("listFindingsOfStudy", "studyId", "study/id"),
        Operation::new("get", "/api/studies", "listStudies")
            .says("List studies", "Those that the caller may read, newest first.")
            .filter::<ExternalId>("patientId", "Of this patient.")
            .filter::<OrderId>("orderId", "Of this order.")
            .filter::<Modality>("modality", "Of this modality.")
            .filter::<StudyStatus>("status", "In this status.")
            .filter::<Moment>("startDate", "Performed then or later.")
            .filter::<RangeEnd>("endDate", "Performed then or before.")
            .paged()
            .in_an_emergency()
            .answers_page("studies", "StudyInList"),
        Operation::new("get", one, "readStudy")
            .says(
                "Read a study",
                "With its order, images, reports and critical findings, as far as the caller may read them.",
            )
            .in_an_emergency()
            .answers_one("study", "WholeStudy")
            .leads_to("moveStudy", "studyId", "study/id"),
        Operation::new("patch", one, "changeStudy")
            .says(
                "Change a study, or move it to a status",
                "PRELIMINARY and FINAL are reached through a report only.",
            )
            .of_a_version()
            .takes("StudyChange", &json!({"stationName": "CT-2", "operatorName": "Doe^Jane"}))
            .answers_one("study", "Study")
            .conflicts(&CONFLICTS)
            .leads_to("readStudy", "studyId", "study/id"),
        Operation::new("patch", "/api/studies/{studyId}/status", "moveStudy")
            .says(
                "Move a study to a status",
                "Its order follows it. PRELIMINARY and FINAL are reached through a report only; going back, \
                 and giving up what has begun, take a `reason`.",
            )
            .of_a_version()
            .takes("StudyStep", &json!({"status": "ARRIVED"}))
            .answers_one("study", "Study")
            .conflicts(&CONFLICTS)
            .leads_to("readStudy", "studyId", "study/id"),
        Operation::new("get", "/api/studies/accession/{accessionNumber}", "findStudy")
            .says("Find a study by its accession number", "As it is read by its id.")
            .in_an_emergency()
            .answers_one("study", "WholeStudy")
            .leads_to("moveStudy", "studyId", "study/id"),
    ]
}
