//! `/api/finding-rules`, and what a finding says of the file that it comes from.

use domain::{
    ExternalId, FindingRules, ImageId, Line, RuleId, RuleSeverity, Severity,
    dicom::{CadOutcome, CadType, Completion, Uid, Verification},
};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    schema::{
        Described, Member, Number, Time, changing, list, nullable, object, optional, or_null, reference,
        required, sometimes, with,
    },
};

pub(super) const TAG: (&str, &str) = (
    "Finding rules",
    "Which statements of structured reports and of computer-aided detection raise a critical finding.",
);

/// A list of at most as many as there may be, that may be left out.
fn some(name: &'static str, items: Value) -> Member {
    sometimes(name, or_null(with(list(items), "maxItems", FindingRules::MOST.into())))
}

fn list_of_rules() -> Value {
    with(list(reference("FindingRule")), "maxItems", FindingRules::MOST.into())
}

fn rules() -> Member {
    let defaults = json!(FindingRules::default());
    Member::new("rules", list_of_rules())
        .like(defaults.get("rules").cloned().unwrap_or_default())
        .says("Each with an id of its own. Their order means nothing.")
}

fn matches() -> Value {
    let percent = json!({"type": "number", "minimum": 0, "maximum": 100});
    let matches = object([
        some("categories", reference("Code")).says("Of these categories of urgency."),
        some("findings", reference("Code")).says("Of these findings."),
        some("algorithms", reference("AlgorithmPattern")).says("Found by one of these."),
        some("cad", CadType::schema())
            .says("Marks of computer-aided detection of these types. A rule without it is not about marks."),
        sometimes("threshold", or_null(percent)).says(
            "The least score, in percent. A mark without one is below it, a finding without one above.",
        ),
    ]);
    let named = ["categories", "findings", "algorithms", "cad"]
        .map(|name| json!({"required": [name], "properties": {name: {"type": "array", "minItems": 1}}}));
    with(matches, "anyOf", json!(named))
}

/// What a file says of where a finding comes from: the members that a dry run shows as well.
fn origin() -> Vec<Member> {
    let algorithm = object([
        nullable::<String>("manufacturer").like("Acme"),
        required::<String>("name").like("BleedDetect"),
        nullable::<String>("version").like("2.1"),
    ]);
    vec![
        required::<Uid>("sopInstanceUID").says("Of the report."),
        required::<RuleId>("rule").says("By which it was raised."),
        Member::new("images", list(Uid::schema()))
            .like(json!([Uid::example()]))
            .says("The SOP Instance UIDs of the images that it is about, at most 16."),
        nullable::<Uid>("trackingUID").says("The same in every report about the same thing."),
        required::<String>("path").like("1.4.2").says("Where in the report's content tree it is stated."),
        Member::new("algorithm", or_null(algorithm)).says("What found it, unless a person did."),
        nullable::<f64>("score").like(87.5).says("How certain it is, in percent."),
        required::<bool>("isPartial").says("The report says that it is not all there yet."),
        required::<bool>("isUnverified").says("No person has put a name to the report."),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Code",
            object([
                required::<Line>("value").like("RID49480"),
                required::<Line>("scheme").like("RADLEX"),
                optional::<Line>("meaning").like("ACR Category 1 Actionable Finding"),
            ]),
        ),
        (
            "AlgorithmPattern",
            changing(
                object([
                    optional::<Line>("manufacturer").like("Acme").says("Whatever its case."),
                    optional::<Line>("name").like("BleedDetect").says("Whatever its case."),
                    optional::<Line>("version").like("2.1"),
                ]),
                &["manufacturer", "name", "version"],
                &[],
            ),
        ),
        (
            "FindingRule",
            object([
                required::<RuleId>("id"),
                required::<Line>("name").like("Actionable within minutes"),
                required::<bool>("enabled"),
                Member::new("matches", matches()).says("All of it has to hold; of a list, one."),
                required::<RuleSeverity>("severity")
                    .says("`NONE` raises nothing, also where another rule would."),
                required::<Line>("category").like("Actionable finding, category 1"),
                optional::<Line>("bodyPart").like("HEAD").says("Where the report does not say where."),
            ]),
        ),
        ("NewFindingRules", object([rules()])),
        (
            "FindingRules",
            object([
                rules(),
                required::<Number>("version").says("0 while the defaults are in force."),
                nullable::<ExternalId>("changedBy").like("admin-1"),
                nullable::<Time>("changedAt"),
            ]),
        ),
        ("FindingOrigin", object(origin())),
        (
            "DryRun",
            object([
                required::<ImageId>("imageId").says("A stored structured report."),
                sometimes("rules", or_null(list_of_rules()))
                    .says("The rules to try; those in force unless told otherwise."),
            ]),
        ),
        (
            "WouldBeRaised",
            object(origin().into_iter().chain([
                required::<Severity>("severity"),
                required::<String>("category").like("Actionable finding, category 1"),
                nullable::<String>("bodyPart").like("HEAD"),
                required::<bool>("alreadyRaised").says("The same rule has raised it of this report before."),
            ])),
        ),
        (
            "StructuredReport",
            object([
                nullable::<String>("template").like("1500"),
                nullable::<Completion>("completion"),
                nullable::<Verification>("verification"),
                nullable::<CadType>("cadType"),
                nullable::<CadOutcome>("cadOutcome")
                    .says("Where not all succeeded, no finding does not mean that there is none."),
                required::<Number>("statements").says("How many there are."),
                required::<bool>("isIncomplete").says("There is more in it than was looked at."),
            ]),
        ),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let path = "/api/finding-rules";
    vec![
        Operation::new("get", path, "readFindingRules")
            .says("Read the finding rules", "The defaults, as version 0, until somebody has changed them.")
            .answers_one("rules", "FindingRules"),
        Operation::new("put", path, "changeFindingRules")
            .says("Change the finding rules", "As a whole. Findings that were raised before stay.")
            .of_a_version()
            .takes("NewFindingRules", &json!(FindingRules::default()))
            .answers_one("rules", "FindingRules"),
        Operation::new("post", "/api/finding-rules/dry-run", "tryFindingRules")
            .says(
                "Try finding rules on a stored report",
                "Nothing is raised, and nothing of what the report says of the patient is shown.",
            )
            .takes("DryRun", &json!({"imageId": ImageId::example()}))
            .once()
            .answers(
                200,
                [
                    Member::new("report", reference("StructuredReport")),
                    Member::new("raised", list(reference("WouldBeRaised"))),
                ],
            )
            .conflicts(&[("blob_unreadable", "storage has the report, and does not give it out")]),
    ]
}
