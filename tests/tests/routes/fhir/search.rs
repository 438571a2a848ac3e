use serde_json::{Value, json};
use tests::{
    Hospital, Reply,
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
async fn what_parts_parameters_is_part_of_an_identifier_too() {
    let hospital = Hospital::open().await;
    let ehr = ehr(&hospital);
    let order = resource(ehr.post("/fhir/ServiceRequest", request(r"E,1|2\3")).await, 201);
    let other = resource(ehr.post("/fhir/ServiceRequest", request("E")).await, 201);
    for (identifier, of) in
        [(r"urn:ehr:orders|E\,1\|2\\3", &order), (r"E\,1\|2\\3", &order), ("urn:ehr:orders|E", &other)]
    {
        let ask = ehr.request(reqwest::Method::GET, "/fhir/ServiceRequest");
        assert_eq!(
            found(Reply::of(ask.query(&[("identifier", identifier)])).await),
            [id(of)],
            "{identifier}"
        );
    }
}

#[tokio::test]
async fn a_report_that_was_altered_is_left_out_and_hides_no_other() {
    let hospital = Hospital::open().await;
    let (mut reports, kind) = (Vec::new(), "/fhir/DiagnosticReport");
    for _ in 0..3 {
        reports.insert(0, hospital.reports(&hospital.completed_study().await, "FINAL").await);
    }
    let altered = "update imaging.reports set content_hash = 'k1.AAAA' where id";
    hospital.execute(&format!("{altered} = '{}'", id(&reports[1]))).await;

    let bundle = resource(ehr(&hospital).get(&format!("{kind}?patient=MRN-1")).await, 200);

    let entries = bundle["entry"].as_array().unwrap();
    let modes: Vec<&Value> = entries.iter().map(|entry| &entry["search"]["mode"]).collect();
    assert_eq!(modes, ["match", "outcome", "match"]);
    assert_eq!(
        (id(&entries[0]["resource"]), id(&entries[2]["resource"])),
        (id(&reports[0]), id(&reports[2]))
    );
    let issue = &entries[1]["resource"]["issue"][0];
    assert_eq!((&issue["severity"], &issue["code"]), (&json!("warning"), &json!("suppressed")));
    assert_eq!(issue["diagnostics"], format!("DiagnosticReport/{}", id(&reports[1])));
    assert!(hospital.log().contains("a report does not say what its hash was taken of, and is not shown"));
    ehr(&hospital).get(&format!("{kind}/{}", id(&reports[1]))).await.expect_outcome(500, "internal_error");
    // The page that ends with it is read on behind it.
    let page = resource(ehr(&hospital).get(&format!("{kind}?patient=MRN-1&_count=2")).await, 200);
    let next = page["link"][1]["url"].as_str().unwrap().strip_prefix(&hospital.host.address()).unwrap();
    assert_eq!(found(ehr(&hospital).get(next).await), [id(&reports[2])]);
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
    // Whoever asks for more than a page holds gets a page.
    let copies = "insert into imaging.orders
         select (jsonb_populate_record(o, jsonb_build_object(
            'id', gen_random_uuid(), 'order_number', 'N-' || n, 'accession_number', 'N-' || n, 'sealed', '{}'::jsonb))).*
           from imaging.orders o, generate_series(1, 120) as n where o.id = (select id from imaging.orders limit 1)";
    hospital.execute(copies).await;
    let page = resource(ehr(&hospital).get("/fhir/ServiceRequest?_count=1000").await, 200);
    assert_eq!(page["entry"].as_array().unwrap().len(), 100);
    assert_eq!(page["link"][1]["relation"], "next");
    for (query, fault) in [
        ("_count=0", "structure _count must be a whole number from 1 to 4294967295\n"),
        ("identifier=%7C", "structure identifier must be one identifier: system|value, or a value\n"),
        ("cursor=7", "structure cursor must be a UUID\n"),
        ("patient=", "structure patient must not be empty\n"),
        ("status=active", "structure status is not a parameter here\n"),
    ] {
        let reply = ehr(&hospital).get(&format!("/fhir/ServiceRequest?{query}")).await;
        assert_eq!(reply.expect_outcome(400, "malformed_request"), fault);
    }
}
