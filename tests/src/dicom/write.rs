//! Elements, items and files as bytes (DICOM PS3.5 7, PS3.10 7).

use std::io::Write;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::DeflateEncoder};

use super::CharacterSet;

pub type Tag = (u16, u16);

pub(super) const UNDEFINED: u32 = u32::MAX;
pub(super) const ITEM_END: [u8; 8] = [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0];
pub(super) const SEQUENCE_END: [u8; 8] = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];

/// The transfer syntaxes that files are made in (DICOM PS3.5 10, PS3.6 A).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Syntax {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
    Deflated,
    JpegBaseline,
    JpegLossless,
    JpegLs,
    Jpeg2000,
    Rle,
}

impl Syntax {
    pub const ALL: [Self; 9] = [
        Self::ImplicitLittle,
        Self::ExplicitLittle,
        Self::ExplicitBig,
        Self::Deflated,
        Self::JpegBaseline,
        Self::JpegLossless,
        Self::JpegLs,
        Self::Jpeg2000,
        Self::Rle,
    ];

    pub fn uid(self) -> &'static str {
        match self {
            Self::ImplicitLittle => "1.2.840.10008.1.2",
            Self::ExplicitLittle => "1.2.840.10008.1.2.1",
            Self::ExplicitBig => "1.2.840.10008.1.2.2",
            Self::Deflated => "1.2.840.10008.1.2.1.99",
            Self::JpegBaseline => "1.2.840.10008.1.2.4.50",
            Self::JpegLossless => "1.2.840.10008.1.2.4.70",
            Self::JpegLs => "1.2.840.10008.1.2.4.80",
            Self::Jpeg2000 => "1.2.840.10008.1.2.4.90",
            Self::Rle => "1.2.840.10008.1.2.5",
        }
    }

    pub(super) fn is_encapsulated(self) -> bool {
        matches!(self, Self::JpegBaseline | Self::JpegLossless | Self::JpegLs | Self::Jpeg2000 | Self::Rle)
    }

    pub(super) fn two(self, number: u16) -> [u8; 2] {
        match self {
            Self::ExplicitBig => number.to_be_bytes(),
            _ => number.to_le_bytes(),
        }
    }

    pub(super) fn four(self, number: u32) -> [u8; 4] {
        match self {
            Self::ExplicitBig => number.to_be_bytes(),
            _ => number.to_le_bytes(),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Value {
    /// Encoded in the file's character set and padded to an even length.
    Text(String),
    /// VR US.
    Numbers(Vec<u16>),
    /// As they are.
    Bytes(Vec<u8>),
}

impl Value {
    pub(super) fn encode(&self, vr: &str, syntax: Syntax, character_set: CharacterSet) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => Ok(padded(vr, character_set.encode(text)?)),
            Self::Numbers(numbers) => Ok(numbers.iter().flat_map(|number| syntax.two(*number)).collect()),
            Self::Bytes(bytes) => Ok(bytes.clone()),
        }
    }
}

/// Values have an even length: identifiers and bytes are filled up with a zero, text with a space (DICOM PS3.5 6.2).
pub(super) fn padded(vr: &str, mut value: Vec<u8>) -> Vec<u8> {
    if value.len() % 2 == 1 {
        value.push(if matches!(vr, "UI" | "OB" | "UN") { 0 } else { b' ' });
    }
    value
}

/// Whether an explicit VR keeps its length in four bytes after two reserved ones (DICOM PS3.5 7.1.2).
pub(super) fn is_long(vr: &str) -> bool {
    matches!(vr, "OB" | "OD" | "OF" | "OL" | "OV" | "OW" | "SQ" | "SV" | "UC" | "UN" | "UR" | "UT" | "UV")
}

pub(super) fn header(to: &mut Vec<u8>, syntax: Syntax, tag: Tag, vr: &str, length: u32) -> Result<()> {
    to.extend(syntax.two(tag.0));
    to.extend(syntax.two(tag.1));
    if syntax == Syntax::ImplicitLittle {
        to.extend(syntax.four(length));
        return Ok(());
    }
    ensure!(vr.len() == 2, "{vr:?} is no value representation");
    to.extend(vr.as_bytes());
    if is_long(vr) {
        to.extend([0, 0]);
        to.extend(syntax.four(length));
        return Ok(());
    }
    let length = u16::try_from(length).with_context(|| format!("{length} bytes are too many for VR {vr}"))?;
    to.extend(syntax.two(length));
    Ok(())
}

pub(super) fn element(to: &mut Vec<u8>, syntax: Syntax, tag: Tag, vr: &str, value: &[u8]) -> Result<()> {
    header(to, syntax, tag, vr, u32::try_from(value.len())?)?;
    to.extend(value);
    Ok(())
}

/// An item of a known length, little endian.
pub(super) fn item(to: &mut Vec<u8>, content: &[u8]) {
    item_header(to, content.len() as u32);
    to.extend(content);
}

pub(super) fn item_header(to: &mut Vec<u8>, length: u32) {
    to.extend([0xfe, 0xff, 0x00, 0xe0]);
    to.extend(length.to_le_bytes());
}

pub(super) fn deflate(dataset: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(dataset)?;
    let mut deflated = encoder.finish()?;
    // An odd stream is filled up (DICOM PS3.5 A.5).
    if deflated.len() % 2 == 1 {
        deflated.push(0);
    }
    Ok(deflated)
}

/// A Part 10 file around a data set that is already in that syntax.
pub fn part10(
    preamble: &[u8; 128],
    syntax: Syntax,
    class: &str,
    instance: &str,
    dataset: &[u8],
) -> Result<Vec<u8>> {
    named_part10(preamble, syntax.uid(), class, instance, dataset)
}

/// The same with any text in place of the transfer syntax.
pub(super) fn named_part10(
    preamble: &[u8; 128],
    syntax: &str,
    class: &str,
    instance: &str,
    dataset: &[u8],
) -> Result<Vec<u8>> {
    let little = Syntax::ExplicitLittle;
    let mut meta = Vec::new();
    element(&mut meta, little, (2, 1), "OB", &[0, 1])?;
    for (number, uid) in [(0x02, class), (0x03, instance), (0x10, syntax), (0x12, "2.25.1")] {
        element(&mut meta, little, (2, number), "UI", &padded("UI", uid.into()))?;
    }
    let mut file = preamble.to_vec();
    file.extend(b"DICM");
    element(&mut file, little, (2, 0), "UL", &u32::try_from(meta.len())?.to_le_bytes())?;
    file.extend(meta);
    file.extend(dataset);
    Ok(file)
}
