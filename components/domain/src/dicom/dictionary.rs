//! What value representation a tag has when the file does not say: implicit VR (PS3.5 A.1).
//!
//! `dictionary.bin` is the standard's data dictionary (PS3.6) reduced to that: per attribute four bytes of
//! tag, big endian and ascending, and a byte that says the rest. It is 26 KB where the dictionary crate with
//! its names is some 300 KB, and nothing has to be indexed when an instance starts. A test rebuilds it from
//! the crate.

use super::tag::Tag;
use super::vr::Vr;

static TABLE: &[u8] = include_bytes!("dictionary.bin");

const RECORD: usize = 5;

/// Set in a record whose group stands for all of its hundred: (60xx,3000).
const EACH_GROUP: u8 = 0x40;
/// Set in a record whose element stands for all of its hundred: (0020,31xx).
const EACH_ELEMENT: u8 = 0x80;
const KIND: u8 = 0x3F;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Exact(Vr),
    /// US or SS, as Pixel Representation says.
    UnsignedOrSigned,
}

impl Entry {
    pub(super) const fn resolve(self, signed: bool) -> Vr {
        match self {
            Self::Exact(vr) => vr,
            Self::UnsignedOrSigned if signed => Vr::Ss,
            Self::UnsignedOrSigned => Vr::Us,
        }
    }

    fn from_kind(kind: u8) -> Self {
        match Vr::ALL.get(usize::from(kind)) {
            Some(vr) => Self::Exact(*vr),
            None if usize::from(kind) == Vr::ALL.len() => Self::UnsignedOrSigned,
            // "OB or OW" is OW in implicit VR, for pixel data by rule (PS3.5 A.1), as is "US or OW".
            None => Self::Exact(Vr::Ow),
        }
    }
}

/// UN when nobody knows: private elements above all.
pub(super) fn entry(tag: Tag) -> Entry {
    if tag.is_group_length() {
        return Entry::Exact(Vr::Ul);
    }
    if tag.is_private() {
        return Entry::Exact(if tag.is_private_creator() { Vr::Lo } else { Vr::Un });
    }
    let each_group = Tag(tag.0 & 0xFF00_FFFF);
    let each_element = Tag(tag.0 & 0xFFFF_FF00);
    let kind = find(tag)
        .or_else(|| find(each_group).filter(|kind| kind & EACH_GROUP != 0))
        .or_else(|| find(each_element).filter(|kind| kind & EACH_ELEMENT != 0));
    kind.map_or(Entry::Exact(Vr::Un), |kind| Entry::from_kind(kind & KIND))
}

fn find(tag: Tag) -> Option<u8> {
    let (records, _) = TABLE.as_chunks::<RECORD>();
    let at = records
        .binary_search_by_key(&tag, |[a, b, c, d, _]| Tag(u32::from_be_bytes([*a, *b, *c, *d])))
        .ok()?;
    records.get(at).map(|[.., kind]| *kind)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use dicom_core::dictionary::{DataDictionary, TagRange, VirtualVr};
    use dicom_dictionary_std::StandardDataDictionary;

    use super::*;

    /// Set `DICTIONARY_OUT` to a path to write the table that a newer dictionary would make.
    #[test]
    fn the_table_is_the_standard_dictionary() {
        let (records, rest) = TABLE.as_chunks::<RECORD>();
        assert!(rest.is_empty());
        let table: BTreeMap<u32, u8> =
            records.iter().map(|[a, b, c, d, kind]| (u32::from_be_bytes([*a, *b, *c, *d]), *kind)).collect();
        let groups: BTreeSet<u16> =
            (0..=0x80).map(|half| half * 2).chain(table.keys().map(|tag| (tag >> 16) as u16)).collect();

        let mut dictionary = BTreeMap::new();
        for group in groups {
            for element in 0..=u16::MAX {
                let Some(entry) = StandardDataDictionary.by_tag(dicom_core::Tag(group, element)) else {
                    continue;
                };
                let range = match entry.tag {
                    TagRange::Single(_) => 0,
                    TagRange::Group100(_) => EACH_GROUP,
                    TagRange::Element100(_) => EACH_ELEMENT,
                    _ => continue,
                };
                let kind = match entry.vr {
                    VirtualVr::Exact(vr) => {
                        Vr::ALL.iter().position(|ours| ours.code() == vr.to_string()).unwrap() as u8
                    }
                    VirtualVr::Xs => 34,
                    VirtualVr::Ox => 35,
                    VirtualVr::Px => 36,
                    _ => 37,
                };
                let tag = entry.tag.inner();
                dictionary.insert(u32::from(tag.0) << 16 | u32::from(tag.1), range | kind);
            }
        }

        if let Ok(path) = std::env::var("DICTIONARY_OUT") {
            let bytes: Vec<u8> = dictionary
                .iter()
                .flat_map(|(tag, kind)| tag.to_be_bytes().into_iter().chain([*kind]))
                .collect();
            std::fs::write(path, bytes).unwrap();
        }
        assert_eq!(table, dictionary);
    }

    #[test]
    fn ranges_and_private_tags_have_their_representations() {
        let vr = |group, element| entry(Tag::new(group, element));
        assert_eq!(vr(0x0010, 0x0010), Entry::Exact(Vr::Pn));
        assert_eq!(vr(0x6002, 0x3000), Entry::Exact(Vr::Ow));
        assert_eq!(vr(0x6002, 0x0010), Entry::Exact(Vr::Us));
        assert_eq!(vr(0x0028, 0x0106), Entry::UnsignedOrSigned);
        assert_eq!(vr(0x0029, 0x0010), Entry::Exact(Vr::Lo));
        assert_eq!(vr(0x0029, 0x1010), Entry::Exact(Vr::Un));
        assert_eq!(vr(0x0008, 0x0000), Entry::Exact(Vr::Ul));
        assert_eq!(vr(0x0012, 0xFFFF), Entry::Exact(Vr::Un));
    }
}
