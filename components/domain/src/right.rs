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
        /// Whose role the table of rights does not know.
        Nobody = "nobody",
    }
}

enumeration! {
    /// An act that needs a right, by the name that the audit gives it when it is refused.
    Right {
        PlaceOrder = "order.place",
        CancelOrder = "order.cancel",
        ScheduleOrder = "order.schedule",
        ReadOrders = "order.read",
        RegisterStudy = "study.register",
        MoveStudy = "study.move",
        ReadStudies = "study.read",
        Upload = "image.upload",
        ResolveUpload = "upload.resolve",
        ReadImages = "image.read",
        DeleteImage = "image.remove",
        WriteReport = "report.write",
        SignReport = "report.sign",
        ReadReports = "report.read",
        RaiseFinding = "finding.raise",
        ReadFindings = "finding.read",
        AcknowledgeFinding = "finding.acknowledge",
        ReadFigures = "finding.figures",
        ReadAudit = "audit.read",
        Administer = "settings.administer",
        /// What another system of the hospital asks and says in FHIR.
        Exchange = "fhir.exchange",
    }
}

impl Right {
    /// What may be read beyond facility and own orders when a life depends on it.
    const READABLE_IN_AN_EMERGENCY: &'static [Self] =
        &[Self::ReadOrders, Self::ReadStudies, Self::ReadImages, Self::ReadReports, Self::ReadFindings];
}

/// On whose rows a right holds, always within the caller's organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Nothing,
    Organization,
    Facilities,
    OwnOrders,
    OwnOrdersAndFacilities,
    /// Reports whose radiologist the caller is.
    OwnReports,
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
            OwnPatientWhenFinal, OwnReports,
        };
        use Role::{
            Admin, Auditor, Patient, Provider, Radiologist, Scheduler, Service, SystemAdmin, Technologist,
        };
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
            Right::MoveStudy | Right::Upload | Right::RaiseFinding => match self {
                Technologist | Radiologist | Service => Organization,
                _ => Nothing,
            },
            Right::ReadImages => match self {
                Provider => OwnOrders,
                Technologist | Radiologist | Service => Organization,
                Patient => OwnPatientWhenFinal,
                _ => Nothing,
            },
            Right::DeleteImage | Right::ResolveUpload => match self {
                Technologist | Radiologist => Organization,
                _ => Nothing,
            },
            Right::WriteReport => match self {
                Radiologist => Organization,
                _ => Nothing,
            },
            Right::SignReport => match self {
                Radiologist => OwnReports,
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
            Right::AcknowledgeFinding => match self {
                Provider | Radiologist => Organization,
                _ => Nothing,
            },
            // Figures name no patient; whoever reads findings only of some rows has figures of those rows.
            Right::ReadFigures => match self {
                Provider => OwnOrders,
                Technologist => Facilities,
                Radiologist | Service | Admin | SystemAdmin => Organization,
                _ => Nothing,
            },
            Right::ReadAudit => match self {
                Auditor => Organization,
                _ => Nothing,
            },
            Right::Administer => match self {
                Admin | SystemAdmin => Organization,
                _ => Nothing,
            },
            Right::Exchange => match self {
                Service => Organization,
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
    /// Reports of this radiologist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radiologist: Option<ExternalId>,
    /// Findings that this person was told of, with their studies and reports. Only `findings.was_told` knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<ExternalId>,
    /// Of reports: narrows unsigned ones to orders of these priorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preliminary: Option<Vec<Priority>>,
}

impl Reach {
    /// Whether a new row at this facility would be within reach.
    pub fn includes_facility(&self, facility: &ExternalId) -> bool {
        self.everything || self.facilities.as_ref().is_some_and(|facilities| facilities.contains(facility))
    }

    /// Whether a new report of this radiologist would be within reach.
    pub fn includes_radiologist(&self, radiologist: &ExternalId) -> bool {
        self.everything || self.radiologist.as_ref() == Some(radiologist)
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
    /// Whether the caller broke the glass: reads beyond facility and own orders, and changes nothing.
    pub emergency: bool,
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
        let told = match (right, self.role) {
            (
                Right::ReadStudies | Right::ReadReports | Right::ReadFindings | Right::ReadFigures,
                Role::Provider | Role::Radiologist,
            ) => Some(self.id.clone()),
            _ => None,
        };
        Some(Reach { preliminary, told, ..reach })
    }

    fn extent(&self, right: Right) -> Extent {
        if !self.emergency {
            return self.role.may(right);
        }
        let may_break_the_glass = matches!(self.role, Role::Provider | Role::Radiologist);
        if may_break_the_glass && Right::READABLE_IN_AN_EMERGENCY.contains(&right) {
            Extent::Organization
        } else {
            Extent::Nothing
        }
    }

    fn reach_of_rows(&self, right: Right) -> Option<Reach> {
        let facilities = || Some(self.facilities.clone());
        let provider = || Some(self.id.clone());
        match self.extent(right) {
            Extent::Nothing => None,
            Extent::OwnReports => Some(Reach { radiologist: Some(self.id.clone()), ..Reach::default() }),
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
            emergency: false,
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

    #[test]
    fn an_emergency_opens_reading_to_two_roles_and_closes_everything_else() {
        for role in Role::ALL {
            for right in Right::ALL {
                let reach = Caller { emergency: true, ..caller(*role) }.reach(*right);
                let opened = matches!(role, Role::Provider | Role::Radiologist)
                    && right.as_str().ends_with(".read")
                    && *right != Right::ReadAudit;
                assert_eq!(reach.is_some_and(|reach| reach.everything), opened, "{role} {right}");
            }
        }
    }

    #[test]
    fn the_rights_are_the_table_of_the_contract() {
        let rows: String = Right::ALL
            .iter()
            .map(|right| {
                let cells: String = Role::ALL
                    .iter()
                    .map(|role| match role.may(*right) {
                        Extent::Nothing => String::new(),
                        extent => format!("  {role} {extent:?}"),
                    })
                    .collect();
                format!("{right}:{cells}\n")
            })
            .collect();
        insta::assert_snapshot!(rows, @r"
        order.place:  provider Facilities  scheduler Facilities  service Organization
        order.cancel:  provider Facilities  scheduler Facilities  technologist Organization  radiologist Organization  service Organization
        order.schedule:  scheduler Organization  service Organization
        order.read:  provider OwnOrdersAndFacilities  scheduler Facilities  technologist Facilities  radiologist Facilities  service Organization  patient OwnPatient
        study.register:  scheduler Organization  technologist Organization  radiologist Organization  service Organization
        study.move:  technologist Organization  radiologist Organization  service Organization
        study.read:  provider OwnOrdersAndFacilities  scheduler Facilities  technologist Facilities  radiologist Facilities  service Organization  patient OwnPatient
        image.upload:  technologist Organization  radiologist Organization  service Organization
        upload.resolve:  technologist Organization  radiologist Organization
        image.read:  provider OwnOrders  technologist Organization  radiologist Organization  service Organization  patient OwnPatientWhenFinal
        image.remove:  technologist Organization  radiologist Organization
        report.write:  radiologist Organization
        report.sign:  radiologist OwnReports
        report.read:  provider OwnOrders  radiologist Organization  service Organization  patient OwnPatient
        finding.raise:  technologist Organization  radiologist Organization  service Organization
        finding.read:  provider OwnOrders  technologist Facilities  radiologist Organization  service Organization
        finding.acknowledge:  provider Organization  radiologist Organization
        finding.figures:  provider OwnOrders  technologist Facilities  radiologist Organization  service Organization  admin Organization  system_admin Organization
        audit.read:  auditor Organization
        settings.administer:  admin Organization  system_admin Organization
        fhir.exchange:  service Organization
        ");
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
