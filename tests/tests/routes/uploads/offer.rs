use std::collections::{BTreeMap, BTreeSet};

use azure_core::{auth::Secret, date::parse_rfc3339};
use azure_storage::shared_access_signature::{
    SasProtocol, SasToken,
    service_sas::{BlobSasPermissions, BlobSharedAccessSignature, BlobSignedResource},
};
use insta::assert_snapshot;
use reqwest::Url;
use serde_json::json;
use tests::{Hospital, hospital::id};

const PATH: &str = "/api/uploads";

#[tokio::test]
async fn as_many_uploads_are_offered_as_were_asked_for() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    for (body, count) in [(json!({}), 1), (json!({"count": 1}), 1), (json!({"count": 1000}), 1000)] {
        let reply = technologist.post(PATH, body).await;
        assert_eq!(reply.header("location"), "/api/ingest");
        let offered = reply.expect(201);
        let uploads = offered["uploads"].as_array().unwrap();
        assert_eq!(uploads.len(), count);
        let urls: BTreeSet<&str> =
            uploads.iter().map(|offer| offer["upload"]["url"].as_str().unwrap()).collect();
        assert_eq!(urls.len(), count);
        for offer in uploads {
            assert!(
                offer["upload"]["url"].as_str().unwrap().contains(&format!("/{}.dcm?", id(offer))),
                "{offer}"
            );
            assert_eq!(offer["upload"]["method"], "PUT");
            assert_eq!(
                offer["upload"]["headers"],
                json!({"x-ms-blob-type": "BlockBlob", "content-type": "application/dicom"})
            );
        }
    }
    assert_eq!(hospital.sql("select count(*)::text from imaging.uploads").await.as_deref(), Some("1002"));
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let technologist = hospital.technologist();
    for count in [json!(0), json!(1001), json!(-1), json!(1.5), json!("many"), json!([])] {
        let reply = technologist.post(PATH, json!({"count": count})).await;
        assert_eq!(reply.expect_invalid(), "count must be a whole number from 1 to 1000\n", "{count}");
    }
    assert_snapshot!(technologist.post(PATH, json!({"count": 0, "studyId": "x"})).await.expect_invalid(), @r"
    count must be a whole number from 1 to 1000
    studyId is not a field that can be set here
    ");
}

/// What is signed of a SAS, as Azure documents it for the versions of storage since 2020-12-06, from its parameters.
fn signed(parameters: &BTreeMap<String, String>, resource: &str) -> String {
    let of = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    [
        of("sp"),
        of("st"),
        of("se"),
        resource,
        of("si"),
        of("sip"),
        of("spr"),
        of("sv"),
        of("sr"),
        "",
        of("ses"),
        of("rscc"),
        of("rscd"),
        of("rsce"),
        of("rscl"),
        of("rsct"),
    ]
    .join("\n")
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    Url::parse(&format!("http://storage/?{query}")).unwrap().query_pairs().into_owned().collect()
}

#[tokio::test]
async fn a_url_is_signed_as_azures_own_client_signs() {
    // As in production, where a URL is for https only.
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.variables.insert("development".to_owned(), "false".to_owned());
    })
    .await;
    let connection = hospital.setting("azure_storage_connection_string");
    let of_connection = |name: &str| {
        connection.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap().to_owned()
    };
    let key = Secret::new(of_connection("AccountKey"));
    let container = hospital.setting("azure_storage_container_name");

    let offered = hospital.technologist().post(PATH, json!({})).await.expect(201);
    let study = hospital.registered_study().await;
    let instance = json!({"seriesInstanceUID": "1.2.3", "sopInstanceUID": "1.2.3.4", "seriesNumber": 1, "instanceNumber": 1});
    let images = format!("/api/studies/{}/images", id(&study));
    let registered = hospital.technologist().post(&images, instance).await.expect(201);
    hospital.execute("update imaging.images set status = 'STORED'").await;
    let url = format!("/api/images/{}/url?expires=60", id(&registered["image"]));
    let granted = hospital.radiologist().get(&url).await.expect(200);
    for (url, permissions) in [
        (&offered["uploads"][0]["upload"]["url"], BlobSasPermissions { create: true, ..Default::default() }),
        (&registered["upload"]["url"], BlobSasPermissions { create: true, ..Default::default() }),
        (&granted["url"], BlobSasPermissions { read: true, ..Default::default() }),
    ] {
        let url = Url::parse(url.as_str().unwrap()).unwrap();
        let ours = parameters(url.query().unwrap());
        let blob = url.path().split_once(&format!("/{container}/")).unwrap().1.to_owned();
        let resource = format!("/blob/{}/{container}/{blob}", of_connection("AccountName"));

        let theirs = BlobSharedAccessSignature::new(
            key.clone(),
            resource.clone(),
            permissions,
            parse_rfc3339(&ours["se"]).unwrap(),
            BlobSignedResource::Blob,
        )
        .start(parse_rfc3339(&ours["st"]).unwrap())
        .protocol(SasProtocol::Https)
        .token()
        .unwrap();
        let theirs = parameters(&theirs);

        // Their client signs for a version of its own, which is signed too. All else is alike.
        let without = |parameters: &BTreeMap<String, String>| {
            parameters
                .clone()
                .into_iter()
                .filter(|(name, _)| !["sv", "sig"].contains(&name.as_str()))
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(without(&ours), without(&theirs));
        // And what is signed is the same text, but for that version.
        for parameters in [&ours, &theirs] {
            let signature = azure_core::hmac::hmac_sha256(&signed(parameters, &resource), &key).unwrap();
            assert_eq!(parameters["sig"], signature, "sv={}", parameters["sv"]);
        }
    }
}
