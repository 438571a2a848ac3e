//! What the bytes of a value say, by their representation.

use std::fmt::Write;

use super::character_set::CharacterSet;
use super::tag::Tag;
use super::vr::Vr;
use super::walk::Element;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Unsigned(u64),
    Real(f64),
    Tag(Tag),
}

impl<'a> Element<'a> {
    pub(super) fn texts(&self, character_set: CharacterSet) -> Vec<String> {
        let character_set =
            if self.vr.follows_character_set() { character_set } else { CharacterSet::Undeclared };
        character_set.decode(self.vr, self.value)
    }

    /// The numbers of a binary representation; bytes left over at the end are not a number.
    pub(super) fn numbers(&self) -> impl Iterator<Item = Number> + use<'a> {
        let (vr, big_endian) = (self.vr, self.big_endian);
        self.value.chunks_exact(vr.width()).filter_map(move |bytes| Number::read(vr, bytes, big_endian))
    }

    /// The first value if it is a number, of whatever representation: devices write Rows as IS.
    pub(super) fn number(&self) -> Option<f64> {
        match self.numbers().next() {
            Some(Number::Whole(number)) => Some(number as f64),
            Some(Number::Unsigned(number)) => Some(number as f64),
            Some(Number::Real(number)) => Some(number),
            Some(Number::Tag(_)) => None,
            None => {
                let texts = self.texts(CharacterSet::Undeclared);
                texts.first()?.trim().parse().ok().filter(|number: &f64| number.is_finite())
            }
        }
    }
}

impl Number {
    fn read(vr: Vr, bytes: &[u8], big_endian: bool) -> Option<Self> {
        let mut little = [0; 8];
        let slots = little.get_mut(..bytes.len())?;
        slots.copy_from_slice(bytes);
        if big_endian {
            // Each half of a tag is a number of its own.
            let unit = if vr == Vr::At { 2 } else { bytes.len() };
            slots.chunks_mut(unit).for_each(<[u8]>::reverse);
        }
        let [a, b, c, d, ..] = little;
        let number = match vr {
            Vr::At => Self::Tag(Tag::new(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))),
            Vr::Us => Self::Whole(u16::from_le_bytes([a, b]).into()),
            Vr::Ss => Self::Whole(i16::from_le_bytes([a, b]).into()),
            Vr::Ul => Self::Whole(u32::from_le_bytes([a, b, c, d]).into()),
            Vr::Sl => Self::Whole(i32::from_le_bytes([a, b, c, d]).into()),
            Vr::Uv => Self::Unsigned(u64::from_le_bytes(little)),
            Vr::Sv => Self::Whole(i64::from_le_bytes(little)),
            Vr::Fl => Self::Real(f32::from_le_bytes([a, b, c, d]).into()),
            Vr::Fd => Self::Real(f64::from_le_bytes(little)),
            _ => return None,
        };
        Some(number)
    }

    /// As JSON: what a number there cannot be (beyond 2^53, or not finite) is a string (PS3.18 F.2.3).
    pub(super) fn write(self, json: &mut String) {
        const EXACT: u64 = 1 << 53;
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Whole(number) if number.unsigned_abs() > EXACT => write!(json, "\"{number}\""),
            Self::Whole(number) => write!(json, "{number}"),
            Self::Unsigned(number) if number > EXACT => write!(json, "\"{number}\""),
            Self::Unsigned(number) => write!(json, "{number}"),
            Self::Tag(tag) => write!(json, "\"{tag}\""),
            Self::Real(number) => match serde_json::Number::from_f64(number) {
                Some(number) => write!(json, "{number}"),
                None => write!(json, "\"{number}\""),
            },
        };
    }
}
