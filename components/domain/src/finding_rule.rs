//! What an organization wants done about what structured reports state: rules as data.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Fault, Line, Parse, Severity,
    dicom::{
        Algorithm, CadType, Code, Completion, IMAGES_LIMIT, Statement, StatementKind, StructuredReport, Uid,
        Verification,
    },
    enumeration::enumeration,
    fields::Fields,
    parse,
};

enumeration! {
    /// What a rule makes of a statement: a finding of that severity, or none, also where another rule would.
    RuleSeverity { Critical = "CRITICAL", High = "HIGH", Moderate = "MODERATE", Low = "LOW", None = "NONE" }
}

impl RuleSeverity {
    const fn raised(self) -> Option<Severity> {
        match self {
            Self::Critical => Some(Severity::Critical),
            Self::High => Some(Severity::High),
            Self::Moderate => Some(Severity::Moderate),
            Self::Low => Some(Severity::Low),
            Self::None => None,
        }
    }
}

/// One rule: which statements it is about, and what it makes of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingRule {
    pub id: RuleId,
    pub name: Line,
    pub enabled: bool,
    pub matches: Matches,
    pub severity: RuleSeverity,
    /// The category of the findings that it raises.
    pub category: Line,
    /// Their body part where the report does not say where in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_part: Option<Line>,
}

/// What all has to hold of a statement; of a list, one of it. What is empty is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Matches {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Code>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Code>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<AlgorithmPattern>,
    /// Marks of computer-aided detection of these types. A rule without it is not about marks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cad: Vec<CadType>,
    /// The least score, in percent. A mark without one is below every threshold; a finding without one is stated
    /// outright, and above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// An algorithm, or all those that have in common what is given; manufacturer and name whatever their case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlgorithmPattern {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Line>,
}

/// The name by which a rule is known to the findings that it raised: lower case letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RuleId(String);

impl RuleId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for RuleId {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Self, Fault> {
        let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(is_right) {
            return Err(Fault::new("must be 1 to 64 lower case letters, digits and hyphens"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Parse for RuleId {
    fn parse(value: &Value) -> Result<Self, Fault> {
        parse::text(value)?.try_into()
    }
}

/// The rules of an organization, each with an id of its own. Their order means nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingRules {
    rules: Vec<FindingRule>,
}

impl Default for FindingRules {
    /// The policy of the contract.
    ///
    /// - The category that a report itself gives decides: 1, within minutes, is CRITICAL; 2, within hours, HIGH; 3,
    ///   within days, MODERATE. What it calls non-actionable raises nothing, whatever was found.
    /// - Four findings are CRITICAL by their code alone. The codes do not say how large or how recent; of each, the
    ///   worst that the code may mean kills within the hour.
    /// - Marks of computer-aided detection raise nothing until somebody turns that on: they are made for a second
    ///   look by the one who reads the images, and most of them, several a patient, are of nothing. As findings
    ///   with deadlines they would bury those that are.
    fn default() -> Self {
        use RuleSeverity::{Critical, High, Moderate, None};
        const LIFE_THREATENING: &str = "Life-threatening finding";
        let category = |value, meaning| Matches {
            categories: vec![code(value, "RADLEX", meaning)],
            ..Matches::default()
        };
        let finding =
            |value, meaning| Matches { findings: vec![code(value, "SCT", meaning)], ..Matches::default() };
        let marks = Matches { cad: CadType::ALL.to_vec(), threshold: Some(80.0), ..Matches::default() };
        let rules = [
            (
                (
                    "acr-category-1",
                    "Actionable within minutes",
                    category("RID49480", "ACR Category 1 Actionable Finding"),
                ),
                (Critical, "Actionable finding, category 1", ""),
            ),
            (
                (
                    "acr-category-2",
                    "Actionable within hours",
                    category("RID49481", "ACR Category 2 Actionable Finding"),
                ),
                (High, "Actionable finding, category 2", ""),
            ),
            (
                (
                    "acr-category-3",
                    "Actionable within days to months",
                    category("RID49482", "ACR Category 3 Actionable Finding"),
                ),
                (Moderate, "Actionable finding, category 3", ""),
            ),
            (
                ("acr-non-actionable", "Nothing to act on", category("RID50261", "Non-actionable")),
                (None, "Non-actionable finding", ""),
            ),
            (
                (
                    "intracranial-hemorrhage",
                    "Intracranial hemorrhage",
                    finding("1386000", "Intracranial hemorrhage"),
                ),
                (Critical, LIFE_THREATENING, "HEAD"),
            ),
            (
                ("pneumothorax", "Pneumothorax", finding("36118008", "Pneumothorax")),
                (Critical, LIFE_THREATENING, "CHEST"),
            ),
            (
                ("pulmonary-embolism", "Pulmonary embolism", finding("59282003", "Pulmonary embolism")),
                (Critical, LIFE_THREATENING, "CHEST"),
            ),
            (
                ("aortic-dissection", "Aortic dissection", finding("308546005", "Dissection of aorta")),
                (Critical, LIFE_THREATENING, "AORTA"),
            ),
            (
                ("cad-marks", "Marks of computer-aided detection", marks),
                (Moderate, "Mark of computer-aided detection", ""),
            ),
        ];
        let rule = |((id, name, matches), (severity, category, body_part)): (_, (_, &str, &str))| {
            Some(FindingRule {
                enabled: id != "cad-marks",
                id: RuleId::try_from(id).ok()?,
                name: Line::try_from(name).ok()?,
                matches,
                severity,
                category: Line::try_from(category).ok()?,
                body_part: Line::try_from(body_part).ok(),
            })
        };
        Self { rules: rules.into_iter().filter_map(rule).collect() }
    }
}

fn code(value: &str, scheme: &str, meaning: &str) -> Code {
    Code { value: value.to_owned(), scheme: scheme.to_owned(), meaning: meaning.to_owned() }
}

impl FindingRules {
    /// The most rules of an organization, and codes or algorithms of one rule.
    pub const MOST: usize = 200;

    /// Reads `{"rules": […]}`; or every fault, with the path of its field.
    pub fn read(document: &Map<String, Value>) -> Result<Self, Vec<(String, Fault)>> {
        let mut fields = Fields::of(document);
        let mut ids = BTreeSet::new();
        let rules = fields.each("rules", Self::MOST, |fields, name| {
            let at = name.to_owned();
            fields.within(name, FindingRule::read).map(|rule| (at, rule))
        });
        for (name, rule) in rules.iter().flatten() {
            if !ids.insert(rule.id.clone()) {
                fields.fault(&format!("{name}.id"), "is another rule's");
            }
        }
        fields.finish(rules).map(|rules| Self { rules: rules.into_iter().map(|(_, rule)| rule).collect() })
    }

    pub fn rules(&self) -> &[FindingRule] {
        &self.rules
    }

    /// The findings that a report raises, the most severe first, otherwise as they stand in it, each once.
    ///
    /// Of several rules about a statement one decides: a rule about categories before one about findings, and that
    /// before others, since a report that says how urgent something is knows better than a list of codes; then the
    /// rule that asks for more; then the more severe.
    ///
    /// Of several statements under one tracking UID, which are of one thing, the most severe is raised; and so is one
    /// of several that say the same words.
    pub fn raise(&self, report: &StructuredReport) -> Vec<Raised> {
        let decided = report.statements.iter().enumerate().filter_map(|(at, statement)| {
            let rules = self.rules.iter().filter(|rule| rule.enabled);
            let matching = rules.filter(|rule| rule.matches.hold_of(statement, report.cad_type));
            let rule = matching.min_by_key(|rule| rule.precedence())?;
            Some((rule.severity.raised()?, rule, at, statement))
        });
        let mut decided: Vec<_> = decided.collect();
        decided.sort_by_key(|(severity, _, at, _)| (*severity, *at));

        let mut raised: Vec<Raised> = Vec::new();
        for (severity, rule, _, statement) in decided {
            let said = Raised::of(severity, rule, statement, report);
            match raised.iter_mut().find(|earlier| earlier.is_same_as(&said)) {
                Some(earlier) => earlier.add_images(said.images),
                None => raised.push(said),
            }
        }
        raised
    }
}

impl FindingRule {
    fn read(fields: &mut Fields) -> Option<Self> {
        let id = fields.required("id");
        let name = fields.required("name");
        let enabled = fields.required("enabled");
        let matches = fields.within("matches", Matches::read);
        let severity = fields.required("severity");
        let category = fields.required("category");
        let body_part = fields.optional("bodyPart");
        if matches.as_ref().is_some_and(Matches::hold_of_everything) {
            fields.fault("matches", "must name categories, findings, algorithms or cad");
        }
        Some(Self {
            id: id?,
            name: name?,
            enabled: enabled?,
            matches: matches?,
            severity: severity?,
            category: category?,
            body_part,
        })
    }

    /// The least decides.
    fn precedence(&self) -> (u8, Reverse<usize>, RuleSeverity, &str) {
        let Matches { categories, findings, algorithms, cad, threshold } = &self.matches;
        let evidence = match (categories.is_empty(), findings.is_empty()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        let asked = [!categories.is_empty(), !findings.is_empty(), !algorithms.is_empty(), !cad.is_empty()];
        let asked = asked.into_iter().chain([threshold.is_some()]).filter(|is_asked| *is_asked).count();
        (evidence, Reverse(asked), self.severity, self.id.as_str())
    }
}

impl Matches {
    fn read(fields: &mut Fields) -> Option<Self> {
        let code = |fields: &mut Fields, name: &str| fields.within(name, read_code);
        let algorithm = |fields: &mut Fields, name: &str| fields.within(name, AlgorithmPattern::read);
        let categories = fields.each_if_any("categories", FindingRules::MOST, code);
        let findings = fields.each_if_any("findings", FindingRules::MOST, code);
        let algorithms = fields.each_if_any("algorithms", FindingRules::MOST, algorithm);
        let cad = fields.each_if_any("cad", FindingRules::MOST, |fields, name| fields.required(name));
        let threshold = fields.optional::<Percent>("threshold").map(|Percent(percent)| percent);
        Some(Self {
            categories: categories?,
            findings: findings?,
            algorithms: algorithms?,
            cad: cad?,
            threshold,
        })
    }

    fn hold_of_everything(&self) -> bool {
        let Self { categories, findings, algorithms, cad, .. } = self;
        categories.is_empty() && findings.is_empty() && algorithms.is_empty() && cad.is_empty()
    }

    fn hold_of(&self, statement: &Statement, cad_type: Option<CadType>) -> bool {
        let is_any = |codes: &[Code], said: &Code| codes.iter().any(|code| code.is_same_as(said));
        let is_mark = statement.kind == StatementKind::Mark;
        let is_of_type = cad_type.is_some_and(|cad_type| self.cad.contains(&cad_type));
        let is_enough = |threshold| statement.score.map_or(!is_mark, |score| score >= threshold);
        // A report that gives a category to what it says is absent contradicts itself, and somebody has to look.
        let is_there = !statement.is_absent || !self.categories.is_empty();

        is_there
            && (if is_mark { is_of_type } else { self.cad.is_empty() })
            && (self.categories.is_empty()
                || statement.categories.iter().any(|said| is_any(&self.categories, said)))
            && (self.findings.is_empty()
                || statement.finding.as_ref().is_some_and(|said| is_any(&self.findings, said)))
            && (self.algorithms.is_empty()
                || statement
                    .algorithm
                    .as_ref()
                    .is_some_and(|said| self.algorithms.iter().any(|pattern| pattern.holds_of(said))))
            && self.threshold.is_none_or(is_enough)
    }
}

impl AlgorithmPattern {
    fn read(fields: &mut Fields) -> Option<Self> {
        if !["manufacturer", "name", "version"].iter().any(|name| fields.holds(name)) {
            fields.fault("name", "is required, or a manufacturer or a version");
        }
        Some(Self {
            manufacturer: fields.optional("manufacturer"),
            name: fields.optional("name"),
            version: fields.optional("version"),
        })
    }

    fn holds_of(&self, algorithm: &Algorithm) -> bool {
        let is_name = |pattern: &Option<Line>, said: Option<&str>| {
            let is_said = |pattern: &Line| said.is_some_and(|said| is_same_name(pattern.as_str(), said));
            pattern.as_ref().is_none_or(is_said)
        };
        let is_version =
            |pattern: &Line| algorithm.version.as_deref().is_some_and(|version| version == pattern.as_str());
        is_name(&self.manufacturer, algorithm.manufacturer.as_deref())
            && is_name(&self.name, Some(&algorithm.name))
            && self.version.as_ref().is_none_or(is_version)
    }
}

fn is_same_name(one: &str, other: &str) -> bool {
    one.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
}

fn read_code(fields: &mut Fields) -> Option<Code> {
    let value = fields.required::<Line>("value");
    let scheme = fields.required::<Line>("scheme");
    let meaning = fields.optional::<Line>("meaning");
    let text = |line: Line| line.as_str().to_owned();
    Some(Code { value: text(value?), scheme: text(scheme?), meaning: meaning.map(text).unwrap_or_default() })
}

struct Percent(f64);

impl Parse for Percent {
    fn parse(value: &Value) -> Result<Self, Fault> {
        let percent = value.as_f64().filter(|percent| (0.0..=100.0).contains(percent));
        percent.map(Self).ok_or_else(|| Fault::new("must be a number from 0 to 100"))
    }
}

/// A finding that a report raises. Serialises under the contract's camelCase names.
#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Raised {
    /// The same however often the report comes, and no other's: `<SOP Instance UID>/<rule>/<tracking UID, or path>`.
    pub key: String,
    pub rule: RuleId,
    pub severity: Severity,
    pub category: Line,
    pub body_part: Option<String>,
    /// What to tell: the statement's text and, in brackets, what found it and what speaks against it.
    pub finding: String,
    pub code: Option<Code>,
    #[serde(rename = "sopInstanceUID")]
    pub sop_instance_uid: Uid,
    pub images: Vec<Uid>,
    #[serde(rename = "trackingUID")]
    pub tracking_uid: Option<Uid>,
    /// Where in the report's content tree it is stated.
    pub path: String,
    pub algorithm: Option<Algorithm>,
    pub score: Option<f64>,
    /// The report says that it is not all there yet.
    pub is_partial: bool,
    /// No person has put a name to the report.
    pub is_unverified: bool,
}

/// Without the text, which is about a patient and has no place in a log.
impl fmt::Debug for Raised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Raised({} by {})", self.severity, self.key)
    }
}

impl Raised {
    fn of(severity: Severity, rule: &FindingRule, statement: &Statement, report: &StructuredReport) -> Self {
        let place = statement.tracking_uid.as_ref().map_or(statement.path.as_str(), Uid::as_str);
        let is_partial = report.completion == Some(Completion::Partial);
        let is_unverified = report.verification != Some(Verification::Verified);
        let body_part = statement.site.as_ref().map(|site| site.meaning.clone());
        Self {
            key: format!("{}/{}/{place}", report.sop_instance_uid, rule.id.as_str()),
            rule: rule.id.clone(),
            severity,
            category: rule.category.clone(),
            body_part: body_part
                .filter(|site| !site.is_empty())
                .or_else(|| rule.body_part.as_ref().map(|part| part.as_str().to_owned())),
            finding: told(statement, is_partial, is_unverified),
            code: statement.finding.clone(),
            sop_instance_uid: report.sop_instance_uid.clone(),
            images: statement.images.clone(),
            tracking_uid: statement.tracking_uid.clone(),
            path: statement.path.clone(),
            algorithm: statement.algorithm.clone(),
            score: statement.score,
            is_partial,
            is_unverified,
        }
    }

    /// Who says so: the algorithm that found it, or the report.
    pub fn reported_by(&self) -> String {
        self.algorithm.as_ref().map_or_else(|| "Structured report".to_owned(), named)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        match (&self.tracking_uid, &other.tracking_uid) {
            (None, None) => self.rule == other.rule && self.finding == other.finding,
            (one, other) => one == other,
        }
    }

    fn add_images(&mut self, images: Vec<Uid>) {
        for image in images {
            if self.images.len() < IMAGES_LIMIT && !self.images.contains(&image) {
                self.images.push(image);
            }
        }
    }
}

/// An algorithm by its name, version and manufacturer.
fn named(Algorithm { manufacturer, name, version }: &Algorithm) -> String {
    let version = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let manufacturer =
        manufacturer.as_ref().map(|manufacturer| format!(" of {manufacturer}")).unwrap_or_default();
    format!("{name}{version}{manufacturer}")
}

fn told(statement: &Statement, is_partial: bool, is_unverified: bool) -> String {
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(statement.algorithm.as_ref().map(named));
    remarks.extend(statement.score.map(|score| format!("{} %", (score * 10.0).round() / 10.0)));
    remarks.extend(statement.is_absent.then(|| "said to be absent".to_owned()));
    remarks.extend(is_partial.then(|| "partial report".to_owned()));
    remarks.extend(is_unverified.then(|| "unverified".to_owned()));
    if remarks.is_empty() {
        return statement.text.clone();
    }
    format!("{} [{}]", statement.text, remarks.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document(rules: &Value) -> Map<String, Value> {
        json!({"rules": rules}).as_object().unwrap().clone()
    }

    fn read(rules: &Value) -> FindingRules {
        FindingRules::read(&document(rules)).unwrap()
    }

    fn code_of(code: &str) -> Code {
        let (value, scheme) = code.split_once(' ').unwrap();
        super::code(value, scheme, "")
    }

    /// A report of findings, marks and categories: each with a code, a category, a score.
    fn report(statements: &[(StatementKind, &str, &str, Option<f64>)]) -> StructuredReport {
        let statement =
            |(number, &(kind, finding, category, score)): (usize, &(_, &str, &str, _))| Statement {
                kind,
                finding: Some(finding).filter(|code| !code.is_empty()).map(code_of),
                categories: Some(category).filter(|code| !code.is_empty()).map(code_of).into_iter().collect(),
                site: None,
                laterality: None,
                text: format!("statement {number}"),
                images: Vec::new(),
                tracking_uid: None,
                algorithm: Some(Algorithm {
                    manufacturer: Some("Acme Imaging".to_owned()),
                    name: "BleedDetect".to_owned(),
                    version: Some("2.1".to_owned()),
                }),
                score,
                path: format!("1.{}", number + 1),
                is_absent: false,
            };
        StructuredReport {
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.88.50".parse().unwrap(),
            sop_instance_uid: "1.2.3.4".parse().unwrap(),
            title: None,
            template: None,
            completion: Some(Completion::Complete),
            verification: Some(Verification::Verified),
            cad_type: Some(CadType::Mammography),
            cad_outcome: None,
            communication: None,
            statements: statements.iter().enumerate().map(statement).collect(),
            is_incomplete: false,
        }
    }

    fn raised(rules: &FindingRules, report: &StructuredReport) -> String {
        let line =
            |raised: &Raised| format!("{} {} {}\n", raised.rule.as_str(), raised.severity, raised.path);
        rules.raise(report).iter().map(line).collect()
    }

    /// A rule with these members beside what every rule has.
    fn rule(id: &str, severity: &str, matches: Value) -> Value {
        json!({
            "id": id, "name": id, "enabled": true, "matches": matches, "severity": severity, "category": "Test",
        })
    }

    const HEMORRHAGE: &str = "1386000 SCT";
    const CATEGORY_3: &str = "RID49482 RADLEX";

    #[test]
    fn what_may_be_left_out_may_as_well_be_null() {
        let rule = |matches: &Value, body_part: &Value| {
            read(&json!([{
                "id": "nodule", "name": "Nodule", "enabled": true, "matches": matches, "severity": "LOW",
                "category": "Nodule", "bodyPart": body_part,
            }]))
        };
        let codes = json!([{"value": "27925004", "scheme": "SCT", "meaning": null}]);
        let nulls = json!({"findings": codes, "categories": null, "algorithms": null, "cad": null, "threshold": null});
        assert_eq!(rule(&nulls, &Value::Null), rule(&json!({"findings": codes}), &Value::Null));
    }

    #[test]
    fn who_says_so_is_the_algorithm_or_else_the_report() {
        let found = report(&[(StatementKind::Finding, "1386000 SCT", "", None)]);
        let by = |report: &StructuredReport| FindingRules::default().raise(report)[0].reported_by();
        assert_eq!(by(&found), "BleedDetect 2.1 of Acme Imaging");
        let mut unnamed = found;
        unnamed.statements[0].algorithm = None;
        assert_eq!(by(&unnamed), "Structured report");
    }

    #[test]
    fn the_defaults_are_the_policy_of_the_contract() {
        let code = |code: &Code| format!("{} {} {}", code.value, code.scheme, code.meaning);
        let lines: String = FindingRules::default()
            .rules()
            .iter()
            .map(|rule| {
                let Matches { categories, findings, algorithms, cad, threshold } = &rule.matches;
                assert!(algorithms.is_empty());
                let codes: Vec<String> = categories.iter().chain(findings).map(code).collect();
                let cad: Vec<&str> = cad.iter().map(|cad_type| cad_type.as_str()).collect();
                let threshold = threshold.map(|threshold| format!(" from {threshold} %")).unwrap_or_default();
                let enabled = if rule.enabled { "" } else { " (off)" };
                let body_part = rule.body_part.as_ref().map_or("-", |part| part.as_str());
                let matches = format!("{}{}{threshold}", codes.join(", "), cad.join(", "));
                let (id, severity, category) = (rule.id.as_str(), rule.severity, rule.category.as_str());
                format!("{id}{enabled}: {matches}\n  {severity}, {category}, {body_part}\n")
            })
            .collect();
        insta::assert_snapshot!(lines, @r"
        acr-category-1: RID49480 RADLEX ACR Category 1 Actionable Finding
          CRITICAL, Actionable finding, category 1, -
        acr-category-2: RID49481 RADLEX ACR Category 2 Actionable Finding
          HIGH, Actionable finding, category 2, -
        acr-category-3: RID49482 RADLEX ACR Category 3 Actionable Finding
          MODERATE, Actionable finding, category 3, -
        acr-non-actionable: RID50261 RADLEX Non-actionable
          NONE, Non-actionable finding, -
        intracranial-hemorrhage: 1386000 SCT Intracranial hemorrhage
          CRITICAL, Life-threatening finding, HEAD
        pneumothorax: 36118008 SCT Pneumothorax
          CRITICAL, Life-threatening finding, CHEST
        pulmonary-embolism: 59282003 SCT Pulmonary embolism
          CRITICAL, Life-threatening finding, CHEST
        aortic-dissection: 308546005 SCT Dissection of aorta
          CRITICAL, Life-threatening finding, AORTA
        cad-marks (off): MAMMOGRAPHY, CHEST, COLON from 80 %
          MODERATE, Mark of computer-aided detection, -
        ");
    }

    #[test]
    fn rules_read_back_as_they_are_written() {
        let written = json!(FindingRules::default());
        let defaults = FindingRules::read(written.as_object().unwrap()).unwrap();
        assert_eq!(defaults, FindingRules::default());
        let rules = json!([
            {
                "id": "acme", "name": "Acme's", "enabled": false, "severity": "NONE", "category": "Test",
                "bodyPart": "CHEST",
                "matches": {
                    "categories": [{"value": "1", "scheme": "99ACME", "meaning": "Urgent"}],
                    "algorithms": [{"manufacturer": "Acme", "version": "2.1"}],
                    "cad": ["CHEST"],
                    "threshold": 0.0,
                },
            },
        ]);
        assert_eq!(json!(read(&rules))["rules"], rules);
        assert_eq!(json!(read(&json!([])))["rules"], json!([]));
    }

    #[test]
    fn every_fault_is_named_with_its_path() {
        let faults = |document: Value| -> String {
            let faults = FindingRules::read(document.as_object().unwrap()).unwrap_err();
            faults.iter().map(|(field, fault)| format!("{field} {fault}\n")).collect()
        };
        insta::assert_snapshot!(
            faults(json!({
                "rules": [
                    rule("a", "CRITICAL", json!({"findings": [{"value": "1", "scheme": "SCT"}]})),
                    rule("b", "SEVERE", json!({})),
                    rule("B c", "HIGH", json!({
                        "categories": {},
                        "findings": [{"value": "", "code": 1}, 5],
                        "algorithms": [{}, {"name": 1}],
                        "cad": ["BREAST"],
                        "threshold": 101,
                    })),
                    rule("c", "LOW", json!({"threshold": 50})),
                    rule("a", "LOW", json!({"cad": ["CHEST"]})),
                    {"colour": "red"},
                    "none",
                ],
                "more": 1,
            })),
            @r"
        rules[1].severity must be one of CRITICAL HIGH MODERATE LOW NONE
        rules[1].matches must name categories, findings, algorithms or cad
        rules[2].id must be 1 to 64 lower case letters, digits and hyphens
        rules[2].matches.categories must be a list
        rules[2].matches.findings[0].value must not be empty
        rules[2].matches.findings[0].scheme is required
        rules[2].matches.findings[0].code is not a field that can be set here
        rules[2].matches.findings[1] must be an object
        rules[2].matches.algorithms[0].name is required, or a manufacturer or a version
        rules[2].matches.algorithms[1].name must be a string
        rules[2].matches.cad[0] must be one of MAMMOGRAPHY CHEST COLON
        rules[2].matches.threshold must be a number from 0 to 100
        rules[3].matches must name categories, findings, algorithms or cad
        rules[5].id is required
        rules[5].name is required
        rules[5].enabled is required
        rules[5].matches is required
        rules[5].severity is required
        rules[5].category is required
        rules[5].colour is not a field that can be set here
        rules[6] must be an object
        rules[4].id is another rule's
        more is not a field that can be set here
        "
        );
        insta::assert_snapshot!(faults(json!({})), @"rules is required");
        insta::assert_snapshot!(faults(json!({"rules": {}})), @"rules must be a list");
        let many = vec![Value::Null; FindingRules::MOST + 1];
        insta::assert_snapshot!(faults(json!({"rules": many})), @"rules must be a list of at most 200");
    }

    #[test]
    fn the_category_decides_before_the_code_and_the_narrower_rule_before_the_wider() {
        use StatementKind::Finding;
        let mut rules = json!(FindingRules::default())["rules"].as_array().unwrap().clone();
        let findings = json!([{"value": "1386000", "scheme": "SCT"}]);
        let about_acme = rule(
            "acme-bleed",
            "HIGH",
            json!({"findings": findings, "algorithms": [{"name": "bleeddetect"}]}),
        );
        let hemorrhage = report(&[(Finding, HEMORRHAGE, "", None)]);
        let with_category = report(&[(Finding, HEMORRHAGE, CATEGORY_3, None)]);
        let harmless = report(&[(Finding, HEMORRHAGE, "RID50261 RADLEX", None)]);

        let defaults = FindingRules::default();
        assert_eq!(raised(&defaults, &hemorrhage), "intracranial-hemorrhage CRITICAL 1.1\n");
        assert_eq!(raised(&defaults, &with_category), "acr-category-3 MODERATE 1.1\n");
        assert_eq!(raised(&defaults, &harmless), "");

        rules.push(about_acme);
        let with_acme = read(&json!(rules));
        assert_eq!(raised(&with_acme, &hemorrhage), "acme-bleed HIGH 1.1\n");
        assert_eq!(raised(&with_acme, &with_category), "acr-category-3 MODERATE 1.1\n");
    }

    #[test]
    fn an_algorithm_is_known_by_its_manufacturer_name_and_version() {
        let hemorrhage = report(&[(StatementKind::Finding, HEMORRHAGE, "", None)]);
        for (pattern, holds) in [
            (json!({"manufacturer": "ACME imaging"}), true),
            (json!({"name": "bleeddetect"}), true),
            (json!({"version": "2.1"}), true),
            (json!({"manufacturer": "Acme Imaging", "name": "BleedDetect", "version": "2.1"}), true),
            (json!({"manufacturer": "Acme"}), false),
            (json!({"name": "BleedDetect", "version": "2.10"}), false),
        ] {
            let rules = read(&json!([rule("by-algorithm", "LOW", json!({"algorithms": [pattern.clone()]}))]));
            assert_eq!(!raised(&rules, &hemorrhage).is_empty(), holds, "{pattern}");
        }
    }

    #[test]
    fn marks_are_raised_by_rules_about_marks_from_their_threshold_on() {
        use StatementKind::{Finding, Mark};
        let statements = report(&[
            (Mark, HEMORRHAGE, "", Some(80.0)),
            (Mark, HEMORRHAGE, "", Some(79.9)),
            (Mark, HEMORRHAGE, "", None),
            (Finding, HEMORRHAGE, "", Some(10.0)),
            (Finding, HEMORRHAGE, "", None),
        ]);
        let findings = json!([{"value": "1386000", "scheme": "SCT"}]);
        let marks = |cad: Value| read(&json!([rule("marks", "LOW", json!({"cad": cad, "threshold": 80}))]));
        assert_eq!(raised(&marks(json!(["MAMMOGRAPHY"])), &statements), "marks LOW 1.1\n");
        assert_eq!(raised(&marks(json!(["CHEST", "COLON"])), &statements), "");
        let all = read(&json!([rule("marks", "LOW", json!({"cad": ["MAMMOGRAPHY"]}))]));
        assert_eq!(raised(&all, &statements), "marks LOW 1.1\nmarks LOW 1.2\nmarks LOW 1.3\n");
        let stated = read(&json!([rule("stated", "LOW", json!({"findings": findings, "threshold": 50}))]));
        assert_eq!(raised(&stated, &statements), "stated LOW 1.5\n");
    }

    fn statements() -> impl Strategy<Value = Vec<(StatementKind, &'static str, &'static str, Option<f64>)>> {
        let kind = prop::sample::select(StatementKind::ALL);
        let finding = prop::sample::select(vec!["", HEMORRHAGE, "D2-80300 SRT", "59540004 SCT", "1 99ACME"]);
        let category =
            prop::sample::select(vec!["", "RID49480 RadLex", CATEGORY_3, "RID50261 RADLEX", "1 99ACME"]);
        prop::collection::vec((kind, finding, category, prop::option::of(0.0..100.0)), 0..12)
    }

    fn rules() -> impl Strategy<Value = Vec<Value>> {
        let codes = prop::sample::subsequence(
            vec!["1386000 SCT", "36118008 SCT", "RID49480 RADLEX", "1 99ACME"],
            0..3,
        );
        let codes = codes.prop_map(|codes| {
            codes
                .iter()
                .filter_map(|code| code.split_once(' '))
                .map(|(value, scheme)| json!({"value": value, "scheme": scheme}))
                .collect::<Vec<_>>()
        });
        let severity = prop::sample::select(RuleSeverity::ALL).prop_map(RuleSeverity::as_str);
        let one = (codes.clone(), codes, any::<bool>(), severity, prop::option::of(0_u32..100)).prop_map(
            |(categories, findings, is_about_marks, severity, threshold)| {
                let cad = if is_about_marks { vec!["MAMMOGRAPHY"] } else { Vec::new() };
                rule(
                    "x",
                    severity,
                    json!({
                        "categories": categories, "findings": findings, "cad": cad, "threshold": threshold,
                        "algorithms": [{"name": "BleedDetect"}],
                    }),
                )
            },
        );
        prop::collection::vec(one, 0..6).prop_map(|mut rules| {
            for (number, rule) in rules.iter_mut().enumerate() {
                rule["id"] = json!(format!("rule-{number}"));
            }
            rules
        })
    }

    proptest! {
        #[test]
        fn the_order_of_rules_means_nothing_and_what_is_raised_once_is_raised_the_same_again(
            statements in statements(), rules in rules(), seed in any::<prop::sample::Index>(),
        ) {
            let report = report(&statements);
            let mut other = rules.clone();
            if !other.is_empty() {
                let middle = seed.index(other.len());
                other.rotate_left(middle);
                other.reverse();
            }
            let raised = read(&json!(rules)).raise(&report);
            prop_assert_eq!(&read(&json!(other)).raise(&report), &raised);

            let keys: BTreeSet<&str> = raised.iter().map(|raised| raised.key.as_str()).collect();
            prop_assert_eq!(keys.len(), raised.len());
            prop_assert!(raised.is_sorted_by_key(|raised| raised.severity));
            for raised in &raised {
                let rule = rules.iter().find(|rule| rule["id"] == raised.rule.as_str()).unwrap();
                prop_assert_eq!(&json!(raised.severity), &rule["severity"]);
            }
        }

        #[test]
        fn a_rule_that_is_turned_off_or_about_what_is_absent_raises_nothing(
            statements in statements(), rules in rules(),
        ) {
            let mut report = report(&statements);
            let mut off = read(&json!(rules));
            off.rules.iter_mut().for_each(|rule| rule.enabled = false);
            prop_assert!(off.raise(&report).is_empty());

            report.statements.iter_mut().for_each(|statement| statement.is_absent = true);
            let mut on = read(&json!(rules));
            on.rules.retain(|rule| rule.matches.categories.is_empty());
            prop_assert!(on.raise(&report).is_empty());
        }
    }
}
