//! How a file arrives where storage announces it, and what the host says that its reading cost.

use serde_json::{Value, json};
use tests::{Hospital, Reply};

/// A hospital whose blobs are found by storage's events alone, and whose host says what each request cost.
pub async fn announced_by_storage() -> Hospital {
    Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.arguments.push("--profile".to_owned());
    })
    .await
}

/// What storage posts when the blob of this upload was created, in Event Grid's schema.
pub async fn announce(hospital: &Hospital, upload: &Value) -> Reply {
    let url = upload["url"].as_str().expect("an upload URL").split('?').next();
    let event = json!([{
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "subject": "/blobServices/default/containers/c/blobs/b",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-01-02T09:30:15.1234567Z",
        "data": {"api": "PutBlob", "contentType": "application/octet-stream", "blobType": "BlockBlob", "url": url},
        "dataVersion": "",
        "metadataVersion": "1",
    }]);
    hospital.machine().post("/events/blob", event).await
}

/// One figure of what a request cost, out of the header that `--profile` adds.
pub fn cost(reply: &Reply, figure: &str) -> u64 {
    let profile = reply.header("x-profile");
    profile
        .split(' ')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == figure).then(|| value.parse().ok()).flatten())
        .unwrap_or_else(|| panic!("the host says nothing of {figure}: {profile:?}"))
}

/// How much memory a process holds now, or held at most, in bytes: `VmRSS` or `VmHWM` of Linux.
pub fn memory(hospital: &Hospital, figure: &str) -> u64 {
    let pid = hospital.host.pid().expect("the host runs");
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux tells of its processes");
    let line =
        status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':')).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kilobytes") << 10
}
