//! DICOM files made to measure: valid ones ([`instance`]), hostile ones ([`hostile`]), and real ones under another identity
//! ([`identity`]).
//!
//! The writer is our own and knows nothing of the library that the service reads with, so that no mistake can cancel itself out.

pub mod hostile;
pub mod identity;
mod text;
mod write;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Cursor, Read, Write, repeat},
    path::Path,
};

use anyhow::{Context, Result, ensure};

pub use text::CharacterSet;
pub use write::{Syntax, Tag, Value, part10};

const PIXEL_DATA: Tag = (0x7fe0, 0x0010);

/// An identifier that nobody else has (DICOM PS3.5 B.2).
pub fn uid() -> String {
    format!("2.25.{}", uuid::Uuid::now_v7().as_u128())
}

/// A small CT slice in explicit VR little endian, of a study and series of its own.
pub fn instance() -> Instance {
    let instance = Instance {
        elements: BTreeMap::new(),
        syntax: Syntax::ExplicitLittle,
        character_set: CharacterSet::Utf8,
        rows: 16,
        columns: 16,
        frames: 1,
        preamble: [0; 128],
    };
    instance
        .modality("CT")
        .sop(&uid())
        .study(&uid())
        .series(&uid())
        .patient("MRN-1", "Doe^Jane")
        .born("19700203")
        .sex("F")
        .accession("")
        .number(1, 1)
        .text((0x0008, 0x0020), "DA", "20260102")
        .text((0x0008, 0x0030), "TM", "093015.250")
        .text((0x0008, 0x0070), "LO", "Made to measure")
        .text((0x0008, 0x0090), "PN", "")
        .text((0x0020, 0x0010), "SH", "1")
        .text((0x0028, 0x0030), "DS", "0.5\\0.5")
        .text((0x0028, 0x1050), "DS", "40")
        .text((0x0028, 0x1051), "DS", "400")
}

/// A file in the making.
#[derive(Clone, Debug)]
pub struct Instance {
    elements: BTreeMap<Tag, (String, Value)>,
    syntax: Syntax,
    character_set: CharacterSet,
    rows: u16,
    columns: u16,
    frames: u32,
    preamble: [u8; 128],
}

impl Instance {
    pub fn study(self, uid: &str) -> Self {
        self.text((0x0020, 0x000d), "UI", uid)
    }

    pub fn series(self, uid: &str) -> Self {
        self.text((0x0020, 0x000e), "UI", uid)
    }

    pub fn sop(self, uid: &str) -> Self {
        self.text((0x0008, 0x0018), "UI", uid)
    }

    pub fn patient(self, id: &str, name: &str) -> Self {
        self.text((0x0010, 0x0020), "LO", id).text((0x0010, 0x0010), "PN", name)
    }

    /// The date of birth, as DICOM writes it: `YYYYMMDD`.
    pub fn born(self, date: &str) -> Self {
        self.text((0x0010, 0x0030), "DA", date)
    }

    pub fn sex(self, sex: &str) -> Self {
        self.text((0x0010, 0x0040), "CS", sex)
    }

    pub fn accession(self, number: &str) -> Self {
        self.text((0x0008, 0x0050), "SH", number)
    }

    /// The modality, and with it the SOP class that such a machine writes.
    pub fn modality(self, modality: &str) -> Self {
        let class = match modality {
            "CR" => "1",
            "CT" => "2",
            "DX" => "1.1",
            "MG" => "1.2",
            "MR" => "4",
            "NM" => "20",
            "PT" => "128",
            "RF" => "12.2",
            "SR" => "88.33",
            "US" => "6.1",
            "XA" => "12.1",
            _ => "7",
        };
        self.text((0x0008, 0x0060), "CS", modality).class(&format!("1.2.840.10008.5.1.4.1.1.{class}"))
    }

    pub fn class(self, uid: &str) -> Self {
        self.text((0x0008, 0x0016), "UI", uid)
    }

    pub fn number(self, series: u32, instance: u32) -> Self {
        self.text((0x0020, 0x0011), "IS", &series.to_string()).text(
            (0x0020, 0x0013),
            "IS",
            &instance.to_string(),
        )
    }

    pub fn character_set(self, character_set: CharacterSet) -> Self {
        Self { character_set, ..self }
    }

    pub fn syntax(self, syntax: Syntax) -> Self {
        Self { syntax, ..self }
    }

    /// How large the image is: 16 bits a pixel.
    pub fn size(self, rows: u16, columns: u16) -> Self {
        Self { rows, columns, ..self }
    }

    pub fn frames(self, frames: u32) -> Self {
        Self { frames, ..self }
    }

    /// What stands in the 128 bytes that a reader must skip (DICOM PS3.10 7.1).
    pub fn preamble(self, preamble: [u8; 128]) -> Self {
        Self { preamble, ..self }
    }

    /// Further private elements of 40 bytes each before the ones that name the study: at most 400,000.
    pub fn elements(self, count: u32) -> Self {
        (0..count).fold(self, |instance, index| {
            // A private creator reserves a block of 256 elements, and a group has 240 blocks (DICOM PS3.5 7.8.1).
            let (block, offset) = (index / 256, index % 256);
            let group = 0x0011 + 2 * (block / 240) as u16;
            let block = 0x10 + (block % 240) as u16;
            let instance = match offset {
                0 => instance.text((group, block), "LO", "TESTS"),
                _ => instance,
            };
            instance.text((group, block << 8 | offset as u16), "LO", &format!("element {index:>24}"))
        })
    }

    /// Any element of text; its value is encoded in the file's character set.
    pub fn text(self, tag: Tag, vr: &str, text: &str) -> Self {
        self.element(tag, vr, Value::Text(text.to_owned()))
    }

    pub fn element(mut self, tag: Tag, vr: &str, value: Value) -> Self {
        self.elements.insert(tag, (vr.to_owned(), value));
        self
    }

    pub fn without(mut self, tag: Tag) -> Self {
        self.elements.remove(&tag);
        self
    }

    /// The whole file.
    pub fn write(&self) -> Result<Vec<u8>> {
        let mut dataset = Vec::new();
        self.dataset()?.reader().read_to_end(&mut dataset)?;
        if self.syntax == Syntax::Deflated {
            dataset = write::deflate(&dataset)?;
        }
        self.wrap(&dataset)
    }

    /// The file as a head and the zeros after it, for sizes that nobody wants in memory.
    pub fn heavy(&self) -> Result<Heavy> {
        ensure!(self.syntax != Syntax::Deflated, "a deflated file is not written in parts");
        let Heavy { head, zeros } = self.dataset()?;
        Ok(Heavy { head: self.wrap(&head)?, zeros })
    }

    fn wrap(&self, dataset: &[u8]) -> Result<Vec<u8>> {
        let named = |tag| match self.elements.get(&tag) {
            Some((_, Value::Text(uid))) => uid.as_str(),
            _ => "",
        };
        part10(&self.preamble, self.syntax, named((0x0008, 0x0016)), named((0x0008, 0x0018)), dataset)
    }

    fn dataset(&self) -> Result<Heavy> {
        let syntax = self.syntax;
        let described = self.clone().described();
        let mut head = Vec::new();
        for (tag, (vr, value)) in &described.elements {
            let value = value.encode(vr, syntax, self.character_set)?;
            write::element(&mut head, syntax, *tag, vr, &value)?;
        }
        let zeros = 2 * u64::from(self.rows) * u64::from(self.columns) * u64::from(self.frames);
        if self.elements.contains_key(&PIXEL_DATA) || self.is_report() {
            return Ok(Heavy { head, zeros: 0 });
        }
        if syntax.is_encapsulated() {
            // An empty offset table and one fragment a frame, which nobody here decodes (DICOM PS3.5 A.4).
            write::header(&mut head, syntax, PIXEL_DATA, "OB", write::UNDEFINED)?;
            write::item(&mut head, &[]);
            for _ in 0..self.frames {
                write::item(&mut head, &[0xff, 0xd8, 0xff, 0xd9]);
            }
            head.extend(write::SEQUENCE_END);
            return Ok(Heavy { head, zeros: 0 });
        }
        let length = u32::try_from(zeros).context("pixel data of native syntaxes is shorter than 4 GiB")?;
        write::header(&mut head, syntax, PIXEL_DATA, "OW", length)?;
        Ok(Heavy { head, zeros })
    }

    fn is_report(&self) -> bool {
        matches!(self.elements.get(&(0x0008, 0x0060)), Some((_, Value::Text(modality))) if modality == "SR")
    }

    /// With the elements that follow from the rest, but for those that were given.
    fn described(mut self) -> Self {
        let report = self.is_report();
        let mut follow = |tag, vr: &str, value| {
            self.elements.entry(tag).or_insert_with(|| (vr.to_owned(), value));
        };
        if let Some(term) = self.character_set.term() {
            follow((0x0008, 0x0005), "CS", Value::Text(term.to_owned()));
        }
        if report {
            return self;
        }
        follow((0x0008, 0x0008), "CS", Value::Text("ORIGINAL\\PRIMARY\\AXIAL".to_owned()));
        follow((0x0028, 0x0002), "US", Value::Numbers(vec![1]));
        follow((0x0028, 0x0004), "CS", Value::Text("MONOCHROME2".to_owned()));
        if self.frames > 1 {
            follow((0x0028, 0x0008), "IS", Value::Text(self.frames.to_string()));
        }
        follow((0x0028, 0x0010), "US", Value::Numbers(vec![self.rows]));
        follow((0x0028, 0x0011), "US", Value::Numbers(vec![self.columns]));
        follow((0x0028, 0x0100), "US", Value::Numbers(vec![16]));
        follow((0x0028, 0x0101), "US", Value::Numbers(vec![12]));
        follow((0x0028, 0x0102), "US", Value::Numbers(vec![11]));
        follow((0x0028, 0x0103), "US", Value::Numbers(vec![0]));
        self
    }
}

/// A file too large to hold: what it begins with, then zeros, which a file system need not store.
#[derive(Clone, Debug)]
pub struct Heavy {
    pub head: Vec<u8>,
    pub zeros: u64,
}

impl Heavy {
    pub fn total(&self) -> u64 {
        self.head.len() as u64 + self.zeros
    }

    pub fn reader(&self) -> impl Read + Send + 'static {
        Cursor::new(self.head.clone()).chain(repeat(0).take(self.zeros))
    }

    /// Write it as a sparse file.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        let mut file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
        file.write_all(&self.head)?;
        file.set_len(self.total())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::Identity;

    #[test]
    fn a_file_of_every_syntax_can_be_walked_and_takes_another_identity() {
        for syntax in Syntax::ALL {
            let made = instance().syntax(syntax).elements(300).frames(2).study("1.2.3");
            let other = Identity { study: Some("1.2.3456".to_owned()), ..Identity::default() };

            let rewritten = other.rewrite(&made.write().unwrap()).unwrap();

            assert!(rewritten == made.study("1.2.3456").write().unwrap(), "{syntax:?}");
        }
    }

    #[test]
    fn a_heavy_file_is_written_without_being_held() {
        let made = instance().size(1024, 1024).frames(60);

        let heavy = made.heavy().unwrap();

        assert!(heavy.total() > 100 << 20 && heavy.head.len() < 1 << 10);
        let path = std::env::temp_dir().join(format!("{}.dcm", uid()));
        heavy.write_to(&path).unwrap();
        assert_eq!(path.metadata().unwrap().len(), heavy.total());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn hostile_files_are_small_and_named_once() {
        let all = hostile::all().unwrap();

        let names: std::collections::BTreeSet<_> = all.iter().map(|hostile| hostile.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|hostile| hostile.content.len() < 10 << 20));
    }
}
