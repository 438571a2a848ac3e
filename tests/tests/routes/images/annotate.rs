use insta::assert_snapshot;
use reqwest::Method;
use serde_json::json;
use tests::{Hospital, Reply, hospital::id};

#[tokio::test]
async fn metadata_is_merged_and_null_takes_a_member_out() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}", id(&image));
    let annotate = async |metadata| {
        let reply =
            hospital.technologist().patch(&format!("{path}/metadata"), json!({"metadata": metadata})).await;
        let etag = reply.header("etag").to_owned();
        let image = reply.expect(200)["image"].take();
        assert_eq!(etag, format!("\"{}\"", image["version"]));
        image
    };

    let first = annotate(json!({"note": "Motion", "quality": {"score": 3}, "gone": true})).await;
    let second = annotate(json!({"quality": 4, "gone": null, "never": null})).await;
    assert_eq!(second["version"].as_u64(), first["version"].as_u64().map(|version| version + 1));
    let mut expected = image["metadata"].clone();
    expected["note"] = json!("Motion");
    expected["quality"] = json!(4);
    assert_eq!(second["metadata"], expected);
    assert_eq!(hospital.radiologist().get(&path).await.expect(200)["image"]["metadata"], expected);
    // The study counts changes of its own only.
    let study =
        hospital.technologist().get(&format!("/api/studies/{}", second["studyId"].as_str().unwrap())).await;
    assert_eq!(study.expect(200)["study"]["numberOfInstances"], 1);
}

#[tokio::test]
async fn what_the_file_says_is_not_changed_by_hand() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}", id(&image));
    let tags: Vec<&String> = image["metadata"].as_object().unwrap().keys().collect();
    assert!(tags.len() > 3, "{image}");
    for tag in tags {
        for value in [json!("other"), json!(null)] {
            let reply = hospital
                .technologist()
                .patch(&format!("{path}/metadata"), json!({"metadata": {tag: value, "note": "x"}}))
                .await;
            assert_eq!(
                reply.expect_invalid(),
                format!("metadata.{tag} was read from the DICOM file and cannot be changed\n")
            );
        }
    }
    assert_eq!(hospital.radiologist().get(&path).await.expect(200)["image"], image);
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}/metadata", id(&image));
    let technologist = hospital.technologist();
    assert_snapshot!(technologist.patch(&path, json!({})).await.expect_invalid(), @"metadata is required");
    assert_snapshot!(technologist.patch(&path, json!({"metadata": [], "rows": 3})).await.expect_invalid(), @r"
    metadata must be an object
    rows is not a field that can be set here
    ");
}

#[tokio::test]
async fn of_many_who_write_at_once_nobodys_member_is_lost() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}", id(&image));
    let technologist = hospital.technologist();
    let replies = futures::future::join_all((0..4).map(|number| {
        let (technologist, path) = (technologist.clone(), path.clone());
        async move {
            technologist
                .patch(&format!("{path}/metadata"), json!({"metadata": {format!("note{number}"): number}}))
                .await
        }
    }))
    .await;
    for reply in replies {
        reply.expect_status(200);
    }
    let read = technologist.get(&path).await.expect(200)["image"].take();
    for number in 0..4 {
        assert_eq!(read["metadata"][format!("note{number}")], number);
    }
}

#[tokio::test]
async fn only_the_version_that_was_read_is_changed() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let patch = |etag: String| {
        let path = format!("/api/images/{}/metadata", id(&image));
        let request = hospital.technologist().request(Method::PATCH, &path).header("if-match", etag);
        Reply::of(request.json(&json!({"metadata": {"note": "Motion"}})))
    };
    let current = format!("\"{}\"", image["version"]);
    patch(current.clone()).await.expect(200);
    let stale = patch(current.clone()).await;
    stale.expect_refusal(412, "stale_version");
    assert_ne!(stale.header("etag"), current);
    // One of several will do.
    patch(format!("{current}, {}", stale.header("etag"))).await.expect(200);
    patch(format!("{current}, W/{}", stale.header("etag"))).await.expect_refusal(412, "stale_version");
}

#[tokio::test]
async fn metadata_that_looks_sealed_is_kept_as_it_is() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}", id(&image));
    let written = json!({"id": "x", "sealed": {"images": {"dicom": "k1.AAAA"}}});

    let body = json!({"metadata": {"theirs": written, "sealed": {"images": {"x": "y"}}}});
    hospital.technologist().patch(&format!("{path}/metadata"), body).await.expect(200);

    let read = hospital.radiologist().get(&path).await.expect(200)["image"].take();
    assert_eq!(read["metadata"]["theirs"], written);
    assert_eq!(read["metadata"]["sealed"], json!({"images": {"x": "y"}}));
}

#[tokio::test]
async fn metadata_does_not_grow_without_end() {
    let hospital = Hospital::open().await;
    let image = hospital.scans(&hospital.registered_study().await).await;
    let path = format!("/api/images/{}/metadata", id(&image));
    let annotate = async |name: &str| {
        hospital.technologist().patch(&path, json!({"metadata": {name: "x".repeat(200_000)}})).await
    };

    annotate("first").await.expect(200);
    assert_snapshot!(annotate("second").await.expect_invalid(), @"metadata would be more than 256 KiB in all");
}
