//! What goes out comes back as it was, and what comes in is read or named by its element.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    exchange::{compact, is_id, token, words},
    *,
};
use crate::{ExternalId, Modality, OrderStatus, Parse, Priority, ReportStatus, StudyStatus};

const HERE: Exchange<'static> = Exchange::here("org-1");
const ELSEWHERE: Exchange<'static> = Exchange::elsewhere("org-1");

/// What an EHR places as a rule.
fn request() -> Value {
    json!({
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "urn:ehr:orders", "value": "E-1"}],
        "status": "active",
        "intent": "order",
        "priority": "asap",
        "code": {"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]},
        "subject": {"reference": "Patient/MRN-1"},
        "requester": {"reference": "Practitioner/provider-1"},
        "locationReference": [{"reference": "Location/fac-1"}],
        "bodySite": [{"text": "CHEST"}],
        "reasonCode": [{"text": "Persistent cough for six weeks"}],
    })
}

fn order() -> Value {
    json!({
        "id": "019a3b1c-7e00-7abc-8def-000000000001",
        "orderNumber": "IMG-1",
        "accessionNumber": "ACC-1",
        "identifiers": [{"system": "urn:ehr:orders", "value": "E-1"}],
        "patientId": "MRN-1",
        "providerId": "provider-1",
        "facilityId": "fac-1",
        "priority": "URGENT",
        "modality": "CT",
        "bodyPart": "CHEST",
        "clinicalIndication": "Persistent cough for six weeks",
        "instructions": null,
        "status": "PENDING",
        "scheduledAt": "2026-01-02T03:04:05.000Z",
        "requestedAt": "2026-01-02T03:04:05.000Z",
        "version": 3,
        "updatedAt": "2026-01-02T03:04:05.000Z",
    })
}

fn with(mut resource: Value, element: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(resource.as_object_mut().unwrap().remove(element)),
        value => resource[element] = value,
    }
    resource
}

/// The faults of a resource, a line each.
fn told<T>(read: Result<T, Faults>) -> String {
    let faults = read.err().unwrap_or_default();
    faults.iter().map(|(element, fault)| format!("{element} {fault}\n")).collect()
}

fn placed(resource: &Value) -> Placed {
    match HERE.asked(resource) {
        Ok(Asked::Place(placed)) => placed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_read_wherever_an_ehr_says_what_it_is() {
    let placed_as = |element: &str, value: Value| placed(&with(request(), element, value));
    let first = placed(&request());
    assert_eq!((first.priority, first.modality), (Priority::Urgent, Modality::ComputedTomography));
    assert_eq!(first.facility_id.as_str(), "fac-1");
    for subject in [
        json!({"reference": "https://ehr.example.org/fhir/Patient/MRN-1"}),
        json!({"reference": "Patient/MRN-1/_history/4"}),
        json!({"type": "Patient", "identifier": {"value": "MRN-1"}}),
        json!({"reference": "urn:uuid:019a3b1c-7e00-7abc-8def-000000000001", "identifier": {"value": "MRN-1"}}),
    ] {
        assert_eq!(placed_as("subject", subject.clone()).patient_id.as_str(), "MRN-1", "{subject}");
    }
    let both = json!({"coding": [
        {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "PT"},
        {"system": "http://loinc.org", "code": "44139-4"},
        {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"},
    ]});
    assert_eq!(placed_as("code", both.clone()).modality, Modality::PetCt);
    let by_detail = with(with(request(), "code", json!({"text": "PET"})), "orderDetail", json!([both]));
    assert_eq!(placed(&by_detail).modality, Modality::PetCt);
    let by_performer = with(request(), "locationReference", Value::Null);
    let by_performer = with(
        by_performer,
        "performer",
        json!([{"reference": "Practitioner/1"}, {"reference": "Organization/fac-2"}]),
    );
    assert_eq!(placed(&by_performer).facility_id.as_str(), "fac-2");
    let by_note = with(request(), "reasonCode", Value::Null);
    let by_note = with(by_note, "note", json!([{"text": "Persistent cough for six weeks"}]));
    assert_eq!(placed(&by_note).clinical_indication, first.clinical_indication);
    let accession = json!([
        {"type": {"coding": [{"code": "ACSN"}]}, "value": "A-1"},
        {"system": "urn:ehr:orders", "value": "E-1"},
    ]);
    let numbered = placed_as("identifier", accession);
    assert_eq!(numbered.accession_number.unwrap().as_str(), "A-1");
    assert_eq!(numbered.identifiers, first.identifiers);
    // A role's id is nobody's, and its identifier is the practitioner's.
    let by_role = json!({"reference": "PractitionerRole/role-1", "identifier": {"value": "provider-1"}});
    assert_eq!(placed_as("requester", by_role).provider_id.as_str(), "provider-1");
}

#[test]
fn what_this_service_numbers_is_never_a_placers() {
    let own =
        |system: &str, value: &str| json!({"system": format!("urn:imaging:org-1:{system}"), "value": value});
    let placers = json!({"system": "urn:ehr:orders", "value": "E-1"});
    let called = |identifiers: Value| HERE.asked(&with(request(), "identifier", identifiers));
    let Ok(Asked::Place(both)) =
        called(json!([own("order-number", "IMG-1"), own("accession-number", "ACC-1"), placers]))
    else {
        panic!("not read")
    };
    assert_eq!(both.identifiers, placed(&request()).identifiers);
    assert_eq!(both.accession_number.as_ref().unwrap().as_str(), "ACC-1");
    assert_eq!(
        json!(both.number),
        json!({"value": "IMG-1", "element": "ServiceRequest.identifier[0].value"})
    );
    // Sent with its number or without it, the same is asked for.
    assert_eq!(json!(both), json!(Placed { number: None, ..both.clone() }));

    let Ok(Asked::Place(numbered)) = called(json!([own("order-number", "IMG-1")])) else {
        panic!("not read")
    };
    assert_eq!(numbered.identifiers, []);
    for (identifiers, fault) in [
        (
            json!([placers, own("report-number", "RPT-1")]),
            "ServiceRequest.identifier[1].system is what this service calls something else by than an order\n",
        ),
        (
            json!([own("order-number", "IMG-1"), own("order-number", "IMG-2")]),
            "ServiceRequest.identifier[1].value is the number of another order than the one before\n",
        ),
        (json!([own("order-number", "")]), "ServiceRequest.identifier[0].value must not be empty\n"),
        (
            json!([own("accession-number", "ACC-1")]),
            "ServiceRequest.identifier must hold one with a system, beside the accession number\n",
        ),
    ] {
        assert_eq!(told(called(identifiers)), fault);
    }
    // Another organization's number is some other system's.
    let others = json!([{"system": "urn:imaging:org-2:order-number", "value": "IMG-1"}]);
    let Ok(Asked::Place(others)) = called(others) else { panic!("not read") };
    assert_eq!((others.identifiers.len(), others.number), (1, None));
}

#[test]
fn what_is_asked_for_beyond_the_machine_is_kept_in_words() {
    let coded = |codings: Value| json!({"coding": codings});
    let code = json!({
        "text": "CT chest, low dose",
        "coding": [
            {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT", "display": "Computed Tomography"},
            {"system": "http://loinc.org", "code": "24627-2", "display": "CT Chest"},
            {"system": "http://snomed.info/sct", "code": "169069000"},
        ],
    });
    let detail = json!([
        coded(json!([{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110020", "display": "Prone"}])),
        {"text": "With contrast"},
        {"text": "With contrast"},
    ]);
    let asked = with(with(request(), "code", code), "orderDetail", detail);
    let read = placed(&asked);
    assert_eq!(read.modality, Modality::ComputedTomography);
    insta::assert_snapshot!(read.instructions.unwrap().as_str(), @r"
    CT chest, low dose
    CT Chest (http://loinc.org|24627-2)
    http://snomed.info/sct|169069000
    Prone (http://dicom.nema.org/resources/ontology/DCM|110020)
    With contrast
    ");
    // It comes after what was noted, and where the note is the indication it stands alone.
    let noted = with(asked.clone(), "note", json!([{"text": "Please hurry"}]));
    assert!(placed(&noted).instructions.unwrap().as_str().starts_with("Please hurry\nCT chest, low dose\n"));
    let indicated = with(noted, "reasonCode", Value::Null);
    assert!(placed(&indicated).instructions.unwrap().as_str().starts_with("CT chest, low dose\n"));
    // What this service has no word for is not lost either.
    let odd = coded(json!([{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "ECG"}]));
    let odd = placed(&with(request(), "code", odd));
    assert_eq!(odd.modality, Modality::Other);
    assert_eq!(odd.instructions.unwrap().as_str(), "http://dicom.nema.org/resources/ontology/DCM|ECG");

    let machines = |codes: &[&str]| {
        let coding =
            |code: &&str| json!({"system": "http://dicom.nema.org/resources/ontology/DCM", "code": code});
        HERE.asked(&with(request(), "code", coded(codes.iter().map(coding).collect())))
    };
    for codes in [["PT", "CT"], ["CT", "PT"], ["PET_CT", "CT"]] {
        let Ok(Asked::Place(read)) = machines(&codes) else { panic!("not read") };
        assert_eq!((read.modality, read.instructions), (Modality::PetCt, None));
    }
    assert!(matches!(machines(&["CT", "CT"]), Ok(Asked::Place(_))));
    for codes in [["CT", "MR"], ["MR", "CT"], ["PT", "MR"], ["CT", "ECG"]] {
        assert_eq!(
            told(machines(&codes)),
            "ServiceRequest.code must hold one modality, or those of one machine: PT and CT\n"
        );
    }
}

#[test]
fn every_fault_is_named_by_its_element() {
    insta::assert_snapshot!(told(HERE.asked(&json!({"resourceType": "ServiceRequest"}))), @r"
    ServiceRequest.status is required
    ServiceRequest.intent is required
    ServiceRequest.identifier is required
    ServiceRequest.subject is required
    ServiceRequest.requester is required
    ServiceRequest.locationReference is required
    ServiceRequest.bodySite is required
    ServiceRequest.code must hold a modality: a coding of http://dicom.nema.org/resources/ontology/DCM
    ServiceRequest.reasonCode is required
    ");
    for (element, value, fault) in [
        (
            "status",
            json!("completed"),
            "ServiceRequest.status must be one of active revoked entered-in-error\n",
        ),
        (
            "status",
            json!("draft"),
            "ServiceRequest.status must not be draft: what is not to be acted on yet is sent once it is active\n",
        ),
        (
            "intent",
            json!("proposal"),
            "ServiceRequest.intent must be one of order original-order reflex-order filler-order instance-order\n",
        ),
        ("priority", json!("soon"), "ServiceRequest.priority must be one of stat asap urgent routine\n"),
        (
            "doNotPerform",
            json!(true),
            "ServiceRequest.doNotPerform must not be true: it would say that nothing is to be done\n",
        ),
        (
            "modifierExtension",
            json!([]),
            "ServiceRequest.modifierExtension is not understood here, and may change what the rest means\n",
        ),
        ("colour", json!("red"), "ServiceRequest.colour is not an element that it has\n"),
        (
            "subject",
            json!({"reference": "Group/1"}),
            "ServiceRequest.subject must refer to a Patient, by its reference or identifier\n",
        ),
        (
            "subject",
            json!({"reference": "Group/1", "identifier": {"value": "MRN-1"}}),
            "ServiceRequest.subject must refer to a Patient, by its reference or identifier\n",
        ),
        (
            "subject",
            json!({"reference": "https://ehr.example.org/fhir/Device/1/_history/2", "type": "Patient", "identifier": {"value": "MRN-1"}}),
            "ServiceRequest.subject must refer to a Patient, by its reference or identifier\n",
        ),
        (
            "subject",
            json!({"reference": "Patient/1", "type": "Group"}),
            "ServiceRequest.subject must refer to a Patient, by its reference or identifier\n",
        ),
        (
            "requester",
            json!({"reference": "PractitionerRole/1"}),
            "ServiceRequest.requester must hold the identifier of the practitioner: a role's id is nobody's\n",
        ),
        (
            "requester",
            json!({"reference": "Organization/1", "identifier": {"value": "provider-1"}}),
            "ServiceRequest.requester must refer to a Practitioner, by its reference or identifier\n",
        ),
        (
            "bodySite",
            json!(vec![json!({"text": "CHEST"}); 1001]),
            "ServiceRequest.bodySite must have at most 1,000 members\n",
        ),
        ("subject", json!("Patient/1"), "ServiceRequest.subject must be an object\n"),
        ("identifier", json!({"value": "1"}), "ServiceRequest.identifier must be a list\n"),
        ("identifier", json!([{"value": "1"}]), "ServiceRequest.identifier[0].system is required\n"),
        (
            "bodySite",
            json!([{"text": "x".repeat(300)}]),
            "ServiceRequest.bodySite must be at most 256 characters\n",
        ),
    ] {
        let told = told(HERE.asked(&with(request(), element, value)));
        assert!(told.starts_with(fault), "{element}: {told}");
    }
    assert_eq!(
        told(HERE.asked(&json!({"resourceType": "Patient"}))),
        "ServiceRequest.resourceType must be ServiceRequest\n"
    );
}

#[test]
fn what_is_not_wanted_any_more_needs_only_say_which_and_whose() {
    let revoked = json!({
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "urn:ehr:orders", "value": "E-1"}],
        "status": "revoked",
        "intent": "order",
        "subject": {"reference": "Patient/MRN-1"},
        "note": [{"text": "Wrong patient"}],
    });
    for status in ["revoked", "entered-in-error"] {
        let Ok(Asked::Cancel { known, patient_id, reason }) =
            HERE.asked(&with(revoked.clone(), "status", json!(status)))
        else {
            panic!("not read")
        };
        assert_eq!((known.number.as_ref(), patient_id.as_str()), (None, "MRN-1"));
        assert_eq!(known.identifier.as_ref().unwrap().value, "E-1");
        assert_eq!(reason.unwrap().as_str(), "Wrong patient");
        assert_eq!(
            json!(known.called()),
            json!({"value": "E-1", "uid": null, "kinds": ["other"], "system": "urn:ehr:orders"})
        );
    }
    let numbered = json!([
        {"system": "urn:ehr:orders", "value": "E-1"}, {"system": "urn:imaging:org-1:order-number", "value": "IMG-1"},
    ]);
    let Ok(Asked::Cancel { known, .. }) = HERE.asked(&with(revoked, "identifier", numbered)) else {
        panic!("not read")
    };
    assert_eq!(
        json!(known.called()),
        json!({"value": "IMG-1", "uid": null, "kinds": ["order-number"], "system": null})
    );
}

#[test]
fn no_more_faults_are_told_than_anybody_reads() {
    let identifiers: Vec<Value> = (0..1000).map(|_| json!({"system": 1, "value": 2})).collect();
    let faults = HERE.asked(&with(request(), "identifier", json!(identifiers))).unwrap_err();
    assert_eq!(faults.len(), 100);
}

#[test]
fn a_patient_is_read_by_the_name_that_holds() {
    let patient = json!({
        "resourceType": "Patient",
        "id": "MRN-1",
        "name": [
            {"use": "old", "family": "Roe"},
            {"use": "official", "family": "Doe", "given": ["Jane", "Ann", "Mary"], "suffix": ["Jr."]},
        ],
        "gender": "female",
        "birthDate": "1970-02-03",
    });
    let read = |patient: &Value| Demographics::read(patient, "2026-11-24");
    let doe = read(&patient).unwrap();
    assert_eq!(doe.name.unwrap().to_string(), "Doe^Jane^Ann Mary^^Jr.");
    assert_eq!(json!(doe.birth_date), "1970-02-03T00:00:00.000Z");
    assert_eq!(doe.sex.unwrap().as_str(), "F");

    let by_number = json!([
        {"system": "urn:ssn", "value": "1"},
        {"type": {"coding": [{"code": "MR"}]}, "system": "urn:mrn", "value": "MRN-2"},
    ]);
    let numbered = with(with(patient.clone(), "id", Value::Null), "identifier", by_number);
    assert_eq!(read(&numbered).unwrap().patient_id.as_str(), "MRN-2");
    for (element, value, fault) in [
        (
            "id",
            Value::Null,
            "Patient.identifier must name one patient: by id, or by a medical record number (MR)\n",
        ),
        (
            "birthDate",
            json!("1970-13"),
            "Patient.birthDate must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset\n",
        ),
        ("birthDate", json!(1970), "Patient.birthDate must be a string\n"),
        (
            "active",
            json!(false),
            "Patient.active says that the record is not in use any more: that is for a person to decide\n",
        ),
        ("gender", json!("F"), "Patient.gender must be one of male female other unknown\n"),
        (
            "name",
            json!([{"use": "official", "text": "Jane Doe"}]),
            "Patient.name[0] must hold a family or given name\n",
        ),
        (
            "link",
            json!([{"type": "replaced-by", "other": {"reference": "Patient/2"}}]),
            "Patient.link[0] says that it is another patient's record now: that is for a person to decide\n",
        ),
    ] {
        assert_eq!(told(read(&with(patient.clone(), element, value))), fault);
    }
    assert_eq!(told(read(&json!({"resourceType": "Patient", "id": "MRN-1"}))), "Patient.name is required\n");
    for partly in ["1970", "1970-02"] {
        assert_eq!(read(&with(patient.clone(), "birthDate", json!(partly))).unwrap().birth_date, None);
    }
}

#[test]
fn a_name_is_one_that_holds_today_and_is_the_patients_own() {
    let named = |names: Value| {
        let patient = json!({"resourceType": "Patient", "id": "MRN-1", "gender": "female", "name": names});
        Demographics::read(&patient, "2026-11-24").unwrap().name.map(|name| name.to_string())
    };
    let over = json!({"use": "official", "family": "Roe", "period": {"start": "1990", "end": "2020-05"}});
    let held = json!({"use": "usual", "family": "Doe", "period": {"end": "9999-12-31"}});
    assert_eq!(named(json!([over, held])).unwrap(), "Doe");
    for of in ["old", "maiden", "nickname", "anonymous", "temp"] {
        let other = json!({"use": of, "family": "Roe"});
        assert_eq!(named(json!([other, {"family": "Doe"}])).unwrap(), "Doe", "{of}");
        assert_eq!(named(json!([other])), None, "{of}");
    }
    assert_eq!(named(json!([over])), None);
}

#[test]
fn a_patient_without_an_id_is_known_by_a_record_number_and_by_no_other() {
    let numbered = |identifiers: Value| {
        let patient = json!({"resourceType": "Patient", "gender": "female", "identifier": identifiers});
        Demographics::read(&patient, "2026-11-24").map(|patient| patient.patient_id.as_str().to_owned())
    };
    let of = |kind: &str, value: &str| json!({"type": {"coding": [{"code": kind}]}, "value": value});
    let untold = |value: &str| json!({"system": "urn:mrn", "value": value});
    assert_eq!(numbered(json!([of("SS", "1"), of("MR", "MRN-1"), untold("2")])).unwrap(), "MRN-1");
    assert_eq!(numbered(json!([of("SS", "1"), untold("MRN-1")])).unwrap(), "MRN-1");
    for none in [
        json!([of("SS", "1")]),
        json!([{"type": {"text": "Insurance"}, "value": "1"}]),
        json!([untold("1"), untold("2")]),
        json!([of("MR", "1"), of("MR", "2")]),
        json!([]),
    ] {
        assert_eq!(
            told(numbered(none)),
            "Patient.identifier must name one patient: by id, or by a medical record number (MR)\n"
        );
    }
}

#[test]
fn a_patient_is_asked_for_by_id_or_by_what_the_id_is_here() {
    for (patient, by_id, by_team) in [
        ("MRN-1", "Patient/MRN-1", "CareTeam?patient=Patient%2FMRN-1&status=active"),
        (
            "MRN/1",
            "Patient?identifier=urn%3Aimaging%3Aorg-1%3Apatient%7CMRN%2F1",
            "CareTeam?patient.identifier=urn%3Aimaging%3Aorg-1%3Apatient%7CMRN%2F1&status=active",
        ),
        // What parts parameters parts nothing here.
        (
            "a,b|c",
            "Patient?identifier=urn%3Aimaging%3Aorg-1%3Apatient%7Ca%5C%2Cb%5C%7Cc",
            "CareTeam?patient.identifier=urn%3Aimaging%3Aorg-1%3Apatient%7Ca%5C%2Cb%5C%7Cc&status=active",
        ),
        (
            "Jürgen",
            "Patient?identifier=urn%3Aimaging%3Aorg-1%3Apatient%7CJ%C3%BCrgen",
            "CareTeam?patient.identifier=urn%3Aimaging%3Aorg-1%3Apatient%7CJ%C3%BCrgen&status=active",
        ),
    ] {
        assert_eq!(ELSEWHERE.place_of(Question::Patient, patient), by_id);
        assert_eq!(ELSEWHERE.place_of(Question::CareTeam, patient), by_team);
    }
}

#[test]
fn an_answer_is_about_the_patient_who_was_asked_for() {
    let patient = |id: &str| json!({"resourceType": "Patient", "id": id, "name": [{"family": "Doe"}]});
    let bundle = |resources: &[Value]| {
        let entries: Vec<Value> = resources.iter().map(|resource| json!({"resource": resource})).collect();
        json!({"resourceType": "Bundle", "type": "searchset", "entry": entries})
    };
    let outcome = json!({"resourceType": "OperationOutcome"});
    let answered = |answer: &Value| Demographics::answered(answer, "MRN-1", "2026-11-24");
    for answer in
        [patient("MRN-1"), bundle(&[patient("MRN-1")]), bundle(&[outcome.clone(), patient("MRN-1")])]
    {
        assert_eq!(answered(&answer).unwrap().name.unwrap().to_string(), "Doe", "{answer}");
    }
    // The other system's id is its own; the number by which the patient is known here stands in the record.
    let number = |kind: Value| json!([{"type": kind, "system": "urn:mrn", "value": "MRN-1"}]);
    let by_number = |kind: Value| with(patient("77"), "identifier", compact(number(kind)).unwrap());
    assert!(answered(&by_number(Value::Null)).is_ok());
    assert!(answered(&by_number(json!({"coding": [{"code": "MR"}]}))).is_ok());
    for (answer, fault) in [
        (patient("MRN-2"), "Patient.id is not the patient who was asked for\n"),
        (by_number(json!({"coding": [{"code": "SS"}]})), "Patient.id is not the patient who was asked for\n"),
        (bundle(&[patient("MRN-2")]), "Patient.id is not the patient who was asked for\n"),
        (bundle(&[patient("MRN-1"), patient("MRN-1")]), "Bundle.entry must hold one Patient\n"),
        (bundle(&[]), "Bundle.entry must hold one Patient\n"),
        (json!({"resourceType": "Bundle"}), "Bundle.entry must hold one Patient\n"),
        (outcome, "Patient.resourceType must be Patient\n"),
        (Value::Null, "Patient.resourceType must be Patient\n"),
    ] {
        assert_eq!(told(answered(&answer)), fault, "{answer}");
    }
}

#[test]
fn who_cares_for_a_patient_are_the_practitioners_whose_time_it_is() {
    let bundle = |teams: Value| {
        let teams =
            teams.as_array().unwrap().iter().map(|team| json!({"resource": team})).collect::<Vec<_>>();
        json!({"resourceType": "Bundle", "type": "searchset", "entry": teams})
    };
    let member = |id: &str, period: Value| json!({"member": {"reference": format!("Practitioner/{id}")}, "period": period});
    let team = |status: &str, period: Value, id: &str| {
        compact(json!({
            "resourceType": "CareTeam", "status": status, "period": period, "participant": [member(id, Value::Null)],
        }))
        .unwrap()
    };
    let names = |answer: Value| {
        let members = members(&answer, "2026-11-24").unwrap();
        members.iter().map(|member| member.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    // An end holds to its own end: of a year, a month, a day.
    let participants: Vec<Value> = [
        ("no-period", Value::Null),
        ("no-end", json!({"start": "2020"})),
        ("this-year", json!({"end": "2026"})),
        ("this-month", json!({"end": "2026-11"})),
        ("today", json!({"end": "2026-11-24"})),
        ("this-moment", json!({"end": "2026-11-24T08:00:00Z"})),
        ("last-year", json!({"end": "2025"})),
        ("last-month", json!({"end": "2026-10"})),
        ("yesterday", json!({"end": "2026-11-23T23:59:59+01:00"})),
    ]
    .into_iter()
    .map(|(id, period)| member(id, period))
    .collect();
    let whole = json!([{"resourceType": "CareTeam", "participant": participants}]);
    assert_eq!(names(bundle(whole)), "no-period no-end this-year this-month today this-moment");
    let teams = json!([
        team("active", Value::Null, "a"),
        team("active", json!({"end": "2026-11-23"}), "b"),
        team("proposed", Value::Null, "c"),
        team("active", json!({"end": "2026-12"}), "d"),
        team("active", Value::Null, "a"),
        {"resourceType": "OperationOutcome"},
    ]);
    assert_eq!(names(bundle(teams)), "a d");
    assert_eq!(names(json!({"resourceType": "Bundle"})), "");
    // A role's id is nobody's; whoever is no practitioner is not told.
    let others = json!([{"resourceType": "CareTeam", "participant": [
        {"member": {"reference": "PractitionerRole/role-1"}},
        {"member": {"reference": "PractitionerRole/role-1", "identifier": {"value": "e"}}},
        {"member": {"reference": "RelatedPerson/1", "identifier": {"value": "f"}}},
        {"member": {"reference": "Practitioner/x y", "identifier": {"value": "g"}}},
        {"onBehalfOf": {"reference": "Practitioner/h"}},
    ]}]);
    assert_eq!(names(bundle(others)), "e g");
    let many: Vec<Value> = (0..60).map(|n| member(&n.to_string(), Value::Null)).collect();
    let many = bundle(json!([{"resourceType": "CareTeam", "participant": many}]));
    assert_eq!(members(&many, "2026-11-24").unwrap().len(), 50);
    assert_eq!(told(members(&json!({"resourceType": "CareTeam"}), "2026-11-24")), "Bundle is expected\n");
}

#[test]
fn a_report_that_is_withdrawn_says_nothing_but_what_it_was_about() {
    let report = json!({
        "id": "019a3b1c-7e00-7abc-8def-000000000003", "reportNumber": "RPT-1", "impression": "Pneumonia",
        "study": {"studyInstanceUID": "1.2.3", "patientId": "MRN-1", "studyDate": "2026-01-02T00:00:00.000Z"}, "order": order(),
    });
    let update = ELSEWHERE.update_of_removed_report(&report).unwrap();
    assert_eq!(update.path, "DiagnosticReport?identifier=urn%3Aimaging%3Aorg-1%3Areport-number%7CRPT-1");
    assert_eq!(update.resource["status"], "entered-in-error");
    for gone in ["conclusion", "presentedForm", "resultsInterpreter", "issued"] {
        assert_eq!(update.resource[gone], Value::Null, "{gone}");
    }
    assert_eq!(update.resource["subject"]["reference"], "Patient/MRN-1");
    assert_eq!(update.resource["imagingStudy"][0]["identifier"]["value"], "urn:oid:1.2.3");
}

#[test]
fn an_acknowledgement_names_the_finding_and_who_takes_it_on() {
    let id = "019a3b1c-7e00-7abc-8def-000000000007";
    let communication = json!({
        "resourceType": "Communication",
        "status": "completed",
        "about": [{"reference": format!("DetectedIssue/{id}")}],
        "sender": {"reference": "Practitioner/provider-1"},
        "payload": [{"contentString": "Pneumothorax left, understood"}],
    });
    let read = Acknowledgement::read(&communication).unwrap();
    assert_eq!((read.finding.to_string().as_str(), read.clinician.as_str()), (id, "provider-1"));
    let by_identifier = json!([{"identifier": {"system": "urn:imaging:org-1:finding", "value": id}}]);
    assert_eq!(Acknowledgement::read(&with(communication.clone(), "about", by_identifier)).unwrap(), read);
    let by_role = json!({"reference": "PractitionerRole/role-1", "identifier": {"value": "provider-1"}});
    assert_eq!(Acknowledgement::read(&with(communication.clone(), "sender", by_role)).unwrap(), read);
    let role = json!({"reference": "PractitionerRole/provider-1"});
    assert_eq!(
        told(Acknowledgement::read(&with(communication.clone(), "sender", role))),
        "Communication.sender must hold the identifier of the practitioner: a role's id is nobody's\n"
    );
    let about_doe = with(communication, "subject", json!({"reference": "Patient/MRN-1"}));
    assert_eq!(Acknowledgement::read(&about_doe).unwrap().patient_id.unwrap().as_str(), "MRN-1");
    insta::assert_snapshot!(told(Acknowledgement::read(&json!({"resourceType": "Communication"}))), @r"
    Communication.status is required
    Communication.about must name a finding: by a reference that ends with its id, or by its identifier
    Communication.sender is required
    ");
}

#[test]
fn what_is_sent_is_known_by_identifiers_and_what_is_read_here_by_ids() {
    let here = HERE.service_request(&order());
    assert_eq!(here["id"], order()["id"]);
    assert_eq!(here["meta"]["versionId"], "3");
    assert_eq!((&here["intent"], &here["basedOn"]), (&json!("order"), &Value::Null));
    assert_eq!(here["identifier"][0]["value"], "E-1");
    // The placer's own request is never overwritten: what is sent is based on it.
    let update = ELSEWHERE.update_of_order(&order()).unwrap();
    assert_eq!(update.path, "ServiceRequest?identifier=urn%3Aimaging%3Aorg-1%3Aorder-number%7CIMG-1");
    assert_eq!((&update.resource["id"], &update.resource["meta"]), (&Value::Null, &Value::Null));
    assert_eq!(update.resource["intent"], "filler-order");
    let placers = json!([
        {"type": "ServiceRequest", "identifier": {"system": "urn:ehr:orders", "value": "E-1"}},
    ]);
    assert_eq!(update.resource["basedOn"], placers);
    let identifiers = update.resource["identifier"].as_array().unwrap();
    let values: Vec<&Value> = identifiers.iter().map(|identifier| &identifier["value"]).collect();
    assert_eq!(values, ["IMG-1", "ACC-1"]);
    let own = ELSEWHERE.update_of_order(&with(order(), "identifiers", json!([]))).unwrap().resource;
    assert_eq!((&own["intent"], &own["basedOn"]), (&json!("order"), &Value::Null));

    let study = json!({
        "id": "019a3b1c-7e00-7abc-8def-000000000002", "studyInstanceUID": "1.2.3", "status": "COMPLETED", "modality": "PET_CT",
        "patientId": "MRN-1", "numberOfSeries": 2, "numberOfInstances": 2, "order": order(),
        "series": [
            {"uid": "1.2.3.1", "number": 1, "numberOfInstances": 1,
                "instances": [{"uid": "1.2.3.1.1", "sopClassUID": "1.2.840.10008.5.1.4.1.1.128", "number": 1}]},
            {"uid": "1.2.3.2", "number": -1, "numberOfInstances": 1, "instances": [{"uid": "1.2.3.2.1", "number": 1}]},
        ],
    });
    let resource = ELSEWHERE.imaging_study(&study);
    assert_eq!(resource["basedOn"][0]["identifier"]["value"], "E-1");
    assert_eq!(resource["basedOn"][1]["identifier"]["value"], "IMG-1");
    assert_eq!((&resource["basedOn"][0]["reference"], &resource["basedOn"][2]), (&Value::Null, &Value::Null));
    let read = HERE.imaging_study(&study);
    assert_eq!(
        read["basedOn"][0]["reference"],
        format!("ServiceRequest/{}", order()["id"].as_str().unwrap())
    );
    assert_eq!((&read["basedOn"][1], &read["meta"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&resource["series"][0]["modality"]["code"], &resource["series"][1]["modality"]["code"]),
        (&json!("PT"), &json!("CT"))
    );
    assert_eq!(
        (&resource["series"][1]["number"], &resource["series"][1]["instance"]),
        (&Value::Null, &Value::Null)
    );
    let update = ELSEWHERE.update_of_study(&study).unwrap();
    assert_eq!(update.path, "ImagingStudy?identifier=urn%3Adicom%3Auid%7Curn%3Aoid%3A1.2.3");

    let report = json!({
        "id": "019a3b1c-7e00-7abc-8def-000000000003", "reportNumber": "RPT-1", "status": "AMENDED", "radiologistId": "r-1",
        "radiologistName": "Dr. Ray", "findings": "Dense consolidation", "impression": "Pneumonia", "signedBy": "Dr. Ray",
        "signedAt": "2026-01-02T03:04:05.000Z", "amendedDate": "2026-01-03T03:04:05.000Z", "study": study, "order": null,
    });
    let update = ELSEWHERE.update_of_report(&report).unwrap();
    assert_eq!(update.path, "DiagnosticReport?identifier=urn%3Aimaging%3Aorg-1%3Areport-number%7CRPT-1");
    assert_eq!(
        (&update.resource["status"], &update.resource["conclusion"]),
        (&json!("amended"), &json!("Pneumonia"))
    );
    assert_eq!(update.resource["basedOn"], Value::Null);
    let whole = STANDARD.decode(update.resource["presentedForm"][0]["data"].as_str().unwrap()).unwrap();
    insta::assert_snapshot!(String::from_utf8(whole).unwrap(), @r"
    FINDINGS
    Dense consolidation

    IMPRESSION
    Pneumonia

    Signed by Dr. Ray at 2026-01-02T03:04:05.000Z
    ");
}

#[test]
fn every_status_has_its_word() {
    let word = |resource: Value| resource["status"].as_str().unwrap().to_owned();
    let mut words = String::new();
    for status in OrderStatus::ALL {
        let word = word(HERE.service_request(&json!({"status": status})));
        words += &format!("ServiceRequest {status} {word}\n");
    }
    for (status, instances) in StudyStatus::ALL.iter().flat_map(|status| [(status, 0), (status, 1)]) {
        let word = word(HERE.imaging_study(&json!({"status": status, "numberOfInstances": instances})));
        words += &format!("ImagingStudy {status} {instances} {word}\n");
    }
    for status in ReportStatus::ALL {
        let word = word(HERE.diagnostic_report(&json!({"status": status})));
        words += &format!("DiagnosticReport {status} {word}\n");
    }
    insta::assert_snapshot!(words, @r"
    ServiceRequest PENDING active
    ServiceRequest SCHEDULED active
    ServiceRequest IN_PROGRESS active
    ServiceRequest COMPLETED completed
    ServiceRequest CANCELLED revoked
    ServiceRequest ON_HOLD on-hold
    ImagingStudy SCHEDULED 0 registered
    ImagingStudy SCHEDULED 1 available
    ImagingStudy ARRIVED 0 registered
    ImagingStudy ARRIVED 1 available
    ImagingStudy IN_PROGRESS 0 registered
    ImagingStudy IN_PROGRESS 1 available
    ImagingStudy COMPLETED 0 available
    ImagingStudy COMPLETED 1 available
    ImagingStudy PRELIMINARY 0 available
    ImagingStudy PRELIMINARY 1 available
    ImagingStudy FINAL 0 available
    ImagingStudy FINAL 1 available
    ImagingStudy CANCELLED 0 cancelled
    ImagingStudy CANCELLED 1 cancelled
    DiagnosticReport PRELIMINARY preliminary
    DiagnosticReport FINAL final
    DiagnosticReport AMENDED amended
    DiagnosticReport CORRECTED corrected
    ");
}

#[test]
fn a_day_is_written_as_a_day_and_an_edited_report_as_edited() {
    let midnight = "2026-01-02T00:00:00.000Z";
    let study = json!({"studyDate": midnight});
    let report = json!({
        "status": "PRELIMINARY", "preliminaryDate": "2026-01-03T03:04:05.000Z", "updatedAt": "2026-01-04T03:04:05.000Z",
        "study": study,
    });
    assert_eq!(HERE.service_request(&json!({"scheduledAt": midnight}))["occurrenceDateTime"], "2026-01-02");
    assert_eq!(HERE.imaging_study(&study)["started"], "2026-01-02");
    let moment = json!({"studyDate": "2026-01-02T00:00:00.001Z"});
    assert_eq!(HERE.imaging_study(&moment)["started"], moment["studyDate"]);
    let read = HERE.diagnostic_report(&report);
    assert_eq!((&read["effectiveDateTime"], &read["issued"]), (&json!("2026-01-02"), &report["updatedAt"]));
    let signed = with(with(report, "status", json!("FINAL")), "signedAt", json!("2026-01-03T09:00:00.000Z"));
    assert_eq!(HERE.diagnostic_report(&signed)["issued"], signed["signedAt"]);
}

#[test]
fn a_page_is_as_large_as_is_asked_for_but_for_a_most() {
    let size = |value: Value| PageSize::parse(&value).map(PageSize::get).map_err(|fault| fault.to_string());
    assert_eq!([1, 100, 101, 1_000_000].map(|asked| size(json!(asked)).unwrap()), [1, 100, 100, 100]);
    assert_eq!(size(json!(0)).unwrap_err(), "must be a whole number from 1 to 4294967295");
    assert_eq!(size(json!("x")).unwrap_err(), "must be a whole number from 1 to 4294967295");
}

#[test]
fn an_identifier_is_looked_for_where_its_system_says() {
    let called = |token: &str| {
        let token = <Token as crate::Parse>::parse(&json!(token)).map_err(|fault| fault.to_string());
        token.map(|token| json!(HERE.called(&token)))
    };
    assert_eq!(
        called("urn:imaging:org-1:accession-number|A-1").unwrap(),
        json!({"value": "A-1", "uid": null, "kinds": ["accession-number"], "system": null})
    );
    assert_eq!(
        called("urn:imaging:org-2:accession-number|A-1").unwrap(),
        json!({"value": "A-1", "uid": null, "kinds": ["other"], "system": "urn:imaging:org-2:accession-number"})
    );
    assert_eq!(
        called("urn:dicom:uid|urn:oid:1.2.3").unwrap(),
        json!({"value": "urn:oid:1.2.3", "uid": "1.2.3", "kinds": ["uid", "other"], "system": "urn:dicom:uid"})
    );
    // An OID is a UID only where UIDs are looked for.
    assert_eq!(
        called("urn:ietf:rfc:3986|urn:oid:1.2.3").unwrap(),
        json!({"value": "urn:oid:1.2.3", "uid": null, "kinds": ["other"], "system": "urn:ietf:rfc:3986"})
    );
    assert_eq!(called(r"urn:ehr|E\,1\|2\$\\3").unwrap()["value"], r"E,1|2$\3");
    assert_eq!(called("A-1").unwrap()["kinds"].as_array().unwrap().len(), 5);
    for none in ["", "|", "urn:x|", "|A-1", "a|b|c", "a,b", r"a\b", r"a\"] {
        assert!(called(none).is_err(), "{none}");
    }
}

fn external_id() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9.-]{1,64}", "[!-~äöü]{1,40}"]
        .prop_filter("an id", |id| ExternalId::try_from(id.as_str()).is_ok() && !id.contains('/'))
}

fn said() -> impl Strategy<Value = String> {
    "[A-Za-zäß0-9^,. \n]{1,80}"
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("words", |text| !text.is_empty())
}

proptest! {
    /// What this service shows of an order can be placed, and is that order.
    #[test]
    fn an_order_goes_out_and_comes_back(
        patient in external_id(),
        provider in external_id(),
        facility in external_id(),
        priority in prop::sample::select(Priority::ALL),
        modality in prop::sample::select(&Modality::ALL[..]),
        body_part in said(),
        indication in said(),
        instructions in prop::option::of(said()),
        exchange in prop::sample::select(vec![HERE, ELSEWHERE]),
    ) {
        let mut order = order();
        for (name, value) in [
            ("patientId", json!(patient)),
            ("providerId", json!(provider)),
            ("facilityId", json!(facility)),
            ("priority", json!(priority)),
            ("modality", json!(modality)),
            ("bodyPart", json!(body_part)),
            ("clinicalIndication", json!(indication)),
            ("instructions", json!(instructions)),
        ] {
            order[name] = value;
        }
        let read = placed(&exchange.service_request(&order));
        prop_assert_eq!(read.patient_id.as_str(), patient.trim());
        prop_assert_eq!(read.provider_id.as_str(), provider.trim());
        prop_assert_eq!(read.facility_id.as_str(), facility.trim());
        prop_assert_eq!((read.priority, read.modality), (priority, modality));
        prop_assert_eq!(read.body_part.as_str(), body_part);
        prop_assert_eq!(read.clinical_indication.as_str(), indication);
        prop_assert_eq!(read.instructions.map(|text| text.as_str().to_owned()), instructions);
        prop_assert_eq!(json!(read.scheduled_at), json!("2026-01-02T03:04:05Z"));
        prop_assert_eq!(json!(read.accession_number), json!("ACC-1"));
        prop_assert_eq!(json!(read.number.unwrap().value), "IMG-1");
        prop_assert_eq!(read.identifiers.first().map(|known| known.value.as_str()), exchange.here.then_some("E-1"));
    }

    /// Whatever is sent, it is read or refused, and each fault says where.
    #[test]
    fn anything_at_all_is_read_or_named(resource in json_of_any_form(), element in "[a-zA-Z]{1,20}") {
        for kind in ["ServiceRequest", "Patient", "Communication"] {
            let known = ["subject", "identifier", "code", "name", "about", "payload", "note", "sender", "status"];
            let mut sent = json!({"resourceType": kind, element.clone(): resource.clone()});
            for name in known {
                sent[name] = resource.clone();
            }
            let faults = match kind {
                "ServiceRequest" => HERE.asked(&sent).err(),
                "Patient" => Demographics::read(&sent, "2026-11-24").err(),
                _ => Acknowledgement::read(&sent).err(),
            };
            for (path, _) in faults.unwrap_or_default() {
                prop_assert!(path.starts_with(&format!("{kind}.")), "{}", path);
            }
        }
    }

    /// FHIR has no null, no empty text, and none of the white space that its patterns leave out.
    #[test]
    fn no_resource_says_nothing(text in any::<String>(), document in json_of_any_form()) {
        let mut odd = order();
        odd["clinicalIndication"] = json!(text);
        odd["bodyPart"] = document.clone();
        odd["identifiers"] = document;
        for resource in [HERE.service_request(&odd), HERE.imaging_study(&odd), HERE.diagnostic_report(&odd)] {
            prop_assert_eq!(compact(resource.clone()), Some(resource));
        }
        let words = words(&text);
        prop_assert!(words.chars().all(|character| !character.is_whitespace() || " \n\r\t".contains(character)));
    }

    /// What is sent to be searched by is what is looked for.
    #[test]
    fn an_identifier_is_found_as_it_is_searched_by(system in "[!-~]{1,40}", value in r"[a-z,|$\\]([ a-z,|$\\]{0,40}[a-z,|$\\])?") {
        let read = Token::parse(&json!(token(&system, &value))).map(|token| json!(HERE.called(&token)));
        prop_assert_eq!(read, Ok(json!({"value": value, "uid": null, "kinds": ["other"], "system": system})));
    }

    #[test]
    fn a_reference_is_made_of_what_can_be_an_id(id in external_id()) {
        let resource = HERE.service_request(&json!({"patientId": id}));
        prop_assert_eq!(resource["subject"]["reference"].is_string(), is_id(&id));
    }
}

fn json_of_any_form() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!("Patient/1")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let names = prop::sample::select(vec![
            "reference",
            "identifier",
            "coding",
            "value",
            "system",
            "text",
            "family",
            "given",
            "type",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..5).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}
