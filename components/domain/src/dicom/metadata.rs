//! The whole data set as DICOM JSON (PS3.18 annex F), written while it is walked.

use std::collections::BinaryHeap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Serialize, Serializer};

use super::character_set::CharacterSet;
use super::tag::Tag;
use super::value::Number;
use super::vr::Vr;
use super::walk::Element;

/// The longest text that [`Metadata`] grows to.
pub const METADATA_LIMIT: usize = 256 << 10;

/// Binary values longer than this are bulk data.
const BULK_LENGTH: usize = 1 << 10;
/// So are tables of numbers, which read well as JSON only while they are short,
const TABLE_LENGTH: usize = 4 << 10;
/// and texts of this length.
const TEXT_LENGTH: usize = 64 << 10;

/// What is left out for the sake of room is longer than this, so that no name goes for a million empty
/// attributes.
const SMALL: usize = 256;

/// How many attributes are named as left out.
const OMITTED_NAMED: usize = 64;

/// Three braces or brackets a level: serde_json reads 128 deep, and this lies in an envelope.
const DEPTH_LIMIT: usize = 32;

/// The data set without its bulk data, as the text of a DICOM JSON object: sorted by tag, private attributes
/// kept, text in UTF-8 without U+0000, at most 256 KiB.
///
/// - Bulk data (pixels; OB, OW, OF, OD, OL, OV and UN beyond 1 KiB, other numbers beyond 4 KiB, text beyond
///   64 KiB) is there by reference: `{"vr":"OW","BulkDataURI":"?offset=1472&length=524288"}`, a relative
///   reference (RFC 3986 4.2) to be resolved against wherever the file is read from, whose query names the
///   range of the file that holds the value. Encapsulated pixels have no length. In a deflated file the range
///   would name nothing, so there is only the `vr`. Shorter binary values are `InlineBinary`.
/// - DS and IS are JSON numbers where they parse as such, strings where not.
/// - Group lengths and the file's meta information are left out (PS3.18 F.2.2), and so is trailing padding.
/// - What is nested more than 32 deep is left out beyond its `vr`, and so are the largest attributes when all
///   of them are too much; after thousands of small ones the rest go entirely. [`omitted`](Self::omitted)
///   names the top-level attributes that it happened to.
///
/// Serialises as that object.
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata {
    json: String,
    omitted: Vec<Tag>,
}

impl Metadata {
    /// The text of the object: what to seal or store.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    pub fn into_json(self) -> String {
        self.json
    }

    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.json).unwrap_or_else(|_| serde_json::Value::Object(serde_json::Map::new()))
    }

    /// Attributes of which something was left out for its size or depth; the first 64 of them.
    pub fn omitted(&self) -> &[Tag] {
        &self.omitted
    }
}

/// Without the text, which is about a patient and has no place in a log.
impl fmt::Debug for Metadata {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Metadata({} bytes)", self.json.len())
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

#[derive(Clone, Copy)]
enum Level {
    Sequence { has_items: bool },
    Item { has_elements: bool },
}

/// Takes the events of a walk and writes them down. Each attribute of the data set is a text of its own until
/// the end, so that the largest can be dropped once all of them are too large; never more than twice the
/// limit is held.
pub(super) struct Writer {
    attributes: Vec<(Tag, Vr, String)>,
    length: usize,
    current: String,
    levels: Vec<Level>,
    /// How many of the innermost levels are not written, being too deep.
    muted: usize,
    incomplete: bool,
    omitted: Vec<Tag>,
    /// Whether places in what is walked are places in the file.
    by_reference: bool,
    /// The lengths of the attributes and where they are, the largest first.
    by_length: BinaryHeap<(usize, usize)>,
    /// Nothing more is taken up.
    is_full: bool,
}

impl Writer {
    pub(super) fn new(by_reference: bool) -> Self {
        Self {
            attributes: Vec::new(),
            length: 0,
            current: String::new(),
            levels: Vec::new(),
            muted: 0,
            incomplete: false,
            omitted: Vec::new(),
            by_reference,
            by_length: BinaryHeap::new(),
            is_full: false,
        }
    }

    pub(super) fn element(&mut self, element: &Element<'_>, character_set: CharacterSet) {
        let is_left_out = element.tag.is_group_length() || element.tag == Tag::DATA_SET_TRAILING_PADDING;
        if is_left_out || self.is_silent() {
            return;
        }
        self.begin(element.tag, element.vr);
        let length = element.value.len();
        if length == 0 {
            // An attribute without a value is its representation alone (PS3.18 F.2.5).
        } else if is_bulk(element.vr, length) {
            self.refer(element.at, Some(length as u64));
        } else if element.vr.is_binary() {
            self.inline_binary(element);
        } else {
            self.values(element, character_set);
        }
        self.current.push('}');
        self.end(element.tag, element.vr);
    }

    /// An attribute whose value is not looked at: fragments, or the pixel data.
    pub(super) fn bulk(&mut self, tag: Tag, vr: Vr, place: Option<(u64, Option<u64>)>) {
        if self.is_silent() {
            return;
        }
        self.begin(tag, vr);
        if let Some((at, length)) = place {
            self.refer(at, length);
        }
        self.current.push('}');
        self.end(tag, vr);
    }

    pub(super) fn sequence_start(&mut self, tag: Tag) {
        let depth = self.levels.iter().filter(|level| matches!(level, Level::Sequence { .. })).count();
        if self.muted == 0 && depth == DEPTH_LIMIT {
            self.begin(tag, Vr::Sq);
            self.current.push('}');
            self.incomplete = true;
            self.muted = 1;
        } else if self.muted > 0 {
            self.muted += 1;
        } else {
            self.begin(tag, Vr::Sq);
        }
        self.levels.push(Level::Sequence { has_items: false });
    }

    pub(super) fn item_start(&mut self) {
        if self.muted > 0 {
            self.muted += 1;
        } else if let Some(Level::Sequence { has_items }) = self.levels.last_mut() {
            let opening = if *has_items { ",{" } else { r#","Value":[{"# };
            *has_items = true;
            self.write(opening);
        }
        self.levels.push(Level::Item { has_elements: false });
    }

    pub(super) fn item_end(&mut self) {
        self.levels.pop();
        if self.muted > 0 {
            self.muted -= 1;
            return;
        }
        self.write("}");
    }

    /// `tag` is the sequence's if it is of the data set itself.
    pub(super) fn sequence_end(&mut self, tag: Tag) {
        let level = self.levels.pop();
        if self.muted > 0 {
            self.muted -= 1;
        } else if matches!(level, Some(Level::Sequence { has_items: true })) {
            self.write("]}");
        } else {
            self.write("}");
        }
        self.end(tag, Vr::Sq);
    }

    pub(super) fn finish(self) -> Metadata {
        let texts: Vec<&str> = self.attributes.iter().map(|(_, _, text)| text.as_str()).collect();
        Metadata { json: format!("{{{}}}", texts.join(",")), omitted: self.omitted }
    }

    /// Whether what comes now is not written at all.
    fn is_silent(&self) -> bool {
        self.muted > 0 || self.current.len() > METADATA_LIMIT
    }

    fn write(&mut self, text: &str) {
        if !self.is_silent() {
            self.current.push_str(text);
        }
    }

    fn begin(&mut self, tag: Tag, vr: Vr) {
        if let Some(Level::Item { has_elements }) = self.levels.last_mut() {
            if *has_elements && self.current.len() <= METADATA_LIMIT {
                self.current.push(',');
            }
            *has_elements = true;
        }
        self.write(&format!(r#""{tag}":{{"vr":"{}""#, vr.code()));
    }

    /// After the last of an attribute: file it if it was of the data set itself.
    fn end(&mut self, tag: Tag, vr: Vr) {
        if !self.levels.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.current);
        let too_long = text.len() > METADATA_LIMIT;
        if std::mem::take(&mut self.incomplete) || too_long || self.is_full {
            self.omit(tag);
        }
        if self.is_full {
            return;
        }
        let text = if too_long { without_value(tag, vr) } else { text };
        self.length += text.len() + 1;
        self.by_length.push((text.len(), self.attributes.len()));
        self.attributes.push((tag, vr, text));
        while self.length + 1 > METADATA_LIMIT {
            self.shorten();
        }
    }

    /// Leave out the value of the largest attribute; or, when none is large but there are too many, the last
    /// of them and all that follow.
    fn shorten(&mut self) {
        let largest = self.by_length.pop().filter(|(length, _)| *length > SMALL);
        let Some((tag, vr, text)) = largest.and_then(|(_, at)| self.attributes.get_mut(at)) else {
            self.is_full = true;
            if let Some((tag, _, text)) = self.attributes.pop() {
                self.length -= text.len() + 1;
                self.omit(tag);
            }
            return;
        };
        let shorter = without_value(*tag, *vr);
        self.length -= text.len() - shorter.len();
        *text = shorter;
        let tag = *tag;
        self.omit(tag);
    }

    fn omit(&mut self, tag: Tag) {
        if self.omitted.len() < OMITTED_NAMED && !self.omitted.contains(&tag) {
            self.omitted.push(tag);
        }
    }

    fn refer(&mut self, at: u64, length: Option<u64>) {
        if !self.by_reference {
            return;
        }
        let length = length.map(|length| format!("&length={length}")).unwrap_or_default();
        self.current.push_str(&format!(r#","BulkDataURI":"?offset={at}{length}""#));
    }

    /// Base64 of the bytes in little endian order, whatever the file's is (PS3.18 F.2.7).
    fn inline_binary(&mut self, element: &Element<'_>) {
        self.current.push_str(r#","InlineBinary":""#);
        if element.big_endian && element.vr.width() > 1 {
            let swapped: Vec<u8> = element
                .value
                .chunks(element.vr.width())
                .flat_map(|number| number.iter().rev().copied())
                .collect();
            BASE64.encode_string(swapped, &mut self.current);
        } else {
            BASE64.encode_string(element.value, &mut self.current);
        }
        self.current.push('"');
    }

    fn values(&mut self, element: &Element<'_>, character_set: CharacterSet) {
        let start = self.current.len();
        self.current.push_str(r#","Value":["#);
        let opened = self.current.len();
        match element.vr {
            Vr::At | Vr::Fd | Vr::Fl | Vr::Sl | Vr::Ss | Vr::Sv | Vr::Ul | Vr::Us | Vr::Uv => {
                for number in element.numbers() {
                    self.separate(opened);
                    number.write(&mut self.current);
                }
            }
            vr => {
                for text in element.texts(character_set) {
                    self.separate(opened);
                    write_text(vr, &text, &mut self.current);
                }
            }
        }
        if self.current.len() == opened {
            self.current.truncate(start);
        } else {
            self.current.push(']');
        }
    }

    fn separate(&mut self, opened: usize) {
        if self.current.len() > opened {
            self.current.push(',');
        }
    }
}

fn is_bulk(vr: Vr, length: usize) -> bool {
    let limit = match vr {
        vr if vr.is_binary() => BULK_LENGTH,
        vr if vr.width() > 1 => TABLE_LENGTH,
        _ => TEXT_LENGTH,
    };
    length > limit
}

fn without_value(tag: Tag, vr: Vr) -> String {
    format!(r#""{tag}":{{"vr":"{}"}}"#, vr.code())
}

fn write_text(vr: Vr, text: &str, json: &mut String) {
    match vr {
        // A place held open among several values (PS3.18 F.2.5).
        _ if text.is_empty() => json.push_str("null"),
        Vr::Pn => write_name(text, json),
        Vr::Is | Vr::Ds => match text.trim().parse::<i64>() {
            Ok(number) => Number::Whole(number).write(json),
            Err(_) => match text.trim().parse().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => json.push_str(&number.to_string()),
                None => write_string(text, json),
            },
        },
        _ => write_string(text, json),
    }
}

fn write_name(text: &str, json: &mut String) {
    json.push('{');
    let opened = json.len();
    for (group, spelling) in ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(text.splitn(3, '=')) {
        let spelling = spelling.trim_end_matches([' ', '^']);
        if spelling.is_empty() {
            continue;
        }
        if json.len() > opened {
            json.push(',');
        }
        json.push('"');
        json.push_str(group);
        json.push_str("\":");
        write_string(spelling, json);
    }
    json.push('}');
}

pub(super) fn write_string(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\x0C' => json.push_str("\\f"),
            // None other is left after decoding.
            character if character.is_control() => {}
            character => json.push(character),
        }
    }
    json.push('"');
}
