//! The content tree of a report (PS3.3 C.17.3), flat: every item knows its parent.

use crate::dicom::character_set::CharacterSet;
use crate::dicom::reason::{HeaderError, Reason};
use crate::dicom::tag::Tag;
use crate::dicom::vr::Vr;
use crate::dicom::walk::{Element, Event, Walk};

use super::code::{Concept, is_same};

/// Content items that are read. The largest real reports have some ten thousand.
pub(super) const ITEM_LIMIT: usize = 1 << 16;

/// How much of a text is looked at.
const TEXT_LENGTH: usize = 4 << 10;

/// Longer codes, schemes and UIDs are none.
const NAME_LENGTH: usize = 256;

/// No content item is deeper than the walk goes.
const DEPTH_LIMIT: usize = 65;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    Container,
    Code,
    Text,
    Number,
    Image,
    Other,
}

/// Text as the file has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawText<'a> {
    bytes: &'a [u8],
    vr: Vr,
    /// Which of the tree's character sets it is in.
    character_set: u32,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawCode<'a> {
    pub(super) value: &'a str,
    pub(super) scheme: &'a str,
    pub(super) meaning: Option<RawText<'a>>,
}

impl<'a> RawCode<'a> {
    pub(super) fn concept(&self) -> Concept<'a> {
        (self.value, self.scheme)
    }

    pub(super) fn is(&self, concept: Concept<'_>) -> bool {
        is_same(self.concept(), concept)
    }

    pub(super) fn is_some(&self) -> bool {
        !self.value.is_empty()
    }
}

/// A content item.
#[derive(Debug)]
pub(super) struct Item<'a> {
    /// Its own number for the document itself.
    pub(super) parent: usize,
    /// Which child of its parent it is, from 1 (PS3.3 C.17.3.2.5).
    pub(super) position: u32,
    pub(super) value_type: ValueType,
    pub(super) name: RawCode<'a>,
    /// The value of an item of type CODE.
    pub(super) code: RawCode<'a>,
    pub(super) text: Option<RawText<'a>>,
    pub(super) number: Option<f64>,
    pub(super) unit: &'a str,
    pub(super) uid: &'a str,
    /// The SOP Instance UID of the image that it refers to.
    pub(super) image: &'a str,
    /// Of an item that stands elsewhere in the tree: where, as positions from the document down.
    pub(super) elsewhere: Option<Box<[u32]>>,
}

impl Item<'_> {
    const fn new(parent: usize, position: u32) -> Self {
        Self {
            parent,
            position,
            value_type: ValueType::Other,
            name: RawCode { value: "", scheme: "", meaning: None },
            code: RawCode { value: "", scheme: "", meaning: None },
            text: None,
            number: None,
            unit: "",
            uid: "",
            image: "",
            elsewhere: None,
        }
    }
}

/// What the document says of itself.
#[derive(Debug, Default)]
pub(super) struct Document<'a> {
    /// These two as the header's facts are read, so that one file is not two instances.
    pub(super) sop_class_uid: String,
    pub(super) sop_instance_uid: String,
    pub(super) manufacturer: Option<RawText<'a>>,
    pub(super) template: &'a str,
    pub(super) completion: &'a str,
    pub(super) verification: &'a str,
}

#[derive(Debug)]
pub(super) struct Tree<'a> {
    /// The document itself first, every item before its children.
    pub(super) items: Vec<Item<'a>>,
    pub(super) document: Document<'a>,
    /// Whether some of the document is not in here.
    pub(super) is_incomplete: bool,
    character_sets: Vec<CharacterSet>,
}

/// What the elements at hand belong to.
#[derive(Clone, Copy)]
enum Place {
    Item(usize),
    Code(usize, Role),
    Measurement(usize),
    Image(usize),
    Template,
    Elsewhere,
}

/// Which code of an item.
#[derive(Clone, Copy)]
enum Role {
    Name,
    Value,
    Unit,
}

/// A sequence that the walk is in.
struct Sequence {
    tag: Tag,
    /// What it is an attribute of.
    of: Place,
    items: u32,
}

impl<'a> Tree<'a> {
    /// Walk a whole data set; nothing when its SOP class is not one that `is_wanted`.
    pub(super) fn read(
        mut walk: Walk<'a>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<Self>, HeaderError> {
        let mut tree = Self {
            items: vec![Item::new(0, 1)],
            document: Document::default(),
            is_incomplete: false,
            character_sets: vec![CharacterSet::Undeclared],
        };
        let mut places = vec![Place::Item(0)];
        let mut sequences: Vec<Sequence> = Vec::new();
        // An item's text is in the character set of what it is in, until it names its own (PS3.3 C.12.1.1.2).
        let mut character_sets = vec![0];
        loop {
            match walk.next()? {
                Event::Element(element) => {
                    let place = places.last().copied().unwrap_or(Place::Elsewhere);
                    if element.tag == Tag::SPECIFIC_CHARACTER_SET
                        && !matches!(place, Place::Elsewhere)
                        && let Some(innermost) = character_sets.last_mut()
                    {
                        *innermost = tree.character_sets.len() as u32;
                        tree.character_sets.push(CharacterSet::declared(element.value));
                    }
                    let character_set = character_sets.last().copied().unwrap_or_default();
                    tree.take(place, &element, character_set);
                    if sequences.is_empty()
                        && element.tag == Tag::SOP_CLASS_UID
                        && !is_wanted(&tree.document.sop_class_uid)
                    {
                        return Ok(None);
                    }
                }
                Event::SequenceStart(tag) => {
                    let of = places.last().copied().unwrap_or(Place::Elsewhere);
                    sequences.push(Sequence { tag, of, items: 0 });
                }
                Event::ItemStart => {
                    places
                        .push(sequences.last_mut().map_or(Place::Elsewhere, |sequence| tree.enter(sequence)));
                    character_sets.extend(character_sets.last().copied());
                }
                Event::ItemEnd => {
                    places.pop();
                    character_sets.pop();
                }
                Event::SequenceEnd => {
                    sequences.pop();
                }
                Event::Fragments { .. } => {}
                Event::PixelData { .. } | Event::End => break,
            }
        }
        if tree.document.sop_class_uid.is_empty() {
            return Err(Reason::MissingSopClassUid.into());
        }
        Ok(Some(tree))
    }

    /// The next item of a sequence begins.
    fn enter(&mut self, sequence: &mut Sequence) -> Place {
        sequence.items = sequence.items.saturating_add(1);
        match (sequence.of, sequence.tag) {
            (Place::Item(parent), Tag::CONTENT_SEQUENCE) => {
                if self.items.len() == ITEM_LIMIT {
                    self.is_incomplete = true;
                    return Place::Elsewhere;
                }
                self.items.push(Item::new(parent, sequence.items));
                Place::Item(self.items.len() - 1)
            }
            // Of all others one item is allowed, and the first is taken.
            _ if sequence.items > 1 => Place::Elsewhere,
            (Place::Item(item), Tag::CONCEPT_NAME_CODE_SEQUENCE) => Place::Code(item, Role::Name),
            (Place::Item(item), Tag::CONCEPT_CODE_SEQUENCE) => Place::Code(item, Role::Value),
            (Place::Item(item), Tag::MEASURED_VALUE_SEQUENCE) => Place::Measurement(item),
            (Place::Item(item), Tag::REFERENCED_SOP_SEQUENCE) => Place::Image(item),
            (Place::Item(0), Tag::CONTENT_TEMPLATE_SEQUENCE) => Place::Template,
            (Place::Measurement(item), Tag::MEASUREMENT_UNITS_CODE_SEQUENCE) => Place::Code(item, Role::Unit),
            _ => Place::Elsewhere,
        }
    }

    fn take(&mut self, place: Place, element: &Element<'a>, character_set: u32) {
        let text = RawText {
            bytes: element.value.get(..TEXT_LENGTH).unwrap_or(element.value),
            vr: element.vr,
            character_set,
        };
        match place {
            Place::Item(at) => {
                if at == 0 {
                    self.take_of_document(element, text);
                }
                // Content that a writer did not know for a sequence: it cannot be looked into.
                if element.tag == Tag::CONTENT_SEQUENCE && !element.value.is_empty() {
                    self.is_incomplete = true;
                }
                let Some(item) = self.items.get_mut(at) else { return };
                match element.tag {
                    Tag::VALUE_TYPE => item.value_type = value_type(name(element)),
                    Tag::TEXT_VALUE => item.text = Some(text),
                    Tag::UID_VALUE => item.uid = name(element),
                    Tag::REFERENCED_CONTENT_ITEM_IDENTIFIER => item.elsewhere = Some(positions(element)),
                    _ => {}
                }
            }
            Place::Code(at, role) => self.take_of_code(at, role, element, text),
            Place::Measurement(at) => {
                // The same number, once in binary and once as text.
                let is_number = matches!(element.tag, Tag::FLOATING_POINT_VALUE | Tag::NUMERIC_VALUE);
                if let Some(item) = self.items.get_mut(at)
                    && is_number
                {
                    item.number = short(element).number().filter(|number| number.is_finite()).or(item.number);
                }
            }
            Place::Image(at) => {
                if let Some(item) = self.items.get_mut(at)
                    && element.tag == Tag::REFERENCED_SOP_INSTANCE_UID
                {
                    item.image = name(element);
                }
            }
            Place::Template if element.tag == Tag::TEMPLATE_IDENTIFIER => {
                self.document.template = name(element);
            }
            Place::Template | Place::Elsewhere => {}
        }
    }

    fn take_of_document(&mut self, element: &Element<'a>, text: RawText<'a>) {
        match element.tag {
            Tag::SOP_CLASS_UID => self.document.sop_class_uid = self.first(text),
            Tag::SOP_INSTANCE_UID => self.document.sop_instance_uid = self.first(text),
            Tag::MANUFACTURER => self.document.manufacturer = Some(text),
            Tag::COMPLETION_FLAG => self.document.completion = name(element),
            Tag::VERIFICATION_FLAG => self.document.verification = name(element),
            _ => {}
        }
    }

    fn take_of_code(&mut self, at: usize, role: Role, element: &Element<'a>, text: RawText<'a>) {
        let Some(item) = self.items.get_mut(at) else { return };
        let code = match role {
            Role::Name => &mut item.name,
            Role::Value => &mut item.code,
            Role::Unit => {
                if element.tag == Tag::CODE_VALUE {
                    item.unit = name(element);
                }
                return;
            }
        };
        match element.tag {
            Tag::CODE_VALUE | Tag::LONG_CODE_VALUE | Tag::URN_CODE_VALUE => code.value = name(element),
            Tag::CODING_SCHEME_DESIGNATOR => code.scheme = name(element),
            Tag::CODE_MEANING => code.meaning = Some(text),
            _ => {}
        }
    }

    fn values(&self, text: RawText<'_>) -> Vec<String> {
        let character_set = self.character_sets.get(text.character_set as usize).copied();
        let character_set =
            character_set.filter(|_| text.vr.follows_character_set()).unwrap_or(CharacterSet::Undeclared);
        character_set.decode(text.vr, text.bytes)
    }

    fn first(&self, text: RawText<'_>) -> String {
        self.values(text).into_iter().next().unwrap_or_default()
    }

    /// A text in UTF-8, on one line.
    pub(super) fn text(&self, text: RawText<'_>) -> String {
        let values = self.values(text).join("\\");
        // Where a text is too long the last character may be half of one.
        let values = values.trim_end_matches(char::REPLACEMENT_CHARACTER);
        values.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn item(&self, at: usize) -> Option<&Item<'a>> {
        self.items.get(at)
    }

    /// What an item is in, and what that is in, up to the document.
    pub(super) fn ancestors(&self, at: usize) -> impl Iterator<Item = usize> {
        let mut next = self.item(at).map(|item| item.parent).filter(|_| at != 0);
        std::iter::from_fn(move || {
            let at = next?;
            next = self.item(at).map(|item| item.parent).filter(|_| at != 0);
            Some(at)
        })
    }

    /// Where an item is, as PS3.3 C.17.3.2.5 numbers items: `1.2.4`.
    pub(super) fn path(&self, at: usize) -> String {
        let mut positions: Vec<String> = std::iter::once(at)
            .chain(self.ancestors(at))
            .filter_map(|at| self.item(at))
            .map(|item| item.position.to_string())
            .collect();
        positions.reverse();
        positions.join(".")
    }
}

fn value_type(term: &str) -> ValueType {
    match term {
        "CONTAINER" => ValueType::Container,
        "CODE" => ValueType::Code,
        "TEXT" => ValueType::Text,
        "NUM" => ValueType::Number,
        "IMAGE" => ValueType::Image,
        _ => ValueType::Other,
    }
}

/// The first value of an element that is compared: ASCII that can be read, or nothing.
fn name<'a>(element: &Element<'a>) -> &'a str {
    let first = element.value.split(|byte| *byte == b'\\').next().unwrap_or_default();
    let name = str::from_utf8(first).unwrap_or_default().trim_matches([' ', '\0']);
    let is_readable = name.len() <= NAME_LENGTH && name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_readable { name } else { "" }
}

/// As much of a number as one has.
fn short<'a>(element: &Element<'a>) -> Element<'a> {
    Element { value: element.value.get(..NAME_LENGTH).unwrap_or(element.value), ..*element }
}

fn positions(element: &Element<'_>) -> Box<[u32]> {
    use crate::dicom::value::Number;
    let position = |number| match number {
        Number::Whole(number) => u32::try_from(number).ok(),
        _ => None,
    };
    element.numbers().take(DEPTH_LIMIT + 1).filter_map(position).collect()
}
