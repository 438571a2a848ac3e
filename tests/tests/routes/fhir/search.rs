use serde_json::json;
use tests::{
    Hospital,
    hospital::{ct_chest, id},
};

use super::{acts, ehr, found, other_ehr, request, resource};

#[tokio::test]
async fn a_thing_is_found_by_whatever_it_is_called() {
    let hospital = Hospital::open().await;
    let ehr = ehr(&hospital);
    let order = resource(ehr.post("/fhir/ServiceRequest", request("E 1")).await, 201);
    ehr.post("/fhir/ServiceRequest", request("E-2")).await.expect_status(201);
    let study = hospital.completed_study().await;
    let report = hospital.reports(&study, "FINAL").await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for (kind, identifier, of) in [
        ("ServiceRequest", "urn:ehr:orders|E 1".to_owned(), id(&order)),
        ("ServiceRequest", "E 1".to_owned(), id(&order)),
        (
            "ServiceRequest",
            format!("urn:imaging:org-1:order-number|{}", text(&order["identifier"][1]["value"])),
            id(&order),
        ),
        (
            "ServiceRequest",
            format!("urn:imaging:org-1:accession-number|{}", text(&order["identifier"][2]["value"])),
            id(&order),
        ),
        ("ServiceRequest", text(&order["identifier"][2]["value"]), id(&order)),
        ("ImagingStudy", format!("urn:dicom:uid|urn:oid:{}", text(&study["studyInstanceUID"])), id(&study)),
        ("ImagingStudy", text(&study["accessionNumber"]), id(&study)),
        (
            "DiagnosticReport",
            format!("urn:imaging:org-1:report-number|{}", text(&report["reportNumber"])),
            id(&report),
        ),
    ] {
        let ask = ehr.request(reqwest::Method::GET, &format!("/fhir/{kind}"));
        let reply =
            tests::Reply::of(ask.query(&[("identifier", identifier.as_str()), ("patient", "MRN-1")])).await;
        assert_eq!(found(reply), [of], "{kind} {identifier}");
        // What it is called is no other system's, no other patient's and no other organization's.
        let other_ehr = other_ehr(&hospital);
        for (asker, other, patient) in [
            (&ehr, format!("urn:other|{identifier}").replace("urn:other|urn", "urn"), "MRN-2"),
            (&other_ehr, identifier.clone(), "MRN-1"),
        ] {
            let ask = asker.request(reqwest::Method::GET, &format!("/fhir/{kind}"));
            let reply =
                tests::Reply::of(ask.query(&[("identifier", other.as_str()), ("patient", patient)])).await;
            assert_eq!(found(reply), Vec::<String>::new(), "{kind} {other} {patient}");
        }
    }
    for kind in ["ServiceRequest", "ImagingStudy", "DiagnosticReport"] {
        for none in ["urn:nobody|E-1", "nobody"] {
            assert_eq!(
                found(ehr.get(&format!("/fhir/{kind}?identifier={none}")).await),
                Vec::<String>::new()
            );
        }
    }
}

#[tokio::test]
async fn what_is_a_patients_is_found_however_the_patient_is_named() {
    let hospital = Hospital::open().await;
    let mut other = ct_chest();
    other["patientId"] = json!("MRN-2");
    hospital.provider().places(other).await;
    let order = hospital.provider().places(ct_chest()).await;
    for patient in ["MRN-1", "Patient/MRN-1", "https://ehr.example.org/fhir/Patient/MRN-1"] {
        let found = found(ehr(&hospital).get(&format!("/fhir/ServiceRequest?patient={patient}")).await);
        assert_eq!(found, [id(&order)], "{patient}");
    }
    // Whom a search showed is in the audit, and whom it asked for.
    assert_eq!(acts(&hospital, "order.list").await, ["ehr order.list SUCCESS {MRN-1}"; 3]);
    found(ehr(&hospital).get("/fhir/ServiceRequest").await);
    assert_eq!(acts(&hospital, "order.list").await[3], "ehr order.list SUCCESS {MRN-1,MRN-2}");
}

#[tokio::test]
async fn a_search_is_read_on_by_its_links() {
    let hospital = Hospital::open().await;
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.insert(0, id(&hospital.provider().places(ct_chest()).await).to_owned());
    }
    let (mut path, mut seen, mut pages) =
        ("/fhir/ServiceRequest?_count=2&patient=MRN-1".to_owned(), Vec::new(), 0);
    loop {
        let bundle = resource(ehr(&hospital).get(&path).await, 200);
        pages += 1;
        for entry in bundle["entry"].as_array().unwrap() {
            let address =
                format!("{}/fhir/ServiceRequest/{}", hospital.host.address(), id(&entry["resource"]));
            assert_eq!((&entry["fullUrl"], &entry["search"]["mode"]), (&json!(address), &json!("match")));
            seen.push(id(&entry["resource"]).to_owned());
        }
        let links = bundle["link"].as_array().unwrap();
        assert_eq!(links[0]["url"], format!("{}{path}", hospital.host.address()));
        let Some(next) = links.iter().find(|link| link["relation"] == "next") else { break };
        // More is placed meanwhile, which a page by key does not mind.
        hospital.provider().places(ct_chest()).await;
        path = next["url"].as_str().unwrap().strip_prefix(&hospital.host.address()).unwrap().to_owned();
    }
    assert_eq!((seen, pages), (placed, 3));
    for (query, fault) in [
        ("_count=0", "structure _count must be a whole number from 1 to 100\n"),
        ("identifier=%7C", "structure identifier must be one identifier: system|value, or a value\n"),
        ("cursor=7", "structure cursor must be a UUID\n"),
        ("patient=", "structure patient must not be empty\n"),
        ("status=active", "structure status is not a parameter here\n"),
    ] {
        let reply = ehr(&hospital).get(&format!("/fhir/ServiceRequest?{query}")).await;
        assert_eq!(reply.expect_outcome(400, "malformed_request"), fault);
    }
}
