//! Every endpoint, asked by every role about what is their own, another facility's, another patient's and another
//! organization's. What is expected follows from the table of rights (`domain::Role::may`), which a snapshot pins.

use std::collections::BTreeSet;

use domain::{Extent, FindingRules, Right, Role};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Actor, Hospital, Reply,
    actor::{critical_results, finding_of, report_of, study_of},
    contract::{Contract, Operation},
    hospital::{ct_chest, id},
    reports,
};

/// The endpoints that take a person's token, each with the right to see what it is about and the right to act on it.
/// A name in braces is filled in; `list` answers with what may be seen, and nothing else; `within` names a thing in
/// its body, which is not accepted when it is another organization's; `here` is about the organization itself.
const ENDPOINTS: &str = "
    POST   /api/imaging-orders                        order.place      order.place         place
    GET    /api/imaging-orders                        order.read       order.read          list order
    GET    /api/imaging-orders/{orderId}              order.read       order.read          one
    PATCH  /api/imaging-orders/{orderId}              order.read       order.hurry         one
    DELETE /api/imaging-orders/{orderId}              order.read       order.cancel        one
    GET    /api/imaging-orders/patient/{patientId}    order.read       order.read          list order
    POST   /api/studies                               study.register   study.register      within
    GET    /api/studies                               study.read       study.read          list study
    GET    /api/studies/{studyId}                     study.read       study.read          one
    PATCH  /api/studies/{studyId}                     study.read       study.move          one
    PATCH  /api/studies/{studyId}/status              study.read       study.move          one
    GET    /api/studies/accession/{accessionNumber}   study.read       study.read          one
    GET    /api/studies/{studyId}/images              image.read       image.read          one
    POST   /api/studies/{studyId}/images              study.read       image.upload        one
    GET    /api/studies/{studyId}/series/{seriesUID}/images  image.read  image.read        one
    GET    /api/images/{imageId}                      image.read       image.read          one
    DELETE /api/images/{imageId}                      image.remove     image.remove        one
    GET    /api/images/{imageId}/url                  image.read       image.read          one
    PATCH  /api/images/{imageId}/metadata             image.upload     image.upload        one
    POST   /api/uploads                               image.upload     image.upload        here
    GET    /api/ingest                                image.upload     image.upload        list upload
    GET    /api/ingest/{uploadId}                     image.upload     image.upload        one
    POST   /api/ingest/{uploadId}/resolve             upload.resolve   upload.resolve      one
    POST   /api/reports                               report.write     report.write        within
    GET    /api/reports/{reportId}                    report.read      report.read         one
    PATCH  /api/reports/{reportId}                    report.read      report.write        one
    DELETE /api/reports/{reportId}                    report.read      report.write        one
    POST   /api/reports/{reportId}/sign               report.read      report.sign         one
    POST   /api/reports/{reportId}/amend              report.read      report.sign         one
    GET    /api/reports/{reportId}/versions/{contentVersion}  report.read      report.read         one
    GET    /api/reports/study/{studyId}               report.read      report.read         one
    GET    /api/reports/radiologist/{radiologistId}   report.read      report.read         list report
    POST   /api/critical-findings                     finding.raise    finding.raise       within
    GET    /api/critical-findings                     finding.read     finding.read        list finding
    GET    /api/critical-findings/pending             finding.read     finding.read        list finding
    GET    /api/critical-findings/severity/{severity} finding.read     finding.read        list finding
    GET    /api/critical-findings/study/{studyId}     finding.read     finding.read        one
    GET    /api/critical-findings/metrics             finding.figures  finding.figures     here
    GET    /api/critical-findings/{findingId}         finding.read     finding.read        one
    PATCH  /api/critical-findings/{findingId}         finding.read     finding.acknowledge one
    POST   /api/critical-findings/{findingId}/acknowledge  finding.read  finding.acknowledge  one
    POST   /api/critical-findings/{findingId}/decline finding.read     finding.acknowledge one
    GET    /api/audit-events                          audit.read       audit.read          here
    GET    /api/finding-rules                         settings.administer  settings.administer  here
    PUT    /api/finding-rules                         settings.administer  settings.administer  here
    POST   /api/finding-rules/dry-run                 settings.administer  settings.administer  within
    GET    /api/settings/critical-results             settings.administer  settings.administer  here
    PUT    /api/settings/critical-results             settings.administer  settings.administer  here
    GET    /fhir/ServiceRequest                       fhir.exchange    fhir.exchange       list order
    POST   /fhir/ServiceRequest                       fhir.exchange    fhir.exchange       place
    GET    /fhir/ServiceRequest/{orderId}             fhir.exchange    fhir.exchange       one
    GET    /fhir/ImagingStudy                         fhir.exchange    fhir.exchange       list study
    GET    /fhir/ImagingStudy/{studyId}               fhir.exchange    fhir.exchange       one
    GET    /fhir/DiagnosticReport                     fhir.exchange    fhir.exchange       list report
    GET    /fhir/DiagnosticReport/{reportId}          fhir.exchange    fhir.exchange       one
    POST   /fhir/Patient                              fhir.exchange    fhir.exchange       here
    POST   /fhir/Communication                        fhir.exchange    fhir.exchange       one
    GET    /api/settings/ingest                       settings.administer  settings.administer  here
    PUT    /api/settings/ingest                       settings.administer  settings.administer  here
    GET    /api/deliveries                            settings.administer  settings.administer  here
    POST   /api/deliveries/{deliveryId}/retry         settings.administer  settings.administer  one
";

/// Endpoints without a person's token: for everybody, or for machines with their key.
const OPEN: [&str; 12] = [
    "GET /",
    "GET /health",
    "GET /health/live",
    "GET /openapi.json",
    "GET /docs",
    "GET /fhir/metadata",
    "OPTIONS /events/blob",
    "POST /events/blob",
    "POST /blob-created",
    "POST /tasks/sweep",
    "POST /tasks/seal",
    "POST /tasks/dispatch",
];

/// Whose a thing is, seen from those who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    OtherFacility,
    OtherPatient,
    OtherOrganization,
}

const EVERYBODYS: [Whose; 4] =
    [Whose::Own, Whose::OtherFacility, Whose::OtherPatient, Whose::OtherOrganization];

impl Whose {
    fn order(self) -> Value {
        let (facility, provider, patient) = match self {
            Self::Own | Self::OtherOrganization => ("fac-1", "provider-1", "MRN-1"),
            Self::OtherFacility => ("fac-2", "provider-9", "MRN-1"),
            Self::OtherPatient => ("fac-1", "provider-9", "MRN-2"),
        };
        let mut order = ct_chest();
        order["facilityId"] = json!(facility);
        order["providerId"] = json!(provider);
        order["patientId"] = json!(patient);
        order
    }

    /// Whether a right of this extent holds here.
    fn is_within(self, extent: Extent) -> bool {
        match extent {
            Extent::Nothing => false,
            // All the reports here name the radiologist who asks.
            Extent::Organization | Extent::OwnReports => self != Self::OtherOrganization,
            Extent::Facilities | Extent::OwnOrdersAndFacilities => {
                matches!(self, Self::Own | Self::OtherPatient)
            }
            Extent::OwnOrders => self == Self::Own,
            Extent::OwnPatient | Extent::OwnPatientWhenFinal => {
                matches!(self, Self::Own | Self::OtherFacility)
            }
        }
    }
}

/// A study from the order to the finding, all of it there.
struct Case {
    order: Value,
    study: Value,
    image: String,
    upload: String,
    report: Value,
    finding: Value,
    /// The image that is a structured report.
    stated: Value,
    /// A message that was given up.
    delivery: String,
}

impl Case {
    async fn of(hospital: &Hospital, whose: Whose, number: usize) -> Self {
        let organization = if whose == Whose::OtherOrganization { "org-2" } else { "org-1" };
        let somebody =
            |role| hospital.somebody_with(role, |claims| claims.organization_id = organization.to_owned());
        let (service, radiologist) = (somebody("service"), somebody("radiologist"));
        let order = service.places(whose.order()).await;
        let study = service.registers(&order).await;
        let registered = service.post(&format!("/api/studies/{}/images", id(&study)), instance(number)).await;
        let mut registered = registered.expect(201);
        hospital
            .execute(&format!(
                "update imaging.images set status = 'STORED' where id = '{}'",
                id(&registered["image"])
            ))
            .await;
        let stated = stated(hospital, &service, &study).await;
        hospital.completes(&study).await;
        let report = radiologist.writes(report_of(&study)).await;
        radiologist.signs(&report).await.expect_status(200);
        let finding = service.raises(finding_of(&study, "HIGH")).await;
        let upload = registered["image"]["storageUrl"].as_str().unwrap().rsplit('/').next().unwrap();
        let upload = upload.trim_end_matches(".dcm").to_owned();
        let image = id(&registered["image"].take()).to_owned();
        let delivery = hospital.gives_up_telling(&finding).await;
        Self { order, study, image, upload, report, finding, stated, delivery }
    }

    fn fill(&self, path: &str) -> String {
        path.replace("{orderId}", id(&self.order))
            .replace("{studyId}", id(&self.study))
            .replace("{imageId}", &self.image)
            .replace("{uploadId}", &self.upload)
            .replace("{reportId}", id(&self.report))
            .replace("{findingId}", id(&self.finding))
            .replace("{deliveryId}", &self.delivery)
            .replace("{patientId}", self.order["patientId"].as_str().unwrap())
            .replace("{accessionNumber}", self.study["accessionNumber"].as_str().unwrap())
            .replace("{seriesUID}", "1.2.3")
            .replace("{radiologistId}", "radiologist-1")
            .replace("{severity}", "HIGH")
            .replace("{contentVersion}", "2")
    }

    fn id_of(&self, noun: &str) -> &str {
        match noun {
            "order" => id(&self.order),
            "study" => id(&self.study),
            "report" => id(&self.report),
            "finding" => id(&self.finding),
            _ => &self.upload,
        }
    }

    fn body(&self, operation: &str, whose: Whose, number: usize) -> Option<Value> {
        Some(match operation {
            "POST /api/imaging-orders" => whose.order(),
            "PATCH /api/imaging-orders/{orderId}" => json!({"priority": "STAT"}),
            "DELETE /api/imaging-orders/{orderId}" => json!({"reason": "Asked to"}),
            "POST /api/studies" => study_of(&self.order),
            "PATCH /api/studies/{studyId}" => json!({"stationName": "CT-2"}),
            "PATCH /api/studies/{studyId}/status" => {
                json!({"status": "IN_PROGRESS", "reason": "A view is missing"})
            }
            "POST /api/studies/{studyId}/images" => instance(number),
            "PATCH /api/images/{imageId}/metadata" => json!({"metadata": {"note": "x"}}),
            "POST /api/uploads" => json!({"count": 1}),
            "POST /api/reports" => report_of(&self.study),
            "PATCH /api/reports/{reportId}" => json!({"impression": "Community acquired pneumonia"}),
            "POST /api/reports/{reportId}/sign" => json!({}),
            "POST /api/reports/{reportId}/amend" => json!({"amendmentReason": "The side was wrong"}),
            "POST /api/critical-findings" => finding_of(&self.study, "LOW"),
            "PATCH /api/critical-findings/{findingId}" => json!({"notes": "Call the ward"}),
            "POST /api/critical-findings/{findingId}/acknowledge" => json!({}),
            "POST /api/critical-findings/{findingId}/decline" => json!({"reason": "Not on duty"}),
            "PUT /api/finding-rules" => json!(FindingRules::default()),
            "POST /api/finding-rules/dry-run" => json!({"imageId": self.stated}),
            "PUT /api/settings/critical-results" => critical_results(),
            "POST /fhir/ServiceRequest" => json!({
                "resourceType": "ServiceRequest", "status": "active", "intent": "order",
                "identifier": [{"system": "urn:ehr:orders", "value": format!("E-{number}")}],
                "code": {"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]},
                "subject": {"reference": "Patient/MRN-1"}, "requester": {"reference": "Practitioner/provider-1"},
                "locationReference": [{"reference": "Location/fac-1"}], "bodySite": [{"text": "CHEST"}],
                "reasonCode": [{"text": "Persistent cough for six weeks"}],
            }),
            "POST /fhir/Patient" => json!({"resourceType": "Patient", "id": "MRN-1", "gender": "female"}),
            "POST /fhir/Communication" => json!({
                "resourceType": "Communication", "status": "completed",
                "about": [{"reference": format!("DetectedIssue/{}", id(&self.finding))}],
                "sender": {"reference": format!("Practitioner/{}", self.order["providerId"].as_str().unwrap())},
            }),
            "PUT /api/settings/ingest" => json!({"unscheduledStudies": true, "patientIdIssuers": []}),
            "POST /api/ingest/{uploadId}/resolve" => json!({"action": "RETRY"}),
            _ => return None,
        })
    }
}

/// A structured report that states nothing to act on: its image, once storage has announced it.
async fn stated(hospital: &Hospital, service: &Actor, study: &Value) -> Value {
    let offered = service.post("/api/uploads", json!({"count": 1})).await.expect(201);
    let offer = &offered["uploads"][0];
    let report = reports::about(study, "hemorrhage-absent").unwrap();
    hospital.send(&offer["upload"], report).await.expect_status(201);
    let url = offer["upload"]["url"].as_str().unwrap().split('?').next();
    let event = json!({"eventType": "Microsoft.Storage.BlobCreated", "data": {"url": url}});
    hospital.machine().post("/events/blob", json!([event])).await.expect_status(200);
    service.get(&format!("/api/ingest/{}", id(offer))).await.expect(200)["ingest"]["imageId"].take()
}

fn instance(number: usize) -> Value {
    json!({
        "seriesInstanceUID": "1.2.3", "sopInstanceUID": format!("1.2.3.{number}"), "seriesNumber": 1, "instanceNumber": 1,
    })
}

struct Endpoint {
    method: Method,
    path: &'static str,
    see: &'static str,
    act: &'static str,
    about: Vec<&'static str>,
}

fn endpoints() -> Vec<Endpoint> {
    let rows = ENDPOINTS.lines().map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| {
        let mut words = row.split_whitespace();
        let mut next = || words.next().unwrap();
        let (method, path, see, act) = (next().parse().unwrap(), next(), next(), next());
        Endpoint { method, path, see, act, about: words.collect() }
    })
    .collect()
}

fn extent(role: Role, right: &str) -> Extent {
    // Who places orders hurries them, and so does who schedules them.
    if right == "order.hurry" {
        let place = role.may(Right::PlaceOrder);
        return if place == Extent::Nothing { role.may(Right::ScheduleOrder) } else { place };
    }
    let right = Right::ALL.iter().find(|known| known.as_str() == right).unwrap();
    role.may(*right)
}

/// What is expected: the statuses, of which any will do, and whether a list shows the thing.
fn expected(endpoint: &Endpoint, role: Role, whose: Whose) -> (&'static [u16], bool) {
    // Whether it is done depends on where the thing stands; that it might be is what a right gives.
    const PASSED: &[u16] = &[200, 201, 204, 409, 412];
    let (see, act) = (extent(role, endpoint.see), extent(role, endpoint.act));
    if act == Extent::Nothing {
        return (&[403], false);
    }
    let seen = whose.is_within(see);
    match endpoint.about[0] {
        "here" => (PASSED, false),
        "list" => (&[200], seen),
        // At a facility that is not the caller's nobody places anything; whose patient it is does not matter.
        "place" => {
            let may = whose.is_within(act) || whose == Whose::OtherOrganization;
            (if may { PASSED } else { &[403] }, false)
        }
        "within" => (if seen { PASSED } else { &[422] }, false),
        _ if !seen => (&[404], false),
        _ if !whose.is_within(act) => (&[403], false),
        _ => (PASSED, false),
    }
}

fn somebody(hospital: &Hospital, role: Role) -> Actor {
    hospital.somebody_with(role.as_str(), |claims| {
        // No permission beside the role adds to it.
        claims.permissions = vec!["*".to_owned()];
        claims.patient_id = (role == Role::Patient).then(|| "MRN-1".to_owned());
    })
}

#[tokio::test]
async fn every_endpoint_grants_every_role_what_the_table_of_rights_says_of_everybodys_things() {
    let hospital = Hospital::open_with(|settings| settings.timers.clear()).await;
    let mut cases = Vec::new();
    for whose in EVERYBODYS {
        cases.push((whose, Case::of(&hospital, whose, cases.len()).await));
    }
    let mut cells = 0;
    for endpoint in endpoints() {
        let operation = format!("{} {}", endpoint.method, endpoint.path);
        for role in Role::ALL {
            let actor = somebody(&hospital, *role);
            for (whose, case) in &cases {
                cells += 1;
                let path = match endpoint.about[0] {
                    "list" if endpoint.path.starts_with("/fhir/") => {
                        format!("{}?_count=100", case.fill(endpoint.path))
                    }
                    "list" => format!("{}?limit=100", case.fill(endpoint.path)),
                    _ => case.fill(endpoint.path),
                };
                let path = if endpoint.path.contains("/patient/") { case.fill(endpoint.path) } else { path };
                // A version that is never current: who may act is told so, and nothing is changed for the next.
                let mut request = actor.request(endpoint.method.clone(), &path).header("if-match", "\"0\"");
                if let Some(body) = case.body(&operation, *whose, 100 + cells) {
                    request = request.json(&body);
                }
                let reply = Reply::of(request).await;
                let (statuses, shown) = expected(&endpoint, *role, *whose);
                assert!(statuses.contains(&reply.status), "{role}: {operation} {whose:?}: {reply}");
                if let ("list", 200) = (endpoint.about[0], reply.status) {
                    let named = reply.text.contains(&format!("\"id\":\"{}\"", case.id_of(endpoint.about[1])));
                    assert_eq!(named, shown, "{role}: {operation} {whose:?}: {reply}");
                }
            }
        }
    }
    println!("{cells} cells of endpoint, role and owner");
}

#[tokio::test]
async fn no_endpoint_is_without_its_row() {
    let hospital = Hospital::open().await;
    let document = hospital.anonymous().get("/openapi.json").await.body;
    let rows: BTreeSet<String> =
        endpoints().iter().map(|endpoint| format!("{} {}", endpoint.method, endpoint.path)).collect();
    let described: BTreeSet<String> = Contract::new(document)
        .operations()
        .into_iter()
        .map(|Operation { method, path }| format!("{method} {path}"))
        .filter(|operation| !OPEN.contains(&operation.as_str()))
        .collect();
    assert_eq!(rows, described);
}
