//! Text in the character sets of DICOM (PS3.5 6.1, PS3.3 C.12.1.1.2), made UTF-8.
//!
//! A data set names its repertoire in Specific Character Set. With one value that is one encoding from end to
//! end. With several, a value begins in the first and escape sequences (ISO/IEC 2022) switch to the others;
//! at the end of a line, at a backslash between values and between the parts of a person's name all returns
//! to the first (PS3.5 6.1.2.5.3). Bytes that mean nothing become U+FFFD, control characters are dropped.

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6,
    ISO_8859_7, ISO_8859_8, ISO_8859_15, WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};

use super::vr::Vr;

const ESCAPE: u8 = 0x1B;

/// What a data set's text is written in.
#[derive(Clone, Copy, Debug)]
pub(super) enum CharacterSet {
    /// Nothing declared, or nothing beyond ASCII. Devices write UTF-8 or Latin-1 all the same, and a name is
    /// better read than lost: bytes that are UTF-8 are taken for it, others for Latin-1.
    Undeclared,
    Unicode,
    /// GB18030, and GBK which it contains.
    Chinese,
    Switched {
        initial: Shift,
        /// For bytes of the upper half that no escape sequence introduced: many Korean devices designate
        /// their set once, at the beginning, and not again after each part of a name.
        undesignated: Upper,
    },
}

/// The sets in force: bytes 21-7E are of the lower (G0), bytes A1-FE of the upper (G1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift {
    lower: Lower,
    upper: Upper,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lower {
    Ascii,
    /// ISO-IR 14: ASCII but for ¥ and ‾.
    Roman,
    /// ISO-IR 87, two bytes each.
    Kanji,
    /// ISO-IR 159, two bytes each.
    SupplementaryKanji,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Upper {
    Nothing,
    /// ISO-IR 13, half width.
    Katakana,
    /// One of ISO 8859 and its like; the Windows code pages here have the same graphic characters and more.
    SingleByte(&'static Encoding),
    /// ISO-IR 149, two bytes each.
    Korean,
    /// ISO-IR 58, two bytes each.
    Chinese,
}

/// How a value is cut up, which decides where a backslash, `^` and `=` are delimiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Prose,
    Values,
    Names,
}

impl CharacterSet {
    /// From the value of Specific Character Set (0008,0005).
    pub(super) fn declared(value: &[u8]) -> Self {
        // No two sets are named twice: what is longer is meant to cost something.
        const LENGTH: usize = 1 << 10;
        let text = String::from_utf8_lossy(value.get(..LENGTH).unwrap_or(value));
        let terms: Vec<Term> = text.split('\\').map(Term::parse).collect();
        if terms.contains(&Term::Unicode) {
            return Self::Unicode;
        }
        if terms.contains(&Term::Chinese) {
            return Self::Chinese;
        }
        let sets = || terms.iter().filter_map(Term::sets);
        let Some(initial) = sets().next() else { return Self::Undeclared };
        let is_ascii = initial.lower == Lower::Ascii && matches!(initial.upper, Upper::Nothing);
        if is_ascii && terms.iter().all(|term| matches!(term, Term::Registered(6) | Term::Unknown)) {
            return Self::Undeclared;
        }
        let undesignated = sets()
            .map(|set| set.upper)
            .find(|upper| !matches!(upper, Upper::Nothing))
            .unwrap_or(Upper::Nothing);
        Self::Switched { initial, undesignated }
    }

    /// The values of an element, without padding. None of them is the same as one that is empty.
    pub(super) fn decode(self, vr: Vr, bytes: &[u8]) -> Vec<String> {
        let shape = match vr {
            Vr::Pn => Shape::Names,
            vr if vr.is_prose() || vr == Vr::Ur => Shape::Prose,
            _ => Shape::Values,
        };
        let values = if bytes.is_ascii() && !bytes.contains(&ESCAPE) && !self.begins_in_roman() {
            split(&String::from_utf8_lossy(bytes), shape)
        } else {
            self.decode_beyond_ascii(bytes, shape)
        };
        if values.iter().all(String::is_empty) && values.len() < 2 {
            return Vec::new();
        }
        values
    }

    fn decode_beyond_ascii(self, bytes: &[u8], shape: Shape) -> Vec<String> {
        match self {
            Self::Switched { initial, undesignated } => decode_switched(bytes, initial, undesignated, shape),
            Self::Chinese => split(&GB18030.decode_without_bom_handling(bytes).0, shape),
            Self::Unicode => split(&String::from_utf8_lossy(bytes), shape),
            Self::Undeclared if bytes.contains(&ESCAPE) => {
                let initial = Shift { lower: Lower::Ascii, upper: Upper::SingleByte(WINDOWS_1252) };
                decode_switched(bytes, initial, Upper::Nothing, shape)
            }
            Self::Undeclared => match str::from_utf8(bytes) {
                Ok(text) => split(text, shape),
                Err(_) => split(&WINDOWS_1252.decode_without_bom_handling(bytes).0, shape),
            },
        }
    }

    fn begins_in_roman(self) -> bool {
        matches!(self, Self::Switched { initial: Shift { lower: Lower::Roman, .. }, .. })
    }
}

/// One value of Specific Character Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    Unicode,
    Chinese,
    /// By its number in the ISO register, with code extensions or without.
    Registered(u16),
    Unknown,
}

impl Term {
    /// `ISO_IR 100` and `ISO 2022 IR 100`, and the ways in which devices misspell them.
    fn parse(text: &str) -> Self {
        let text = text.trim_matches([' ', '\0']).to_ascii_uppercase();
        if text.is_empty() {
            return Self::Registered(6);
        }
        if matches!(text.as_str(), "GB18030" | "GBK") {
            return Self::Chinese;
        }
        if matches!(text.as_str(), "UTF-8" | "UTF8") {
            return Self::Unicode;
        }
        let number = text
            .rsplit_once("IR")
            .and_then(|(_, number)| number.trim_start_matches([' ', '_', '-']).parse::<u16>().ok());
        match number {
            Some(192) => Self::Unicode,
            Some(number) => Self::Registered(number),
            None => Self::Unknown,
        }
    }

    fn sets(&self) -> Option<Shift> {
        let Self::Registered(number) = self else { return None };
        let (lower, upper) = match number {
            // The two of kanji are only ever reached by an escape sequence; whoever names one first begins in
            // ASCII.
            6 | 87 | 159 => (Lower::Ascii, Upper::Nothing),
            13 | 14 => (Lower::Roman, Upper::Katakana),
            58 => (Lower::Ascii, Upper::Chinese),
            149 => (Lower::Ascii, Upper::Korean),
            100 => (Lower::Ascii, Upper::SingleByte(WINDOWS_1252)),
            101 => (Lower::Ascii, Upper::SingleByte(ISO_8859_2)),
            109 => (Lower::Ascii, Upper::SingleByte(ISO_8859_3)),
            110 => (Lower::Ascii, Upper::SingleByte(ISO_8859_4)),
            126 => (Lower::Ascii, Upper::SingleByte(ISO_8859_7)),
            127 => (Lower::Ascii, Upper::SingleByte(ISO_8859_6)),
            138 => (Lower::Ascii, Upper::SingleByte(ISO_8859_8)),
            144 => (Lower::Ascii, Upper::SingleByte(ISO_8859_5)),
            148 => (Lower::Ascii, Upper::SingleByte(WINDOWS_1254)),
            166 => (Lower::Ascii, Upper::SingleByte(WINDOWS_874)),
            203 => (Lower::Ascii, Upper::SingleByte(ISO_8859_15)),
            _ => return None,
        };
        Some(Shift { lower, upper })
    }
}

/// What an escape sequence designates (PS3.3 table C.12-3 and -4), and how many bytes follow its ESC.
fn designation(bytes: &[u8], shift: Shift) -> Option<(Shift, usize)> {
    let lower = |lower, length| Some((Shift { lower, ..shift }, length));
    let upper = |upper, length| Some((Shift { upper, ..shift }, length));
    let single = |encoding| upper(Upper::SingleByte(encoding), 2);
    match bytes {
        [b'(', b'B', ..] => lower(Lower::Ascii, 2),
        [b'(', b'J', ..] => lower(Lower::Roman, 2),
        [b'$', b'B' | b'@', ..] => lower(Lower::Kanji, 2),
        [b'$', b'(', b'D', ..] => lower(Lower::SupplementaryKanji, 3),
        [b'$', b')', b'A', ..] => upper(Upper::Chinese, 3),
        [b'$', b')', b'C', ..] => upper(Upper::Korean, 3),
        [b')', b'I', ..] => upper(Upper::Katakana, 2),
        [b'-', b'A', ..] => single(WINDOWS_1252),
        [b'-', b'B', ..] => single(ISO_8859_2),
        [b'-', b'C', ..] => single(ISO_8859_3),
        [b'-', b'D', ..] => single(ISO_8859_4),
        [b'-', b'F', ..] => single(ISO_8859_7),
        [b'-', b'G', ..] => single(ISO_8859_6),
        [b'-', b'H', ..] => single(ISO_8859_8),
        [b'-', b'L', ..] => single(ISO_8859_5),
        [b'-', b'M', ..] => single(WINDOWS_1254),
        [b'-', b'T', ..] => single(WINDOWS_874),
        [b'-', b'b', ..] => single(ISO_8859_15),
        _ => None,
    }
}

fn decode_switched(bytes: &[u8], initial: Shift, undesignated: Upper, shape: Shape) -> Vec<String> {
    let mut values = Vec::new();
    let mut value = Decoded::default();
    let mut shift = initial;
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            ESCAPE => match designation(after, shift) {
                Some((designated, length)) => {
                    shift = designated;
                    rest = after.get(length..).unwrap_or_default();
                }
                None => value.push(char::REPLACEMENT_CHARACTER),
            },
            0x00..=0x1F => {
                if matches!(byte, b'\n' | b'\r' | b'\t' | 0x0C) {
                    shift = initial;
                }
                value.push(char::from(byte));
            }
            0x20 | 0x7F => value.push(char::from(byte)),
            0x21..=0x7E if shift.lower == Lower::Kanji => value.push_raw(EUC_JP, byte | 0x80),
            0x21..=0x7E if shift.lower == Lower::SupplementaryKanji => value.push_supplementary(byte | 0x80),
            b'\\' if shape != Shape::Prose => {
                shift = initial;
                values.push(value.take(shape));
            }
            b'^' | b'=' if shape == Shape::Names => {
                shift = initial;
                value.push(char::from(byte));
            }
            b'\\' if shift.lower == Lower::Roman => value.push('¥'),
            b'~' if shift.lower == Lower::Roman => value.push('‾'),
            0x21..=0x7E => value.push(char::from(byte)),
            0x80..=0xFF => {
                let upper = match shift.upper {
                    Upper::Nothing => undesignated,
                    designated => designated,
                };
                value.push_upper(upper, byte);
            }
        }
    }
    values.push(value.take(shape));
    values
}

/// A value as far as it is decoded, and the bytes after that which wait for the rest of their character.
#[derive(Default)]
struct Decoded {
    text: String,
    raw: Vec<u8>,
    encoding: Option<&'static Encoding>,
}

impl Decoded {
    fn push(&mut self, character: char) {
        self.flush();
        self.text.push(character);
    }

    fn push_raw(&mut self, encoding: &'static Encoding, byte: u8) {
        if self.encoding != Some(encoding) {
            self.flush();
            self.encoding = Some(encoding);
        }
        self.raw.push(byte);
    }

    /// EUC-JP marks each character of the supplementary set with a byte of its own.
    fn push_supplementary(&mut self, byte: u8) {
        if self.raw.len().is_multiple_of(3) {
            self.push_raw(EUC_JP, 0x8F);
        }
        self.push_raw(EUC_JP, byte);
    }

    fn push_upper(&mut self, upper: Upper, byte: u8) {
        match upper {
            Upper::SingleByte(encoding) => self.push_raw(encoding, byte),
            Upper::Korean => self.push_raw(EUC_KR, byte),
            Upper::Chinese => self.push_raw(GB18030, byte),
            Upper::Katakana if (0xA1..=0xDF).contains(&byte) => {
                let katakana = char::from_u32(0xFF61 + u32::from(byte - 0xA1));
                self.push(katakana.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Upper::Katakana | Upper::Nothing => self.push(char::REPLACEMENT_CHARACTER),
        }
    }

    fn flush(&mut self) {
        if let Some(encoding) = self.encoding.take() {
            self.text.push_str(&encoding.decode_without_bom_handling(&self.raw).0);
            self.raw.clear();
        }
    }

    fn take(&mut self, shape: Shape) -> String {
        self.flush();
        clean(&std::mem::take(&mut self.text), shape)
    }
}

fn split(text: &str, shape: Shape) -> Vec<String> {
    if shape == Shape::Prose {
        return vec![clean(text, shape)];
    }
    text.split('\\').map(|value| clean(value, shape)).collect()
}

/// Without padding (leading spaces are significant in prose only) and without control characters, of which
/// prose keeps those that lay out a page.
fn clean(text: &str, shape: Shape) -> String {
    let is_layout = |character| matches!(character, '\n' | '\r' | '\t' | '\x0C');
    let stays =
        |character: &char| !character.is_control() || (shape == Shape::Prose && is_layout(*character));
    let mut cleaned: String = text.chars().filter(stays).collect();
    cleaned.truncate(cleaned.trim_end_matches(' ').len());
    if shape != Shape::Prose {
        let padding = cleaned.len() - cleaned.trim_start_matches(' ').len();
        cleaned.drain(..padding);
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(declared: &str, vr: Vr, bytes: &[u8]) -> Vec<String> {
        CharacterSet::declared(declared.as_bytes()).decode(vr, bytes)
    }

    #[track_caller]
    fn name(declared: &str, bytes: &[u8], expected: &str) {
        assert_eq!(decode(declared, Vr::Pn, bytes), [expected]);
    }

    #[test]
    fn japanese_as_in_annex_h() {
        name(
            r"\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        );
        name(
            r"ISO 2022 IR 13\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        );
        name("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ");
        // JIS X 0212: 丂 is its first kanji.
        name(r"\ISO 2022 IR 159", b"A^\x1b$(D0!0!\x1b(B", "A^丂丂");
    }

    #[test]
    fn korean_as_in_annex_i() {
        name(
            r"\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        );
        assert_eq!(
            decode(
                r"\ISO 2022 IR 149",
                Vr::Lt,
                b"\x1b$)CThe first line includes \xb1\xe6\xb5\xbf.\r\n\x1b$)C\xb1\xe6\xb5\xbf, too.\r\n"
            ),
            ["The first line includes 길동.\r\n길동, too.\r\n"]
        );
        // Designated once and never again, as many devices do.
        name(r"\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "Hong^Gildong=洪^吉洞");
    }

    #[test]
    fn chinese_as_in_annexes_j_and_k() {
        name("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东=");
        name("ISO_IR 192", "Wang^XiaoDong=王^小東=".as_bytes(), "Wang^XiaoDong=王^小東=");
        name("GBK", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东=");
        name(
            r"\ISO 2022 IR 58",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        );
    }

    #[test]
    fn the_single_byte_sets() {
        for (declared, bytes, expected) in [
            ("ISO_IR 100", &b"Buc^J\xe9r\xf4me"[..], "Buc^Jérôme"),
            ("ISO_IR 101", b"W\xb1\xbfek", "Wążek"),
            ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
            ("ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
            ("ISO_IR 138", b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
            ("ISO_IR 144", b"\xbb\xee\xdace\xdc\xd1\xe3\xe0\xd3", "Люкceмбург"),
            ("ISO_IR 148", b"\xc7avu\xfeo\xf0lu^\xddpek", "Çavuşoğlu^İpek"),
            ("ISO_IR 166", b"\xb9\xd2\xc2", "นาย"),
            ("ISO_IR_100 ", b"J\xe9r\xf4me", "Jérôme"),
            (r"ISO 2022 IR 100\ISO 2022 IR 144", b"\xe9^\x1b-L\xbb^\xe9", "é^Л^é"),
        ] {
            name(declared, bytes, expected);
        }
    }

    #[test]
    fn what_is_not_declared_is_read_as_well_as_may_be() {
        name("", "Müller".as_bytes(), "Müller");
        name("", b"M\xfcller", "Müller");
        name("ISO_IR 6", b"M\xfcller", "Müller");
        name("SOMETHING ELSE", b"M\xfcller", "Müller");
        name("", b"\x1b$B;3ED\x1b(B", "山田");
    }

    #[test]
    fn a_backslash_within_a_kanji_is_no_delimiter_and_between_values_it_is() {
        // In JIS X 0208 十 is 3D 3D and 能 is 47 3D: equals signs. In GB18030 乗 is 81 5C: a backslash.
        name(r"\ISO 2022 IR 87", b"=\x1b$B==G=\x1b(B", "=十能");
        assert_eq!(decode("GB18030", Vr::Lo, b"\x81\x5c\\B"), ["乗", "B"]);
        assert_eq!(decode(r"\ISO 2022 IR 87", Vr::Lo, b"\x1b$B;3\x1b(B\\A"), ["山", "A"]);
        assert_eq!(decode("ISO_IR 13", Vr::Lo, b"A\\B~"), ["A", "B‾"]);
        assert_eq!(decode("ISO_IR 13", Vr::St, b"A\\B~"), ["A¥B‾"]);
        assert_eq!(decode("", Vr::St, b"A\\B~"), ["A\\B~"]);
    }

    #[test]
    fn bytes_without_meaning_are_marked_and_controls_dropped() {
        name("ISO_IR 192", b"A\xff", "A\u{FFFD}");
        name(r"\ISO 2022 IR 87", b"A\xb1\x1bZ", "A\u{FFFD}\u{FFFD}Z");
        name(r"\ISO 2022 IR 149", b"\x1b$)C\xb1", "\u{FFFD}");
        name("", b"A\0\x07B\0", "AB");
        assert_eq!(decode("", Vr::Lt, b" A\0\r\n B \0"), [" A\r\n B"]);
        assert!(decode("", Vr::Sh, b" \0").is_empty());
        assert_eq!(decode("", Vr::Cs, b"A\\\\B "), ["A", "", "B"]);
    }
}
