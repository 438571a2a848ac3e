//! A day of a hospital, in one run: everything that the service can be asked is asked once by whom it is for.

use std::{cell::RefCell, collections::BTreeSet};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    actor::{critical_results, finding_of, report_of, study_of},
    contract::{Contract, Operation},
    hospital::{ct_chest, id, instance_of},
    reports,
};

/// Notes which operations of the document were asked for, and had what they were asked for.
struct Day {
    contract: Contract,
    done: RefCell<BTreeSet<Operation>>,
}

impl Day {
    async fn of(hospital: &Hospital) -> Self {
        let document = hospital.anonymous().get("/openapi.json").await.body;
        Self { contract: Contract::new(document), done: RefCell::default() }
    }

    async fn ask(&self, who: &Actor, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = who.request(method.clone(), path);
        self.send(method, path, body.iter().fold(request, |request, body| request.json(body))).await
    }

    async fn send(&self, method: Method, path: &str, request: RequestBuilder) -> Value {
        let reply = Reply::of(request).await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply}");
        let template = self.contract.path_of(path.split('?').next().unwrap());
        let template = template.unwrap_or_else(|| panic!("{path} is not described"));
        self.done.borrow_mut().insert(Operation { method: method.to_string(), path: template.to_owned() });
        reply.body.get("data").cloned().unwrap_or_default()
    }

    async fn get(&self, who: &Actor, path: &str) -> Value {
        self.ask(who, Method::GET, path, None).await
    }

    async fn post(&self, who: &Actor, path: &str, body: Value) -> Value {
        self.ask(who, Method::POST, path, Some(body)).await
    }

    async fn patch(&self, who: &Actor, path: &str, body: Value) -> Value {
        self.ask(who, Method::PATCH, path, Some(body)).await
    }

    async fn delete(&self, who: &Actor, path: &str) {
        self.ask(who, Method::DELETE, path, None).await;
    }
}

#[tokio::test]
async fn a_day_of_a_hospital_takes_every_endpoint_there_is() {
    // Nothing happens by itself here: storage and the timers are somebody who calls.
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let day = Day::of(&hospital).await;
    let (provider, scheduler, technologist, radiologist) =
        (hospital.provider(), hospital.scheduler(), hospital.technologist(), hospital.radiologist());
    let (admin, auditor, machine, nobody) =
        (hospital.somebody("admin"), hospital.somebody("auditor"), hospital.machine(), hospital.anonymous());

    // What it is, and whether it is well.
    for path in ["/", "/health", "/health/live", "/openapi.json", "/docs"] {
        day.get(&nobody, path).await;
    }

    // How critical results are followed here.
    let settings = day.get(&admin, "/api/settings/critical-results").await;
    assert_eq!(settings["settings"]["version"], 0);
    day.ask(&admin, Method::PUT, "/api/settings/critical-results", Some(critical_results())).await;

    // And what is done with images that nobody ordered: a person looks at them.
    day.get(&admin, "/api/settings/ingest").await;
    let settings = json!({"unscheduledStudies": false, "patientIdIssuers": ["HOSPITAL"]});
    day.ask(&admin, Method::PUT, "/api/settings/ingest", Some(settings)).await;

    // What of the reports of machines is a critical finding: here also whatever one of them finds.
    let mut rules = day.get(&admin, "/api/finding-rules").await["rules"]["rules"].take();
    rules.as_array_mut().unwrap().push(json!({
        "id": "bleed-detect", "name": "BleedDetect", "enabled": true, "severity": "HIGH", "category": "HEMORRHAGE",
        "matches": {"algorithms": [{"manufacturer": "Acme", "name": "BleedDetect"}]},
    }));
    day.ask(&admin, Method::PUT, "/api/finding-rules", Some(json!({"rules": rules}))).await;

    // Orders are placed; one is for another day, and one was a mistake.
    let order = day.post(&provider, "/api/imaging-orders", ct_chest()).await["order"].take();
    let mistake = day.post(&provider, "/api/imaging-orders", ct_chest()).await["order"].take();
    day.delete(&provider, &format!("/api/imaging-orders/{}", id(&mistake))).await;
    let order_path = format!("/api/imaging-orders/{}", id(&order));
    day.patch(&scheduler, &order_path, json!({"scheduledAt": "2026-12-24T08:00:00Z"})).await;
    day.get(&provider, &order_path).await;
    day.get(&scheduler, "/api/imaging-orders?modality=CT").await;
    day.get(&provider, "/api/imaging-orders/patient/MRN-1").await;

    // The patient arrives and is scanned: an image that is announced, and one that is not.
    let study = day.post(&technologist, "/api/studies", study_of(&order)).await["study"].take();
    let study_path = format!("/api/studies/{}", id(&study));
    day.patch(&technologist, &format!("{study_path}/status"), json!({"status": "ARRIVED"})).await;
    day.patch(&technologist, &study_path, json!({"stationName": "CT-2"})).await;
    let announced = json!({
        "seriesInstanceUID": "1.2.826.1", "sopInstanceUID": "1.2.826.1.1", "seriesNumber": 1, "instanceNumber": 1,
    });
    let registered = day.post(&technologist, &format!("{study_path}/images"), announced).await;
    let first = instance_of(&study).series("1.2.826.1").sop("1.2.826.1.1").number(1, 1).write().unwrap();
    hospital.send(&registered["upload"], first.clone()).await.expect_status(201);
    let offered = day.post(&technologist, "/api/uploads", json!({"count": 1})).await;
    let second = instance_of(&study).series("1.2.826.1").sop("1.2.826.1.2").number(1, 2).write().unwrap();
    hospital.send(&offered["uploads"][0]["upload"], second).await.expect_status(201);

    // Storage announces the first, once it has made sure who listens; the sweep finds the other.
    let handshake = nobody.request(Method::OPTIONS, "/events/blob");
    let handshake = handshake.header("webhook-request-origin", "eventgrid.azure.net");
    day.send(Method::OPTIONS, "/events/blob", handshake).await;
    let blob = registered["upload"]["url"].as_str().unwrap().split('?').next().unwrap();
    let event = json!([{
        "id": "1", "topic": "/t", "subject": "/s", "eventType": "Microsoft.Storage.BlobCreated", "dataVersion": "1",
        "metadataVersion": "1", "eventTime": "2026-11-24T08:00:00Z", "data": {"url": blob},
    }]);
    day.post(&machine, "/events/blob", event.clone()).await;
    let queued = json!({"Data": {"message": event.to_string()}, "Metadata": {}});
    day.post(&machine, "/blob-created", queued).await;
    day.post(&machine, "/tasks/sweep", json!({})).await;
    assert_eq!(hospital.settled(id(&offered["uploads"][0])).await["status"], "STORED");
    day.get(&technologist, "/api/ingest?status=STORED").await;
    day.get(&technologist, &format!("/api/ingest/{}", id(&offered["uploads"][0]))).await;

    // A third has another patient's number, typed in by mistake: somebody sees that, and says so.
    let offered = day.post(&technologist, "/api/uploads", json!({"count": 1})).await;
    let third = instance_of(&study).patient("MRN-7", "Doe^Jane").sop("1.2.826.1.3").write().unwrap();
    hospital.send(&offered["uploads"][0]["upload"], third).await.expect_status(201);
    day.post(&machine, "/tasks/sweep", json!({})).await;
    let held = format!("/api/ingest/{}", id(&offered["uploads"][0]));
    assert_eq!(day.get(&technologist, &held).await["ingest"]["reason"], "another_patient");
    let resolved = day.post(&technologist, &format!("{held}/resolve"), json!({"action": "REJECT"})).await;
    assert_eq!(resolved["ingest"]["status"], "QUARANTINED");

    // Software has looked at the images as well, and states what it has found.
    let offered = day.post(&technologist, "/api/uploads", json!({"count": 1})).await;
    let stated = reports::about(&study, "hemorrhage-found-by-software").unwrap();
    hospital.send(&offered["uploads"][0]["upload"], stated).await.expect_status(201);
    day.post(&machine, "/tasks/sweep", json!({})).await;
    let stated = hospital.settled(id(&offered["uploads"][0])).await["imageId"].take();
    let found = day.get(&radiologist, &format!("/api/critical-findings/study/{}", id(&study))).await;
    let stated_finding = id(&found["findings"][0]).to_owned();
    assert_eq!(
        (&found["findings"][0]["source"], &found["findings"][0]["severity"]),
        (&json!("DICOM"), &json!("CRITICAL"))
    );
    let trial = day.post(&admin, "/api/finding-rules/dry-run", json!({"imageId": stated})).await;
    assert_eq!(trial["raised"][0]["alreadyRaised"], true);
    day.delete(&radiologist, &format!("/api/images/{}", stated.as_str().unwrap())).await;

    // Who may looks at the images. One of them is no good.
    let images = day.get(&radiologist, &format!("{study_path}/images")).await["images"].take();
    assert_eq!(images.as_array().unwrap().len(), 2);
    let image_path = format!("/api/images/{}", id(&images[0]));
    day.get(&radiologist, &format!("{study_path}/series/1.2.826.1/images")).await;
    day.get(&radiologist, &image_path).await;
    let url = day.get(&radiologist, &format!("{image_path}/url")).await;
    assert_eq!(hospital.fetch(url["url"].as_str().unwrap()).await, first);
    day.patch(&technologist, &format!("{image_path}/metadata"), json!({"metadata": {"note": "x"}})).await;
    day.delete(&technologist, &format!("/api/images/{}", id(&images[1]))).await;
    day.patch(&technologist, &format!("{study_path}/status"), json!({"status": "COMPLETED"})).await;
    day.get(&radiologist, "/api/studies?status=COMPLETED").await;
    day.get(&radiologist, &study_path).await;
    let accession = study["accessionNumber"].as_str().unwrap();
    day.get(&radiologist, &format!("/api/studies/accession/{accession}")).await;

    // The radiologist reads it: a draft that is thrown away, one that is signed and, later, mended.
    let draft = day.post(&radiologist, "/api/reports", report_of(&study)).await["report"].take();
    day.delete(&radiologist, &format!("/api/reports/{}", id(&draft))).await;
    let report = day.post(&radiologist, "/api/reports", report_of(&study)).await["report"].take();
    let report_path = format!("/api/reports/{}", id(&report));
    day.patch(&radiologist, &report_path, json!({"recommendations": "Follow up in six weeks"})).await;
    day.post(&radiologist, &format!("{report_path}/sign"), json!({})).await;
    day.post(&radiologist, &format!("{report_path}/amend"), json!({"amendmentReason": "The side was wrong"}))
        .await;
    let read = day.get(&provider, &report_path).await["report"].take();
    assert_eq!((&read["status"], &read["contentVersion"]), (&json!("AMENDED"), &json!(4)));
    let signed = day.get(&provider, &format!("{report_path}/versions/3")).await["report"].take();
    assert_eq!(signed["status"], "FINAL");
    day.get(&provider, &format!("/api/reports/study/{}", id(&study))).await;
    day.get(&radiologist, "/api/reports/radiologist/radiologist-1").await;
    assert_eq!(day.get(&radiologist, &study_path).await["study"]["status"], "FINAL");

    // What cannot wait: whom it is not for says so, and the provider takes it on.
    let mut found = finding_of(&study, "CRITICAL");
    found["notifiedTo"] = json!(["provider-2"]);
    let finding = day.post(&radiologist, "/api/critical-findings", found).await["finding"].take();
    let finding_path = format!("/api/critical-findings/{}", id(&finding));
    let pending = day.get(&provider, "/api/critical-findings/pending").await;
    // What the software has stated came first.
    assert_eq!(id(&pending["findings"][1]), id(&finding));
    let other = hospital.somebody_with("provider", |claims| claims.id = "provider-2".to_owned());
    day.post(&other, &format!("{finding_path}/decline"), json!({"reason": "Not on duty"})).await;
    let read_back = json!({"readBack": "Pneumothorax left, understood"});
    day.post(&provider, &format!("{finding_path}/acknowledge"), read_back).await;
    day.patch(&provider, &finding_path, json!({"followUpStatus": "COMPLETED", "notes": "Call the ward"}))
        .await;
    assert_eq!(day.get(&provider, &finding_path).await["finding"]["status"], "CLOSED");
    day.get(&radiologist, "/api/critical-findings").await;
    day.get(&radiologist, "/api/critical-findings/severity/CRITICAL").await;
    day.get(&radiologist, &format!("/api/critical-findings/study/{}", id(&study))).await;
    let figures = day.get(&admin, "/api/critical-findings/metrics").await;
    assert!(figures["metrics"].is_object() || figures["metrics"].is_array(), "{figures}");

    // What could not be told waits for somebody to see to it.
    let dead = hospital.gives_up_telling(&finding).await;
    day.post(&machine, "/tasks/dispatch", json!({})).await;
    let listed = day.get(&admin, "/api/deliveries?state=dead").await;
    assert_eq!(id(&listed["deliveries"][0]), dead);
    day.post(&admin, &format!("/api/deliveries/{dead}/retry"), json!({})).await;

    // The EHR takes part in all of it: it orders, reads, says who the patient is and that a finding was taken on.
    let ehr = hospital.service();
    day.get(&nobody, "/fhir/metadata").await;
    let ordered = json!({
        "resourceType": "ServiceRequest", "identifier": [{"system": "urn:ehr:orders", "value": "E-1"}], "status": "active",
        "intent": "order", "subject": {"reference": "Patient/MRN-1"}, "requester": {"reference": "Practitioner/provider-1"},
        "code": {"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]},
        "locationReference": [{"reference": "Location/fac-1"}], "bodySite": [{"text": "CHEST"}],
        "reasonCode": [{"text": "Persistent cough for six weeks"}],
    });
    day.post(&ehr, "/fhir/ServiceRequest", ordered).await;
    for (kind, thing) in [("ServiceRequest", &order), ("ImagingStudy", &study), ("DiagnosticReport", &report)]
    {
        day.get(&ehr, &format!("/fhir/{kind}?patient=MRN-1")).await;
        day.get(&ehr, &format!("/fhir/{kind}/{}", id(thing))).await;
    }
    let doe =
        json!({"resourceType": "Patient", "id": "MRN-1", "name": [{"family": "Doe", "given": ["Jane"]}]});
    day.post(&ehr, "/fhir/Patient", doe).await;
    let seen = json!({
        "resourceType": "Communication", "status": "completed", "sender": {"reference": "Practitioner/provider-1"},
        "about": [{"reference": format!("DetectedIssue/{stated_finding}")}],
        "payload": [{"contentString": "Pneumothorax left, understood"}],
    });
    day.post(&ehr, "/fhir/Communication", seen).await;

    // In the evening somebody sees what was done, and that nobody can undo it.
    day.post(&machine, "/tasks/seal", json!({})).await;
    let events = day.get(&auditor, "/api/audit-events?patientId=MRN-1&limit=100").await;
    assert!(events["pagination"]["total"].as_u64().unwrap() > 30, "{events}");

    let done = day.done.borrow();
    let left: Vec<_> =
        day.contract.operations().into_iter().filter(|operation| !done.contains(operation)).collect();
    assert!(left.is_empty(), "never asked: {left:?}");
}
