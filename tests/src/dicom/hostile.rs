//! Files that somebody made to do harm, or that broke on the way. None may stop, fill or slow the reader, and each must be
//! accounted for: filed as the image it is, or recorded with a reason.

use std::io::Write;

use anyhow::Result;
use flate2::{Compression, write::DeflateEncoder};

use super::{
    Value, instance, uid,
    write::{self, ITEM_END, SEQUENCE_END, Syntax, Tag, UNDEFINED, named_part10, part10},
};

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const QUIET: [u8; 128] = [0; 128];

/// What may become of a hostile file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is an image, whatever else it is.
    Filed,
    /// It can't be one: recorded with a reason.
    Refused,
    /// Either will do.
    Either,
}

#[derive(Clone, Debug)]
pub struct Hostile {
    pub name: &'static str,
    pub content: Vec<u8>,
    pub verdict: Verdict,
}

/// Each kind of attack and damage once, of a few hundred bytes to ten megabytes.
pub fn all() -> Result<Vec<Hostile>> {
    let mut all = Vec::new();
    let mut add = |verdict, name, content| all.push(Hostile { name, content, verdict });
    let plain = instance().write()?;

    add(Verdict::Refused, "nothing", Vec::new());
    add(Verdict::Refused, "random bytes", random(4096));
    add(Verdict::Refused, "zeros", vec![0; 4096]);
    add(Verdict::Refused, "a web page", b"<!DOCTYPE html><title>Not a scan</title>".to_vec());
    add(Verdict::Refused, "a preamble and nothing else", plain.iter().take(132).copied().collect());
    add(
        Verdict::Refused,
        "meta information and nothing else",
        part10(&QUIET, Syntax::ExplicitLittle, CT, &uid(), &[])?,
    );
    add(Verdict::Refused, "an end within the meta information", plain.iter().take(170).copied().collect());
    add(
        Verdict::Refused,
        "an end within the pixels",
        plain.iter().take(plain.len() - 100).copied().collect(),
    );
    add(Verdict::Refused, "an end within encapsulated pixels", {
        let content = instance().syntax(Syntax::JpegBaseline).write()?;
        content.iter().take(content.len() - SEQUENCE_END.len()).copied().collect()
    });
    add(Verdict::Refused, "a length over what is there", text_of_length(0xfff0)?);
    add(Verdict::Refused, "an element of four gibibytes", long_of_length(b"OB", 0xffff_fffe)?);
    add(Verdict::Refused, "an element of three gibibytes of text", long_of_length(b"UT", 0xc000_0000)?);
    add(Verdict::Refused, "pixels of four gibibytes", {
        let mut dataset = identified()?;
        write::header(&mut dataset, Syntax::ExplicitLittle, (0x7fe0, 0x0010), "OW", 0xffff_fffe)?;
        wrapped(&dataset)?
    });
    add(Verdict::Refused, "an item longer than its sequence", {
        let mut dataset = head()?;
        write::header(&mut dataset, Syntax::ExplicitLittle, (0x0008, 0x1140), "SQ", 16)?;
        write::item_header(&mut dataset, 0x7fff_ffff);
        dataset.extend([0; 8]);
        wrapped(&dataset)?
    });
    add(Verdict::Refused, "2,000 nested sequences without lengths", nested(2_000)?);
    add(Verdict::Refused, "2,000 nested sequences with lengths", nested_with_lengths(2_000)?);
    add(Verdict::Refused, "10,000 sequences that never end", {
        let mut dataset = head()?;
        for _ in 0..10_000 {
            write::header(&mut dataset, Syntax::ExplicitLittle, (0x0008, 0x1140), "SQ", UNDEFINED)?;
            write::item_header(&mut dataset, UNDEFINED);
        }
        wrapped(&dataset)?
    });
    add(Verdict::Refused, "a million elements", wrapped(&elements_without_values(1_000_000)?)?);
    add(Verdict::Refused, "a million elements, deflated", {
        let dataset = write::deflate(&elements_without_values(1_000_000)?)?;
        part10(&QUIET, Syntax::Deflated, CT, &uid(), &dataset)?
    });
    add(Verdict::Refused, "a million empty items", wrapped(&empty_items(1_000_000)?)?);
    add(Verdict::Refused, "a million empty items, deflated", {
        let dataset = write::deflate(&empty_items(1_000_000)?)?;
        part10(&QUIET, Syntax::Deflated, CT, &uid(), &dataset)?
    });
    add(Verdict::Refused, "a deflate bomb of zeros", deflate_bomb(512 << 20)?);
    add(Verdict::Refused, "a deflate bomb in one text", deflate_bomb_of_text(512 << 20)?);
    add(Verdict::Refused, "a deflated stream cut short", {
        let content = instance().syntax(Syntax::Deflated).write()?;
        content.iter().take(content.len() - 60).copied().collect()
    });
    add(Verdict::Refused, "a deflated stream of noise", {
        part10(&QUIET, Syntax::Deflated, CT, &uid(), &random(512))?
    });
    add(Verdict::Refused, "pixels before everything else", {
        let mut dataset = Vec::new();
        write::element(&mut dataset, Syntax::ExplicitLittle, (0x7fe0, 0x0010), "OW", &[0; 512])?;
        dataset.extend(identified()?);
        wrapped(&dataset)?
    });
    add(Verdict::Refused, "another byte order than it says", {
        let big = instance().syntax(Syntax::ExplicitBig).write()?;
        relabelled(&big, Syntax::ExplicitBig, Syntax::ExplicitLittle)
    });
    add(Verdict::Refused, "no SOP class", instance().without((0x0008, 0x0016)).write()?);
    add(Verdict::Refused, "no SOP instance", instance().without((0x0008, 0x0018)).write()?);
    add(Verdict::Refused, "no study", instance().without((0x0020, 0x000d)).write()?);
    add(Verdict::Refused, "no series", instance().without((0x0020, 0x000e)).write()?);
    add(Verdict::Refused, "an identifier that is a path", instance().sop("../../../etc/passwd").write()?);
    add(
        Verdict::Refused,
        "an identifier of 80 digits",
        instance().study(&format!("1.{}", "2".repeat(78))).write()?,
    );
    add(
        Verdict::Refused,
        "an identifier that is a statement",
        instance().series("1'; drop table studies; --").write()?,
    );

    add(Verdict::Refused, "an executable for Linux in its preamble", executable(b"\x7fELF\x02\x01\x01")?);
    add(Verdict::Refused, "an executable for Windows in its preamble", executable(b"MZ\x90\x00\x03")?);
    add(Verdict::Refused, "an executable for macOS in its preamble", executable(b"\xcf\xfa\xed\xfe")?);
    add(Verdict::Refused, "a script in its preamble", executable(b"#!/bin/sh\nexec \"$0\"\n")?);

    add(
        Verdict::Either,
        "another instance in its meta information",
        part10(&QUIET, Syntax::ExplicitLittle, CT, &uid(), &identified()?)?,
    );
    add(Verdict::Either, "an unknown transfer syntax", {
        let dataset = identified()?;
        named_part10(&QUIET, "1.2.3.4.5.6.7.8.9", CT, &uid(), &dataset)?
    });
    add(Verdict::Either, "a value of odd length", {
        instance().element((0x0008, 0x1030), "LO", Value::Bytes(b"odd".to_vec())).write()?
    });
    add(Verdict::Either, "an identifier of odd length", {
        let odd = uid();
        let odd = if odd.len() % 2 == 1 { odd } else { odd + "1" };
        instance().element((0x0020, 0x000d), "UI", Value::Bytes(odd.into_bytes())).write()?
    });
    add(Verdict::Either, "pixels of odd length", {
        instance().element((0x7fe0, 0x0010), "OB", Value::Bytes(vec![0; 511])).write()?
    });
    add(Verdict::Either, "an odd length within a sequence", {
        let mut sequence = Vec::new();
        let mut item = Vec::new();
        write::element(&mut item, Syntax::ExplicitLittle, (0x0008, 0x1155), "UI", b"1.2.3")?;
        write::item(&mut sequence, &item);
        instance().element((0x0008, 0x1140), "SQ", Value::Bytes(sequence)).write()?
    });
    add(Verdict::Either, "tags out of order", {
        let mut dataset = identified()?;
        write::element(&mut dataset, Syntax::ExplicitLittle, (0x0008, 0x0060), "CS", b"MR")?;
        wrapped(&dataset)?
    });
    add(Verdict::Either, "an element said twice", {
        let mut dataset = head()?;
        write::element(&mut dataset, Syntax::ExplicitLittle, (0x0020, 0x000d), "UI", b"1.2.3.4.")?;
        write::element(&mut dataset, Syntax::ExplicitLittle, (0x0020, 0x000d), "UI", b"1.2.3.5.")?;
        write::element(&mut dataset, Syntax::ExplicitLittle, (0x0020, 0x000e), "UI", b"1.2.3.6.")?;
        wrapped(&dataset)?
    });
    add(Verdict::Either, "a value representation that does not exist", {
        instance().element((0x0008, 0x1030), "??", Value::Bytes(b"what".to_vec())).write()?
    });
    add(Verdict::Either, "a zero in a name", instance().patient("MRN-1", "Doe\0^Jane").write()?);
    add(Verdict::Either, "text that is not in its character set", {
        instance()
            .element(
                (0x0010, 0x0010),
                "PN",
                Value::Bytes(vec![0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x80]),
            )
            .write()?
    });
    add(Verdict::Either, "an escape sequence that never ends", {
        instance()
            .text((0x0008, 0x0005), "CS", "\\ISO 2022 IR 87")
            .element((0x0010, 0x0010), "PN", Value::Bytes(b"\x1b$B;3ED\x1b$\x1b$".to_vec()))
            .write()?
    });
    add(Verdict::Either, "a character set that does not exist", {
        instance().text((0x0008, 0x0005), "CS", "KLINGON").write()?
    });
    add(Verdict::Either, "a date and numbers that are none", {
        instance()
            .born("99999999")
            .text((0x0008, 0x0020), "DA", "yesterday")
            .text((0x0020, 0x0013), "IS", "99999999999999999999")
            .text((0x0028, 0x0030), "DS", "NaN\\Infinity")
            .element((0x0028, 0x0010), "US", Value::Bytes(vec![7, 7, 7, 7, 7, 7]))
            .write()?
    });
    add(Verdict::Either, "10,000 values in one element", {
        instance().text((0x0008, 0x0008), "CS", &["A"; 10_000].join("\\")).write()?
    });
    add(Verdict::Either, "10,000 elements", instance().elements(10_000).write()?);
    add(
        Verdict::Either,
        "a name of 60,000 letters",
        instance().patient("MRN-1", &"x".repeat(60_000)).write()?,
    );

    add(Verdict::Filed, "markup and quotes in a name", {
        instance().patient("MRN-1", "<script>alert('x')</script>^\";--\u{202e}").write()?
    });
    add(Verdict::Filed, "line ends in a description", {
        instance().text((0x0008, 0x1030), "LO", "one\r\nx-event-key: two\r\n").write()?
    });
    Ok(all)
}

/// A file with an executable's first bytes where readers do not look (CVE-2019-11687): an image, and a program for whoever
/// saves and starts it.
fn executable(magic: &[u8]) -> Result<Vec<u8>> {
    let mut preamble = QUIET;
    for (place, byte) in preamble.iter_mut().zip(magic) {
        *place = *byte;
    }
    instance().preamble(preamble).write()
}

/// The first so many bytes of a file: at every point of its first and last kilobyte, and at even steps between.
pub fn cuts(content: &[u8], steps: usize) -> impl Iterator<Item = &[u8]> {
    let length = content.len();
    let (near, far) = (length.min(1024), length.saturating_sub(1024));
    let step = (far.saturating_sub(near) / steps.max(1)).max(1);
    (0..near)
        .chain((near..far).step_by(step))
        .chain(far.max(near)..length)
        .filter_map(|end| content.get(..end))
}

/// Sequences in sequences, each without a length.
pub fn nested(depth: usize) -> Result<Vec<u8>> {
    let mut dataset = head()?;
    for _ in 0..depth {
        write::header(&mut dataset, Syntax::ExplicitLittle, (0x0008, 0x1140), "SQ", UNDEFINED)?;
        write::item_header(&mut dataset, UNDEFINED);
    }
    for _ in 0..depth {
        dataset.extend(ITEM_END);
        dataset.extend(SEQUENCE_END);
    }
    dataset.extend(tail()?);
    wrapped(&dataset)
}

/// The same, each with the length of what is in it.
pub fn nested_with_lengths(depth: usize) -> Result<Vec<u8>> {
    // A level is 12 bytes of a sequence's header and 8 of an item's.
    let mut dataset = head()?;
    for inner in (0..depth as u32).rev() {
        write::header(&mut dataset, Syntax::ExplicitLittle, (0x0008, 0x1140), "SQ", 8 + 20 * inner)?;
        write::item_header(&mut dataset, 20 * inner);
    }
    dataset.extend(tail()?);
    wrapped(&dataset)
}

/// A deflated data set that inflates to that many bytes.
pub fn deflate_bomb(inflated: usize) -> Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let mut head = identified()?;
    write::header(&mut head, Syntax::ExplicitLittle, (0x7fe0, 0x0010), "OW", u32::try_from(inflated)?)?;
    encoder.write_all(&head)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..inflated >> 20 {
        encoder.write_all(&zeros)?;
    }
    part10(&QUIET, Syntax::Deflated, CT, &uid(), &encoder.finish()?)
}

/// The same in one element that comes before the pixels.
fn deflate_bomb_of_text(inflated: usize) -> Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let mut head = head()?;
    write::header(&mut head, Syntax::ExplicitLittle, (0x0009, 0x1001), "UT", u32::try_from(inflated)?)?;
    encoder.write_all(&head)?;
    let text = vec![b'x'; 1 << 20];
    for _ in 0..inflated >> 20 {
        encoder.write_all(&text)?;
    }
    encoder.write_all(&tail()?)?;
    part10(&QUIET, Syntax::Deflated, CT, &uid(), &encoder.finish()?)
}

/// An image's identity and then private elements that say nothing, in the order that the standard wants.
fn elements_without_values(count: u32) -> Result<Vec<u8>> {
    // Of each group those that a creator may reserve (DICOM PS3.5 7.8.1).
    const OF_A_GROUP: u32 = 0xf000;
    let mut dataset = identified()?;
    for index in 0..count {
        let group = u16::try_from(0x0021 + 2 * (index / OF_A_GROUP))?;
        let element = u16::try_from(0x1000 + index % OF_A_GROUP)?;
        write::header(&mut dataset, Syntax::ExplicitLittle, (group, element), "LO", 0)?;
    }
    Ok(dataset)
}

/// An image's identity and then a sequence of items without anything in them.
fn empty_items(count: u32) -> Result<Vec<u8>> {
    let mut dataset = identified()?;
    write::header(&mut dataset, Syntax::ExplicitLittle, (0x0040, 0x0275), "SQ", UNDEFINED)?;
    for _ in 0..count {
        write::item(&mut dataset, &[]);
    }
    dataset.extend(SEQUENCE_END);
    Ok(dataset)
}

fn text_of_length(length: u16) -> Result<Vec<u8>> {
    let mut dataset = head()?;
    dataset.extend([0x08, 0x00, 0x30, 0x10, b'L', b'O']);
    dataset.extend(length.to_le_bytes());
    dataset.extend(b"short");
    wrapped(&dataset)
}

fn long_of_length(vr: &[u8; 2], length: u32) -> Result<Vec<u8>> {
    let mut dataset = head()?;
    dataset.extend([0x09, 0x00, 0x01, 0x10]);
    dataset.extend(vr);
    dataset.extend([0, 0]);
    dataset.extend(length.to_le_bytes());
    dataset.extend(b"short");
    wrapped(&dataset)
}

/// What comes before an attack: enough to be taken for an image.
fn head() -> Result<Vec<u8>> {
    elements(&[((0x0008, 0x0016), CT.to_owned()), ((0x0008, 0x0018), uid())])
}

fn tail() -> Result<Vec<u8>> {
    elements(&[((0x0020, 0x000d), uid()), ((0x0020, 0x000e), uid())])
}

fn identified() -> Result<Vec<u8>> {
    Ok([head()?, tail()?].concat())
}

fn elements(uids: &[(Tag, String)]) -> Result<Vec<u8>> {
    let mut dataset = Vec::new();
    for (tag, uid) in uids {
        let value = write::padded("UI", uid.clone().into_bytes());
        write::element(&mut dataset, Syntax::ExplicitLittle, *tag, "UI", &value)?;
    }
    Ok(dataset)
}

fn wrapped(dataset: &[u8]) -> Result<Vec<u8>> {
    part10(&QUIET, Syntax::ExplicitLittle, CT, &uid(), dataset)
}

/// The file with another transfer syntax in its meta information: both names are of the same length.
fn relabelled(file: &[u8], from: Syntax, to: Syntax) -> Vec<u8> {
    let (from, to) = (write::padded("UI", from.uid().into()), write::padded("UI", to.uid().into()));
    let mut file = file.to_vec();
    if let Some(at) = file.windows(from.len()).position(|window| window == from) {
        file.splice(at..at + from.len(), to);
    }
    file
}

/// Bytes without a pattern, the same each time (xorshift).
fn random(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}
