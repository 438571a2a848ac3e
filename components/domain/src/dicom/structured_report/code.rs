//! Coded concepts (PS3.3 8.8): what a report says in terms that a rule can be about.

use serde::Serialize;

/// A concept by its code: what it is compared by is the value and the scheme, never the meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Code {
    pub value: String,
    /// As PS3.16 8 designates it: `SCT`, `DCM`, `RADLEX`, `LN`.
    pub scheme: String,
    /// What a file says that it means, in the file's language; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub meaning: String,
}

impl Code {
    /// Whether both are the same concept, also when one of them is written in the older SNOMED-RT.
    pub fn is_same_as(&self, other: &Self) -> bool {
        is_same((&self.value, &self.scheme), (&other.value, &other.scheme))
    }
}

/// Value and scheme.
pub(super) type Concept<'a> = (&'a str, &'a str);

/// SNOMED-RT, under each of its three designators (PS3.16 8.1).
const SNOMED_RT: [&str; 3] = ["SRT", "SNM3", "99SDM"];

/// The concepts known here that are in SNOMED, by the code that they had in SNOMED-RT (PS3.16 O). What is not
/// here is the same only as itself.
const SNOMED: [(&str, &str); 9] = [
    // Intracranial hemorrhage, pneumothorax, pulmonary embolism, dissection of aorta.
    ("D3-89100", "1386000"),
    ("D2-80300", "36118008"),
    ("D3-40230", "59282003"),
    ("D3-80016", "308546005"),
    // Finding category, absent, present, finding site, laterality.
    ("R-427CE", "276214006"),
    ("R-4089B", "272519000"),
    ("G-A203", "52101004"),
    ("G-C0E3", "363698007"),
    ("G-C171", "272741003"),
];

/// Schemes are the same whatever their case: RADLEX is written RadLex as often as not.
pub(super) fn is_same(one: Concept<'_>, other: Concept<'_>) -> bool {
    let (one, other) = (modern(one), modern(other));
    one.0 == other.0 && one.1.eq_ignore_ascii_case(other.1)
}

pub(super) fn is_one_of(concept: Concept<'_>, concepts: &[Concept<'_>]) -> bool {
    concepts.iter().any(|other| is_same(concept, *other))
}

/// A SNOMED-RT code as the SNOMED CT one that replaced it.
fn modern((value, scheme): Concept<'_>) -> Concept<'_> {
    if !SNOMED_RT.iter().any(|designator| scheme.eq_ignore_ascii_case(designator)) {
        return (value, scheme);
    }
    match SNOMED.iter().find(|(old, _)| *old == value) {
        Some((_, current)) => (current, "SCT"),
        None => (value, "SRT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_in_old_and_new_snomed_and_whatever_the_case_of_its_scheme() {
        for designator in ["SRT", "SNM3", "99SDM"] {
            assert!(is_same(("D2-80300", designator), ("36118008", "SCT")), "{designator}");
            assert!(is_same(("T-28000", designator), ("T-28000", "SRT")), "{designator}");
        }
        assert!(is_same(("RID49480", "RadLex"), ("RID49480", "RADLEX")));
        assert!(!is_same(("36118008", "99ACME"), ("36118008", "SCT")));
        assert!(!is_same(("D2-80300", "99ACME"), ("36118008", "SCT")));
        assert!(!is_same(("36118008", "SCT"), ("59282003", "SCT")));
    }
}
