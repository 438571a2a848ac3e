//! Files made to measure, of the kinds of which no public package carries a real one.

use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::{CharacterSet, Syntax, uid},
    hospital::{ct_chest, instance_of},
};

#[tokio::test]
async fn images_of_machines_without_a_real_file_are_filed() {
    let hospital = Hospital::open().await;

    for (modality, class, frames) in [
        ("PT", "1.2.840.10008.5.1.4.1.1.128", 1),
        ("NM", "1.2.840.10008.5.1.4.1.1.20", 12),
        ("RF", "1.2.840.10008.5.1.4.1.1.12.2", 3),
        // An enhanced PET object.
        ("PT", "1.2.840.10008.5.1.4.1.1.130", 4),
    ] {
        let study = study_of(&hospital, modality).await;
        let file = instance_of(&study).modality(modality).class(class).frames(frames).size(64, 32);

        let ingest = hospital.receives(file.write().unwrap()).await;

        let image = hospital
            .stored(ingest["imageId"].as_str().unwrap_or_else(|| panic!("{modality}: {ingest}")))
            .await;
        assert_eq!(image["sopClassUID"], class);
        assert_eq!(image["study"]["modality"], modality);
        assert_eq!((&image["rows"], &image["columns"]), (&json!(64), &json!(32)));
        let shown = if frames > 1 { json!(frames) } else { Value::Null };
        assert_eq!(image["numberOfFrames"], shown, "{modality}");
        assert_eq!(image["metadata"]["00080060"]["Value"], json!([modality]));
    }
}

#[tokio::test]
async fn a_study_that_holds_pet_and_ct_is_both_whichever_comes_first() {
    let hospital = Hospital::open().await;

    for (first, second) in [("PT", "CT"), ("CT", "PT")] {
        let study = study_of(&hospital, first).await;
        let mut shown = Vec::new();
        for modality in [first, "SR", second, first] {
            let ingest = hospital.receives(instance_of(&study).modality(modality).write().unwrap()).await;
            assert_eq!(ingest["status"], "STORED", "{ingest}");
            let path = format!("/api/studies/{}", tests::hospital::id(&study));
            let read = hospital.technologist().get(&path).await.expect(200)["study"].take();
            shown.push(read["modality"].as_str().unwrap().to_owned());
            assert_eq!(read["order"]["modality"], first);
        }
        assert_eq!(shown, [first, first, "PET_CT", "PET_CT"]);
    }
}

#[tokio::test]
async fn every_transfer_syntax_is_read() {
    let hospital = Hospital::open().await;
    let study = study_of(&hospital, "CT").await;
    let series = uid();

    for (number, syntax) in (1..).zip(Syntax::ALL) {
        let file = instance_of(&study).series(&series).number(3, number).syntax(syntax).frames(2);
        let ingest = hospital.receives(file.write().unwrap()).await;

        let image = hospital
            .stored(ingest["imageId"].as_str().unwrap_or_else(|| panic!("{syntax:?}: {ingest}")))
            .await;
        assert_eq!(image["transferSyntaxUID"], syntax.uid());
        assert_eq!((&image["seriesNumber"], &image["instanceNumber"]), (&json!(3), &json!(number)));
        assert_eq!((&image["rows"], &image["pixelSpacing"]), (&json!(16), &json!("0.5\\0.5")));
        assert_eq!(
            (image["windowCenter"].as_f64(), image["windowWidth"].as_f64()),
            (Some(40.0), Some(400.0))
        );
    }
}

#[tokio::test]
async fn a_name_is_shown_in_its_own_script_whatever_the_file_is_encoded_in() {
    let hospital = Hospital::open().await;

    for (character_set, name) in [
        (CharacterSet::Latin1, "Müller^Jürgen"),
        (CharacterSet::Latin2, "Dvořák^Antonín"),
        (CharacterSet::Cyrillic, "Чехов^Антон"),
        (CharacterSet::Arabic, "قباني^لنزار"),
        (CharacterSet::Greek, "Καζαντζάκης^Νίκος"),
        (CharacterSet::Hebrew, "שרון^דבורה"),
        (CharacterSet::Thai, "ใจดี^สมชาย"),
        (CharacterSet::Utf8, "Nguyễn^Văn An=阮^文安"),
        (CharacterSet::Gb18030, "Wang^XiaoDong=王^小东"),
        (CharacterSet::Japanese, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (CharacterSet::Korean, "Hong^Gildong=洪^吉洞=홍^길동"),
        (CharacterSet::Chinese, "Zhang^XiaoDong=张^小东"),
    ] {
        // The study is made from the file, so that its name is the file's.
        let order = hospital.provider().places(ct_chest()).await;
        let file = instance_of(&order).study(&uid()).character_set(character_set).patient("MRN-1", name);
        let ingest = hospital.receives(file.write().unwrap()).await;

        let image =
            hospital.stored(ingest["imageId"].as_str().unwrap_or_else(|| panic!("{name}: {ingest}"))).await;
        assert_eq!(image["study"]["patientName"], name);
    }
}

async fn study_of(hospital: &Hospital, modality: &str) -> Value {
    let mut order = ct_chest();
    order["modality"] = json!(modality);
    let order = hospital.provider().places(order).await;
    hospital.technologist().registers(&order).await
}
