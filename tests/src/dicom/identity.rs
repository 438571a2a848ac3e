//! A real file under another identity: so that a test can file it under orders and patients of its own.
//!
//! Only the bytes of the named values change. Everything else stays as its maker wrote it, mistakes included, which no library
//! that reads and writes again would promise.

use std::{collections::BTreeMap, io::Read};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::DeflateDecoder;

use super::{
    Tag,
    write::{self, Syntax, UNDEFINED},
};

const TRANSFER_SYNTAX: Tag = (0x0002, 0x0010);
const DEEPEST: u8 = 32;

/// What becomes of a file; what is `None` stays as it was.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    pub study: Option<String>,
    pub series: Option<String>,
    pub sop: Option<String>,
    pub patient_id: Option<String>,
    pub accession: Option<String>,
}

impl Identity {
    /// A study, a series and an instance that no other file has.
    pub fn fresh() -> Self {
        Self {
            study: Some(super::uid()),
            series: Some(super::uid()),
            sop: Some(super::uid()),
            ..Self::default()
        }
    }

    /// The file under this identity. An element that the file lacks is added where it belongs.
    pub fn rewrite(&self, file: &[u8]) -> Result<Vec<u8>> {
        let (meta, dataset) = file.split_at(meta_end(file)?);
        let syntax = if meta.is_empty() { None } else { meta_syntax(meta)? };
        let mut rewritten = match &self.sop {
            Some(sop) if !meta.is_empty() => splice_meta(meta, sop)?,
            _ => meta.to_vec(),
        };
        let changes = self.changes();
        match syntax.as_deref() {
            Some("1.2.840.10008.1.2.1.99") => {
                let mut inflated = Vec::new();
                DeflateDecoder::new(dataset)
                    .read_to_end(&mut inflated)
                    .context("the file does not inflate")?;
                let spliced = splice(&inflated, Syntax::ExplicitLittle, &changes)?;
                rewritten.extend(write::deflate(&spliced)?);
            }
            syntax => rewritten.extend(splice(dataset, layout(syntax, dataset)?, &changes)?),
        }
        Ok(rewritten)
    }

    fn changes(&self) -> BTreeMap<Tag, (&'static str, Vec<u8>)> {
        [
            ((0x0008, 0x0018), "UI", &self.sop),
            ((0x0008, 0x0050), "SH", &self.accession),
            ((0x0010, 0x0020), "LO", &self.patient_id),
            ((0x0020, 0x000d), "UI", &self.study),
            ((0x0020, 0x000e), "UI", &self.series),
        ]
        .into_iter()
        .filter_map(|(tag, vr, text)| Some((tag, (vr, write::padded(vr, text.clone()?.into_bytes())))))
        .collect()
    }
}

/// Where the data set begins: after preamble and meta information, if there are any.
fn meta_end(file: &[u8]) -> Result<usize> {
    let mut at = if file.get(128..132) == Some(b"DICM") { 132 } else { 0 };
    while let Ok(element) = Element::read(file, at, Syntax::ExplicitLittle) {
        if element.tag.0 != 2 {
            break;
        }
        at = element.end().context("an element of the meta information has no length")?;
    }
    Ok(at)
}

fn meta_start(meta: &[u8]) -> usize {
    if meta.get(128..132) == Some(b"DICM") { 132 } else { 0 }
}

fn meta_syntax(meta: &[u8]) -> Result<Option<String>> {
    let mut at = meta_start(meta);
    while at < meta.len() {
        let element = Element::read(meta, at, Syntax::ExplicitLittle)?;
        if element.tag == TRANSFER_SYNTAX {
            let uid = String::from_utf8_lossy(element.value(meta)?).into_owned();
            return Ok(Some(uid.trim_end_matches(['\0', ' ']).to_owned()));
        }
        at = element.end().context("an element of the meta information has no length")?;
    }
    Ok(None)
}

fn splice_meta(meta: &[u8], sop: &str) -> Result<Vec<u8>> {
    let start = meta_start(meta);
    let (preamble, elements) = meta.split_at(start);
    let changes = BTreeMap::from([((0x0002, 0x0003), ("UI", write::padded("UI", sop.into())))]);
    Ok([preamble, &splice(elements, Syntax::ExplicitLittle, &changes)?].concat())
}

/// How a data set is laid out. Where nothing says so, its first element does (DICOM PS3.5 A.1 to A.3).
fn layout(syntax: Option<&str>, dataset: &[u8]) -> Result<Syntax> {
    match syntax {
        Some("1.2.840.10008.1.2") => return Ok(Syntax::ImplicitLittle),
        Some("1.2.840.10008.1.2.2") => return Ok(Syntax::ExplicitBig),
        Some(_) => return Ok(Syntax::ExplicitLittle),
        None => {}
    }
    let Some([first, second, _, _, vr @ ..]) = dataset.first_chunk::<6>() else {
        bail!("the file is too short to be a data set");
    };
    let big = first < second;
    match (vr.iter().all(u8::is_ascii_uppercase), big) {
        (false, false) => Ok(Syntax::ImplicitLittle),
        (true, false) => Ok(Syntax::ExplicitLittle),
        (true, true) => Ok(Syntax::ExplicitBig),
        (false, true) => bail!("the file does not begin as a data set does"),
    }
}

/// Copy a data set with some of its values replaced; retired group lengths are kept true.
fn splice(dataset: &[u8], syntax: Syntax, changes: &BTreeMap<Tag, (&str, Vec<u8>)>) -> Result<Vec<u8>> {
    let Some((last, _)) = changes.last_key_value() else {
        return Ok(dataset.to_vec());
    };
    let mut pieces: Vec<(Tag, Vec<u8>)> = Vec::new();
    let mut grown: BTreeMap<u16, i64> = BTreeMap::new();
    let mut left = changes.clone();
    let mut at = 0;
    while at < dataset.len() {
        let element = Element::read(dataset, at, syntax)?;
        if element.tag > *last {
            break;
        }
        let end = element.skip(dataset, syntax, 0)?;
        let old = dataset.get(at..end).context("the data set ends within an element")?;
        while let Some(entry) = left.first_entry().filter(|entry| *entry.key() < element.tag) {
            let (tag, (vr, value)) = entry.remove_entry();
            insert(&mut pieces, &mut grown, syntax, tag, vr, &value)?;
        }
        match left.remove(&element.tag) {
            Some((vr, value)) => {
                insert(&mut pieces, &mut grown, syntax, element.tag, vr, &value)?;
                *grown.entry(element.tag.0).or_default() -= old.len() as i64;
            }
            None => pieces.push((element.tag, old.to_vec())),
        }
        at = end;
    }
    for (tag, (vr, value)) in left {
        insert(&mut pieces, &mut grown, syntax, tag, vr, &value)?;
    }
    for (tag, piece) in &mut pieces {
        if let (0, Some(more), Some(length)) = (tag.1, grown.get(&tag.0), piece.last_chunk_mut::<4>()) {
            let old = match syntax {
                Syntax::ExplicitBig => u32::from_be_bytes(*length),
                _ => u32::from_le_bytes(*length),
            };
            *length = syntax.four(u32::try_from(i64::from(old) + more)?);
        }
    }
    let mut spliced = pieces.into_iter().flat_map(|(_, piece)| piece).collect::<Vec<_>>();
    spliced.extend(dataset.get(at..).unwrap_or_default());
    Ok(spliced)
}

fn insert(
    pieces: &mut Vec<(Tag, Vec<u8>)>,
    grown: &mut BTreeMap<u16, i64>,
    syntax: Syntax,
    tag: Tag,
    vr: &str,
    value: &[u8],
) -> Result<()> {
    let mut piece = Vec::new();
    write::element(&mut piece, syntax, tag, vr, value)?;
    *grown.entry(tag.0).or_default() += piece.len() as i64;
    pieces.push((tag, piece));
    Ok(())
}

/// Where an element stands.
struct Element {
    tag: Tag,
    vr: [u8; 2],
    start: usize,
    length: u32,
}

impl Element {
    fn read(from: &[u8], at: usize, syntax: Syntax) -> Result<Self> {
        let two = |at| take::<2>(from, at).map(|bytes| number(&bytes, syntax));
        let four = |at| take::<4>(from, at).map(|bytes| number(&bytes, syntax));
        let tag = (two(at)? as u16, two(at + 2)? as u16);
        let vr = take::<2>(from, at + 4)?;
        // Items and their ends have no VR in any syntax (DICOM PS3.5 7.5).
        if syntax == Syntax::ImplicitLittle || tag.0 == 0xfffe {
            return Ok(Self { tag, vr: *b"UN", start: at + 8, length: four(at + 4)? });
        }
        match std::str::from_utf8(&vr).is_ok_and(write::is_long) {
            true => Ok(Self { tag, vr, start: at + 12, length: four(at + 8)? }),
            false => Ok(Self { tag, vr, start: at + 8, length: two(at + 6)? }),
        }
    }

    /// Where the element ends, unless that has to be found out.
    fn end(&self) -> Option<usize> {
        (self.length != UNDEFINED).then_some(self.start + self.length as usize)
    }

    fn value<'a>(&self, from: &'a [u8]) -> Result<&'a [u8]> {
        let end = self.end().context("a value without a length")?;
        from.get(self.start..end).context("the file ends within a value")
    }

    /// Where the element ends, also when delimiters say so (DICOM PS3.5 7.5.2).
    fn skip(&self, from: &[u8], syntax: Syntax, depth: u8) -> Result<usize> {
        if let Some(end) = self.end() {
            return Ok(end);
        }
        ensure!(depth < DEEPEST, "sequences are nested deeper than {DEEPEST}");
        // An unknown VR of unknown length holds implicit VR whatever is around it (DICOM PS3.5 6.2.2).
        let syntax = if &self.vr == b"UN" { Syntax::ImplicitLittle } else { syntax };
        let mut at = self.start;
        loop {
            let item = Self::read(from, at, syntax)?;
            match item.tag {
                (0xfffe, 0xe0dd) => return Ok(item.start),
                (0xfffe, 0xe000) => at = item.skip_item(from, syntax, depth)?,
                tag => bail!("({:04x},{:04x}) stands where an item should", tag.0, tag.1),
            }
        }
    }

    fn skip_item(&self, from: &[u8], syntax: Syntax, depth: u8) -> Result<usize> {
        if let Some(end) = self.end() {
            return Ok(end);
        }
        let mut at = self.start;
        loop {
            let element = Self::read(from, at, syntax)?;
            if element.tag == (0xfffe, 0xe00d) {
                return Ok(element.start);
            }
            at = element.skip(from, syntax, depth + 1)?;
        }
    }
}

fn take<const N: usize>(from: &[u8], at: usize) -> Result<[u8; N]> {
    from.get(at..).and_then(|rest| rest.first_chunk().copied()).context("the file ends within an element")
}

fn number(bytes: &[u8], syntax: Syntax) -> u32 {
    let join = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
    match syntax {
        Syntax::ExplicitBig => bytes.iter().fold(0, join),
        _ => bytes.iter().rev().fold(0, join),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;

    /// Every top-level element up to the pixel data, by tag.
    fn elements(file: &[u8]) -> BTreeMap<Tag, Vec<u8>> {
        let (meta, dataset) = file.split_at(meta_end(file).unwrap());
        let syntax = if meta.is_empty() { None } else { meta_syntax(meta).unwrap() };
        let mut inflated = Vec::new();
        let (dataset, layout) = match syntax.as_deref() {
            Some("1.2.840.10008.1.2.1.99") => {
                DeflateDecoder::new(dataset).read_to_end(&mut inflated).unwrap();
                (inflated.as_slice(), Syntax::ExplicitLittle)
            }
            syntax => (dataset, layout(syntax, dataset).unwrap()),
        };
        let mut found = BTreeMap::new();
        let mut at = 0;
        while at < dataset.len() {
            let Ok(element) = Element::read(dataset, at, layout) else { break };
            // A retired group length changes with its group; what follows the identity is compared as a whole.
            let end = match element.tag > (0x0020, 0x000e) {
                true => dataset.len(),
                false => element.skip(dataset, layout, 0).unwrap(),
            };
            if element.tag.1 != 0 {
                found.insert(element.tag, dataset[at..end].to_vec());
            }
            at = end;
        }
        found
    }

    #[test]
    fn every_real_image_takes_another_identity_and_keeps_the_rest() {
        for file in files::all().unwrap().iter().filter(|file| file.complete) {
            let identity = Identity {
                patient_id: Some("MRN-77".to_owned()),
                accession: Some("ACC-123".to_owned()),
                ..Identity::fresh()
            };
            let content = file.read().unwrap();

            let rewritten =
                identity.rewrite(&content).unwrap_or_else(|error| panic!("{}: {error}", file.name));

            let (mut before, mut after) = (elements(&content), elements(&rewritten));
            for (tag, (_, value)) in identity.changes() {
                before.remove(&tag);
                let written = after.remove(&tag).unwrap_or_else(|| panic!("{} lost {tag:x?}", file.name));
                assert!(written.ends_with(&value), "{} has another {tag:x?}", file.name);
            }
            assert!(before == after, "{} changed elsewhere", file.name);
        }
    }
}
