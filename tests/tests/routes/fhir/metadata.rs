use insta::assert_snapshot;
use tests::Hospital;

use super::resource;

#[tokio::test]
async fn anybody_may_ask_what_can_be_asked() {
    let hospital = Hospital::open().await;
    let statement = resource(hospital.anonymous().get("/fhir/metadata").await, 200);
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["implementation"]["url"], format!("{}/fhir", hospital.host.address()));
    let lines: Vec<String> = statement["rest"][0]["resource"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| {
            let codes = of["interaction"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap());
            let versioning = of["versioning"].as_str().unwrap_or("-");
            format!(
                "{}: {} ({versioning})",
                of["type"].as_str().unwrap(),
                codes.collect::<Vec<_>>().join(" ")
            )
        })
        .collect();
    assert_snapshot!(lines.join("\n"), @r"
    ServiceRequest: read search-type create (versioned)
    ImagingStudy: read search-type (no-version)
    DiagnosticReport: read search-type (versioned)
    Patient: create (-)
    Communication: create (-)
    ");
    for format in ["json", "application/fhir+json", "application/fhir%2Bjson"] {
        resource(hospital.anonymous().get(&format!("/fhir/metadata?_format={format}")).await, 200);
    }
    hospital.anonymous().get("/fhir/metadata?_format=xml").await.expect_outcome(400, "malformed_request");
}
