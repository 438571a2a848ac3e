//! One step after the other through a data set, over bytes that nobody vouches for.
//!
//! This is a walker of our own rather than the readers of dicom-rs because those trust what they read: a
//! declared length is allocated before a byte of it is there (a file of 328 bytes takes 4 GB), sequences
//! recurse until the stack ends, and a prefix cut inside an element header looks like a clean end. Here a
//! value is a slice of the bytes at hand, nesting is a vector with a limit, and "not there yet" is an answer
//! of its own, told apart from "cut off".

use super::dictionary::{self, Entry};
use super::reason::{HeaderError, Reason};
use super::tag::Tag;
use super::vr::Vr;

/// Sequences within sequences. The deepest real structured reports stay under twenty.
pub(super) const DEPTH_LIMIT: usize = 64;

/// Elements and items together. A whole slide image of some ten thousand frames stays under half of it.
pub(super) const ELEMENT_LIMIT: u32 = 500_000;

const UNDEFINED_LENGTH: u32 = 0xFFFF_FFFF;

/// How elements are written (PS3.5 annex A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub(super) explicit: bool,
    pub(super) big_endian: bool,
}

impl Encoding {
    pub(super) const IMPLICIT_LITTLE: Self = Self { explicit: false, big_endian: false };
    pub(super) const EXPLICIT_LITTLE: Self = Self { explicit: true, big_endian: false };
    pub(super) const EXPLICIT_BIG: Self = Self { explicit: true, big_endian: true };

    fn short(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn long(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn tag(self, bytes: [u8; 4]) -> Tag {
        let [a, b, c, d] = bytes;
        Tag::new(self.short([a, b]), self.short([c, d]))
    }
}

/// An element with its value at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    pub(super) vr: Vr,
    pub(super) value: &'a [u8],
    pub(super) big_endian: bool,
    /// Where the value stands in what is walked.
    pub(super) at: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    Element(Element<'a>),
    /// An element whose value is made of fragments: nothing for a reader of text.
    Fragments {
        tag: Tag,
        vr: Vr,
    },
    SequenceStart(Tag),
    ItemStart,
    ItemEnd,
    SequenceEnd,
    /// The pixel data of the image itself, which is not entered. Without a length it is encapsulated.
    PixelData {
        tag: Tag,
        vr: Vr,
        at: u64,
        length: Option<u32>,
    },
    End,
}

#[derive(Clone, Copy)]
struct ElementHeader {
    tag: Tag,
    entry: Entry,
    length: Option<u32>,
    value_at: u64,
}

#[derive(Clone, Copy)]
struct Frame {
    kind: FrameKind,
    /// Nothing in this frame may go beyond here.
    bound: u64,
    /// Whether the frame ends at its bound, or at a delimiter before it.
    defined: bool,
    encoding: Encoding,
    /// Pixel Representation, which decides what "US or SS" means in implicit VR; inherited by items.
    signed: bool,
}

#[derive(Clone, Copy)]
enum FrameKind {
    /// A data set: the file's own or an item's.
    Item {
        last: Option<Tag>,
    },
    Sequence,
}

#[derive(Clone)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    total: u64,
    position: u64,
    frames: Vec<Frame>,
    elements: u32,
}

impl<'a> Walk<'a> {
    /// Walk `bytes` from `start`; all of what they are the beginning of is `total` long.
    pub(super) fn new(bytes: &'a [u8], total: u64, start: u64, encoding: Encoding) -> Self {
        let root = Frame {
            kind: FrameKind::Item { last: None },
            bound: total,
            defined: true,
            encoding,
            signed: false,
        };
        Self { bytes, total, position: start, frames: vec![root], elements: 0 }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// The next element's tag, without a step; nothing at the end.
    pub(super) fn peek(&self) -> Result<Option<Tag>, HeaderError> {
        let Some(frame) = self.frames.last() else { return Ok(None) };
        if self.position >= self.total {
            return Ok(None);
        }
        Ok(Some(frame.encoding.tag(self.array(self.position, self.total)?)))
    }

    /// The two bytes after the next tag: where the value representation stands if it is written.
    pub(super) fn peek_code(&self) -> Result<[u8; 2], HeaderError> {
        self.array(self.position + 4, self.total)
    }

    pub(super) fn next(&mut self) -> Result<Event<'a>, HeaderError> {
        let Some(frame) = self.frames.last().copied() else { return Ok(Event::End) };
        match frame.kind {
            FrameKind::Item { last } => self.next_in_item(frame, last),
            FrameKind::Sequence => self.next_in_sequence(frame),
        }
    }

    fn next_in_item(&mut self, frame: Frame, last: Option<Tag>) -> Result<Event<'a>, HeaderError> {
        if frame.defined && self.position == frame.bound {
            return Ok(self.leave_item());
        }
        let header = self.element_header(frame)?;
        if header.tag == Tag::ITEM_DELIMITATION {
            let nested = self.frames.len() > 1;
            // Some writers count the delimiter into an item's length.
            if !nested || (frame.defined && header.value_at != frame.bound) {
                return Err(Reason::BadSequence.into());
            }
            self.position = header.value_at;
            return Ok(self.leave_item());
        }
        if header.tag.group() == 0xFFFE {
            return Err(Reason::BadSequence.into());
        }
        // Two readers of one file must not see two things, so nothing comes twice or late.
        if last.is_some_and(|last| header.tag <= last) {
            return Err(Reason::OutOfOrder.into());
        }
        self.count()?;
        let is_root = self.frames.len() == 1;
        let vr = header.entry.resolve(frame.signed);
        if is_root && header.tag.is_pixel_data() {
            return Ok(Event::PixelData { tag: header.tag, vr, at: header.value_at, length: header.length });
        }
        if let Some(top) = self.frames.last_mut() {
            top.kind = FrameKind::Item { last: Some(header.tag) };
        }
        match header.length {
            Some(length) => self.defined_element(frame, header, vr, length),
            None => self.undefined_element(frame, header, vr),
        }
    }

    fn defined_element(
        &mut self,
        frame: Frame,
        header: ElementHeader,
        vr: Vr,
        length: u32,
    ) -> Result<Event<'a>, HeaderError> {
        let end = header.value_at + u64::from(length);
        if end > frame.bound {
            return Err(self.beyond(frame.bound));
        }
        if vr == Vr::Sq {
            self.enter(Frame { kind: FrameKind::Sequence, bound: end, defined: true, ..frame })?;
            self.position = header.value_at;
            return Ok(Event::SequenceStart(header.tag));
        }
        let value = self.slice(header.value_at, u64::from(length), frame.bound)?;
        self.position = end;
        let element = Element {
            tag: header.tag,
            vr,
            value,
            big_endian: frame.encoding.big_endian,
            at: header.value_at,
        };
        if element.tag == Tag::PIXEL_REPRESENTATION
            && let Some(top) = self.frames.last_mut()
        {
            top.signed = value.contains(&1);
        }
        Ok(Event::Element(element))
    }

    fn undefined_element(
        &mut self,
        frame: Frame,
        header: ElementHeader,
        vr: Vr,
    ) -> Result<Event<'a>, HeaderError> {
        self.position = header.value_at;
        let encoding = match vr {
            Vr::Sq => frame.encoding,
            // A sequence that a writer did not know is in implicit VR little endian, whatever surrounds it
            // (PS3.5 6.2.2).
            Vr::Un => Encoding::IMPLICIT_LITTLE,
            vr if vr.is_binary() => return self.skip_fragments(frame, header.tag, vr),
            _ => return Err(Reason::BadLength.into()),
        };
        self.enter(Frame { kind: FrameKind::Sequence, defined: false, encoding, ..frame })?;
        Ok(Event::SequenceStart(header.tag))
    }

    fn next_in_sequence(&mut self, frame: Frame) -> Result<Event<'a>, HeaderError> {
        loop {
            if frame.defined && self.position == frame.bound {
                self.frames.pop();
                return Ok(Event::SequenceEnd);
            }
            self.count()?;
            let (tag, length) = self.item_header(frame)?;
            let inside = self.position + 8;
            match tag {
                Tag::ITEM => {
                    let defined = length != UNDEFINED_LENGTH;
                    let bound = if defined { inside + u64::from(length) } else { frame.bound };
                    if bound > frame.bound {
                        return Err(self.beyond(frame.bound));
                    }
                    self.enter(Frame { kind: FrameKind::Item { last: None }, bound, defined, ..frame })?;
                    self.position = inside;
                    return Ok(Event::ItemStart);
                }
                Tag::SEQUENCE_DELIMITATION if !frame.defined || inside == frame.bound => {
                    self.position = inside;
                    self.frames.pop();
                    return Ok(Event::SequenceEnd);
                }
                // A delimiter after an item that had a length: superfluous, and harmless.
                Tag::ITEM_DELIMITATION => self.position = inside,
                _ => return Err(Reason::BadSequence.into()),
            }
        }
    }

    /// Step over the fragments of an encapsulated value that is not the image's own pixel data: an icon's.
    fn skip_fragments(&mut self, frame: Frame, tag: Tag, vr: Vr) -> Result<Event<'a>, HeaderError> {
        loop {
            self.count()?;
            let (item, length) = self.item_header(frame)?;
            self.position += 8;
            match item {
                Tag::ITEM if length != UNDEFINED_LENGTH => {
                    self.slice(self.position, u64::from(length), frame.bound)?;
                    self.position += u64::from(length);
                }
                Tag::SEQUENCE_DELIMITATION => return Ok(Event::Fragments { tag, vr }),
                _ => return Err(Reason::BadSequence.into()),
            }
        }
    }

    fn item_header(&self, frame: Frame) -> Result<(Tag, u32), HeaderError> {
        let [a, b, c, d, e, f, g, h] = self.array(self.position, frame.bound)?;
        Ok((frame.encoding.tag([a, b, c, d]), frame.encoding.long([e, f, g, h])))
    }

    fn element_header(&self, frame: Frame) -> Result<ElementHeader, HeaderError> {
        let encoding = frame.encoding;
        let [a, b, c, d, e, f, g, h] = self.array(self.position, frame.bound)?;
        let tag = encoding.tag([a, b, c, d]);
        let (entry, length, size) = match explicit_vr(encoding, tag, [e, f]) {
            Some(Vr::Un) => {
                let length = encoding.long(self.array(self.position + 8, frame.bound)?);
                (unknown(encoding, tag, length), length, 12)
            }
            Some(vr) if vr.has_long_length() => {
                (Entry::Exact(vr), encoding.long(self.array(self.position + 8, frame.bound)?), 12)
            }
            Some(vr) => (Entry::Exact(vr), u32::from(encoding.short([g, h])), 8),
            None => (dictionary::entry(tag), encoding.long([e, f, g, h]), 8),
        };
        let length = (length != UNDEFINED_LENGTH).then_some(length);
        Ok(ElementHeader { tag, entry, length, value_at: self.position + size })
    }

    fn enter(&mut self, frame: Frame) -> Result<(), HeaderError> {
        // A level is two frames, the sequence and its item, above the file's own data set.
        if self.frames.len() > 2 * DEPTH_LIMIT {
            return Err(Reason::TooDeep.into());
        }
        self.frames.push(frame);
        Ok(())
    }

    fn leave_item(&mut self) -> Event<'a> {
        self.frames.pop();
        if self.frames.is_empty() { Event::End } else { Event::ItemEnd }
    }

    fn count(&mut self) -> Result<(), HeaderError> {
        self.elements += 1;
        if self.elements > ELEMENT_LIMIT {
            return Err(Reason::TooManyElements.into());
        }
        Ok(())
    }

    fn beyond(&self, bound: u64) -> HeaderError {
        if bound == self.total { Reason::Truncated.into() } else { Reason::BadLength.into() }
    }

    fn array<const N: usize>(&self, at: u64, bound: u64) -> Result<[u8; N], HeaderError> {
        let slice = self.slice(at, N as u64, bound)?;
        slice.try_into().map_err(|_| Reason::Truncated.into())
    }

    fn slice(&self, at: u64, length: u64, bound: u64) -> Result<&'a [u8], HeaderError> {
        let end = at + length;
        if end > bound {
            return Err(self.beyond(bound));
        }
        let range = usize::try_from(at).ok().zip(usize::try_from(end).ok());
        range.and_then(|(at, end)| self.bytes.get(at..end)).ok_or(HeaderError::NeedMore { at_least: end })
    }
}

/// What explicit VR says, or nothing where the element is written in implicit VR: always for delimiters, and
/// in files that change over in the middle, which some writers of sequences do.
fn explicit_vr(encoding: Encoding, tag: Tag, code: [u8; 2]) -> Option<Vr> {
    if !encoding.explicit || tag.group() == 0xFFFE {
        return None;
    }
    if !is_vr_code(code) {
        return None;
    }
    // A representation of the future has the long form (PS3.5 7.1.2).
    Some(Vr::from_code(code).unwrap_or(Vr::Un))
}

/// What "unknown" stands for: a system that did not know an attribute passed its bytes on, and we may know it
/// (PS3.5 6.2.2). Its bytes are little endian, so not where that is not the rule; and not a sequence, since
/// whether one of a known length is well formed should not decide about the file. Without a length it can
/// only be a sequence.
fn unknown(encoding: Encoding, tag: Tag, length: u32) -> Entry {
    match dictionary::entry(tag) {
        Entry::Exact(Vr::Sq) => Entry::Exact(Vr::Un),
        _ if encoding.big_endian || length == UNDEFINED_LENGTH => Entry::Exact(Vr::Un),
        entry => entry,
    }
}

/// Two upper case letters.
pub(super) const fn is_vr_code(code: [u8; 2]) -> bool {
    let [first, second] = code;
    first.is_ascii_uppercase() && second.is_ascii_uppercase()
}
