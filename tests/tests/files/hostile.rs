//! Files that are broken, or made to do harm: each is accounted for and kept, and nobody else notices.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use insta::assert_snapshot;
use serde_json::Value;
use tests::{
    Hospital,
    dicom::{
        hostile::{self, Hostile, Verdict},
        identity::Identity,
        instance,
    },
    files,
    hospital::ct_chest,
};

use crate::arrival::memory;

const AT_ONCE: usize = 4;
/// Less than what one component may take: of the 512 MiB in the deflate bomb, or the four gibibytes that a length declares,
/// nothing is ever held.
const MORE_MEMORY: u64 = 100 << 20;
/// What somebody else's request may take meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_hostile_file_ends_with_a_reason_and_harms_nobody() {
    let hospital = Hospital::open().await;
    let all = hostile::all().unwrap();
    let before = memory(&hospital, "VmRSS");

    let mut sent = Vec::new();
    for hostile in &all {
        // What is an image all the same is to be filed as one.
        let content = match hostile.verdict {
            Verdict::Filed => under_an_order(&hospital, &hostile.content).await,
            Verdict::Refused | Verdict::Either => hostile.content.clone(),
        };
        sent.push((hostile, content));
    }
    let (slowest, settled) = while_others_work(&hospital, async {
        let taken_in = |(hostile, content)| take_in(&hospital, hostile, content);
        stream::iter(sent).map(taken_in).buffered(AT_ONCE).collect::<Vec<_>>().await
    })
    .await;

    for (hostile, ingest) in &settled {
        let wanted: &[&str] = match hostile.verdict {
            Verdict::Filed => &["STORED"],
            Verdict::Refused => &["QUARANTINED"],
            // Nobody ordered it: as an image it is held.
            Verdict::Either => &["QUARANTINED", "CONFLICT"],
        };
        assert!(wanted.iter().any(|status| ingest["status"] == *status), "{}: {ingest}", hostile.name);
        assert_eq!(ingest["status"] != "STORED", ingest["reason"].is_string(), "{}: {ingest}", hostile.name);
    }
    let became_of: String = settled.iter().map(|(hostile, ingest)| line(hostile.name, ingest)).collect();
    assert_snapshot!(became_of, @"
    nothing: QUARANTINED empty
    random bytes: QUARANTINED not_dicom
    zeros: QUARANTINED not_dicom
    a web page: QUARANTINED not_dicom
    a preamble and nothing else: QUARANTINED missing_sop_class_uid
    meta information and nothing else: QUARANTINED missing_sop_class_uid
    an end within the meta information: QUARANTINED truncated
    an end within the pixels: QUARANTINED truncated
    an end within encapsulated pixels: QUARANTINED truncated
    a length over what is there: QUARANTINED truncated
    an element of four gibibytes: QUARANTINED truncated
    an element of three gibibytes of text: QUARANTINED truncated
    pixels of four gibibytes: QUARANTINED truncated
    an item longer than its sequence: QUARANTINED truncated
    2,000 nested sequences without lengths: QUARANTINED too_deep
    2,000 nested sequences with lengths: QUARANTINED too_deep
    10,000 sequences that never end: QUARANTINED too_deep
    a million elements: QUARANTINED too_many_elements
    a million elements, deflated: QUARANTINED too_many_elements
    a million empty items: QUARANTINED too_many_elements
    a million empty items, deflated: QUARANTINED too_many_elements
    a deflate bomb of zeros: QUARANTINED bomb
    a deflate bomb in one text: QUARANTINED too_long
    a deflated stream cut short: QUARANTINED truncated
    a deflated stream of noise: QUARANTINED corrupt_deflate
    pixels before everything else: QUARANTINED missing_sop_class_uid
    another byte order than it says: QUARANTINED truncated
    no SOP class: QUARANTINED missing_sop_class_uid
    no SOP instance: QUARANTINED missing_sop_instance_uid
    no study: QUARANTINED missing_study_instance_uid
    no series: QUARANTINED missing_series_instance_uid
    an identifier that is a path: QUARANTINED invalid_sop_instance_uid
    an identifier of 80 digits: QUARANTINED invalid_study_instance_uid
    an identifier that is a statement: QUARANTINED invalid_series_instance_uid
    an executable for Linux in its preamble: QUARANTINED polyglot
    an executable for Windows in its preamble: QUARANTINED polyglot
    an executable for macOS in its preamble: QUARANTINED polyglot
    a script in its preamble: QUARANTINED polyglot
    another instance in its meta information: CONFLICT no_order
    an unknown transfer syntax: CONFLICT no_order
    a value of odd length: CONFLICT no_order
    an identifier of odd length: CONFLICT no_order
    pixels of odd length: CONFLICT no_order
    an odd length within a sequence: CONFLICT no_order
    tags out of order: QUARANTINED out_of_order
    an element said twice: QUARANTINED out_of_order
    a value representation that does not exist: QUARANTINED truncated
    a zero in a name: CONFLICT no_order
    text that is not in its character set: CONFLICT no_order
    an escape sequence that never ends: CONFLICT no_order
    a character set that does not exist: CONFLICT no_order
    a date and numbers that are none: CONFLICT no_order
    10,000 values in one element: CONFLICT no_order
    10,000 elements: CONFLICT no_order
    a name of 60,000 letters: CONFLICT no_order
    markup and quotes in a name: STORED -
    line ends in a description: STORED -
    ");
    assert!(slowest < PATIENCE, "somebody else waited {slowest:?}");
    let more = memory(&hospital, "VmHWM").saturating_sub(before);
    assert!(more < MORE_MEMORY, "the host took {} MiB more", more >> 20);
}

#[tokio::test]
async fn a_file_cut_off_anywhere_is_quarantined_and_kept() {
    let hospital = Hospital::open().await;
    let made = instance().write().unwrap();
    let report = files::named("pydicom/test_files/reportsi.dcm").unwrap().read().unwrap();
    let encapsulated = files::named("pydicom/test_files/693_J2KI.dcm").unwrap().read().unwrap();
    let cuts: Vec<&[u8]> = hostile::cuts(&made, 8)
        .step_by(61)
        .chain(hostile::cuts(&report, 8).step_by(211))
        .chain(hostile::cuts(&encapsulated, 8).step_by(211))
        .collect();

    let settled: Vec<(&[u8], Value)> = stream::iter(cuts)
        .map(|cut| {
            let hospital = &hospital;
            async move {
                let ingest = hospital.receives(cut.to_vec()).await;
                let kept = hospital.blob(ingest["blob"].as_str().expect("a blob")).await;
                assert!(kept.as_deref() == Some(cut), "{} bytes are not kept", cut.len());
                (cut, ingest)
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;

    assert!(settled.len() > 40, "{}", settled.len());
    for (cut, ingest) in settled {
        assert_eq!(ingest["status"], "QUARANTINED", "{} bytes: {ingest}", cut.len());
        let reason = ingest["reason"].as_str().unwrap_or_default();
        let is_right = match cut.len() {
            0 => reason == "empty",
            // Too short to be told from anything else.
            1..132 => reason == "not_dicom",
            // Between two elements a file may end; what it lacks then is said.
            _ => reason == "truncated" || reason.starts_with("missing_"),
        };
        assert!(is_right, "{} bytes: {ingest}", cut.len());
    }
}

/// What became of a file; that it is kept, and that one look at it was enough: no component was ended by it.
async fn take_in<'a>(hospital: &Hospital, hostile: &'a Hostile, content: Vec<u8>) -> (&'a Hostile, Value) {
    let ingest = hospital.receives(content.clone()).await;
    let kept = hospital.blob(ingest["blob"].as_str().expect("a blob")).await;
    assert!(kept == Some(content), "{} is not kept as it was", hostile.name);
    assert_eq!(ingest["attempts"], 1, "{}: {ingest}", hostile.name);
    (hostile, ingest)
}

/// The file under an order of its own, and in a study that ingest makes for it.
async fn under_an_order(hospital: &Hospital, content: &[u8]) -> Vec<u8> {
    let order = hospital.provider().places(ct_chest()).await;
    let identity =
        Identity { accession: order["accessionNumber"].as_str().map(str::to_owned), ..Identity::default() };
    identity.rewrite(content).expect("an image")
}

/// Does some work while somebody else uses the service all the time: the longest that they waited, and the work's outcome.
async fn while_others_work<T>(hospital: &Hospital, work: impl Future<Output = T>) -> (Duration, T) {
    let done = AtomicBool::new(false);
    let others = async {
        let provider = hospital.provider();
        let mut slowest = Duration::ZERO;
        while !done.load(Ordering::Relaxed) {
            let asked = Instant::now();
            provider.get("/api/imaging-orders").await.expect(200);
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let work = async {
        let outcome = work.await;
        done.store(true, Ordering::Relaxed);
        outcome
    };
    tokio::join!(others, work)
}

fn line(name: &str, ingest: &Value) -> String {
    let text = |field: &str| ingest[field].as_str().unwrap_or("-").to_owned();
    format!("{name}: {} {}\n", text("status"), text("reason"))
}
