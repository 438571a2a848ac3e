//! Who may do what, and on whose rows. One table; what it does not grant is refused.

use serde::Serialize;

use crate::{ExternalId, Priority, StudyStatus, enumeration::enumeration};

enumeration! {
    Role {
        Provider = "provider",
        Scheduler = "scheduler",
        Technologist = "technologist",
        Radiologist = "radiologist",
        Service = "service",
        Patient = "patient",
        Admin = "admin",
        SystemAdmin = "system_admin",
        Auditor = "auditor",
    }
}

/// An act that needs a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    PlaceOrder,
    CancelOrder,
    ScheduleOrder,
    ReadOrders,
    RegisterStudy,
    MoveStudy,
    ReadStudies,
    Upload,
    ReadImages,
    DeleteImage,
    ReadReports,
    ReadFindings,
}

/// On whose rows a right holds, always within the caller's organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Nothing,
    Organization,
    Facilities,
    OwnOrders,
    OwnOrdersAndFacilities,
    /// The patient's own.
    OwnPatient,
    /// The patient's own studies once they are FINAL, so that nobody learns a diagnosis from a picture first.
    OwnPatientWhenFinal,
}

impl Role {
    /// The table of rights.
    pub const fn may(self, right: Right) -> Extent {
        use Extent::{
            Facilities, Nothing, Organization, OwnOrders, OwnOrdersAndFacilities, OwnPatient,
            OwnPatientWhenFinal,
        };
        use Role::{Patient, Provider, Radiologist, Scheduler, Service, Technologist};
        match right {
            Right::PlaceOrder => match self {
                Provider | Scheduler => Facilities,
                Service => Organization,
                _ => Nothing,
            },
            Right::CancelOrder => match self {
                Provider | Scheduler => Facilities,
                Technologist | Radiologist | Service => Organization,
                _ => Nothing,
            },
            Right::ScheduleOrder => match self {
                Scheduler | Service => Organization,
                _ => Nothing,
            },
            Right::ReadOrders | Right::ReadStudies => match self {
                Provider => OwnOrdersAndFacilities,
                Scheduler | Technologist | Radiologist => Facilities,
                Service => Organization,
                Patient => OwnPatient,
                _ => Nothing,
            },
            Right::RegisterStudy => match self {
                Scheduler | Technologist | Radiologist | Service => Organization,
                _ => Nothing,
            },
            Right::MoveStudy | Right::Upload => match self {
                Technologist | Radiologist | Service => Organization,
                _ => Nothing,
            },
            Right::ReadImages => match self {
                Provider => OwnOrders,
                Technologist | Radiologist | Service => Organization,
                Patient => OwnPatientWhenFinal,
                _ => Nothing,
            },
            Right::DeleteImage => match self {
                Technologist | Radiologist => Organization,
                _ => Nothing,
            },
            Right::ReadReports => match self {
                Provider => OwnOrders,
                Radiologist | Service => Organization,
                Patient => OwnPatient,
                _ => Nothing,
            },
            Right::ReadFindings => match self {
                Provider => OwnOrders,
                Technologist => Facilities,
                Radiologist | Service => Organization,
                _ => Nothing,
            },
        }
    }
}

/// The rows that a caller's right reaches, in the form in which the SQL function `imaging.reaches` reads it.
/// A row is within reach when any of the members matches it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reach {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facilities: Option<Vec<ExternalId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ExternalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<ExternalId>,
    /// Narrows `patient` to rows in one of these statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<StudyStatus>>,
    /// Of reports: narrows unsigned ones to orders of these priorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preliminary: Option<Vec<Priority>>,
}

impl Reach {
    /// Whether a new row at this facility would be within reach.
    pub fn includes_facility(&self, facility: &ExternalId) -> bool {
        self.everything || self.facilities.as_ref().is_some_and(|facilities| facilities.contains(facility))
    }
}

/// What the token says of its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub organization: ExternalId,
    pub id: ExternalId,
    pub role: Role,
    pub facilities: Vec<ExternalId>,
    pub patient: Option<ExternalId>,
}

impl Caller {
    /// The rows on which the caller has a right, or nothing when the role does not grant it at all.
    pub fn reach(&self, right: Right) -> Option<Reach> {
        let reach = self.reach_of_rows(right)?;
        let preliminary = match (right, self.role) {
            (Right::ReadReports, Role::Provider) => Some(vec![Priority::Stat, Priority::Urgent]),
            (Right::ReadReports, Role::Patient) => Some(Vec::new()),
            _ => None,
        };
        Some(Reach { preliminary, ..reach })
    }

    fn reach_of_rows(&self, right: Right) -> Option<Reach> {
        let facilities = || Some(self.facilities.clone());
        let provider = || Some(self.id.clone());
        match self.role.may(right) {
            Extent::Nothing => None,
            Extent::Organization => Some(Reach { everything: true, ..Reach::default() }),
            Extent::Facilities => Some(Reach { facilities: facilities(), ..Reach::default() }),
            Extent::OwnOrders => Some(Reach { provider: provider(), ..Reach::default() }),
            Extent::OwnOrdersAndFacilities => {
                Some(Reach { facilities: facilities(), provider: provider(), ..Reach::default() })
            }
            // A patient's token without a patient reaches nothing.
            Extent::OwnPatient => {
                self.patient.clone().map(|patient| Reach { patient: Some(patient), ..Reach::default() })
            }
            Extent::OwnPatientWhenFinal => self.patient.clone().map(|patient| Reach {
                patient: Some(patient),
                statuses: Some(vec![StudyStatus::Final]),
                ..Reach::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caller(role: Role) -> Caller {
        let id = |text: &str| ExternalId::try_from(text).unwrap();
        Caller {
            organization: id("org-1"),
            id: id("p-1"),
            role,
            facilities: vec![id("fac-1")],
            patient: None,
        }
    }

    #[test]
    fn administrators_and_auditors_see_nothing_about_patients() {
        for role in [Role::Admin, Role::SystemAdmin, Role::Auditor] {
            for right in [
                Right::ReadOrders,
                Right::ReadStudies,
                Right::ReadImages,
                Right::ReadReports,
                Right::ReadFindings,
            ] {
                assert_eq!(caller(role).reach(right), None, "{role} {right:?}");
            }
        }
    }

    #[test]
    fn a_patient_whose_token_names_no_patient_reaches_nothing() {
        assert_eq!(caller(Role::Patient).reach(Right::ReadOrders), None);
        assert_eq!(caller(Role::Patient).reach(Right::ReadImages), None);
    }

    proptest! {
        #[test]
        fn nobody_who_is_bound_to_facilities_reaches_another(role in prop::sample::select(Role::ALL)) {
            let other = ExternalId::try_from("fac-2").unwrap();
            if let Some(reach) = caller(role).reach(Right::PlaceOrder) {
                prop_assert_eq!(reach.includes_facility(&other), role == Role::Service);
            }
        }
    }
}
