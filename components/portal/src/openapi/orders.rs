//! `/api/imaging-orders`

use domain::{
    ExternalId, Line, Modality, Moment, OrderId, OrderStatus, Priority, Prose, RangeEnd, StudyId,
    StudyStatus, dicom::AccessionNumber,
};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Time, changing, habit, list, nullable, object, one_of, only_with, optional,
        reference, required, sometimes,
    },
    shared::version,
    studies,
};

pub(super) const TAG: (&str, &str) = ("Orders", "What a provider asks for: an examination of a patient.");

/// The members of an order, in every reply that shows one.
pub(super) fn order() -> Vec<Member> {
    vec![
        required::<OrderId>("id"),
        required::<String>("orderNumber").like("IMG-0000000012"),
        required::<AccessionNumber>("accessionNumber").says("What the modality's worklist calls it."),
        required::<ExternalId>("patientId"),
        required::<ExternalId>("providerId").like("dr-1").says("Who ordered it: whose own order it is."),
        required::<ExternalId>("facilityId").like("fac-1"),
        required::<Priority>("priority").like("ROUTINE"),
        required::<Modality>("modality"),
        required::<String>("bodyPart").like("CHEST"),
        required::<String>("clinicalIndication").like("Persistent cough for six weeks"),
        nullable::<String>("instructions").like("Without contrast"),
        nullable::<String>("urgency").like("This week"),
        required::<bool>("transportRequired").like(false),
        required::<bool>("contrastAllergy").like(false),
        nullable::<String>("contrastNotes").like(Value::Null),
        required::<OrderStatus>("status"),
        nullable::<String>("statusReason")
            .like(Value::Null)
            .says("Why it came to the status, where that took a reason."),
        nullable::<Time>("scheduledAt"),
        required::<String>("requestedBy").like("dr-1").says("Whose token placed it."),
        required::<Time>("requestedAt"),
    ]
    .into_iter()
    .chain(version())
    .collect()
}

fn with_studies(studies: &str) -> Value {
    object(
        order().into_iter().chain([Member::new("studies", list(reference(studies))).says("Newest first.")]),
    )
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Order", object(order())),
        ("OrderWithStudies", with_studies("StudySummary")),
        ("WholeOrder", with_studies("StudyOfOrder")),
        (
            "StudySummary",
            object([
                required::<StudyId>("id"),
                required::<AccessionNumber>("accessionNumber"),
                required::<StudyStatus>("status"),
            ]),
        ),
        ("StudyOfOrder", object(studies::study().into_iter().chain(studies::reported()))),
        (
            "NewOrder",
            object([
                optional::<AccessionNumber>("accessionNumber")
                    .says("Taken when given, issued when not; unique in the organization."),
                required::<ExternalId>("patientId"),
                required::<ExternalId>("providerId").like("dr-1"),
                required::<ExternalId>("facilityId").like("fac-1"),
                optional::<Priority>("priority").says("ROUTINE unless told otherwise."),
                required::<Modality>("modality"),
                required::<Line>("bodyPart").like("CHEST"),
                required::<Prose>("clinicalIndication").like("Persistent cough for six weeks"),
                optional::<Prose>("instructions").like("Without contrast"),
                optional::<Line>("urgency").like("This week"),
                optional::<bool>("transportRequired").says("False unless told otherwise."),
                optional::<bool>("contrastAllergy").says("False unless told otherwise."),
                optional::<Prose>("contrastNotes").like("Hives after iodine in 2019"),
                optional::<Moment>("scheduledAt"),
                habit("status", one_of(&[OrderStatus::Pending])),
            ]),
        ),
        (
            "OrderChange",
            only_with(
                changing(
                    object([
                        optional::<Priority>("priority"),
                        optional::<OrderStatus>("status").like("ON_HOLD"),
                        optional::<Moment>("scheduledAt").says("Null takes it away."),
                        optional::<Prose>("instructions").like("With contrast").says("Null takes them away."),
                        reason(),
                    ]),
                    &["priority", "status"],
                    &["scheduledAt", "instructions"],
                ),
                "reason",
                "status",
            ),
        ),
        ("OrderCancellation", object([reason()])),
    ]
}

/// Why a step is taken, of a state machine that wants to know for some of them.
pub(super) fn reason() -> Member {
    optional::<Prose>("reason")
        .like("The patient did not come")
        .says("Why; needed where the step takes a reason.")
}

const STUDIES_OPEN: (&str, &str) =
    ("order_studies_open", "it is completed once it has studies and all of them are completed or cancelled");
const REPORT_SIGNED: (&str, &str) =
    ("order_report_signed", "a report of it is signed, and it is not opened again");

pub(super) fn operations() -> Vec<Operation> {
    let one = "/api/imaging-orders/{orderId}";
    vec![
        Operation::new("post", "/api/imaging-orders", "placeOrder")
            .says("Place an order", "Providers and schedulers place orders at their own facilities.")
            .takes(
                "NewOrder",
                &json!({
                    "patientId": "MRN-1",
                    "providerId": "dr-1",
                    "facilityId": "fac-1",
                    "modality": "CT",
                    "bodyPart": "CHEST",
                    "clinicalIndication": "Persistent cough for six weeks",
                }),
            )
            .once()
            .creates("order", "OrderWithStudies")
            .conflicts(&[("duplicate", "another order or study has the accession number")])
            .leads_to("readOrder", "orderId", "order/id")
            .leads_to("changeOrder", "orderId", "order/id")
            .leads_to("cancelOrder", "orderId", "order/id")
            .leads_to("listOrdersOfPatient", "patientId", "order/patientId"),
        Operation::new("get", "/api/imaging-orders", "listOrders")
            .says("List orders", "Those that the caller may read, newest first.")
            .filter::<ExternalId>("patientId", "Of this patient.")
            .filter::<ExternalId>("providerId", "Ordered by this provider.")
            .like("dr-1")
            .filter::<ExternalId>("facilityId", "At this facility.")
            .like("fac-1")
            .filter::<OrderStatus>("status", "In this status.")
            .filter::<Modality>("modality", "Of this modality.")
            .filter::<Priority>("priority", "Of this priority.")
            .filter::<Moment>("startDate", "Requested then or later.")
            .filter::<RangeEnd>("endDate", "Requested then or before.")
            .paged()
            .in_an_emergency()
            .answers_page("orders", "OrderWithStudies"),
        Operation::new("get", one, "readOrder")
            .says(
                "Read an order",
                "With its studies, their reports and findings, as far as the caller may read them.",
            )
            .in_an_emergency()
            .answers_one("order", "WholeOrder")
            .leads_to("changeOrder", "orderId", "order/id"),
        Operation::new("patch", one, "changeOrder")
            .says(
                "Change an order, or move it to a status",
                "Each part needs the right for it: who places orders changes priority and instructions, a \
                 scheduler schedules and holds, who makes the images starts and completes. Going back takes \
                 a `reason`.",
            )
            .of_a_version()
            .takes("OrderChange", &json!({"priority": "URGENT", "scheduledAt": "2026-01-02T09:30:00Z"}))
            .answers_one("order", "OrderWithStudies")
            .conflicts(&[
                ("order_not_returnable", "it cannot become PENDING from where it is"),
                ("order_not_schedulable", "it cannot become SCHEDULED from where it is"),
                ("order_not_startable", "it cannot become IN_PROGRESS from where it is"),
                ("order_not_completable", "it cannot become COMPLETED from where it is"),
                ("order_not_cancellable", "it cannot become CANCELLED from where it is"),
                ("order_not_holdable", "it cannot become ON_HOLD from where it is"),
                STUDIES_OPEN,
                REPORT_SIGNED,
            ])
            .leads_to("readOrder", "orderId", "order/id"),
        Operation::new("delete", one, "cancelOrder")
            .says(
                "Cancel an order",
                "It stays to be read, CANCELLED, and so do its images; its studies without images are \
                 cancelled with it. Once the scan has begun it takes a `reason`.",
            )
            .of_a_version()
            .may_take("OrderCancellation", &json!({"reason": "The patient did not come"}))
            .answers_one("order", "OrderWithStudies")
            .conflicts(&[("order_not_cancellable", "it is completed, or cancelled already")])
            .leads_to("readOrder", "orderId", "order/id"),
        Operation::new("get", "/api/imaging-orders/patient/{patientId}", "listOrdersOfPatient")
            .says("List a patient's orders", "Those that the caller may read, newest first.")
            .never_missing()
            .in_an_emergency()
            .answers(
                200,
                [
                    Member::new("orders", list(reference("OrderWithStudies"))),
                    sometimes("ordersTruncated", bool::schema())
                        .says("There are more than these 1,000; the rest is in the list, by page."),
                ],
            ),
    ]
}
