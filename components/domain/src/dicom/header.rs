//! From the first bytes of a file to what is known of it.

use super::character_set::CharacterSet;
use super::facts::{Facts, Found, Place};
use super::inflate::Inflater;
use super::metadata::{Metadata, Writer};
use super::part10::{self, Opened};
use super::reason::{HeaderError, Reason};
use super::tag::Tag;
use super::uid::Uid;
use super::walk::{Encoding, Event, Walk};

/// How much of a file is read for its header: structured reports and plans, which are header all through,
/// reach 2 MB.
pub const HEADER_LIMIT: u64 = 16 << 20;

/// How much of an inflated header is looked at first.
const FIRST_INFLATED: usize = 256 << 10;

/// What follows encapsulated pixels is a few bytes of padding as a rule, and a signature at most.
const SHORT_TAIL: u64 = 1 << 10;
const LONG_TAIL: u64 = 64 << 10;

/// Everything that a file says before its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub facts: Facts,
    pub pixel_data: PixelData,
    pub metadata: Metadata,
}

/// Where the pixels are, as far as is needed to tell whether all of them are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelData {
    /// A report or a plan: all of it has been read.
    Absent,
    /// `end` is the offset in the file one past the declared value.
    Native { end: u64 },
    /// Fragments from the offset `starts` up to a delimiter.
    Encapsulated { starts: u64 },
    /// Within the compressed data set; all of it has been inflated and counted.
    Deflated,
}

/// Read the header of a file of `total` bytes out of its first ones.
///
/// Of a prefix that is too short the answer is [`HeaderError::NeedMore`], of any longer one the same as of
/// the whole file. A deflated file, and one without pixels, is needed whole. Nothing is allocated beyond a
/// small multiple of the prefix.
///
/// Give the longer prefix from offset 0 again at the next try; the limit for all of it is [`HEADER_LIMIT`].
pub fn read_header(prefix: &[u8], total: u64) -> Result<Header, HeaderError> {
    let total = total.max(prefix.len() as u64);
    match open_and_read(prefix, total) {
        Err(HeaderError::NeedMore { at_least }) if at_least > HEADER_LIMIT => Err(Reason::TooLong.into()),
        answer => answer,
    }
}

fn open_and_read(prefix: &[u8], total: u64) -> Result<Header, HeaderError> {
    let opened = part10::open(prefix, total)?;
    if !opened.deflated {
        let walk = Walk::new(prefix, total, opened.start, opened.encoding);
        return read_data_set(walk, opened.transfer_syntax, true);
    }
    if (prefix.len() as u64) < total {
        return Err(HeaderError::NeedMore { at_least: total });
    }
    inflate_and_read(prefix, opened)
}

fn inflate_and_read(file: &[u8], opened: Opened) -> Result<Header, HeaderError> {
    let compressed = usize::try_from(opened.start).ok().and_then(|start| file.get(start..));
    let mut inflater = Inflater::new(compressed.unwrap_or_default());
    let mut wanted = FIRST_INFLATED;
    let header = loop {
        inflater.fill(wanted)?;
        let bytes = inflater.bytes();
        let total = if inflater.is_finished() { bytes.len() as u64 } else { u64::MAX >> 1 };
        let walk = Walk::new(bytes, total, 0, Encoding::EXPLICIT_LITTLE);
        match read_data_set(walk, opened.transfer_syntax.clone(), false) {
            Err(HeaderError::NeedMore { at_least }) => {
                let at_least = usize::try_from(at_least).unwrap_or(usize::MAX);
                wanted = wanted.saturating_mul(2).max(at_least);
                if wanted as u64 > HEADER_LIMIT {
                    return Err(Reason::TooLong.into());
                }
            }
            answer => break answer?,
        }
    };
    let length = inflater.finish()?;
    match header.pixel_data {
        PixelData::Native { end } if end > length => Err(Reason::Truncated.into()),
        _ => Ok(Header { pixel_data: PixelData::Deflated, ..header }),
    }
}

/// Walk a data set up to its pixels without looking at any value: what is too much or not there yet shows
/// here, before anything is spent on it.
fn survey(mut walk: Walk<'_>) -> Result<(), HeaderError> {
    loop {
        match walk.next()? {
            Event::PixelData { .. } | Event::End => return Ok(()),
            _ => {}
        }
    }
}

/// Then walk it again and take from each element what it says.
fn read_data_set(
    mut walk: Walk<'_>,
    transfer_syntax: Uid,
    by_reference: bool,
) -> Result<Header, HeaderError> {
    survey(walk.clone())?;
    let mut found = Found::default();
    let mut writer = Writer::new(by_reference);
    let mut path = Path::default();
    let mut character_sets = vec![CharacterSet::Undeclared];
    let pixel_data = loop {
        match walk.next()? {
            Event::Element(element) => {
                if element.tag == Tag::SPECIFIC_CHARACTER_SET
                    && let Some(innermost) = character_sets.last_mut()
                {
                    *innermost = CharacterSet::declared(element.value);
                }
                let character_set = character_sets.last().copied().unwrap_or(CharacterSet::Undeclared);
                found.consider(path.place(), element, character_set);
                writer.element(&element, character_set);
            }
            Event::Fragments { tag, vr } => writer.bulk(tag, vr, None),
            Event::SequenceStart(tag) => {
                path.sequences.push((tag, 0));
                writer.sequence_start(tag);
            }
            Event::ItemStart => {
                path.next_item();
                // An item's text is in the character set of what it is in, until it names its own (PS3.3
                // C.12.1.1.2).
                character_sets.extend(character_sets.last().copied());
                writer.item_start();
            }
            Event::ItemEnd => {
                character_sets.pop();
                writer.item_end();
            }
            Event::SequenceEnd => {
                if let Some((tag, _)) = path.sequences.pop() {
                    writer.sequence_end(tag);
                }
            }
            Event::PixelData { tag, vr, at, length } => {
                let length = length.map(u64::from);
                writer.bulk(tag, vr, Some((at, length)));
                break match length {
                    Some(length) => PixelData::Native { end: at + length },
                    None => PixelData::Encapsulated { starts: at },
                };
            }
            Event::End => break PixelData::Absent,
        }
    };
    Ok(Header { facts: found.facts(transfer_syntax)?, pixel_data, metadata: writer.finish() })
}

/// The sequences that the walk is in, each with the number of the item.
#[derive(Default)]
struct Path {
    sequences: Vec<(Tag, u32)>,
}

impl Path {
    fn next_item(&mut self) {
        if let Some((_, item)) = self.sequences.last_mut() {
            *item += 1;
        }
    }

    fn place(&self) -> Place {
        match self.sequences.as_slice() {
            [] => Place::DataSet,
            [(Tag::DETECTOR_INFORMATION_SEQUENCE, 1)] => Place::Detector,
            [(Tag::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 1), (_, 1)] => Place::Shared,
            [(Tag::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, 1), (_, 1)] => Place::FirstFrame,
            _ => Place::Elsewhere,
        }
    }
}

impl Header {
    /// How many of the file's last bytes [`complete`](Self::complete) wants to see: none unless the pixels
    /// are encapsulated.
    pub fn tail_length(&self, total: u64) -> u64 {
        match self.pixel_data {
            PixelData::Encapsulated { starts } => total.saturating_sub(starts).min(SHORT_TAIL),
            _ => 0,
        }
    }

    /// Whether the file, of `total` bytes, is all there; `tail` is the end of it, as long as
    /// [`tail_length`](Self::tail_length) says or longer.
    ///
    /// Native pixels say how long they are. Encapsulated ones end with a delimiter (PS3.5 A.4), after which
    /// whole elements may follow. When a short tail has no delimiter, [`HeaderError::NeedMore`] asks for a
    /// longer one, once.
    pub fn complete(&self, total: u64, tail: &[u8]) -> Result<(), HeaderError> {
        match self.pixel_data {
            PixelData::Absent | PixelData::Deflated => Ok(()),
            PixelData::Native { end } if end > total => Err(Reason::Truncated.into()),
            PixelData::Native { .. } => Ok(()),
            PixelData::Encapsulated { starts } => {
                let longest = total.saturating_sub(starts);
                let excess = (tail.len() as u64).saturating_sub(longest);
                let fragments = tail.get(excess as usize..).unwrap_or_default();
                if ends_with_delimiter(fragments) {
                    return Ok(());
                }
                let wanted = longest.min(LONG_TAIL);
                if (fragments.len() as u64) < wanted {
                    return Err(HeaderError::NeedMore { at_least: wanted });
                }
                Err(Reason::Truncated.into())
            }
        }
    }
}

/// Whether the bytes hold a sequence delimiter after which there are whole elements to the end, or padding.
fn ends_with_delimiter(tail: &[u8]) -> bool {
    const DELIMITER: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];
    let mut rest = tail;
    while let Some(at) = rest.windows(DELIMITER.len()).position(|window| window == DELIMITER) {
        rest = rest.get(at + DELIMITER.len()..).unwrap_or_default();
        if rest.iter().all(|byte| *byte == 0) || is_whole_elements(rest) {
            return true;
        }
    }
    false
}

fn is_whole_elements(bytes: &[u8]) -> bool {
    let mut walk = Walk::new(bytes, bytes.len() as u64, 0, Encoding::EXPLICIT_LITTLE);
    loop {
        match walk.next() {
            Ok(Event::End) => return true,
            Ok(Event::PixelData { .. }) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}
