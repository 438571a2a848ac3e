//! CareTeam: who cares for a patient.

use serde_json::Value;

use super::element::id_in;
use super::exchange::{is_id, is_over, text};
use crate::ExternalId;

/// The most people of one patient's teams who are told of a finding: a list without an end is a mistake somewhere.
const MOST: usize = 50;

/// The practitioners among the members of these teams, each once. Teams and members whose time is over are passed over, and
/// so is whoever is no practitioner: neither patients nor their families are told.
pub(super) fn members<'a>(teams: impl Iterator<Item = &'a Value>, today: &str) -> Vec<ExternalId> {
    let mut members = Vec::new();
    let current = teams
        .filter(|team| text(team, "status").is_none_or(|status| status == "active") && !is_over(team, today));
    for participant in current.flat_map(|team| team.get("participant").and_then(Value::as_array)).flatten() {
        let Some(member) = participant.get("member").and_then(practitioner) else { continue };
        if !is_over(participant, today) && !members.contains(&member) && members.len() < MOST {
            members.push(member);
        }
    }
    members
}

/// Whom a reference to a practitioner means. A role has an id of its own, which is nobody's: of it only the identifier counts.
fn practitioner(member: &Value) -> Option<ExternalId> {
    let by_place = text(member, "reference")
        .and_then(|reference| id_in(reference, &["Practitioner"]))
        .filter(|id| is_id(id));
    let id = by_place.or_else(|| {
        let is_kind = |kind: &str| {
            text(member, "type") == Some(kind)
                || text(member, "reference").is_some_and(|reference| id_in(reference, &[kind]).is_some())
        };
        let is_practitioner = is_kind("Practitioner") || is_kind("PractitionerRole");
        member.get("identifier").filter(|_| is_practitioner).and_then(|identifier| text(identifier, "value"))
    })?;
    id.try_into().ok()
}
