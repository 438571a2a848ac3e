//! From a content tree to what it states.
//!
//! A template puts what belongs to a finding into the finding's item or beside it in the same container. Beside
//! it, it is the finding's only where it can be no other's: when the container states one thing.

use std::collections::HashMap;

use crate::dicom::uid::Uid;

use super::code::{Code, Concept, is_one_of, is_same};
use super::tree::{Item, RawCode, RawText, Tree, ValueType};
use super::{
    Algorithm, CHEST_CAD, COLON_CAD, CadOutcome, CadType, IMAGES_LIMIT, MAMMOGRAPHY_CAD, STATEMENT_LENGTH,
    STATEMENT_LIMIT, Statement, StatementKind,
};

/// Finding, impression, conclusion: the names under which a report says in code what was found (PS3.16 CID 7002).
const FINDINGS: [Concept<'static>; 3] = [("121071", "DCM"), ("121073", "DCM"), ("121077", "DCM")];

/// The same and Comment, Impression Description: the names of text that says what is stated in other words.
const NARRATIVES: [Concept<'static>; 5] =
    [("121071", "DCM"), ("121073", "DCM"), ("121077", "DCM"), ("121106", "DCM"), ("111033", "DCM")];

/// ACR category 1, 2 and 3 Actionable Finding, and Non-actionable (PS3.16 CID 7035): categories wherever they stand.
const ACTIONABLE: [Concept<'static>; 4] =
    [("RID49480", "RADLEX"), ("RID49481", "RADLEX"), ("RID49482", "RADLEX"), ("RID50261", "RADLEX")];
const FINDING_CATEGORY: Concept<'static> = ("276214006", "SCT");

/// Absent (PS3.16 CID 240), and what SNOMED CT and DICOM have beside it.
const ABSENT: [Concept<'static>; 4] =
    [("272519000", "SCT"), ("2667000", "SCT"), ("410516002", "SCT"), ("121054", "DCM")];
const PRESENT: Concept<'static> = ("52101004", "SCT");

/// Names that ask whether the finding is there, rather than for something else about it: presence, presence or
/// absence findings, finding context.
const PRESENCE: [Concept<'static>; 5] = [
    ("705057003", "SCT"),
    ("260411009", "SCT"),
    ("272519000", "SCT"),
    ("52101004", "SCT"),
    ("408729009", "SCT"),
];
/// Schemes of which a code names some clinical thing. `Midline shift: absent` does not undo a hemorrhage.
const CLINICAL_SCHEMES: [&str; 3] = ["SCT", "SRT", "RADLEX"];

/// Sections about what was before (PS3.16 CID 7001): history, request, indications, prior procedures, previous
/// findings.
const PAST: [Concept<'static>; 11] = [
    ("121060", "DCM"),
    ("121062", "DCM"),
    ("121066", "DCM"),
    ("121068", "DCM"),
    ("121069", "DCM"),
    ("121109", "DCM"),
    ("11329-0", "LN"),
    ("55115-0", "LN"),
    ("18785-6", "LN"),
    ("55114-3", "LN"),
    ("18834-2", "LN"),
];
const COMMUNICATION: Concept<'static> = ("73568-8", "LN");

const TRACKING_UID: Concept<'static> = ("112040", "DCM");
const FINDING_SITE: Concept<'static> = ("363698007", "SCT");
const LATERALITY: Concept<'static> = ("272741003", "SCT");
const ALGORITHM_NAME: Concept<'static> = ("111001", "DCM");
const ALGORITHM_VERSION: Concept<'static> = ("111003", "DCM");
const ALGORITHM_MANUFACTURER: Concept<'static> = ("122405", "DCM");
/// Certainty of finding, probability of cancer (PS3.16 CID 6048), in percent.
const SCORES: [Concept<'static>; 2] = [("111012", "DCM"), ("111047", "DCM")];

const CAD_SUMMARY: Concept<'static> = ("111017", "DCM");
const IMPRESSION: Concept<'static> = ("111034", "DCM");
const SINGLE_IMAGE_FINDING: Concept<'static> = ("111059", "DCM");
const RENDERING_INTENT: Concept<'static> = ("111056", "DCM");
const PRESENTATION_REQUIRED: Concept<'static> = ("111150", "DCM");
const CAD_OUTCOMES: [(Concept<'static>, CadOutcome); 5] = [
    (("111241", "DCM"), CadOutcome::NoFindings),
    (("111242", "DCM"), CadOutcome::Findings),
    (("111243", "DCM"), CadOutcome::PartlyFailedWithoutFindings),
    (("111244", "DCM"), CadOutcome::PartlyFailedWithFindings),
    (("111245", "DCM"), CadOutcome::Failed),
];
const CAD_TITLES: [(Concept<'static>, CadType); 3] = [
    (("111036", "DCM"), CadType::Mammography),
    (("112000", "DCM"), CadType::Chest),
    (("112220", "DCM"), CadType::Colon),
];

/// What is stated, beside what the document says of itself.
pub(super) struct Stated {
    pub(super) title: Option<Code>,
    pub(super) cad_type: Option<CadType>,
    pub(super) cad_outcome: Option<CadOutcome>,
    pub(super) communication: Option<String>,
    pub(super) statements: Vec<Statement>,
    pub(super) is_incomplete: bool,
}

pub(super) fn of(tree: &Tree<'_>, sop_class: &Uid) -> Stated {
    let reading = Reading::of(tree);
    let (statements, is_incomplete) = reading.statements();
    Stated {
        title: tree.item(0).and_then(|document| coded(tree, &document.name)),
        cad_type: reading.cad_type(sop_class),
        cad_outcome: reading.cad_outcome,
        communication: reading.communication(),
        statements,
        is_incomplete,
    }
}

/// How many things of one kind are remembered of one item.
const ABSENCES_LIMIT: usize = 64;
const CATEGORIES_LIMIT: usize = 8;
const NARRATIVES_LIMIT: usize = 16;

/// The longest name of a concept or an algorithm, in characters.
const NAME_LENGTH: usize = 128;

/// What the children of an item say of it: their numbers, the first of each unless all count.
#[derive(Default)]
struct Said {
    /// What it states, down to the next container: of more than one, two.
    findings: Vec<usize>,
    categories: Vec<usize>,
    absences: Vec<usize>,
    narratives: Vec<usize>,
    algorithm: Option<usize>,
    version: Option<usize>,
    manufacturer: Option<usize>,
    tracking: Option<usize>,
    site: Option<usize>,
    laterality: Option<usize>,
    score: Option<usize>,
    intent: Option<usize>,
}

/// What holds for an item because of what it is in.
#[derive(Clone, Copy, Default)]
struct Around {
    is_past: bool,
    is_communication: bool,
    /// In the summary of a computer-aided detection that has findings.
    has_cad_findings: bool,
    is_impression: bool,
    /// In or of something that is not to be presented.
    is_hidden: bool,
}

struct Reading<'t, 'a> {
    tree: &'t Tree<'a>,
    said: HashMap<usize, Said>,
    around: Vec<Around>,
    cad_outcome: Option<CadOutcome>,
    /// The heading under which is said who was told.
    communication: Option<usize>,
}

impl<'t, 'a> Reading<'t, 'a> {
    fn of(tree: &'t Tree<'a>) -> Self {
        let mut said: HashMap<usize, Said> = HashMap::new();
        for (at, item) in tree.items.iter().enumerate().skip(1) {
            match saying(item) {
                Some(Saying::Finding | Saying::Mark) => {
                    for ancestor in up_to_container(tree, tree.ancestors(at)) {
                        said.entry(ancestor).or_default().find(at);
                    }
                }
                Some(saying) => said.entry(item.parent).or_default().hear(at, saying),
                None => {}
            }
        }
        let mut reading = Self { tree, said, around: Vec::new(), cad_outcome: None, communication: None };
        for (at, item) in tree.items.iter().enumerate() {
            reading.look_around(at, item);
        }
        reading
    }

    fn look_around(&mut self, at: usize, item: &Item<'_>) {
        let mut around = self.around.get(item.parent).copied().unwrap_or_default();
        around.is_past |= is_one_of(item.name.concept(), &PAST);
        if item.name.is(COMMUNICATION) {
            around.is_communication = true;
            self.communication = self.communication.or(Some(at));
        }
        if item.name.is(CAD_SUMMARY) {
            let outcome =
                CAD_OUTCOMES.iter().find(|(code, _)| item.code.is(*code)).map(|(_, outcome)| *outcome);
            self.cad_outcome = self.cad_outcome.or(outcome);
            around.has_cad_findings =
                matches!(outcome, Some(CadOutcome::Findings | CadOutcome::PartlyFailedWithFindings));
        }
        around.is_impression |= item.name.is(IMPRESSION);
        // What is within something that is not to be presented is not either (PS3.4 O.2.2.1).
        around.is_hidden |= self.intent(at).is_some_and(|intent| !intent.is(PRESENTATION_REQUIRED));
        self.around.push(around);
    }

    fn item(&self, at: usize) -> Option<&'t Item<'a>> {
        self.tree.item(at)
    }

    fn said(&self, at: usize) -> Option<&Said> {
        self.said.get(&at)
    }

    fn intent(&self, at: usize) -> Option<RawCode<'a>> {
        Some(self.item(self.said(at)?.intent?)?.code)
    }

    /// Whether an item states the only thing that is stated in another.
    fn is_only(&self, at: usize, within: usize) -> bool {
        self.said(within).is_none_or(|said| said.findings.is_empty() || said.findings == [at])
    }

    /// The items whose children may speak of this one: itself, and what it is in up to the next container, which
    /// counts where this is all that it states. A text speaks for itself.
    fn holders(&self, at: usize) -> Vec<usize> {
        let mut holders = vec![at];
        if self.item(at).is_some_and(|item| item.value_type != ValueType::Text) {
            let around = up_to_container(self.tree, self.tree.ancestors(at));
            holders.extend(
                around.filter(|holder| !is_container(self.tree, *holder) || self.is_only(at, *holder)),
            );
        }
        holders
    }

    fn nearest(&self, holders: &[usize], what: impl Fn(&Said) -> Option<usize>) -> Option<&'t Item<'a>> {
        holders.iter().find_map(|holder| self.item(what(self.said(*holder)?)?))
    }

    fn cad_type(&self, sop_class: &Uid) -> Option<CadType> {
        let title = &self.item(0)?.name;
        let by_title = CAD_TITLES.iter().find(|(code, _)| title.is(*code)).map(|(_, cad_type)| *cad_type);
        by_title.or(match sop_class.as_str() {
            MAMMOGRAPHY_CAD => Some(CadType::Mammography),
            CHEST_CAD => Some(CadType::Chest),
            COLON_CAD => Some(CadType::Colon),
            _ => None,
        })
    }

    fn communication(&self) -> Option<String> {
        self.communication?;
        let within = self.tree.items.iter().zip(&self.around).filter(|(_, around)| around.is_communication);
        Some(shortened(within.filter_map(|(item, _)| item.text).map(|text| self.tree.text(text))))
    }

    /// The statements, and whether there are more of them.
    fn statements(&self) -> (Vec<Statement>, bool) {
        let mut stating = Vec::new();
        for (at, item) in self.tree.items.iter().enumerate().skip(1) {
            let around = self.around.get(at).copied().unwrap_or_default();
            if around.is_past {
                continue;
            }
            let Some((at, kind)) = self.stating(at, item, around) else { continue };
            if stating.len() == STATEMENT_LIMIT {
                return (self.state(&stating), true);
            }
            stating.push((at, kind));
        }
        (self.state(&stating), false)
    }

    /// Whether an item states something, and which item it is that is stated.
    fn stating(&self, at: usize, item: &Item<'_>, around: Around) -> Option<(usize, StatementKind)> {
        match saying(item) {
            Some(Saying::Finding) => Some((at, StatementKind::Finding)),
            Some(Saying::Category) => {
                let parent = self.said(item.parent)?;
                let is_of_a_finding = match parent.findings[..] {
                    [only] => self.is_finding(only),
                    _ => self.is_finding(item.parent),
                };
                // Several categories in one place are of one thing.
                let is_first = parent.categories.first() == Some(&at);
                if is_of_a_finding || !is_first {
                    return None;
                }
                let is_of_a_text =
                    self.item(item.parent).is_some_and(|parent| parent.value_type == ValueType::Text);
                Some((if is_of_a_text { item.parent } else { at }, StatementKind::Category))
            }
            Some(Saying::Mark) => {
                let is_to_be_shown = around.has_cad_findings
                    && around.is_impression
                    && !around.is_hidden
                    && self.intent(at).is_some();
                is_to_be_shown.then_some((at, StatementKind::Mark))
            }
            _ => None,
        }
    }

    /// Whether an item is stated as a finding whatever else is in the report, as a mark is not.
    fn is_finding(&self, at: usize) -> bool {
        self.item(at).is_some_and(|item| matches!(saying(item), Some(Saying::Finding)))
    }

    fn state(&self, stating: &[(usize, StatementKind)]) -> Vec<Statement> {
        let images = self.images(stating);
        let statements = stating.iter().zip(images);
        statements.map(|(&(at, kind), images)| self.statement(at, kind, images)).collect()
    }

    fn statement(&self, at: usize, kind: StatementKind, images: Vec<Uid>) -> Statement {
        let holders = self.holders(at);
        let stated = self.item(at).and_then(|item| finding(item, kind));
        let code = |code: Option<RawCode<'_>>| code.and_then(|code| coded(self.tree, &code));
        let site = code(self.nearest(&holders, |said| said.site).map(|item| item.code));
        let laterality = code(self.nearest(&holders, |said| said.laterality).map(|item| item.code));
        let finding = code(stated);
        let categories: Vec<Code> =
            self.categories(at, &holders).filter_map(|item| coded(self.tree, &item.code)).collect();
        let text = self.text(&holders, finding.as_ref(), &categories, [site.as_ref(), laterality.as_ref()]);
        // A tracking identifier and an algorithm are of all that is in a container.
        let tracking = std::iter::once(at).chain(self.tree.ancestors(at));
        let tracking: Vec<usize> = up_to_container(self.tree, tracking).collect();
        let tracking_uid =
            self.nearest(&tracking, |said| said.tracking).and_then(|item| Uid::read(item.uid).ok());
        Statement {
            kind,
            is_absent: stated.is_some_and(|stated| self.is_absent(at, &holders, stated.concept())),
            finding,
            categories,
            site,
            laterality,
            text,
            images,
            tracking_uid,
            algorithm: self.algorithm(at),
            score: self.nearest(&holders, |said| said.score).and_then(percent),
            path: self.tree.path(at),
        }
    }

    fn categories(&self, at: usize, holders: &[usize]) -> impl Iterator<Item = &'t Item<'a>> {
        let own = self.item(at).filter(|item| matches!(saying(item), Some(Saying::Category)));
        let beside = holders.iter().filter_map(|holder| self.said(*holder));
        let beside = beside.flat_map(|said| &said.categories).filter(move |category| **category != at);
        own.into_iter().chain(beside.filter_map(|category| self.item(*category))).take(CATEGORIES_LIMIT)
    }

    /// Whether a finding is said not to be there, by an item that is of it or has its name.
    fn is_absent(&self, at: usize, holders: &[usize], finding: Concept<'_>) -> bool {
        let is_of_it = |item: &Item<'_>| is_same(item.name.concept(), finding);
        let denies = |item: &Item<'_>| {
            let is_clinical =
                CLINICAL_SCHEMES.iter().any(|scheme| item.name.scheme.eq_ignore_ascii_case(scheme));
            is_of_it(item) || !is_clinical || is_one_of(item.name.concept(), &PRESENCE)
        };
        let absences = |holder: usize| {
            let absences = self.said(holder).map_or(&[][..], |said| &said.absences);
            absences.iter().filter_map(|absence| self.item(*absence))
        };
        let parent = self.item(at).map_or(0, |item| item.parent);
        holders.iter().any(|holder| absences(*holder).any(denies)) || absences(parent).any(is_of_it)
    }

    fn algorithm(&self, at: usize) -> Option<Algorithm> {
        let mut holders = std::iter::once(at).chain(self.tree.ancestors(at));
        let said = holders.find_map(|holder| self.said(holder).filter(|said| said.algorithm.is_some()))?;
        let text = |at: Option<usize>| {
            let item = self.item(at?)?;
            named(self.tree, item.text.or(item.code.meaning)?)
        };
        Some(Algorithm {
            manufacturer: text(said.manufacturer)
                .or_else(|| named(self.tree, self.tree.document.manufacturer?)),
            name: text(said.algorithm)?,
            version: text(said.version),
        })
    }

    fn text(
        &self,
        holders: &[usize],
        finding: Option<&Code>,
        categories: &[Code],
        places: [Option<&Code>; 2],
    ) -> String {
        let name =
            |code: &Code| if code.meaning.is_empty() { code.value.clone() } else { code.meaning.clone() };
        let mut subject = finding.or(categories.first()).map(name).unwrap_or_default();
        let places: Vec<String> = places.into_iter().flatten().map(name).collect();
        if !places.is_empty() {
            subject = format!("{subject} ({})", places.join(", "));
        }
        let mut narratives: Vec<usize> = Vec::new();
        for holder in holders {
            let beside = self.said(*holder).map_or(&[][..], |said| &said.narratives);
            let new = std::iter::once(holder)
                .chain(beside)
                .filter(|text| !holders.contains(text) || *text == holder);
            narratives.extend(new);
        }
        let texts = narratives.iter().filter_map(|at| self.item(*at)?.text);
        let texts = shortened(texts.map(|text| self.tree.text(text)));
        let text = if texts.is_empty() { subject } else { format!("{subject}: {texts}") };
        shortened(std::iter::once(text))
    }

    /// Which images each statement is about: those in it, and those beside it in a container that states nothing
    /// else.
    fn images(&self, stating: &[(usize, StatementKind)]) -> Vec<Vec<Uid>> {
        let mut images = vec![Vec::new(); stating.len()];
        let numbers: HashMap<usize, usize> =
            stating.iter().enumerate().map(|(number, (at, _))| (*at, number)).collect();
        // Of a category that stands alone, by what it is in.
        let alone = stating.iter().enumerate().filter(|(_, (_, kind))| *kind == StatementKind::Category);
        let alone: HashMap<usize, usize> =
            alone.filter_map(|(number, (at, _))| Some((self.item(*at)?.parent, number))).collect();
        let children = Children::of(self.tree);
        for (at, item) in self.tree.items.iter().enumerate() {
            let image = match &item.elsewhere {
                Some(positions) => children.find(positions).and_then(|at| self.item(at)),
                None => Some(item),
            };
            let image = image
                .filter(|image| image.value_type == ValueType::Image)
                .map(|image| Uid::read(image.image));
            let Some(Ok(image)) = image else { continue };
            let about = self.about(at, &numbers, &alone);
            if let Some(images) = about.and_then(|number| images.get_mut(number))
                && images.len() < IMAGES_LIMIT
                && !images.contains(&image)
            {
                images.push(image);
            }
        }
        images
    }

    /// The statement that an image belongs to.
    fn about(
        &self,
        at: usize,
        numbers: &HashMap<usize, usize>,
        alone: &HashMap<usize, usize>,
    ) -> Option<usize> {
        for ancestor in up_to_container(self.tree, self.tree.ancestors(at)) {
            if let Some(number) = numbers.get(&ancestor) {
                return Some(*number);
            }
            match self.said(ancestor).map_or(&[][..], |said| &said.findings) {
                [] => {}
                [only] => return numbers.get(only).copied(),
                _ => return None,
            }
            if let Some(number) = alone.get(&ancestor) {
                return Some(*number);
            }
        }
        None
    }
}

fn is_container(tree: &Tree<'_>, at: usize) -> bool {
    tree.item(at).is_some_and(|item| item.value_type == ValueType::Container)
}

/// The items in order up to the first container, which counts.
fn up_to_container(tree: &Tree<'_>, items: impl Iterator<Item = usize>) -> impl Iterator<Item = usize> {
    let mut is_over = false;
    items.take_while(move |at| {
        let was_over = is_over;
        is_over |= is_container(tree, *at);
        !was_over
    })
}

/// What an item may be to the one that it is in.
enum Saying {
    Finding,
    Mark,
    Category,
    Absence,
    Narrative,
    Algorithm,
    Version,
    Manufacturer,
    Tracking,
    Site,
    Laterality,
    Score,
    Intent,
}

fn saying(item: &Item<'_>) -> Option<Saying> {
    let name = item.name.concept();
    match item.value_type {
        ValueType::Code if !item.code.is_some() => None,
        ValueType::Code if is_one_of(item.code.concept(), &ABSENT) => Some(Saying::Absence),
        ValueType::Code if item.name.is(FINDING_CATEGORY) || is_one_of(item.code.concept(), &ACTIONABLE) => {
            Some(Saying::Category)
        }
        // The finding by its own name, as qualitative evaluations have it.
        ValueType::Code if item.code.is(PRESENT) => {
            let is_named = item.name.is_some() && !is_one_of(name, &PRESENCE) && !is_one_of(name, &FINDINGS);
            is_named.then_some(Saying::Finding)
        }
        ValueType::Code if is_one_of(name, &FINDINGS) => Some(Saying::Finding),
        ValueType::Code if item.name.is(SINGLE_IMAGE_FINDING) => Some(Saying::Mark),
        ValueType::Code if item.name.is(FINDING_SITE) => Some(Saying::Site),
        ValueType::Code if item.name.is(LATERALITY) => Some(Saying::Laterality),
        ValueType::Code if item.name.is(RENDERING_INTENT) => Some(Saying::Intent),
        ValueType::Code | ValueType::Text if item.name.is(ALGORITHM_NAME) => Some(Saying::Algorithm),
        ValueType::Text if item.name.is(ALGORITHM_VERSION) => Some(Saying::Version),
        ValueType::Text if item.name.is(ALGORITHM_MANUFACTURER) => Some(Saying::Manufacturer),
        ValueType::Text if is_one_of(name, &NARRATIVES) => Some(Saying::Narrative),
        ValueType::Number if is_one_of(name, &SCORES) && item.number.is_some() => Some(Saying::Score),
        _ if item.name.is(TRACKING_UID) && !item.uid.is_empty() => Some(Saying::Tracking),
        _ => None,
    }
}

impl Said {
    fn find(&mut self, at: usize) {
        if self.findings.len() < 2 {
            self.findings.push(at);
        }
    }

    fn hear(&mut self, at: usize, saying: Saying) {
        let first = |slot: &mut Option<usize>| *slot = slot.or(Some(at));
        let also = |list: &mut Vec<usize>, limit| {
            if list.len() < limit {
                list.push(at);
            }
        };
        match saying {
            Saying::Finding | Saying::Mark => self.find(at),
            Saying::Category => also(&mut self.categories, CATEGORIES_LIMIT),
            Saying::Absence => also(&mut self.absences, ABSENCES_LIMIT),
            Saying::Narrative => also(&mut self.narratives, NARRATIVES_LIMIT),
            Saying::Algorithm => first(&mut self.algorithm),
            Saying::Version => first(&mut self.version),
            Saying::Manufacturer => first(&mut self.manufacturer),
            Saying::Tracking => first(&mut self.tracking),
            Saying::Site => first(&mut self.site),
            Saying::Laterality => first(&mut self.laterality),
            Saying::Score => first(&mut self.score),
            Saying::Intent => first(&mut self.intent),
        }
    }
}

/// The code of what an item states.
fn finding<'a>(item: &Item<'a>, kind: StatementKind) -> Option<RawCode<'a>> {
    match kind {
        StatementKind::Category => None,
        StatementKind::Finding if item.code.is(PRESENT) => Some(item.name),
        StatementKind::Finding | StatementKind::Mark => Some(item.code),
    }
}

fn coded(tree: &Tree<'_>, code: &RawCode<'_>) -> Option<Code> {
    code.is_some().then(|| Code {
        value: code.value.to_owned(),
        scheme: code.scheme.to_owned(),
        meaning: code.meaning.and_then(|text| named(tree, text)).unwrap_or_default(),
    })
}

/// The name of a thing: what is longer than one may be is cut off.
fn named(tree: &Tree<'_>, text: RawText<'_>) -> Option<String> {
    let name: String = tree.text(text).chars().take(NAME_LENGTH).collect();
    Some(name).filter(|name| !name.is_empty())
}

/// A number in percent: some write it as a part of one.
fn percent(item: &Item<'_>) -> Option<f64> {
    let number = item.number?;
    let percent = if matches!(item.unit, "1" | "{0:1}" | "{ratio}") { number * 100.0 } else { number };
    (0.0..=100.0).contains(&percent).then_some(percent)
}

/// Texts in one, as far as they are shown.
fn shortened(texts: impl Iterator<Item = String>) -> String {
    let mut shown = String::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !shown.is_empty() {
            shown.push_str("; ");
        }
        shown.push_str(&text);
        if let Some((end, _)) = shown.char_indices().nth(STATEMENT_LENGTH) {
            let kept = shown.char_indices().nth(STATEMENT_LENGTH - 1).map_or(end, |(last, _)| last);
            shown.truncate(kept);
            shown.push('…');
            break;
        }
    }
    shown
}

/// The children of every item, one after the other.
struct Children {
    /// Where those of an item begin, and one more.
    starts: Vec<usize>,
    items: Vec<usize>,
}

impl Children {
    fn of(tree: &Tree<'_>) -> Self {
        let mut starts = vec![0; tree.items.len() + 1];
        for item in tree.items.iter().skip(1) {
            if let Some(count) = starts.get_mut(item.parent + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut items = vec![0; tree.items.len().saturating_sub(1)];
        for (at, item) in tree.items.iter().enumerate().skip(1) {
            let start = starts.get(item.parent).copied().unwrap_or_default();
            if let Some(slot) = items.get_mut(start + (item.position as usize).saturating_sub(1)) {
                *slot = at;
            }
        }
        Self { starts, items }
    }

    /// The item at these positions from the document down; the first is the document's own.
    fn find(&self, positions: &[u32]) -> Option<usize> {
        let (_, below) = positions.split_first()?;
        below.iter().try_fold(0, |at, position| {
            let (start, end) = (*self.starts.get(at)?, *self.starts.get(at + 1)?);
            let child = start + (*position as usize).checked_sub(1)?;
            if child < end { self.items.get(child).copied() } else { None }
        })
    }
}
