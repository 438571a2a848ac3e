//! What goes out comes back as it was, and what comes in is read or named by its element.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    exchange::{compact, is_id, words},
    *,
};
use crate::{ExternalId, Modality, OrderStatus, Priority, ReportStatus, StudyStatus};

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
    match Asked::read(resource) {
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
}

#[test]
fn every_fault_is_named_by_its_element() {
    insta::assert_snapshot!(told(Asked::read(&json!({"resourceType": "ServiceRequest"}))), @r"
    ServiceRequest.status is required
    ServiceRequest.intent is required
    ServiceRequest.identifier is required
    ServiceRequest.subject is required
    ServiceRequest.requester is required
    ServiceRequest.locationReference is required
    ServiceRequest.code must hold a modality: a coding of http://dicom.nema.org/resources/ontology/DCM
    ServiceRequest.bodySite is required
    ServiceRequest.reasonCode is required
    ");
    for (element, value, fault) in [
        ("status", json!("completed"), "ServiceRequest.status must be one of active draft revoked\n"),
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
        ("subject", json!("Patient/1"), "ServiceRequest.subject must be an object\n"),
        ("identifier", json!({"value": "1"}), "ServiceRequest.identifier must be a list\n"),
        ("identifier", json!([{"value": "1"}]), "ServiceRequest.identifier[0].system is required\n"),
        (
            "bodySite",
            json!([{"text": "x".repeat(300)}]),
            "ServiceRequest.bodySite must be at most 256 characters\n",
        ),
    ] {
        let told = told(Asked::read(&with(request(), element, value)));
        assert!(told.starts_with(fault), "{element}: {told}");
    }
    assert_eq!(
        told(Asked::read(&json!({"resourceType": "Patient"}))),
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
    let Ok(Asked::Cancel { identifier, patient_id, reason }) = Asked::read(&revoked) else {
        panic!("not read")
    };
    assert_eq!((identifier.value.as_str(), patient_id.as_str()), ("E-1", "MRN-1"));
    assert_eq!(reason.unwrap().as_str(), "Wrong patient");
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
    let read = |patient: &Value| Demographics::read(patient);
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
            json!("1970"),
            "Patient.birthDate must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset\n",
        ),
        ("gender", json!("F"), "Patient.gender must be one of male female other unknown\n"),
        (
            "name",
            json!([{"use": "official"}]),
            "Patient.name[0] must hold a family or given name, or a text\n",
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
    let update = ELSEWHERE.update_of_order(&order()).unwrap();
    assert_eq!(update.path, "ServiceRequest?identifier=urn%3Aehr%3Aorders%7CE-1");
    assert_eq!((&update.resource["id"], &update.resource["meta"]), (&Value::Null, &Value::Null));

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
    assert_eq!(resource["basedOn"][0]["reference"], Value::Null);
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
fn an_identifier_is_looked_for_where_its_system_says() {
    let called = |token: &str| {
        let token = <Token as crate::Parse>::parse(&json!(token)).map_err(|fault| fault.to_string());
        token.map(|token| json!(HERE.called(&token)))
    };
    assert_eq!(
        called("urn:imaging:org-1:accession-number|A-1").unwrap(),
        json!({"value": "A-1", "kinds": ["accession-number"], "system": null})
    );
    assert_eq!(
        called("urn:imaging:org-2:accession-number|A-1").unwrap(),
        json!({"value": "A-1", "kinds": ["other"], "system": "urn:imaging:org-2:accession-number"})
    );
    assert_eq!(
        called("urn:dicom:uid|urn:oid:1.2.3").unwrap(),
        json!({"value": "1.2.3", "kinds": ["uid"], "system": null})
    );
    assert_eq!(called("A-1").unwrap()["kinds"].as_array().unwrap().len(), 5);
    for none in ["", "|", "urn:x|", "|A-1", "a|b|c", "a,b"] {
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
        prop_assert_eq!(&read.identifiers[0].value, "E-1");
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
                "ServiceRequest" => Asked::read(&sent).err(),
                "Patient" => Demographics::read(&sent).err(),
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

    #[test]
    fn every_status_has_its_word(
        order_status in prop::sample::select(OrderStatus::ALL),
        study_status in prop::sample::select(StudyStatus::ALL),
        report_status in prop::sample::select(ReportStatus::ALL),
    ) {
        let word = |resource: Value| resource["status"].as_str().unwrap().to_owned();
        prop_assert_ne!(word(HERE.service_request(&json!({"status": order_status}))), "unknown");
        prop_assert_ne!(word(HERE.imaging_study(&json!({"status": study_status}))), "unknown");
        prop_assert_ne!(word(HERE.diagnostic_report(&json!({"status": report_status}))), "unknown");
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
