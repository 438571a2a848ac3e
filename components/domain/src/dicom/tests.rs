//! What holds for whole files, each written here byte by byte.

use std::io::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::vr::Vr;
use super::walk::Encoding;
use super::*;

const CT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.2";

/// A data set as it is being written.
#[derive(Clone, Debug)]
pub(super) struct DataSet {
    pub(super) encoding: Encoding,
    pub(super) bytes: Vec<u8>,
}

impl DataSet {
    pub(super) fn new(encoding: Encoding) -> Self {
        Self { encoding, bytes: Vec::new() }
    }

    /// What an image cannot be without.
    fn image(encoding: Encoding) -> Self {
        Self::new(encoding)
            .text(0x0008_0016, Vr::Ui, CT_IMAGE)
            .text(0x0008_0018, Vr::Ui, "1.2.3.4")
            .text(0x0008_0060, Vr::Cs, "CT")
            .text(0x0010_0010, Vr::Pn, "Doe^John")
            .text(0x0020_000D, Vr::Ui, "1.2.3")
            .text(0x0020_000E, Vr::Ui, "1.2.3.1")
    }

    fn short(&mut self, number: u16) {
        self.bytes.extend(if self.encoding.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn long(&mut self, number: u32) {
        self.bytes.extend(if self.encoding.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    pub(super) fn header(mut self, tag: u32, vr: Vr, length: u32) -> Self {
        self.short((tag >> 16) as u16);
        self.short(tag as u16);
        if !self.encoding.explicit || tag >> 16 == 0xFFFE {
            self.long(length);
        } else {
            self.bytes.extend(vr.code().as_bytes());
            if vr.has_long_length() {
                self.short(0);
                self.long(length);
            } else {
                self.short(length as u16);
            }
        }
        self
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    pub(super) fn value(self, tag: u32, vr: Vr, value: &[u8]) -> Self {
        self.header(tag, vr, value.len() as u32).raw(value)
    }

    pub(super) fn text(self, tag: u32, vr: Vr, text: &str) -> Self {
        let padding = if vr == Vr::Ui { "\0" } else { " " };
        let padded = if text.len() % 2 == 1 { format!("{text}{padding}") } else { text.to_owned() };
        self.value(tag, vr, padded.as_bytes())
    }

    fn number(self, tag: u32, number: u16) -> Self {
        let mut value = Self::new(self.encoding);
        value.short(number);
        self.value(tag, Vr::Us, &value.bytes)
    }

    /// A sequence of items, with lengths or with delimiters.
    pub(super) fn sequence(self, tag: u32, defined: bool, items: &[Self]) -> Self {
        let mut inside = Self::new(self.encoding);
        for item in items {
            let length = if defined { item.bytes.len() as u32 } else { u32::MAX };
            inside = inside.header(0xFFFE_E000, Vr::Sq, length).raw(&item.bytes);
            if !defined {
                inside = inside.header(0xFFFE_E00D, Vr::Sq, 0);
            }
        }
        if defined {
            return self.value(tag, Vr::Sq, &inside.bytes);
        }
        self.header(tag, Vr::Sq, u32::MAX).raw(&inside.bytes).header(0xFFFE_E0DD, Vr::Sq, 0)
    }

    fn native(self, length: usize) -> Self {
        self.value(0x7FE0_0010, Vr::Ow, &vec![7; length])
    }

    fn encapsulated(self) -> Self {
        self.header(0x7FE0_0010, Vr::Ob, u32::MAX)
            .header(0xFFFE_E000, Vr::Ob, 0)
            .header(0xFFFE_E000, Vr::Ob, 6)
            .raw(&[1, 2, 3, 4, 5, 6])
            .header(0xFFFE_E0DD, Vr::Ob, 0)
    }

    fn transfer_syntax(&self) -> &'static str {
        match self.encoding {
            Encoding { explicit: false, .. } => "1.2.840.10008.1.2",
            Encoding { big_endian: true, .. } => "1.2.840.10008.1.2.2",
            _ => "1.2.840.10008.1.2.1",
        }
    }

    pub(super) fn file(&self) -> Vec<u8> {
        in_file(self.transfer_syntax(), &self.bytes)
    }

    pub(super) fn deflated(&self) -> Vec<u8> {
        let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflater.write_all(&self.bytes).unwrap();
        in_file("1.2.840.10008.1.2.1.99", &deflater.finish().unwrap())
    }
}

pub(super) fn in_file(transfer_syntax: &str, data_set: &[u8]) -> Vec<u8> {
    let meta = DataSet::new(Encoding::EXPLICIT_LITTLE)
        .value(0x0002_0001, Vr::Ob, &[0, 1])
        .text(0x0002_0002, Vr::Ui, CT_IMAGE)
        .text(0x0002_0010, Vr::Ui, transfer_syntax);
    let length = DataSet::new(Encoding::EXPLICIT_LITTLE).value(
        0x0002_0000,
        Vr::Ul,
        &(meta.bytes.len() as u32).to_le_bytes(),
    );
    [&[0; 128], &b"DICM"[..], &length.bytes, &meta.bytes, data_set].concat()
}

fn read(file: &[u8]) -> Result<Header, HeaderError> {
    read_header(file, file.len() as u64)
}

/// The metadata of a data set, beside what every image here has.
fn metadata(data_set: &DataSet) -> Value {
    let mut metadata = read(&data_set.file()).unwrap().metadata.to_value();
    for tag in ["00080016", "00080018", "00080060", "0020000D", "0020000E"] {
        metadata.as_object_mut().unwrap().remove(tag);
    }
    metadata
}

pub(super) const EVERY_ENCODING: [Encoding; 3] =
    [Encoding::IMPLICIT_LITTLE, Encoding::EXPLICIT_LITTLE, Encoding::EXPLICIT_BIG];

#[test]
fn a_file_says_the_same_in_every_encoding() {
    let written = |encoding| {
        DataSet::image(encoding)
            .text(0x0020_0013, Vr::Is, "42")
            .number(0x0028_0010, 512)
            .number(0x0028_0103, 1)
            .value(0x0028_0106, Vr::Ss, &if encoding.big_endian { [0xFF, 0xFE] } else { [0xFE, 0xFF] })
            .sequence(0x0040_0275, true, &[DataSet::new(encoding).text(0x0040_1001, Vr::Sh, "P1")])
            .native(100)
    };
    let expected = read(&written(Encoding::EXPLICIT_LITTLE).file()).unwrap();
    assert_eq!(expected.facts.image.rows, Some(512));
    assert_eq!(expected.facts.image.instance_number, Some(42));
    assert_eq!(expected.metadata.to_value()["00280106"], json!({"vr": "SS", "Value": [-2]}));
    for encoding in EVERY_ENCODING {
        let data_set = written(encoding);
        let with_meta = read(&data_set.file()).unwrap();
        let without = read(&data_set.bytes).unwrap();
        for header in [&with_meta, &without] {
            assert_eq!(header.facts.image.transfer_syntax_uid.as_str(), data_set.transfer_syntax());
            let mut facts = header.facts.clone();
            facts.image.transfer_syntax_uid = expected.facts.image.transfer_syntax_uid.clone();
            assert_eq!(facts, expected.facts);
            let (mut one, mut other) = (header.metadata.to_value(), expected.metadata.to_value());
            (one["7FE00010"], other["7FE00010"]) = (Value::Null, Value::Null);
            assert_eq!(one, other);
        }
    }
}

#[test]
fn meta_information_is_read_however_it_is_introduced() {
    let file = DataSet::image(Encoding::EXPLICIT_LITTLE).native(4).file();
    let expected = read(&file).unwrap().facts;
    assert_eq!(read(&file[128..]).unwrap().facts, expected, "without preamble");
    assert_eq!(read(&file[132..]).unwrap().facts, expected, "without preamble and prefix");
    let data_set = DataSet::image(Encoding::IMPLICIT_LITTLE).native(4);
    let mislabelled = in_file("1.2.840.10008.1.2.1", &data_set.bytes);
    assert_eq!(read(&mislabelled).unwrap().facts, expected, "implicit under the name of explicit");
}

#[test]
fn pixels_tell_where_they_end() {
    let native = DataSet::image(Encoding::EXPLICIT_LITTLE).native(100).file();
    let header = read(&native).unwrap();
    assert_eq!(header.pixel_data, PixelData::Native { end: native.len() as u64 });
    assert_eq!(header.complete(native.len() as u64, &[]), Ok(()));
    assert_eq!(header.complete(native.len() as u64 - 1, &[]), Err(Reason::Truncated.into()));

    let report = DataSet::image(Encoding::EXPLICIT_LITTLE).file();
    assert_eq!(read(&report).unwrap().pixel_data, PixelData::Absent);

    let image = DataSet::image(Encoding::EXPLICIT_LITTLE).native(100_000);
    let deflated = image.deflated();
    assert!(deflated.len() < 4000);
    assert_eq!(read(&deflated).unwrap().pixel_data, PixelData::Deflated);
    assert_eq!(
        read_header(&deflated[..1000.min(deflated.len() - 1)], deflated.len() as u64),
        Err(HeaderError::NeedMore { at_least: deflated.len() as u64 })
    );
    for cut in 1..40 {
        assert_eq!(
            read(&deflated[..deflated.len() - cut]),
            Err(Reason::Truncated.into()),
            "{cut} bytes short"
        );
    }
}

#[test]
fn encapsulated_pixels_end_with_their_delimiter() {
    let whole = DataSet::image(Encoding::EXPLICIT_LITTLE).encapsulated();
    let header = read(&whole.file()).unwrap();
    let complete = |file: &[u8]| {
        let total = file.len() as u64;
        let tail = |length: u64| &file[file.len() - length as usize..];
        match header.complete(total, tail(header.tail_length(total))) {
            Err(HeaderError::NeedMore { at_least }) => header.complete(total, tail(at_least)),
            answer => answer,
        }
    };
    assert_eq!(complete(&whole.file()), Ok(()));
    let signed = whole.clone().value(0xFFFC_FFFC, Vr::Ob, &[0; 3000]);
    assert_eq!(complete(&signed.file()), Ok(()));
    assert_eq!(complete(&whole.clone().raw(&[0; 7]).file()), Ok(()));
    let file = whole.file();
    for cut in 1..30 {
        assert_eq!(complete(&file[..file.len() - cut]), Err(Reason::Truncated.into()), "{cut} short");
    }
    let file = whole.clone().value(0xFFFC_FFFC, Vr::Ob, &[1; 30]).file();
    assert_eq!(complete(&file[..file.len() - 1]), Err(Reason::Truncated.into()));
}

#[test]
fn a_multi_frame_image_has_its_geometry_in_functional_groups() {
    let encoding = Encoding::EXPLICIT_LITTLE;
    let item = || DataSet::new(encoding);
    let shared = item().sequence(
        0x0028_9110,
        false,
        &[item().text(0x0018_0050, Vr::Ds, "2.50").text(0x0028_0030, Vr::Ds, r"0.5\0.25")],
    );
    let frame = |position: &str| {
        item()
            .sequence(0x0020_9111, true, &[item().text(0x0018_9074, Vr::Dt, "20240131120000.5+0100")])
            .sequence(0x0020_9113, true, &[item().text(0x0020_0032, Vr::Ds, position)])
            .sequence(
                0x0028_9132,
                true,
                &[item().text(0x0028_1050, Vr::Ds, r"40\300").text(0x0028_1051, Vr::Ds, r"400\1500")],
            )
    };
    let data_set = DataSet::image(encoding)
        .text(0x0028_0008, Vr::Is, "2")
        .sequence(0x5200_9229, true, &[shared])
        .sequence(0x5200_9230, false, &[frame(r"1\2\3"), frame(r"1\2\4")])
        .native(8);
    let image = read(&data_set.file()).unwrap().facts.image;
    let image = serde_json::to_value(image).unwrap();
    for (name, value) in [
        ("numberOfFrames", json!(2)),
        ("pixelSpacing", json!(r"0.5\0.25")),
        ("sliceThickness", json!(2.5)),
        ("imagePosition", json!(r"1\2\3")),
        ("imageOrientation", Value::Null),
        ("windowCenter", json!(40.0)),
        ("windowWidth", json!(400.0)),
        ("acquisitionDate", json!("2024-01-31")),
        ("acquisitionTime", json!("12:00:00.500000")),
    ] {
        assert_eq!(image[name], value, "{name}");
    }
}

#[test]
fn text_in_an_item_follows_the_nearest_character_set() {
    let encoding = Encoding::EXPLICIT_LITTLE;
    let inherits = DataSet::new(encoding).value(0x0008_0104, Vr::Lo, b"\xbb");
    let own = DataSet::new(encoding).text(0x0008_0005, Vr::Cs, "ISO_IR 192").value(
        0x0008_0104,
        Vr::Lo,
        "é".as_bytes(),
    );
    let mut data_set = DataSet::new(encoding).text(0x0008_0005, Vr::Cs, "ISO_IR 144");
    data_set = data_set.raw(&DataSet::image(encoding).bytes).sequence(
        0x0040_0260,
        true,
        &[inherits.clone(), own, inherits],
    );
    let metadata = metadata(&data_set);
    let meaning = |item: usize| &metadata["00400260"]["Value"][item]["00080104"]["Value"][0];
    assert_eq!([meaning(0), meaning(1), meaning(2)], [&json!("Л"), &json!("é"), &json!("Л")]);
}

#[test]
fn metadata_is_dicom_json() {
    let encoding = Encoding::EXPLICIT_LITTLE;
    let mut data_set = DataSet::new(encoding).value(0x0008_0000, Vr::Ul, &[0; 4]);
    data_set = data_set
        .raw(&DataSet::image(encoding).bytes)
        .text(0x0020_0010, Vr::Sh, "")
        .text(0x0020_0011, Vr::Is, "x7")
        .value(0x0020_0062, Vr::Cs, b"A\\\\B\0")
        .value(0x0028_0009, Vr::At, &[0x18, 0x00, 0x63, 0x10])
        .text(0x0028_0030, Vr::Ds, r"0.50\1")
        .text(0x0029_0010, Vr::Lo, "OWNER")
        .value(0x0029_1010, Vr::Ob, &[1, 2, 3])
        .value(0x0029_1020, Vr::Un, &[9; 1025])
        .value(0x0040_A160, Vr::Ut, b"say \"a\\b\"\0\x01\r\n")
        .value(0x0040_A30A, Vr::Fd, &f64::NAN.to_le_bytes())
        .sequence(0x0040_A730, false, &[])
        .native(2);
    let file = data_set.file();
    let bulk = file.len() - 2 - 12;
    let private = file.windows(1025).position(|window| window == [9; 1025]).unwrap();
    assert_eq!(
        metadata(&data_set),
        json!({
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^John"}]},
            "00200010": {"vr": "SH"},
            "00200011": {"vr": "IS", "Value": ["x7"]},
            "00200062": {"vr": "CS", "Value": ["A", null, "B"]},
            "00280009": {"vr": "AT", "Value": ["00181063"]},
            "00280030": {"vr": "DS", "Value": [0.5, 1]},
            "00290010": {"vr": "LO", "Value": ["OWNER"]},
            "00291010": {"vr": "OB", "InlineBinary": "AQID"},
            "00291020": {"vr": "UN", "BulkDataURI": format!("?offset={private}&length=1025")},
            "0040A160": {"vr": "UT", "Value": ["say \"a\\b\"\r\n"]},
            "0040A30A": {"vr": "FD", "Value": ["NaN"]},
            "0040A730": {"vr": "SQ"},
            "7FE00010": {"vr": "OW", "BulkDataURI": format!("?offset={}&length=2", bulk + 12)},
        })
    );
}

#[test]
fn metadata_stays_within_its_limit_by_leaving_out_the_largest() {
    let encoding = Encoding::EXPLICIT_LITTLE;
    let prose = |length: usize| vec![b'x'; length];
    let data_set = (1..=8_u32)
        .fold(DataSet::image(encoding), |data_set, tens| {
            data_set.value(0x0041_1000 + tens, Vr::Ut, &prose(tens as usize * 8000))
        })
        .value(0x0041_1100, Vr::Ut, &prose(70_000))
        .text(0x0041_1101, Vr::Lo, "kept");
    let metadata = read(&data_set.file()).unwrap().metadata;
    assert!(metadata.as_json().len() <= METADATA_LIMIT);
    assert_eq!(metadata.omitted(), [Tag(0x0041_1008)]);
    let json = metadata.to_value();
    assert_eq!(json["00411008"], json!({"vr": "UT"}));
    assert_eq!(json["00411007"]["Value"][0].as_str().unwrap().len(), 56_000);
    assert!(json["00411100"]["BulkDataURI"].as_str().unwrap().ends_with("&length=70000"));
    assert_eq!(json["00411101"]["Value"][0], "kept");

    let many = (0..40_000_u32)
        .fold(DataSet::image(encoding), |data_set, number| data_set.text(0x0041_1000 + number, Vr::Sh, ""));
    let metadata = read(&many.file()).unwrap().metadata;
    assert!(metadata.as_json().len() <= METADATA_LIMIT);
    assert_eq!(metadata.to_value()["00080060"]["Value"][0], "CT");

    let nested = (0..60).fold(DataSet::new(encoding).text(0x0040_A160, Vr::Ut, "deep"), |inner, _| {
        DataSet::new(encoding).sequence(0x0040_A730, false, &[inner])
    });
    let metadata = read(&DataSet::image(encoding).raw(&nested.bytes).file()).unwrap().metadata;
    assert_eq!(metadata.omitted(), [Tag(0x0040_A730)]);
    assert!(serde_json::from_str::<Value>(metadata.as_json()).is_ok());
}

#[test]
fn every_attack_is_refused_with_its_reason() {
    let explicit = Encoding::EXPLICIT_LITTLE;
    let image = || DataSet::image(explicit);
    let nested = |depth: usize, defined: bool| {
        (0..depth).fold(DataSet::new(explicit), |inner, _| {
            DataSet::new(explicit).sequence(0x0040_A730, defined, &[inner])
        })
    };
    let executable = |magic: &[u8]| {
        let mut file = image().native(4).file();
        file[..magic.len()].copy_from_slice(magic);
        file
    };
    let empty_items =
        (0..600_000).fold(DataSet::new(explicit), |items, _| items.header(0xFFFE_E000, Vr::Sq, 0));
    let bomb = image().native(80 << 20).deflated();
    let corrupt = in_file("1.2.840.10008.1.2.1.99", &[0xFF; 200]);

    for (attack, file, reason) in [
        ("an empty file", Vec::new(), Reason::Empty),
        ("a few bytes", b"hello".to_vec(), Reason::NotDicom),
        ("text", b"hello ".repeat(100), Reason::NotDicom),
        ("nothing but the preamble", image().file()[..132].to_vec(), Reason::MissingSopClassUid),
        ("a Windows program", executable(b"MZ"), Reason::Polyglot),
        ("a Linux program", executable(b"\x7fELF"), Reason::Polyglot),
        ("a script", executable(b"#!/bin/sh"), Reason::Polyglot),
        ("a value of 4 GiB", image().header(0x0029_1010, Vr::Ob, 0xFFFF_FFFE).file(), Reason::Truncated),
        (
            "an item longer than its sequence",
            image().value(0x0040_A730, Vr::Sq, b"\xfe\xff\x00\xe0\xff\x00\x00\x00").raw(&[0; 300]).file(),
            Reason::BadLength,
        ),
        (
            "a value longer than its item",
            image()
                .sequence(0x0040_A730, true, &[DataSet::new(explicit).header(0x0040_A160, Vr::Ut, 50)])
                .raw(&[0; 300])
                .file(),
            Reason::BadLength,
        ),
        ("2,000 nested sequences", image().raw(&nested(2000, false).bytes).file(), Reason::TooDeep),
        ("65 nested sequences with lengths", image().raw(&nested(65, true).bytes).file(), Reason::TooDeep),
        (
            "too many items",
            image().value(0x0040_A730, Vr::Sq, &empty_items.bytes).file(),
            Reason::TooManyElements,
        ),
        ("a deflate bomb", bomb, Reason::Bomb),
        ("a corrupt deflate stream", corrupt, Reason::CorruptDeflate),
        ("pixels first", DataSet::new(explicit).native(8).file(), Reason::MissingSopClassUid),
        (
            "an attribute that comes twice",
            image().text(0x0020_000E, Vr::Ui, "1.2.3.9").file(),
            Reason::OutOfOrder,
        ),
        ("an attribute that comes late", image().text(0x0010_0020, Vr::Lo, "P1").file(), Reason::OutOfOrder),
        ("an item outside a sequence", image().header(0xFFFE_E000, Vr::Sq, 0).file(), Reason::BadSequence),
        (
            "an element where an item must be",
            image().value(0x0040_A730, Vr::Sq, &[8; 8]).file(),
            Reason::BadSequence,
        ),
        ("text of undefined length", image().header(0x0040_A160, Vr::Ut, u32::MAX).file(), Reason::BadLength),
        ("a sequence without end", image().header(0x0040_A730, Vr::Sq, u32::MAX).file(), Reason::Truncated),
        (
            "a UID that is none",
            DataSet::new(explicit).text(0x0008_0016, Vr::Ui, "../../etc").native(2).file(),
            Reason::InvalidSopClassUid,
        ),
    ] {
        assert_eq!(read(&file).map(drop), Err(HeaderError::Refused(reason)), "{attack}");
    }
    assert!(read(&image().raw(&nested(64, false).bytes).file()).is_ok());
}

#[test]
fn a_header_that_does_not_end_is_given_up() {
    let file = DataSet::image(Encoding::EXPLICIT_LITTLE).header(0x0029_1010, Vr::Ob, 64 << 20).file();
    assert_eq!(read_header(&file, 5 << 30), Err(Reason::TooLong.into()));
    let file = DataSet::image(Encoding::EXPLICIT_LITTLE).native(0).deflated();
    assert_eq!(read_header(&file, 5 << 30), Err(Reason::TooLong.into()));
}

#[test]
fn a_refusal_says_nothing_of_the_file_and_codes_are_stable() {
    assert_eq!(Reason::TooDeep.code(), "too_deep");
    assert_eq!(Reason::TooDeep.to_string(), "Sequences are nested more than 64 levels deep.");
    assert_eq!(Reason::TooLong.to_string(), "The header goes on for more than 16 MiB.");
}

#[test]
fn a_value_is_known_again_although_a_writer_did_not_know_it() {
    let encoding = Encoding::EXPLICIT_LITTLE;
    let implicit = DataSet::new(Encoding::IMPLICIT_LITTLE).text(0x0040_A160, Vr::Ut, "inside");
    let items = DataSet::new(Encoding::IMPLICIT_LITTLE)
        .header(0xFFFE_E000, Vr::Sq, u32::MAX)
        .raw(&implicit.bytes)
        .header(0xFFFE_E00D, Vr::Sq, 0);
    let data_set = DataSet::image(encoding)
        .value(0x0020_0013, Vr::Un, b"7 ")
        .header(0x0041_1001, Vr::Un, u32::MAX)
        .raw(&items.bytes)
        .header(0xFFFE_E0DD, Vr::Sq, 0)
        .native(2);
    let header = read(&data_set.file()).unwrap();
    assert_eq!(header.facts.image.instance_number, Some(7));
    assert_eq!(header.metadata.to_value()["00411001"]["Value"][0]["0040A160"]["Value"][0], "inside");
}

/// A data set of whatever is allowed in one.
fn data_sets(encoding: Encoding) -> impl Strategy<Value = DataSet> {
    let element = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|value| (Vr::Lo, value)),
        prop::collection::vec(any::<u8>(), 0..2000).prop_map(|value| (Vr::Ob, value)),
        any::<[u8; 4]>().prop_map(|value| (Vr::Us, value.to_vec())),
        any::<[u8; 8]>().prop_map(|value| (Vr::Fd, value.to_vec())),
        "[ -~]{0,40}".prop_map(|value| (Vr::Ut, value.into_bytes())),
    ];
    let elements = prop::collection::vec(element, 0..6).prop_map(move |elements| {
        let numbered = elements.into_iter().enumerate();
        numbered.fold(DataSet::new(encoding), |data_set, (number, (vr, value))| {
            data_set.value(0x0041_1000 + number as u32, vr, &value)
        })
    });
    elements.prop_recursive(4, 24, 3, move |items| {
        (prop::collection::vec(items, 0..3), any::<bool>(), "[0-9.]{0,8}").prop_map(
            move |(items, defined, text)| {
                DataSet::new(encoding).text(0x0040_A161, Vr::Ds, &text).sequence(0x0040_A730, defined, &items)
            },
        )
    })
}

fn files() -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(&EVERY_ENCODING[..]), 0..3_u8)
        .prop_flat_map(|(encoding, pixels)| (data_sets(encoding), Just(pixels), any::<bool>()))
        .prop_map(|(data_set, pixels, in_file)| {
            let mut whole = DataSet::image(data_set.encoding).raw(&data_set.bytes);
            whole = match pixels {
                0 => whole,
                2 if !whole.encoding.big_endian => whole.encapsulated(),
                _ => whole.native(64),
            };
            if in_file { whole.file() } else { whole.bytes }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_prefix_asks_for_more_or_says_what_the_whole_file_says(file in files()) {
        let total = file.len() as u64;
        let whole = read(&file).unwrap();
        for cut in 0..file.len() {
            match read_header(&file[..cut], total) {
                Err(HeaderError::NeedMore { at_least }) => {
                    prop_assert!(at_least > cut as u64 && at_least <= total, "{} at {}", at_least, cut);
                }
                answer => prop_assert_eq!(answer.as_ref(), Ok(&whole), "cut at {}", cut),
            }
        }
    }

    #[test]
    fn a_file_cut_off_anywhere_is_never_taken_for_whole(file in files()) {
        let whole = read(&file).unwrap();
        let tail = |length: usize| &file[length - whole.tail_length(length as u64) as usize..length];
        prop_assert_eq!(whole.complete(file.len() as u64, tail(file.len())), Ok(()));
        for cut in 0..file.len() {
            let Ok(header) = read(&file[..cut]) else { continue };
            // Between two elements a data set without pixels has no mark of its end.
            if header.pixel_data != PixelData::Absent {
                let tail = &file[cut - header.tail_length(cut as u64) as usize..cut];
                prop_assert_eq!(header.complete(cut as u64, tail), Err(Reason::Truncated.into()), "cut at {}", cut);
            }
        }
    }

    #[test]
    fn damage_is_refused_or_read_but_never_fatal(
        file in files(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut file = file;
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let prefix = &file[..length.index(file.len() + 1)];
        if let Ok(header) = read_header(prefix, file.len() as u64) {
            prop_assert!(header.metadata.as_json().len() <= METADATA_LIMIT);
            prop_assert!(serde_json::from_str::<Value>(header.metadata.as_json()).is_ok());
            prop_assert!(!header.metadata.as_json().contains("\\u0000") && !header.metadata.as_json().contains('\0'));
            let _ = header.complete(file.len() as u64, &file);
        }
        let _ = read_header(prefix, u64::MAX);
    }

    #[test]
    fn random_bytes_are_never_fatal(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
        let _ = read(&in_file("1.2.840.10008.1.2.1", &bytes));
        let _ = read(&in_file("1.2.840.10008.1.2.1.99", &bytes));
        let _ = read(&in_file("1.2.840.10008.1.2.2", &bytes));
    }
}
