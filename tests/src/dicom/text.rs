//! Text as DICOM files hold it (DICOM PS3.3 C.12.1.1.2, PS3.5 6.1).

use anyhow::{Result, bail, ensure};
use encoding_rs::{
    EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, ISO_8859_2, ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8,
    UTF_8, WINDOWS_874, WINDOWS_1252,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CharacterSet {
    /// None is named: ASCII.
    Default,
    Latin1,
    Latin2,
    Cyrillic,
    Arabic,
    Greek,
    Hebrew,
    Thai,
    Utf8,
    Gb18030,
    /// ASCII, and JIS X 0208 after an escape sequence.
    Japanese,
    /// ASCII, and KS X 1001 after an escape sequence.
    Korean,
    /// ASCII, and GB 2312 after an escape sequence.
    Chinese,
}

impl CharacterSet {
    /// The defined terms of SpecificCharacterSet (0008,0005).
    pub fn term(self) -> Option<&'static str> {
        Some(match self {
            Self::Default => return None,
            Self::Latin1 => "ISO_IR 100",
            Self::Latin2 => "ISO_IR 101",
            Self::Cyrillic => "ISO_IR 144",
            Self::Arabic => "ISO_IR 127",
            Self::Greek => "ISO_IR 126",
            Self::Hebrew => "ISO_IR 138",
            Self::Thai => "ISO_IR 166",
            Self::Utf8 => "ISO_IR 192",
            Self::Gb18030 => "GB18030",
            Self::Japanese => "\\ISO 2022 IR 87",
            Self::Korean => "\\ISO 2022 IR 149",
            Self::Chinese => "\\ISO 2022 IR 58",
        })
    }

    pub(super) fn encode(self, text: &str) -> Result<Vec<u8>> {
        if text.is_ascii() {
            return Ok(text.as_bytes().to_vec());
        }
        match self {
            Self::Default => bail!("{text:?} needs a character set"),
            Self::Latin1 => encoded(self, WINDOWS_1252, text),
            Self::Latin2 => encoded(self, ISO_8859_2, text),
            Self::Cyrillic => encoded(self, ISO_8859_5, text),
            Self::Arabic => encoded(self, ISO_8859_6, text),
            Self::Greek => encoded(self, ISO_8859_7, text),
            Self::Hebrew => encoded(self, ISO_8859_8, text),
            Self::Thai => encoded(self, WINDOWS_874, text),
            Self::Utf8 => encoded(self, UTF_8, text),
            Self::Gb18030 => encoded(self, GB18030, text),
            Self::Japanese => self.escaped(b"", ISO_2022_JP, text),
            Self::Korean => self.escaped(b"\x1b$)C", EUC_KR, text),
            Self::Chinese => self.escaped(b"\x1b$)A", GBK, text),
        }
    }

    /// Delimiters end what an escape sequence began, so each piece has its own (DICOM PS3.5 6.1.2.5.3).
    fn escaped(self, escape: &[u8], encoding: &'static Encoding, text: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for piece in text.split_inclusive(['^', '=', '\\']) {
            let (piece, delimiter) = match piece.strip_suffix(['^', '=', '\\']) {
                Some(rest) => (rest, piece.chars().last()),
                None => (piece, None),
            };
            if !piece.is_ascii() {
                bytes.extend(escape);
            }
            bytes.extend(encoded(self, encoding, piece)?);
            bytes.extend(delimiter.map(|delimiter| delimiter as u8));
        }
        Ok(bytes)
    }
}

fn encoded(set: CharacterSet, encoding: &'static Encoding, text: &str) -> Result<Vec<u8>> {
    let (bytes, _, replaced) = encoding.encode(text);
    ensure!(!replaced, "{set:?} has no way to write {text:?}");
    Ok(bytes.into_owned())
}
