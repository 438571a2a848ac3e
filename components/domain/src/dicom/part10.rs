//! Where in a file its data set begins, and how that is written (PS3.10 7).

use super::dictionary::{self, Entry};
use super::reason::{HeaderError, Reason};
use super::tag::Tag;
use super::uid::Uid;
use super::vr::Vr;
use super::walk::{Encoding, Event, Walk, is_vr_code};

const PREAMBLE: u64 = 128;
const PREFIX: &[u8; 4] = b"DICM";

const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";
/// Of General Electric: implicit VR little endian but for the pixels.
const PRIVATE_IMPLICIT_LITTLE: &str = "1.2.840.113619.5.2";
/// Deflated explicit VR, and the two that refer to pixels elsewhere.
const DEFLATED: [&str; 3] = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"];
const MEDIA_STORAGE_DIRECTORY: &str = "1.2.840.10008.1.3.10";

/// What operating systems run: PE, ELF, Mach-O in its five forms, scripts. TIFF is not among them, since a
/// preamble may well hold that (PS3.10 7.1).
const EXECUTABLES: [&[u8]; 8] = [
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"#!",
];

#[derive(Debug)]
pub(super) struct Opened {
    pub(super) start: u64,
    pub(super) encoding: Encoding,
    pub(super) deflated: bool,
    pub(super) transfer_syntax: Uid,
}

pub(super) fn open(bytes: &[u8], total: u64) -> Result<Opened, HeaderError> {
    if total == 0 {
        return Err(Reason::Empty.into());
    }
    let wanted = total.min(PREAMBLE + PREFIX.len() as u64);
    if (bytes.len() as u64) < wanted {
        return Err(HeaderError::NeedMore { at_least: wanted });
    }
    if bytes.get(PREAMBLE as usize..).is_some_and(|rest| rest.starts_with(PREFIX)) {
        if EXECUTABLES.iter().any(|magic| bytes.starts_with(magic)) {
            return Err(Reason::Polyglot.into());
        }
        return after_meta_information(bytes, total, PREAMBLE + PREFIX.len() as u64);
    }
    if bytes.starts_with(PREFIX) {
        return after_meta_information(bytes, total, PREFIX.len() as u64);
    }
    match bytes {
        // Meta information without anything before it.
        [0x02, 0x00, _, 0x00, first, second, ..] if is_vr_code([*first, *second]) => {
            after_meta_information(bytes, total, 0)
        }
        _ => raw(bytes),
    }
}

/// A data set with nothing before it, as it goes over the network: taken for one when it begins as one does,
/// with an attribute of group 8.
fn raw(bytes: &[u8]) -> Result<Opened, HeaderError> {
    let [a, b, c, d, e, f, ..] = bytes else { return Err(Reason::NotDicom.into()) };
    let explicit = Vr::from_code([*e, *f]).is_some();
    let (tag, encoding, transfer_syntax) = match (a, b, explicit) {
        (0x08, 0x00, true) => {
            (Tag(u32::from_be_bytes([*b, *a, *d, *c])), Encoding::EXPLICIT_LITTLE, EXPLICIT_LITTLE)
        }
        (0x08, 0x00, false) => {
            (Tag(u32::from_be_bytes([*b, *a, *d, *c])), Encoding::IMPLICIT_LITTLE, IMPLICIT_LITTLE)
        }
        (0x00, 0x08, true) => {
            (Tag(u32::from_be_bytes([*a, *b, *c, *d])), Encoding::EXPLICIT_BIG, EXPLICIT_BIG)
        }
        _ => return Err(Reason::NotDicom.into()),
    };
    if dictionary::entry(tag) == Entry::Exact(Vr::Un) {
        return Err(Reason::NotDicom.into());
    }
    let transfer_syntax = Uid::read(transfer_syntax).map_err(|_| Reason::NotDicom)?;
    Ok(Opened { start: 0, encoding, deflated: false, transfer_syntax })
}

fn after_meta_information(bytes: &[u8], total: u64, start: u64) -> Result<Opened, HeaderError> {
    let mut walk = Walk::new(bytes, total, start, Encoding::EXPLICIT_LITTLE);
    let mut transfer_syntax = None;
    // Its group length is not asked: some writers have it wrong, and the group ends where another begins.
    while walk.peek()?.is_some_and(|tag| tag.group() == 0x0002) {
        let Event::Element(element) = walk.next()? else { return Err(Reason::BadSequence.into()) };
        let uid = || Uid::read(&String::from_utf8_lossy(element.value)).ok();
        match element.tag {
            Tag(0x0002_0002) if uid().is_some_and(|uid| uid.as_str() == MEDIA_STORAGE_DIRECTORY) => {
                return Err(Reason::Directory.into());
            }
            Tag(0x0002_0010) => transfer_syntax = uid(),
            _ => {}
        }
    }
    let start = walk.position();
    let named = transfer_syntax.as_ref().map_or("", Uid::as_str);
    if DEFLATED.contains(&named) {
        let transfer_syntax = transfer_syntax.ok_or(Reason::NotDicom)?;
        return Ok(Opened { start, encoding: Encoding::EXPLICIT_LITTLE, deflated: true, transfer_syntax });
    }
    let encoding = match named {
        EXPLICIT_BIG => Encoding::EXPLICIT_BIG,
        // Some writers name one and write the other: the first element shows which.
        _ if start == total => Encoding::EXPLICIT_LITTLE,
        IMPLICIT_LITTLE | PRIVATE_IMPLICIT_LITTLE if Vr::from_code(walk.peek_code()?).is_none() => {
            Encoding::IMPLICIT_LITTLE
        }
        IMPLICIT_LITTLE | PRIVATE_IMPLICIT_LITTLE => Encoding::EXPLICIT_LITTLE,
        _ if is_vr_code(walk.peek_code()?) => Encoding::EXPLICIT_LITTLE,
        _ => Encoding::IMPLICIT_LITTLE,
    };
    let transfer_syntax = match transfer_syntax {
        Some(named) => named,
        None => {
            let shown = if encoding.explicit { EXPLICIT_LITTLE } else { IMPLICIT_LITTLE };
            Uid::read(shown).map_err(|_| Reason::NotDicom)?
        }
    };
    Ok(Opened { start, encoding, deflated: false, transfer_syntax })
}
