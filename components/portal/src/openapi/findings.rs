//! `/api/critical-findings` and `/api/settings/critical-results`

use domain::{
    CRITICAL_WITHIN, Count, CriticalResults, DeclineId, ExternalId, FindingId, FindingSource, FindingStatus,
    Group, LEVELS, Line, Minutes, Moment, Prose, RangeEnd, Recipients, ReportId, Severity, StudyId,
};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Number, Time, changing, habit, list, nullable, object, one_of, optional, or_null,
        reference, required, sometimes, with,
    },
    shared::version,
};

pub(super) const TAG: (&str, &str) = (
    "Critical findings",
    "What a clinician has to know at once: who is told, by when, and who has taken it on.",
);
pub(super) const SETTINGS: (&str, &str) =
    ("Settings", "How an organization wants its critical findings followed.");

/// The members of a finding, in every reply that shows one.
fn finding() -> Vec<Member> {
    vec![
        required::<FindingId>("id"),
        required::<StudyId>("studyId"),
        nullable::<ReportId>("reportId"),
        nullable::<Number>("reportContentVersion")
            .says("The report's content version when the finding was tied to it."),
        required::<String>("finding").like("Pulmonary embolism in the right lower lobe"),
        Member::new("code", or_null(reference("Code")))
            .says("Of a finding of a file: what it states in code."),
        required::<Severity>("severity"),
        required::<String>("category").like("PULMONARY_EMBOLISM"),
        nullable::<String>("bodyPart").like("CHEST"),
        required::<String>("reportedBy").like("radiologist-1").says("As it is shown."),
        nullable::<ExternalId>("reportedById").like("radiologist-1").says("Whose token reported it."),
        required::<Time>("reportedAt"),
        Member::new("notifiedTo", list(ExternalId::schema()))
            .like(json!(["dr-1"]))
            .says("Who was told: they may read it."),
        required::<bool>("notificationSent").says("A message has reached one of them."),
        nullable::<String>("acknowledgedBy").like(Value::Null).says("As it is shown."),
        nullable::<ExternalId>("acknowledgedById").like(Value::Null).says("Whose token acknowledged it."),
        nullable::<Time>("acknowledgedAt").like(Value::Null),
        nullable::<String>("readBack")
            .like(Value::Null)
            .says("The finding in the words of who acknowledged it."),
        required::<bool>("followUpRequired"),
        nullable::<String>("followUpAction").like("Start anticoagulation"),
        nullable::<String>("followUpStatus").like(Value::Null),
        nullable::<String>("notes").like(Value::Null),
        required::<FindingStatus>("status"),
        required::<Time>("dueAt").says("By when it is to be acknowledged."),
        required::<FindingSource>("source"),
        Member::new("dicom", or_null(reference("FindingOrigin")))
            .says("Of a finding of a file: where it comes from."),
    ]
    .into_iter()
    .chain(version())
    .collect()
}

/// What became of a finding.
fn course() -> [Member; 3] {
    [
        Member::new("notifications", list(reference("Notification"))).says("Every attempt to tell somebody."),
        Member::new("escalations", list(reference("Escalation"))).says("Who is told next, and when."),
        Member::new("declines", list(reference("Decline"))).says("Who has said that it is not theirs."),
    ]
}

/// An object with a member for each of a list of words.
fn by_word(words: impl IntoIterator<Item = &'static str>, schema: impl Fn(&str) -> Value) -> Value {
    object(words.into_iter().map(|word| Member::new(word, schema(word))))
}

/// How an organization wants its critical findings followed: what is sent and, in a reply, what is in force.
fn settings() -> Vec<Member> {
    let defaults = json!(CriticalResults::default());
    let severities = by_word(Severity::ALL.iter().map(|severity| severity.as_str()), |severity| {
        let within = if severity == Severity::Critical.as_str() {
            Count::<1, { CRITICAL_WITHIN }>::schema()
        } else {
            Minutes::schema()
        };
        let level = object([
            required::<Minutes>("afterMinutes").says("After the report."),
            required::<Group>("group"),
        ]);
        let levels = with(with(list(level), "minItems", 1.into()), "maxItems", LEVELS.into());
        object([
            Member::new("acknowledgeWithinMinutes", within),
            required::<Minutes>("toldAgainAfterMinutes").says("Less than `acknowledgeWithinMinutes`."),
            Member::new("levels", levels).says(
                "Who is told while nobody acknowledges it, one after the other; the first by the deadline.",
            ),
        ])
    });
    let groups = by_word(Group::ALL.iter().map(|group| group.as_str()), |_| Recipients::schema());
    let example = |name: &str| defaults.get(name).cloned().unwrap_or_default();
    vec![
        Member::new("severities", severities).like(example("severities")),
        Member::new("groups", groups).like(example("groups")).says("Who belongs to each."),
        required::<Recipients>("alwaysNotify").says("Who is told of every finding."),
        required::<Recipients>("privacyOfficers").says("Who is told when somebody breaks the glass."),
        required::<bool>("messagesCarryPatientAndFinding")
            .like(false)
            .says("Whether messages, which travel through other hands, name patient and finding."),
    ]
}

fn metrics() -> Value {
    let sums = || {
        object([
            required::<Number>("raised"),
            required::<Number>("acknowledged"),
            required::<Number>("acknowledgedInTime"),
            nullable::<f64>("percentInTime").like(97.5).says("Of those acknowledged or past their deadline."),
            nullable::<f64>("medianMinutes").like(12.5).says("From the report to the acknowledgement."),
            nullable::<f64>("p95Minutes").like(48.0).says("Within which 95 of 100 were acknowledged."),
            required::<Number>("escalations").says("How many groups were told."),
            required::<Number>("open"),
            required::<Number>("openPastDeadline"),
        ])
    };
    object([
        required::<Time>("from"),
        required::<Time>("to"),
        Member::new(
            "severities",
            by_word(Severity::ALL.iter().map(|severity| severity.as_str()), |_| sums()),
        ),
        Member::new("total", sums()),
    ])
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("Finding", object(finding())),
        ("FindingWithCourse", object(finding().into_iter().chain(course()))),
        (
            "WholeFinding",
            object(
                finding()
                    .into_iter()
                    .chain(course())
                    .chain([Member::new("study", reference("StudyInBrief"))]),
            ),
        ),
        (
            "Notification",
            object([
                required::<String>("recipient").like("dr-1"),
                required::<String>("channel").like("NOTIFICATION"),
                required::<Time>("at"),
                Member::new("outcome", one_of(&["DELIVERED", "FAILED"])),
            ]),
        ),
        (
            "Escalation",
            object([
                required::<Number>("level").says("0 tells those again who were told."),
                Member::new("kind", one_of(&["TOLD_AGAIN", "LEVEL"])),
                nullable::<Group>("group"),
                required::<Time>("dueAt"),
                nullable::<Time>("firedAt").like(Value::Null),
                nullable::<Time>("stoppedAt").like(Value::Null).says("Somebody had acknowledged it before."),
            ]),
        ),
        (
            "Decline",
            object([
                required::<DeclineId>("id"),
                required::<ExternalId>("declinedBy").like("dr-2"),
                required::<Time>("declinedAt"),
                required::<String>("reason").like("Not on duty"),
            ]),
        ),
        (
            "NewFinding",
            object([
                required::<StudyId>("studyId"),
                optional::<ReportId>("reportId")
                    .like(Value::Null)
                    .says("A report of the study that it is in."),
                required::<Prose>("finding").like("Pulmonary embolism in the right lower lobe"),
                required::<Severity>("severity"),
                required::<Line>("category").like("PULMONARY_EMBOLISM"),
                optional::<Line>("bodyPart").like("CHEST"),
                optional::<Recipients>("notifiedTo").says("Who is to be told."),
                optional::<bool>("followUpRequired").says("True unless told otherwise."),
                optional::<Prose>("followUpAction").like("Start anticoagulation"),
                optional::<Line>("followUpStatus").like("PENDING"),
                optional::<Prose>("notes").like("Called the ward at 08:40"),
                optional::<Line>("reportedBy")
                    .like("Doe^Jane")
                    .says("How it is shown; who reports is the token's holder."),
                habit("status", one_of(&[FindingStatus::Open])),
                habit("source", one_of(&[FindingSource::Radiologist])),
            ]),
        ),
        (
            "FollowUp",
            changing(
                object([
                    optional::<Line>("followUpStatus")
                        .like("COMPLETED")
                        .says("COMPLETED or NOT_REQUIRED closes a finding that was acknowledged."),
                    optional::<Prose>("followUpAction").like("Start anticoagulation"),
                    optional::<Prose>("notes").like("Called the ward at 08:40"),
                ]),
                &[],
                &["followUpStatus", "followUpAction", "notes"],
            ),
        ),
        (
            "Acknowledgement",
            object([
                optional::<Prose>("readBack")
                    .like("Embolism on the right, anticoagulation to be started")
                    .says("The finding in one's own words; required for a CRITICAL one."),
                optional::<Line>("acknowledgedBy")
                    .like("Doe^Jane")
                    .says("How it is shown; who acknowledges is the token's holder."),
                habit("status", one_of(&[FindingStatus::Acknowledged])),
            ]),
        ),
        ("Refusal", object([required::<Prose>("reason").like("Not on duty")])),
        ("Metrics", metrics()),
        ("NewCriticalResultsSettings", object(settings())),
        (
            "CriticalResultsSettings",
            object(settings().into_iter().chain([
                required::<Number>("version").says("0 while the defaults are in force."),
                nullable::<ExternalId>("changedBy").like("admin-1"),
                nullable::<Time>("changedAt"),
            ])),
        ),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let one = "/api/critical-findings/{findingId}";
    let acknowledged = ("finding_already_acknowledged", "somebody has acknowledged it");
    vec![
        Operation::new("post", "/api/critical-findings", "raiseFinding")
            .says("Raise a critical finding", "With it come the deadlines by which somebody else is told.")
            .takes(
                "NewFinding",
                &json!({
                    "studyId": StudyId::example(),
                    "finding": "Pulmonary embolism in the right lower lobe",
                    "severity": "CRITICAL",
                    "category": "PULMONARY_EMBOLISM",
                    "notifiedTo": ["dr-1"],
                }),
            )
            .once()
            .creates("finding", "FindingWithCourse")
            .conflicts(&[("study_cancelled", "the study is cancelled, and takes no findings")])
            .leads_to("readFinding", "findingId", "finding/id")
            .leads_to("acknowledgeFinding", "findingId", "finding/id")
            .leads_to("declineFinding", "findingId", "finding/id")
            .leads_to("followUpFinding", "findingId", "finding/id")
            .leads_to("listFindingsOfStudy", "studyId", "finding/studyId")
            .leads_to("listFindingsOfSeverity", "severity", "finding/severity"),
        Operation::new("get", "/api/critical-findings", "listFindings")
            .says("List critical findings", "Those that the caller may read, newest first.")
            .filter::<StudyId>("studyId", "Of this study.")
            .filter::<Severity>("severity", "Of this severity.")
            .filter::<FindingStatus>("status", "In this status.")
            .paged()
            .in_an_emergency()
            .answers_page("findings", "Finding"),
        Operation::new("get", "/api/critical-findings/pending", "listPendingFindings")
            .says("List findings that nobody has acknowledged", "The most urgent deadline first.")
            .paged()
            .in_an_emergency()
            .answers_page("findings", "Finding"),
        Operation::new("get", "/api/critical-findings/metrics", "readFindingMetrics")
            .says("Read how well findings are acknowledged", "By severity; patients are not named.")
            .filter::<Moment>(
                "from",
                "Reported then or later; thirty days before the end unless told otherwise.",
            )
            .filter::<RangeEnd>("to", "Reported then or before; until now unless told otherwise.")
            .answers(200, [Member::new("metrics", reference("Metrics"))]),
        Operation::new("get", "/api/critical-findings/study/{studyId}", "listFindingsOfStudy")
            .says("List a study's findings", "Those that the caller may read, newest first.")
            .in_an_emergency()
            .answers(
                200,
                [
                    Member::new("findings", list(reference("Finding"))),
                    sometimes("findingsTruncated", bool::schema())
                        .says("There are more than these 1,000; the rest is in the list, by page."),
                ],
            ),
        Operation::new("get", "/api/critical-findings/severity/{severity}", "listFindingsOfSeverity")
            .says("List findings of a severity", "Those that the caller may read, newest first.")
            .never_missing()
            .paged()
            .in_an_emergency()
            .answers_page("findings", "Finding"),
        Operation::new("get", one, "readFinding")
            .says("Read a critical finding", "With its study and what became of it.")
            .in_an_emergency()
            .answers_one("finding", "WholeFinding")
            .leads_to("acknowledgeFinding", "findingId", "finding/id")
            .leads_to("followUpFinding", "findingId", "finding/id"),
        Operation::new("patch", one, "followUpFinding")
            .says(
                "Note what is done about a finding",
                "A follow-up that is done closes one that was acknowledged.",
            )
            .of_a_version()
            .takes("FollowUp", &json!({"followUpStatus": "COMPLETED", "notes": "Called the ward at 08:40"}))
            .answers_one("finding", "FindingWithCourse")
            .conflicts(&[("finding_closed", "nothing more is noted")])
            .leads_to("readFinding", "findingId", "finding/id"),
        Operation::new("post", "/api/critical-findings/{findingId}/acknowledge", "acknowledgeFinding")
            .says("Acknowledge a finding", "By a clinician, never the one who reported it; once.")
            .of_a_version()
            .may_take(
                "Acknowledgement",
                &json!({"readBack": "Embolism on the right, anticoagulation to be started"}),
            )
            .once()
            .answers_one("finding", "FindingWithCourse")
            .conflicts(&[acknowledged])
            .leads_to("readFinding", "findingId", "finding/id")
            .leads_to("followUpFinding", "findingId", "finding/id"),
        Operation::new("post", "/api/critical-findings/{findingId}/decline", "declineFinding")
            .says("Decline a finding", "It is not the caller's: somebody else is told.")
            .of_a_version()
            .takes("Refusal", &json!({"reason": "Not on duty"}))
            .once()
            .answers_one("finding", "FindingWithCourse")
            .conflicts(&[acknowledged, ("finding_already_declined", "the caller has declined it already")])
            .leads_to("readFinding", "findingId", "finding/id"),
    ]
}

pub(super) fn operations_on_settings() -> Vec<Operation> {
    let path = "/api/settings/critical-results";
    vec![
        Operation::new("get", path, "readCriticalResultsSettings")
            .says(
                "Read how critical findings are followed",
                "The defaults, as version 0, until somebody has changed them.",
            )
            .answers_one("settings", "CriticalResultsSettings"),
        Operation::new("put", path, "changeCriticalResultsSettings")
            .says(
                "Change how critical findings are followed",
                "As a whole. Findings that were raised before keep their deadlines.",
            )
            .of_a_version()
            .takes("NewCriticalResultsSettings", &json!(CriticalResults::default()))
            .answers_one("settings", "CriticalResultsSettings"),
    ]
}
