//! What holds for reports, each written here item by item.

use proptest::prelude::*;

use crate::dicom::tests::{DataSet, EVERY_ENCODING, in_file};
use crate::dicom::vr::Vr;
use crate::dicom::walk::Encoding;
use crate::dicom::{Reason, StructuredReport, Uid, read_header, read_structured_report};
use crate::{FindingRules, Severity};

use super::tree::ITEM_LIMIT;
use super::{IMAGES_LIMIT, STATEMENT_LENGTH, STATEMENT_LIMIT};

const COMPREHENSIVE: &str = "1.2.840.10008.5.1.4.1.1.88.33";

const FINDING: &str = "121071 DCM Finding";
const GROUP: &str = "125007 DCM Measurement Group";
const FINDINGS: &str = "121070 DCM Findings";
const CATEGORY: &str = "276214006 SCT Finding category";
const COMMENT: &str = "121106 DCM Comment";
const HEMORRHAGE: &str = "1386000 SCT Intracranial hemorrhage";
const PNEUMOTHORAX: &str = "36118008 SCT Pneumothorax";
const CATEGORY_1: &str = "RID49480 RADLEX ACR Category 1 Actionable Finding";
const ABSENT: &str = "272519000 SCT Absent";

/// A content item as it is being written: a value type, a name, a value, and what is in it.
#[derive(Clone, Debug)]
struct Item {
    value_type: &'static str,
    name: String,
    value: String,
    children: Vec<Self>,
}

fn item(value_type: &'static str, name: &str, value: &str) -> Item {
    Item { value_type, name: name.to_owned(), value: value.to_owned(), children: Vec::new() }
}

fn container(name: &str, children: &[Item]) -> Item {
    item("CONTAINER", name, "").with(children)
}

fn coded(name: &str, value: &str) -> Item {
    item("CODE", name, value)
}

fn text(name: &str, value: &str) -> Item {
    item("TEXT", name, value)
}

fn number(name: &str, value: &str) -> Item {
    item("NUM", name, value)
}

fn image(uid: &str) -> Item {
    item("IMAGE", "", uid)
}

/// What stands elsewhere in the tree, by the positions on the way there.
fn reference(positions: &[u32]) -> Item {
    let positions: Vec<String> = positions.iter().map(u32::to_string).collect();
    item("", "", &positions.join("."))
}

/// A code as `value scheme meaning`.
fn code(encoding: Encoding, code: &str) -> DataSet {
    let mut parts = code.splitn(3, ' ');
    let mut part = || parts.next().unwrap_or_default();
    let data_set = DataSet::new(encoding);
    let data_set = data_set.text(0x0008_0100, Vr::Sh, part()).text(0x0008_0102, Vr::Sh, part());
    data_set.value(0x0008_0104, Vr::Lo, part().as_bytes())
}

impl Item {
    fn with(mut self, children: &[Self]) -> Self {
        self.children.extend_from_slice(children);
        self
    }

    fn write(&self, encoding: Encoding) -> DataSet {
        let mut data_set = DataSet::new(encoding);
        if self.value_type == "IMAGE" {
            let referenced = DataSet::new(encoding)
                .text(0x0008_1150, Vr::Ui, "1.2.840.10008.5.1.4.1.1.2")
                .text(0x0008_1155, Vr::Ui, &self.value);
            data_set = data_set.sequence(0x0008_1199, true, &[referenced]);
        }
        if self.value_type.is_empty() {
            let mut positions = DataSet::new(encoding);
            for position in self.value.split('.') {
                let position: u32 = position.parse().unwrap();
                let bytes = if encoding.big_endian { position.to_be_bytes() } else { position.to_le_bytes() };
                positions = positions.raw(&bytes);
            }
            return data_set.text(0x0040_A010, Vr::Cs, "SELECTED FROM").value(
                0x0040_DB73,
                Vr::Ul,
                &positions.bytes,
            );
        }
        data_set = data_set
            .text(0x0040_A010, Vr::Cs, "CONTAINS")
            .text(0x0040_A040, Vr::Cs, self.value_type)
            .sequence(0x0040_A043, true, &[code(encoding, &self.name)]);
        match self.value_type {
            "UIDREF" => data_set = data_set.text(0x0040_A124, Vr::Ui, &self.value),
            "TEXT" => data_set = data_set.value(0x0040_A160, Vr::Ut, self.value.as_bytes()),
            "CODE" => data_set = data_set.sequence(0x0040_A168, false, &[code(encoding, &self.value)]),
            "NUM" => {
                let (value, unit) = self.value.split_once(' ').unwrap();
                let measured = DataSet::new(encoding)
                    .sequence(0x0040_08EA, true, &[code(encoding, &format!("{unit} UCUM unit"))])
                    .text(0x0040_A30A, Vr::Ds, value);
                data_set = data_set.sequence(0x0040_A300, true, &[measured]);
            }
            _ => {}
        }
        let children: Vec<DataSet> = self.children.iter().map(|child| child.write(encoding)).collect();
        if children.is_empty() { data_set } else { data_set.sequence(0x0040_A730, false, &children) }
    }
}

/// A report in the making.
struct Written {
    encoding: Encoding,
    class: &'static str,
    character_set: &'static str,
    title: &'static str,
    flags: [&'static str; 2],
    content: Vec<Item>,
}

fn written(content: &[Item]) -> Written {
    Written {
        encoding: Encoding::EXPLICIT_LITTLE,
        class: COMPREHENSIVE,
        character_set: "ISO_IR 192",
        title: "126000 DCM Imaging Measurement Report",
        flags: ["COMPLETE", "VERIFIED"],
        content: content.to_vec(),
    }
}

impl Written {
    fn data_set(&self) -> DataSet {
        let encoding = self.encoding;
        let content: Vec<DataSet> = self.content.iter().map(|item| item.write(encoding)).collect();
        let template = DataSet::new(encoding).text(0x0040_DB00, Vr::Cs, "1500");
        DataSet::new(encoding)
            .text(0x0008_0005, Vr::Cs, self.character_set)
            .text(0x0008_0016, Vr::Ui, self.class)
            .text(0x0008_0018, Vr::Ui, "1.2.3.4")
            .text(0x0008_0070, Vr::Lo, "Acme Imaging")
            .text(0x0020_000D, Vr::Ui, "1.2.3")
            .text(0x0020_000E, Vr::Ui, "1.2.3.1")
            .text(0x0040_A040, Vr::Cs, "CONTAINER")
            .sequence(0x0040_A043, true, &[code(encoding, self.title)])
            .text(0x0040_A491, Vr::Cs, self.flags[0])
            .text(0x0040_A493, Vr::Cs, self.flags[1])
            .sequence(0x0040_A504, true, &[template])
            .sequence(0x0040_A730, true, &content)
    }

    fn read(&self) -> StructuredReport {
        let file = self.data_set().file();
        let report = read_structured_report(&file).unwrap().expect("a report");
        assert!(read_header(&file, file.len() as u64).is_ok());
        report
    }
}

fn read(content: &[Item]) -> StructuredReport {
    written(content).read()
}

/// The statements, each with what it says on lines of its own, without what is empty.
fn stated(report: &StructuredReport) -> String {
    let mut lines = String::new();
    for statement in &report.statements {
        lines += &format!("{} {}: {}\n", statement.kind, statement.path, statement.text);
        let codes = statement.finding.iter().chain(&statement.categories);
        let codes = codes.chain(&statement.site).chain(&statement.laterality);
        let codes: Vec<String> = codes.map(|code| format!("{} {}", code.value, code.scheme)).collect();
        lines += &format!("  {}\n", codes.join(", "));
        let images: Vec<&str> = statement.images.iter().map(Uid::as_str).collect();
        if !images.is_empty() {
            lines += &format!("  images {}\n", images.join(", "));
        }
        if let Some(algorithm) = &statement.algorithm {
            let version = algorithm.version.as_deref().unwrap_or("-");
            let manufacturer = algorithm.manufacturer.as_deref().unwrap_or("-");
            lines += &format!("  algorithm {}, {version}, {manufacturer}\n", algorithm.name);
        }
        if let Some(score) = statement.score {
            lines += &format!("  score {score}\n");
        }
        if let Some(uid) = &statement.tracking_uid {
            lines += &format!("  tracking UID {uid}\n");
        }
    }
    lines
}

/// What the default rules raise: the key without the instance's UID, severity, text.
fn raised(report: &StructuredReport) -> String {
    let raised = FindingRules::default().raise(report);
    let line = |raised: &crate::Raised| {
        let key = raised.key.strip_prefix("1.2.3.4/").unwrap();
        format!("{key} {} {}\n", raised.severity, raised.finding)
    };
    raised.iter().map(line).collect()
}

#[test]
fn a_measurement_group_says_all_of_its_finding() {
    let group = container(
        GROUP,
        &[
            item("UIDREF", "112040 DCM Tracking Unique Identifier", "1.2.3.9"),
            text("112039 DCM Tracking Identifier", "Bleed 1"),
            coded(FINDING, HEMORRHAGE),
            coded(CATEGORY, CATEGORY_1),
            text("111001 DCM Algorithm Name", "BleedDetect"),
            text("111003 DCM Algorithm Version", "2.1"),
            text("122405 DCM Algorithm Manufacturer", "Acme"),
            coded("363698007 SCT Finding Site", "12738006 SCT Brain"),
            coded("272741003 SCT Laterality", "7771000 SCT Left"),
            number("111012 DCM Certainty of Finding", "87.5 %"),
            text(COMMENT, "8\r\n  mm"),
            item("SCOORD", "111030 DCM Image Region", "").with(&[image("1.2.3.50")]),
            image("1.2.3.51"),
        ],
    );
    let report = read(&[container("126010 DCM Imaging Measurements", &[group])]);
    assert_eq!(report.title.as_ref().unwrap().meaning, "Imaging Measurement Report");
    assert_eq!(report.template.as_deref(), Some("1500"));
    insta::assert_snapshot!(stated(&report), @r"
    FINDING 1.1.1.3: Intracranial hemorrhage (Brain, Left): 8 mm
      1386000 SCT, RID49480 RADLEX, 12738006 SCT, 7771000 SCT
      images 1.2.3.50, 1.2.3.51
      algorithm BleedDetect, 2.1, Acme
      score 87.5
      tracking UID 1.2.3.9
    ");
    insta::assert_snapshot!(
        raised(&report),
        @"acr-category-1/1.2.3.9 CRITICAL Intracranial hemorrhage (Brain, Left): 8 mm [BleedDetect 2.1 of Acme, 87.5 %]"
    );
}

#[test]
fn a_report_says_the_same_in_every_encoding_and_deflated() {
    let content = [
        container(
            GROUP,
            &[
                coded(FINDING, HEMORRHAGE),
                number("111012 DCM Certainty of Finding", "0.9 1"),
                reference(&[1, 2, 1]),
            ],
        ),
        container("111028 DCM Image Library", &[image("1.2.3.50")]),
    ];
    let expected = read(&content);
    assert_eq!(expected.statements[0].score, Some(90.0));
    assert_eq!(expected.statements[0].images[0].as_str(), "1.2.3.50");
    for encoding in EVERY_ENCODING {
        let data_set = Written { encoding, ..written(&content) }.data_set();
        assert_eq!(read_structured_report(&data_set.file()), Ok(Some(expected.clone())));
        assert_eq!(read_structured_report(&data_set.bytes), Ok(Some(expected.clone())));
    }
    assert_eq!(read_structured_report(&written(&content).data_set().deflated()), Ok(Some(expected)));
}

#[test]
fn a_category_is_said_of_what_it_is_in_or_of_the_only_finding_beside_it_or_stands_alone() {
    let category = coded("111111 99ACME Urgency", CATEGORY_1);
    let report = read(&[
        container(
            FINDINGS,
            &[text(FINDING, "Large left pneumothorax").with(std::slice::from_ref(&category))],
        ),
        container(FINDINGS, &[coded(FINDING, PNEUMOTHORAX), text(FINDING, "Left"), category.clone()]),
        container(FINDINGS, &[text(FINDING, "Free air"), text(COMMENT, "Called"), category.clone()]),
        container(
            FINDINGS,
            &[coded(FINDING, "27925004 SCT Nodule"), coded(FINDING, HEMORRHAGE), category.clone()],
        ),
        container(
            FINDINGS,
            &[coded(FINDING, PNEUMOTHORAX).with(&[category]), coded(FINDING, "27925004 SCT Nodule")],
        ),
    ]);
    insta::assert_snapshot!(stated(&report), @r"
    CATEGORY 1.1.1: ACR Category 1 Actionable Finding: Large left pneumothorax
      RID49480 RADLEX
    FINDING 1.2.1: Pneumothorax: Left
      36118008 SCT, RID49480 RADLEX
    CATEGORY 1.3.3: ACR Category 1 Actionable Finding: Free air; Called
      RID49480 RADLEX
    FINDING 1.4.1: Nodule
      27925004 SCT
    FINDING 1.4.2: Intracranial hemorrhage
      1386000 SCT
    CATEGORY 1.4.3: ACR Category 1 Actionable Finding
      RID49480 RADLEX
    FINDING 1.5.1: Pneumothorax
      36118008 SCT, RID49480 RADLEX
    FINDING 1.5.2: Nodule
      27925004 SCT
    ");
    insta::assert_snapshot!(raised(&report), @r"
    acr-category-1/1.1.1 CRITICAL ACR Category 1 Actionable Finding: Large left pneumothorax
    acr-category-1/1.2.1 CRITICAL Pneumothorax: Left
    acr-category-1/1.3.3 CRITICAL ACR Category 1 Actionable Finding: Free air; Called
    intracranial-hemorrhage/1.4.2 CRITICAL Intracranial hemorrhage
    acr-category-1/1.4.3 CRITICAL ACR Category 1 Actionable Finding
    acr-category-1/1.5.1 CRITICAL Pneumothorax
    ");
}

#[test]
fn each_category_has_its_severity_and_the_non_actionable_raises_nothing() {
    for (category, severity) in [
        ("RID49480 RADLEX one", Some(Severity::Critical)),
        ("RID49481 RadLex two", Some(Severity::High)),
        ("RID49482 RADLEX three", Some(Severity::Moderate)),
        ("RID50261 RADLEX none", None),
        ("RID49480 99ACME theirs", Some(Severity::Critical)),
    ] {
        // The last is no category that anybody knows: the finding's own code decides.
        let report = read(&[container(GROUP, &[coded(FINDING, HEMORRHAGE), coded(CATEGORY, category)])]);
        let raised = FindingRules::default().raise(&report);
        assert_eq!(raised.first().map(|raised| raised.severity), severity, "{category}");
        assert_eq!(report.statements[0].categories.len(), 1, "{category}");
    }
}

#[test]
fn what_is_said_to_be_absent_raises_nothing_and_what_is_said_of_something_else_does_not_count() {
    let group = |beside: Item| container(GROUP, &[coded(FINDING, HEMORRHAGE), beside]);
    for (what, beside, is_absent) in [
        ("a sibling", coded("705057003 SCT Presence", ABSENT), true),
        ("a sibling of an older code", coded("705057003 SCT Presence", "R-4089B SRT Absent"), true),
        ("a sibling in DICOM's own code", coded("111222 99ACME Result", "121054 DCM Absent"), true),
        ("a sibling under the finding's name", coded(HEMORRHAGE, ABSENT), true),
        ("a sibling under the name of a finding", coded(FINDING, ABSENT), true),
        ("a sibling about something else", coded("112000124 SCT Midline shift", ABSENT), false),
        ("presence", coded("705057003 SCT Presence", "52101004 SCT Present"), false),
        ("a code of another scheme", coded("705057003 SCT Presence", "272519000 99ACME Absent"), false),
    ] {
        let report = read(&[group(beside)]);
        assert_eq!(report.statements[0].is_absent, is_absent, "{what}");
        assert_eq!(raised(&report).is_empty(), is_absent, "{what}");
    }
    let within = coded(FINDING, HEMORRHAGE).with(&[coded("705057003 SCT Presence", ABSENT)]);
    let report = read(&[container(FINDINGS, &[within, coded(FINDING, PNEUMOTHORAX)])]);
    assert_eq!(raised(&report), "pneumothorax/1.1.2 CRITICAL Pneumothorax\n");
    let report = read(&[container(
        FINDINGS,
        &[coded(FINDING, HEMORRHAGE), coded(FINDING, PNEUMOTHORAX), coded(HEMORRHAGE, ABSENT)],
    )]);
    assert_eq!(raised(&report), "pneumothorax/1.1.2 CRITICAL Pneumothorax\n");
}

#[test]
fn a_category_of_what_is_said_to_be_absent_is_a_contradiction_that_somebody_has_to_see() {
    let report = read(&[container(
        GROUP,
        &[coded(FINDING, HEMORRHAGE), coded("705057003 SCT Presence", ABSENT), coded(CATEGORY, CATEGORY_1)],
    )]);
    insta::assert_snapshot!(
        raised(&report),
        @"acr-category-1/1.1.1 CRITICAL Intracranial hemorrhage [said to be absent]"
    );
}

#[test]
fn codes_are_known_by_value_and_scheme() {
    for (code, rule) in [
        ("1386000 SCT x", "intracranial-hemorrhage"),
        ("36118008 SCT x", "pneumothorax"),
        ("59282003 SCT x", "pulmonary-embolism"),
        ("308546005 SCT x", "aortic-dissection"),
        ("D3-89100 SRT x", "intracranial-hemorrhage"),
        ("D2-80300 SNM3 x", "pneumothorax"),
        ("D3-40230 99SDM x", "pulmonary-embolism"),
        ("D3-80016 SRT x", "aortic-dissection"),
        ("36118008 99ACME x", ""),
        ("36118008 LN x", ""),
        ("27925004 SCT Nodule", ""),
    ] {
        let report = read(&[coded(FINDING, code)]);
        let by: Vec<String> = FindingRules::default()
            .raise(&report)
            .iter()
            .map(|raised| raised.rule.as_str().to_owned())
            .collect();
        assert_eq!(by.concat(), rule, "{code}");
    }
    // An impression and a qualitative evaluation state a finding as well; an indication does not.
    let report = read(&[
        coded("121073 DCM Impression", PNEUMOTHORAX),
        coded(HEMORRHAGE, "52101004 SCT Present"),
        coded("121109 DCM Indications", "59282003 SCT Pulmonary embolism"),
    ]);
    insta::assert_snapshot!(raised(&report), @r"
    pneumothorax/1.1 CRITICAL Pneumothorax
    intracranial-hemorrhage/1.2 CRITICAL Intracranial hemorrhage
    ");
}

#[test]
fn what_was_before_and_free_text_raise_nothing() {
    let report = read(&[
        container("121060 DCM History", &[coded(FINDING, PNEUMOTHORAX), coded(CATEGORY, CATEGORY_1)]),
        container("18834-2 LN Previous Findings", &[container(GROUP, &[coded(FINDING, HEMORRHAGE)])]),
        coded("121069 DCM Previous Finding", PNEUMOTHORAX),
        container(FINDINGS, &[text(FINDING, "CRITICAL: intracranial hemorrhage 1386000 RID49480")]),
        text("121071 DCM RID49480", "ACR Category 1 Actionable Finding"),
    ]);
    assert_eq!(stated(&report), "");
}

#[test]
fn the_heading_for_critical_results_is_evidence_that_somebody_was_told() {
    let report = read(&[
        container(
            "73568-8 LN Communication of Critical Results",
            &[text(COMMENT, "Dr Doe was called"), text(COMMENT, "at 10:05")],
        ),
        container(FINDINGS, &[text(FINDING, "Free air")]),
    ]);
    assert_eq!(report.communication.unwrap().0, "Dr Doe was called; at 10:05");
    assert!(report.statements.is_empty());
    assert!(read(&[container(FINDINGS, &[text(FINDING, "Free air")])]).communication.is_none());
}

/// A report of a computer-aided detection: its outcome, and marks with their rendering intent and score.
fn cad(outcome: &str, marks: &[(&str, &str)]) -> Written {
    let mark = |&(intent, score): &(&str, &str)| {
        coded("111059 DCM Single Image Finding", "129793001 SCT Mammographic breast mass").with(&[
            coded("111056 DCM Rendering Intent", intent),
            text("111001 DCM Algorithm Name", "MarkMass"),
            number("111047 DCM Probability of cancer", score),
            item("SCOORD", "111010 DCM Center", "").with(&[reference(&[1, 1, 1])]),
        ])
    };
    let marks: Vec<Item> = marks.iter().map(mark).collect();
    let impression = container("111034 DCM Individual Impression/Recommendation", &marks);
    Written {
        class: "1.2.840.10008.5.1.4.1.1.88.50",
        title: "111036 DCM Mammography CAD Report",
        flags: ["COMPLETE", "UNVERIFIED"],
        ..written(&[
            container("111028 DCM Image Library", &[image("1.2.3.50")]),
            coded("111017 DCM CAD Processing and Findings Summary", outcome).with(&[impression]),
        ])
    }
}

const SHOWN: &str = "111150 DCM Presentation Required";

#[test]
fn marks_are_stated_where_there_are_findings_and_they_are_to_be_presented() {
    let report = cad(
        "111242 DCM All algorithms succeeded; with findings",
        &[
            (SHOWN, "92 %"),
            ("111151 DCM Presentation Optional", "95 %"),
            ("111152 DCM Not for Presentation", "99 %"),
            (SHOWN, "40 %"),
        ],
    )
    .read();
    assert_eq!(
        (report.cad_type, report.cad_outcome),
        (Some(super::CadType::Mammography), Some(super::CadOutcome::Findings))
    );
    insta::assert_snapshot!(stated(&report), @r"
    MARK 1.2.1.1: Mammographic breast mass
      129793001 SCT
      images 1.2.3.50
      algorithm MarkMass, -, Acme Imaging
      score 92
    MARK 1.2.1.4: Mammographic breast mass
      129793001 SCT
      images 1.2.3.50
      algorithm MarkMass, -, Acme Imaging
      score 40
    ");
    assert_eq!(raised(&report), "", "not until somebody turns the rule on");

    for (outcome, name, count) in [
        ("111241", "NO_FINDINGS", 0),
        ("111242", "FINDINGS", 1),
        ("111243", "PARTLY_FAILED_WITHOUT_FINDINGS", 0),
        ("111244", "PARTLY_FAILED_WITH_FINDINGS", 1),
        ("111245", "FAILED", 0),
    ] {
        let report = cad(&format!("{outcome} DCM x"), &[(SHOWN, "92 %")]).read();
        assert_eq!(report.cad_outcome.map(super::CadOutcome::as_str), Some(name));
        assert_eq!(report.statements.len(), count, "{name}");
    }
}

#[test]
fn a_mark_within_what_is_not_to_be_presented_is_not_stated() {
    let mark = coded("111059 DCM Single Image Finding", "129793001 SCT Mammographic breast mass")
        .with(&[coded("111056 DCM Rendering Intent", SHOWN)]);
    let composite = |intent| {
        coded("111015 DCM Composite Feature", "129793001 SCT Mass").with(&[
            coded("111056 DCM Rendering Intent", intent),
            number("111047 DCM Probability of cancer", "70 %"),
            mark.clone(),
        ])
    };
    let report = |intent| {
        let impression = container("111034 DCM Individual Impression/Recommendation", &[composite(intent)]);
        read(&[coded("111017 DCM Summary", "111242 DCM With findings").with(&[impression])])
    };
    assert_eq!(report(SHOWN).statements[0].score, Some(70.0));
    assert!(report("111152 DCM Not for Presentation").statements.is_empty());
    // Outside of an impression it is only what an impression was made from.
    assert!(
        read(&[coded("111017 DCM Summary", "111242 DCM With findings").with(&[mark])]).statements.is_empty()
    );
}

#[test]
fn text_is_read_in_the_report_s_character_set() {
    let greek = "Πνευμοθώρακας";
    // ISO 8859-7 is the Greek block of Unicode, 0x2D0 further down.
    let bytes: Vec<u8> = greek.chars().map(|letter| (letter as u32 - 0x2D0) as u8).collect();
    let encoding = Encoding::EXPLICIT_LITTLE;
    let value = DataSet::new(encoding)
        .text(0x0008_0100, Vr::Sh, "36118008")
        .text(0x0008_0102, Vr::Sh, "SCT")
        .value(0x0008_0104, Vr::Lo, &bytes);
    let finding = DataSet::new(encoding)
        .text(0x0040_A040, Vr::Cs, "CODE")
        .sequence(0x0040_A043, true, &[code(encoding, FINDING)])
        .sequence(0x0040_A168, true, &[value]);
    let data_set = DataSet::new(encoding)
        .text(0x0008_0005, Vr::Cs, "ISO_IR 126")
        .text(0x0008_0016, Vr::Ui, COMPREHENSIVE)
        .text(0x0008_0018, Vr::Ui, "1.2.3.4")
        .sequence(0x0040_A730, true, &[finding]);
    let report = read_structured_report(&data_set.file()).unwrap().unwrap();
    assert_eq!(report.statements[0].text, greek);
}

#[test]
fn a_finding_of_a_partial_or_unverified_report_is_marked_so() {
    let with = |flags| Written { flags, ..written(&[coded(FINDING, PNEUMOTHORAX)]) }.read();
    insta::assert_snapshot!(
        [["COMPLETE", "VERIFIED"], ["COMPLETE", "UNVERIFIED"], ["PARTIAL", "VERIFIED"], ["", ""]]
            .map(|flags| raised(&with(flags)))
            .concat(),
        @r"
    pneumothorax/1.1 CRITICAL Pneumothorax
    pneumothorax/1.1 CRITICAL Pneumothorax [unverified]
    pneumothorax/1.1 CRITICAL Pneumothorax [partial report]
    pneumothorax/1.1 CRITICAL Pneumothorax [unverified]
    "
    );
}

#[test]
fn one_finding_is_raised_for_one_tracking_uid_and_for_one_that_is_said_in_the_same_words() {
    let tracked = |uid: &str, finding: &str, uid_of_image: &str| {
        container(
            GROUP,
            &[
                item("UIDREF", "112040 DCM Tracking Unique Identifier", uid),
                coded(FINDING, finding),
                image(uid_of_image),
            ],
        )
    };
    let loose = |uid: &str| container(GROUP, &[coded(FINDING, PNEUMOTHORAX), image(uid)]);
    let report = read(&[
        tracked("1.2.3.9", HEMORRHAGE, "1.2.3.50"),
        tracked("1.2.3.9", HEMORRHAGE, "1.2.3.51"),
        tracked("1.2.3.10", HEMORRHAGE, "1.2.3.52"),
        loose("1.2.3.53"),
        loose("1.2.3.54"),
    ]);
    assert_eq!(report.statements.len(), 5);
    let raised = FindingRules::default().raise(&report);
    let lines: String = raised
        .iter()
        .map(|raised| {
            let images: Vec<&str> = raised.images.iter().map(Uid::as_str).collect();
            format!("{} {}\n", raised.key, images.join(" "))
        })
        .collect();
    insta::assert_snapshot!(lines, @r"
    1.2.3.4/intracranial-hemorrhage/1.2.3.9 1.2.3.50 1.2.3.51
    1.2.3.4/intracranial-hemorrhage/1.2.3.10 1.2.3.52
    1.2.3.4/pneumothorax/1.4.1 1.2.3.53 1.2.3.54
    ");
}

#[test]
fn other_files_are_no_reports() {
    let image = Written { class: "1.2.840.10008.5.1.4.1.1.2", ..written(&[]) };
    assert_eq!(read_structured_report(&image.data_set().file()), Ok(None));
    // Not even when they are broken after their class.
    let broken = image.data_set().header(0x0040_A731, Vr::Ut, 5000);
    assert_eq!(read_structured_report(&broken.file()), Ok(None));
    let report = written(&[coded(FINDING, PNEUMOTHORAX)]).data_set();
    let cut = &report.file()[..report.file().len() - 4];
    assert_eq!(read_structured_report(cut), Err(Reason::Truncated));
    assert_eq!(read_structured_report(&[]), Err(Reason::Empty));
    assert_eq!(read_structured_report(b"hello"), Err(Reason::NotDicom));
    let nameless = DataSet::new(Encoding::EXPLICIT_LITTLE).text(0x0008_0016, Vr::Ui, COMPREHENSIVE);
    assert_eq!(read_structured_report(&nameless.file()), Err(Reason::MissingSopInstanceUid));
}

#[test]
fn a_report_that_is_too_much_is_read_as_far_as_it_goes_and_says_so() {
    let many = |count: usize| read(&vec![coded(FINDING, PNEUMOTHORAX); count]);
    let report = many(STATEMENT_LIMIT + 1);
    assert!(report.is_incomplete && report.statements.len() == STATEMENT_LIMIT);
    assert!(!many(STATEMENT_LIMIT).is_incomplete);
    assert_eq!(FindingRules::default().raise(&report).len(), 1);

    let empty = |count: usize| {
        let encoding = Encoding::EXPLICIT_LITTLE;
        let items = (0..count).fold(DataSet::new(encoding), |items, _| items.header(0xFFFE_E000, Vr::Sq, 0));
        let file = DataSet::new(encoding)
            .text(0x0008_0016, Vr::Ui, COMPREHENSIVE)
            .text(0x0008_0018, Vr::Ui, "1.2.3.4")
            .value(0x0040_A730, Vr::Sq, &items.bytes)
            .file();
        read_structured_report(&file).unwrap().unwrap()
    };
    assert!(!empty(ITEM_LIMIT - 1).is_incomplete && empty(ITEM_LIMIT).is_incomplete);

    let images: Vec<Item> = (0..40).map(|number| image(&format!("1.2.3.{number}"))).collect();
    let finding = coded(FINDING, PNEUMOTHORAX).with(&[text(COMMENT, &"å".repeat(5000))]).with(&images);
    let report = read(&[finding]);
    let statement = &report.statements[0];
    assert_eq!((statement.images.len(), statement.text.chars().count()), (IMAGES_LIMIT, STATEMENT_LENGTH));
    assert!(statement.text.ends_with("å…"), "{}", statement.text);
}

#[test]
fn a_code_that_cannot_be_read_is_none() {
    for value in ["3611\08008", "36118008\u{7}", "\u{661}"] {
        let finding = coded(FINDING, &format!("{value} SCT x"));
        assert!(read(&[finding]).statements.is_empty(), "{value:?}");
    }
    assert_eq!(raised(&read(&[coded(FINDING, "36118008\0 SCT\0 x")])), "pneumothorax/1.1 CRITICAL x\n");
}

#[test]
fn a_category_beside_a_mark_is_not_lost_with_it() {
    let hidden = coded("111059 DCM Single Image Finding", "129793001 SCT Mass");
    let report = read(&[container("111034 DCM Impression", &[hidden, coded(CATEGORY, CATEGORY_1)])]);
    assert_eq!(raised(&report), "acr-category-1/1.1.2 CRITICAL ACR Category 1 Actionable Finding\n");
}

#[test]
fn content_that_cannot_be_looked_into_makes_a_report_incomplete() {
    let unknown = DataSet::new(Encoding::EXPLICIT_LITTLE)
        .text(0x0008_0016, Vr::Ui, COMPREHENSIVE)
        .text(0x0008_0018, Vr::Ui, "1.2.3.4")
        .value(0x0040_A730, Vr::Un, &[0; 20]);
    assert!(read_structured_report(&unknown.file()).unwrap().unwrap().is_incomplete);
}

#[test]
fn a_deflated_report_that_grows_out_of_proportion_is_given_up() {
    let text = vec![b'x'; 20 << 20];
    let large = written(&[]).data_set().value(0x0040_A731, Vr::Ut, &text);
    assert_eq!(read_structured_report(&large.deflated()), Err(Reason::TooLong));
    let bomb = written(&[]).data_set().value(0x0040_A731, Vr::Ut, &vec![0; 80 << 20]);
    assert!(read_structured_report(&bomb.deflated()).is_err());
}

/// Items of whatever may be in a tree.
fn items() -> impl Strategy<Value = Item> {
    let names = prop::sample::select(vec![
        FINDING,
        GROUP,
        FINDINGS,
        CATEGORY,
        COMMENT,
        HEMORRHAGE,
        "111017 DCM Summary",
        "111034 DCM Impression",
        "111059 DCM Single Image Finding",
        "111056 DCM Rendering Intent",
        "112040 DCM Tracking Unique Identifier",
        "121060 DCM History",
        "73568-8 LN Communication",
        "111001 DCM Algorithm Name",
        "111012 DCM Certainty",
    ]);
    let values = prop::sample::select(vec![
        HEMORRHAGE,
        PNEUMOTHORAX,
        CATEGORY_1,
        ABSENT,
        "RID50261 RADLEX None",
        "111242 DCM With findings",
        SHOWN,
        "52101004 SCT Present",
        "1.2.3.9",
        "87 %",
    ]);
    let item = (0..6_usize, names, values).prop_map(|(kind, name, value)| match kind {
        0 => container(name, &[]),
        1 => coded(name, value),
        2 => text(name, value),
        3 => item("UIDREF", name, value),
        4 => image("1.2.3.50"),
        _ => number(name, "87 %"),
    });
    item.prop_recursive(5, 40, 6, |items| {
        (items.clone(), prop::collection::vec(items, 0..6)).prop_map(|(item, children)| item.with(&children))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_report_holds_its_statements_are_within_bounds_and_each_finding_is_raised_once(
        content in prop::collection::vec(items(), 0..6),
    ) {
        let report = read(&content);
        prop_assert!(!report.is_incomplete);
        for statement in &report.statements {
            prop_assert!(!statement.text.is_empty());
            prop_assert!(statement.finding.is_some() || !statement.categories.is_empty());
        }
        let mut paths: Vec<&str> = report.statements.iter().map(|statement| statement.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        prop_assert_eq!(paths.len(), report.statements.len());
        let raised = FindingRules::default().raise(&report);
        let mut keys: Vec<&str> = raised.iter().map(|raised| raised.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), raised.len());
        prop_assert_eq!(&FindingRules::default().raise(&report), &raised);
    }

    #[test]
    fn damage_is_refused_or_read_but_never_fatal(
        content in prop::collection::vec(items(), 0..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut file = written(&content).data_set().file();
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let _ = read_structured_report(&file);
        let _ = read_structured_report(&file[..length.index(file.len())]);
        let _ = read_structured_report(&in_file("1.2.840.10008.1.2.1.99", &file));
    }
}
