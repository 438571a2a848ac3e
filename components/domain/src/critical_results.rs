//! How an organization wants its critical findings followed: by when each is acknowledged, who is told next until it
//! is, and what a message may say.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Count, Fault, Parse, Recipients, Severity, enumeration::enumeration};

/// A period in minutes, of at most ninety days.
pub type Minutes = Count<1, { 90 * 24 * 60 }>;

/// A CRITICAL finding waits no longer than a day, whatever an organization would like.
pub const CRITICAL_WITHIN: u32 = 24 * 60;

/// The most levels of one severity.
pub const LEVELS: usize = 10;

enumeration! {
    /// Who is told when those who were named do not answer. The settings say who that is.
    Group {
        CoveringGroup = "COVERING_GROUP",
        Department = "DEPARTMENT",
        OnCallOperator = "ON_CALL_OPERATOR",
    }
}

/// One level of escalation: a group, and how long after the finding was reported it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    after_minutes: u32,
    group: Group,
}

/// The periods of one severity, all counted from the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    acknowledge_within_minutes: u32,
    told_again_after_minutes: u32,
    levels: Vec<Level>,
}

/// The settings of an organization, in the form in which the SQL function `findings.add` reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CriticalResults {
    severities: BTreeMap<Severity, Plan>,
    groups: BTreeMap<Group, Recipients>,
    /// Who is told of every finding.
    always_notify: Recipients,
    /// Who is told when somebody breaks the glass.
    privacy_officers: Recipients,
    /// Messages travel through other hands: they name patient and finding only where somebody has decided that.
    messages_carry_patient_and_finding: bool,
}

impl Default for CriticalResults {
    /// The table of the contract: Brigham's alert policy, ACR categories 1 to 3.
    fn default() -> Self {
        use Group::{CoveringGroup, Department, OnCallOperator};
        const HOUR: u32 = 60;
        const DAY: u32 = 24 * HOUR;
        let plan = |severity| match severity {
            Severity::Critical => {
                Plan::of(HOUR, 10, &[(20, CoveringGroup), (40, Department), (HOUR, OnCallOperator)])
            }
            Severity::High => Plan::of(3 * HOUR, HOUR, &[(2 * HOUR, CoveringGroup), (3 * HOUR, Department)]),
            Severity::Moderate => Plan::of(3 * DAY, DAY, &[(3 * DAY, Department)]),
            Severity::Low => Plan::of(15 * DAY, 7 * DAY, &[(15 * DAY, Department)]),
        };
        Self {
            severities: Severity::ALL.iter().map(|severity| (*severity, plan(*severity))).collect(),
            groups: Group::ALL.iter().map(|group| (*group, Recipients::default())).collect(),
            always_notify: Recipients::default(),
            privacy_officers: Recipients::default(),
            messages_carry_patient_and_finding: false,
        }
    }
}

impl CriticalResults {
    /// Reads the whole of an organization's settings; or every fault, with the path of its field.
    pub fn read(document: &Map<String, Value>) -> Result<Self, Vec<(String, Fault)>> {
        let mut fields = Fields { path: String::new(), members: document.clone(), faults: Vec::new() };
        let severities = fields.within("severities", |fields| {
            let plans = Severity::ALL.iter().map(|severity| {
                let plan = fields.within(severity.as_str(), |fields| Plan::read(*severity, fields))?;
                Some((*severity, plan))
            });
            // Each is read, however many cannot be.
            plans.collect::<Vec<_>>().into_iter().collect()
        });
        let groups = fields.within("groups", |fields| {
            let groups = Group::ALL.iter().map(|group| Some((*group, fields.take(group.as_str())?)));
            groups.collect::<Vec<_>>().into_iter().collect()
        });
        let always_notify = fields.take("alwaysNotify");
        let privacy_officers = fields.take("privacyOfficers");
        let messages_carry = fields.take("messagesCarryPatientAndFinding");
        fields.refuse_the_rest();

        let read = || {
            Some(Self {
                severities: severities?,
                groups: groups?,
                always_notify: always_notify?,
                privacy_officers: privacy_officers?,
                messages_carry_patient_and_finding: messages_carry?,
            })
        };
        if fields.faults.is_empty() { read().ok_or_else(Vec::new) } else { Err(fields.faults) }
    }
}

impl Plan {
    fn of(acknowledge_within_minutes: u32, told_again_after_minutes: u32, levels: &[(u32, Group)]) -> Self {
        let level = |&(after_minutes, group): &(u32, Group)| Level { after_minutes, group };
        Self {
            acknowledge_within_minutes,
            told_again_after_minutes,
            levels: levels.iter().map(level).collect(),
        }
    }

    fn read(severity: Severity, fields: &mut Fields) -> Option<Self> {
        let within = fields.take::<Minutes>("acknowledgeWithinMinutes").map(Count::get);
        let told_again = fields.take::<Minutes>("toldAgainAfterMinutes").map(Count::get);
        let levels = fields.each("levels", |fields| {
            let after_minutes = fields.take::<Minutes>("afterMinutes").map(Count::get);
            let group = fields.take("group");
            Some(Level { after_minutes: after_minutes?, group: group? })
        });

        if severity == Severity::Critical && within.is_some_and(|within| within > CRITICAL_WITHIN) {
            fields
                .fault("acknowledgeWithinMinutes", format_args!("must be at most {CRITICAL_WITHIN}: a day"));
        }
        if let (Some(told_again), Some(within)) = (told_again, within)
            && told_again >= within
        {
            fields.fault("toldAgainAfterMinutes", "must be less than acknowledgeWithinMinutes");
        }
        if let Some(levels) = &levels {
            if levels.is_empty() || levels.len() > LEVELS {
                fields.fault("levels", format_args!("must be 1 to {LEVELS} levels"));
            }
            if !levels.is_sorted_by(|before, after| before.after_minutes < after.after_minutes) {
                fields.fault("levels", "must come one after the other");
            }
            // A deadline that passes escalates.
            let first = levels.first().map(|level| level.after_minutes);
            if first.zip(within).is_some_and(|(first, within)| first > within) {
                fields.fault("levels", "must begin by the time that acknowledgeWithinMinutes says");
            }
        }
        Some(Self {
            acknowledge_within_minutes: within?,
            told_again_after_minutes: told_again?,
            levels: levels?,
        })
    }
}

/// The members of one object of a document, each to be taken once, and the faults in it and in what lies within.
struct Fields {
    path: String,
    members: Map<String, Value>,
    faults: Vec<(String, Fault)>,
}

impl Fields {
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn fault(&mut self, name: &str, message: impl ToString) {
        self.faults.push((self.path_of(name), Fault::new(message.to_string())));
    }

    fn take<T: Parse>(&mut self, name: &str) -> Option<T> {
        let value = self.members.remove(name).filter(|value| !value.is_null());
        let parsed = value.map_or_else(|| Err(Fault::new("is required")), |value| T::parse(&value));
        parsed.map_err(|fault| self.fault(name, fault)).ok()
    }

    /// An object within, and what is read from it.
    fn within<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let members = self.take::<Map<String, Value>>(name)?;
        let mut inner = Self { path: self.path_of(name), members, faults: Vec::new() };
        let value = read(&mut inner);
        inner.refuse_the_rest();
        self.faults.append(&mut inner.faults);
        value
    }

    /// A list of objects within, and what is read from each; nothing when one of them cannot be read.
    fn each<T>(&mut self, name: &str, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let Some(Value::Array(values)) = self.members.remove(name) else {
            self.fault(name, "must be a list");
            return None;
        };
        let mut all = Vec::with_capacity(values.len());
        for (at, value) in values.into_iter().enumerate() {
            let name = format!("{name}[{at}]");
            self.members.insert(name.clone(), value);
            all.push(self.within(&name, &read));
        }
        all.into_iter().collect()
    }

    fn refuse_the_rest(&mut self) {
        for name in std::mem::take(&mut self.members).keys() {
            self.fault(name, "is not a field that can be set here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn document(change: impl FnOnce(&mut Value)) -> Map<String, Value> {
        let mut document = json!(CriticalResults::default());
        change(&mut document);
        document.as_object().unwrap().clone()
    }

    fn faults(change: impl FnOnce(&mut Value)) -> String {
        let faults = CriticalResults::read(&document(change)).unwrap_err();
        faults.iter().map(|(field, fault)| format!("{field} {fault}\n")).collect()
    }

    #[test]
    fn the_defaults_are_the_table_of_the_contract() {
        let rows: String = CriticalResults::default()
            .severities
            .iter()
            .map(|(severity, plan)| {
                let levels: String = plan
                    .levels
                    .iter()
                    .map(|level| format!(", at {} {}", level.after_minutes, level.group))
                    .collect();
                format!(
                    "{severity}: within {}, again after {}{levels}\n",
                    plan.acknowledge_within_minutes, plan.told_again_after_minutes
                )
            })
            .collect();
        insta::assert_snapshot!(rows, @r"
        CRITICAL: within 60, again after 10, at 20 COVERING_GROUP, at 40 DEPARTMENT, at 60 ON_CALL_OPERATOR
        HIGH: within 180, again after 60, at 120 COVERING_GROUP, at 180 DEPARTMENT
        MODERATE: within 4320, again after 1440, at 4320 DEPARTMENT
        LOW: within 21600, again after 10080, at 21600 DEPARTMENT
        ");
        assert_eq!(CriticalResults::read(&document(|_| {})), Ok(CriticalResults::default()));
    }

    #[test]
    fn every_fault_is_named_with_its_path() {
        insta::assert_snapshot!(faults(|settings| {
            settings["severities"]["CRITICAL"] =
                json!({"acknowledgeWithinMinutes": 1441, "toldAgainAfterMinutes": 1441, "levels": []});
            settings["severities"]["HIGH"]["levels"] = json!([
                {"afterMinutes": 181, "group": "DEPARTMENT"}, {"afterMinutes": 181, "group": "COVERING_GROUP"},
            ]);
            settings["severities"]["MODERATE"]["levels"] =
                json!([{"afterMinutes": 0, "group": "FAMILY", "by": "phone"}, 5]);
            settings["severities"]["LOW"] = json!({"acknowledgeWithinMinutes": 129_601, "toldAgainAfterMinutes": 1.5});
            settings["severities"]["SOME"] = json!({});
            settings["groups"] = json!({"COVERING_GROUP": ["dr-1", "dr-1"], "DEPARTMENT": [5]});
            settings["alwaysNotify"] = Value::Null;
            settings["messagesCarryPatientAndFinding"] = json!("no");
            settings["colour"] = json!("red");
        }), @r"
        severities.CRITICAL.acknowledgeWithinMinutes must be at most 1440: a day
        severities.CRITICAL.toldAgainAfterMinutes must be less than acknowledgeWithinMinutes
        severities.CRITICAL.levels must be 1 to 10 levels
        severities.HIGH.levels must come one after the other
        severities.HIGH.levels must begin by the time that acknowledgeWithinMinutes says
        severities.MODERATE.levels[0].afterMinutes must be a whole number from 1 to 129600
        severities.MODERATE.levels[0].group must be one of COVERING_GROUP DEPARTMENT ON_CALL_OPERATOR
        severities.MODERATE.levels[0].by is not a field that can be set here
        severities.MODERATE.levels[1] must be an object
        severities.LOW.acknowledgeWithinMinutes must be a whole number from 1 to 129600
        severities.LOW.toldAgainAfterMinutes must be a whole number from 1 to 129600
        severities.LOW.levels must be a list
        severities.SOME is not a field that can be set here
        groups.COVERING_GROUP must name each person once
        groups.DEPARTMENT holds an id that must be a string
        groups.ON_CALL_OPERATOR is required
        alwaysNotify is required
        messagesCarryPatientAndFinding must be true or false
        colour is not a field that can be set here
        ");
    }

    #[test]
    fn an_empty_document_is_told_what_is_required() {
        let faults = CriticalResults::read(&Map::new()).unwrap_err();
        assert_eq!(faults.len(), 5);
        assert!(faults.iter().all(|(_, fault)| *fault == Fault::new("is required")), "{faults:?}");
    }

    proptest! {
        #[test]
        fn what_is_accepted_escalates_by_the_deadline_and_reads_back_as_written(
            within in 0_u32..3000, again in 0_u32..3000, levels in prop::collection::vec(0_u32..3000, 0..4),
        ) {
            let levels: Vec<Value> =
                levels.iter().map(|after| json!({"afterMinutes": after, "group": "DEPARTMENT"})).collect();
            let document = document(|settings| settings["severities"]["CRITICAL"] = json!({
                "acknowledgeWithinMinutes": within, "toldAgainAfterMinutes": again, "levels": levels,
            }));
            if let Ok(settings) = CriticalResults::read(&document) {
                let plan = &settings.severities[&Severity::Critical];
                prop_assert!(0 < again && again < within && within <= CRITICAL_WITHIN);
                prop_assert!(plan.levels[0].after_minutes <= within);
                prop_assert_eq!(json!(settings), Value::Object(document));
            }
        }
    }
}
