//! PN: names of persons (PS3.5 6.2.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A name as DICOM writes it: up to three ways to spell it, joined by `=` (alphabetic, ideographic,
/// phonetic), each of up to five components joined by `^` (family, given, middle, prefix, suffix). Never
/// empty; without padding and without delimiters that delimit nothing.
///
/// `Debug` does not show it: whose image it is has no place in a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonName {
    spellings: [String; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "A person's name is up to three spellings of 64 characters, without backslash or control characters."
)]
pub struct InvalidPersonName;

impl PersonName {
    const COMPONENTS: usize = 5;
    const MAXIMUM_LENGTH: usize = 64;

    /// As a file has it, already decoded; nothing when there is no name. A file may exceed what the standard
    /// allows.
    pub fn read(text: &str) -> Option<Self> {
        let mut spellings = text.splitn(3, '=').map(tidy);
        let name = Self { spellings: std::array::from_fn(|_| spellings.next().unwrap_or_default()) };
        (!name.spellings.iter().all(String::is_empty)).then_some(name)
    }

    pub fn alphabetic(&self) -> Option<&str> {
        let [alphabetic, ..] = &self.spellings;
        Some(alphabetic.as_str()).filter(|spelling| !spelling.is_empty())
    }

    pub fn ideographic(&self) -> Option<&str> {
        let [_, ideographic, _] = &self.spellings;
        Some(ideographic.as_str()).filter(|spelling| !spelling.is_empty())
    }

    pub fn phonetic(&self) -> Option<&str> {
        let [.., phonetic] = &self.spellings;
        Some(phonetic.as_str()).filter(|spelling| !spelling.is_empty())
    }

    /// What two spellings of one name have in common: of the first way in which it is spelt at all the
    /// family, given and middle name, in upper case, without accents and superfluous space, joined by `^`.
    /// Title and degree say nothing about who it is, and one system in two leaves them out.
    pub fn normalised(&self) -> String {
        let mut components: Vec<String> = self.first_spelling().split('^').take(3).map(fold).collect();
        while components.last().is_some_and(String::is_empty) {
            components.pop();
        }
        components.join("^")
    }

    /// The words of the normalised name, for a search by the beginning of any.
    pub fn words(&self) -> Vec<String> {
        let normalised = self.normalised();
        normalised
            .split(['^', ' ', '-', ',', '.'])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn first_spelling(&self) -> &str {
        self.spellings.iter().find(|spelling| !spelling.is_empty()).map_or("", String::as_str)
    }
}

/// Components without padding, and none after the last that says something.
fn tidy(spelling: &str) -> String {
    let components: Vec<&str> = spelling.splitn(PersonName::COMPONENTS, '^').map(str::trim).collect();
    components.join("^").trim_end_matches('^').to_owned()
}

fn fold(component: &str) -> String {
    let mut folded = String::with_capacity(component.len());
    for word in component.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        for character in word.chars().flat_map(char::to_uppercase) {
            match character {
                // Accents that stand by themselves.
                '\u{300}'..='\u{36F}' => {}
                character if character.is_ascii() => folded.push(character),
                character => match WITHOUT_ACCENT.iter().find(|(accented, _)| accented.contains(character)) {
                    Some((_, base)) => folded.push_str(base),
                    None => folded.push(character),
                },
            }
        }
    }
    folded
}

/// The capitals of the Latin alphabets of Europe, Turkey and Vietnam, and of Greek, by what is left without
/// their accents.
const WITHOUT_ACCENT: &[(&str, &str)] = &[
    ("ÀÁÂÃÄÅĀĂĄǍẠẢẤẦẨẪẬẮẰẲẴẶ", "A"),
    ("Æ", "AE"),
    ("ÇĆĈĊČ", "C"),
    ("ÐĎĐ", "D"),
    ("ÈÉÊËĒĔĖĘĚẸẺẼẾỀỂỄỆ", "E"),
    ("ĜĞĠĢ", "G"),
    ("ĤĦ", "H"),
    ("ÌÍÎÏĨĪĬĮİǏỈỊ", "I"),
    ("Ĵ", "J"),
    ("Ķ", "K"),
    ("ĹĻĽĿŁ", "L"),
    ("ÑŃŅŇ", "N"),
    ("ÒÓÔÕÖØŌŎŐƠǑỌỎỐỒỔỖỘỚỜỞỠỢ", "O"),
    ("Œ", "OE"),
    ("ŔŖŘ", "R"),
    ("ŚŜŞŠȘ", "S"),
    ("ẞ", "SS"),
    ("ŢŤŦȚ", "T"),
    ("Þ", "TH"),
    ("ÙÚÛÜŨŪŬŮŰŲƯǓỤỦỨỪỬỮỰ", "U"),
    ("Ŵ", "W"),
    ("ÝŶŸỲỴỶỸ", "Y"),
    ("ŹŻŽ", "Z"),
    ("Ά", "Α"),
    ("Έ", "Ε"),
    ("Ή", "Η"),
    ("ΊΪ", "Ι"),
    ("Ό", "Ο"),
    ("ΎΫ", "Υ"),
    ("Ώ", "Ω"),
    ("Ё", "Е"),
    ("’‘ʼ", "'"),
];

/// Strict, for what a client sends.
impl FromStr for PersonName {
    type Err = InvalidPersonName;

    fn from_str(text: &str) -> Result<Self, InvalidPersonName> {
        let forbidden = |character: char| character == '\\' || character.is_control();
        let too_long = |spelling: &str| spelling.chars().count() > Self::MAXIMUM_LENGTH;
        let spellings = || text.split('=');
        if text.contains(forbidden) || spellings().count() > 3 || spellings().any(too_long) {
            return Err(InvalidPersonName);
        }
        if spellings().any(|spelling| spelling.split('^').count() > Self::COMPONENTS) {
            return Err(InvalidPersonName);
        }
        Self::read(text).ok_or(InvalidPersonName)
    }
}

/// As [`read`](PersonName::read): rows hold what files said.
impl TryFrom<String> for PersonName {
    type Error = InvalidPersonName;

    fn try_from(text: String) -> Result<Self, InvalidPersonName> {
        Self::read(&text).ok_or(InvalidPersonName)
    }
}

impl From<PersonName> for String {
    fn from(name: PersonName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.spellings.join("=").trim_end_matches('='))
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PersonName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_without_padding_and_idle_delimiters() {
        for (text, kept) in [
            ("Doe^John", Some("Doe^John")),
            ("Doe ^ John ^^^", Some("Doe^John")),
            ("Yamada^Tarou=山田^太郎=やまだ^たろう", Some("Yamada^Tarou=山田^太郎=やまだ^たろう")),
            ("=山田^太郎", Some("=山田^太郎")),
            ("Wang^XiaoDong==", Some("Wang^XiaoDong")),
            ("^^Middle", Some("^^Middle")),
            ("^^^^", None),
            ("==", None),
            ("", None),
        ] {
            assert_eq!(PersonName::read(text).map(|name| name.to_string()).as_deref(), kept, "{text:?}");
        }
    }

    #[test]
    fn names_that_mean_one_person_normalise_alike() {
        for (one, other) in [
            ("Müller^Jürgen", "MULLER^JURGEN"),
            ("Doe^John^^Dr.^Jr.", "doe^john"),
            ("van  der Berg^Ann", "VAN DER BERG^ANN"),
            ("Çavuşoğlu^İpek", "CAVUSOGLU^IPEK"),
            ("Nguye\u{302}\u{303}n^An", "Nguyễn^An"),
            ("Weiß^Eva", "WEISS^EVA"),
            ("Yamada^Tarou=山田^太郎", "YAMADA^TAROU"),
        ] {
            let normalised = |text| PersonName::read(text).unwrap().normalised();
            assert_eq!(normalised(one), normalised(other));
        }
        assert_eq!(PersonName::read("=山田^太郎").unwrap().normalised(), "山田^太郎");
        assert_eq!(
            PersonName::read("O’Neill-Smith^Ann Mary").unwrap().words(),
            ["O'NEILL", "SMITH", "ANN", "MARY"]
        );
    }

    #[test]
    fn a_client_may_not_send_what_dicom_cannot_carry() {
        assert!("John Doe".parse::<PersonName>().is_ok());
        for text in ["", "A\\B", "A\0", "a=b=c=d", "1^2^3^4^5^6", &"x".repeat(65)] {
            assert!(text.parse::<PersonName>().is_err(), "{text:?}");
        }
    }
}
