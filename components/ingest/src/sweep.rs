use std::collections::{BTreeSet, HashSet};

use domain::{UploadId, upload_of};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

use crate::take::take;

/// How many blobs are read and filed at once. Each may hold a header of 16 MiB in memory.
pub(crate) const AT_ONCE: usize = 4;
/// How many blobs one call files; more are left to the next.
const MOST: usize = 100;
/// How many recent uploads one call looks for.
const RECENT: usize = 5000;
/// How many older uploads one call asks storage about.
const OLDER: usize = 50;
/// Up to how many recent uploads are asked about one by one; of more, storage lists the whole hour.
const ONE_BY_ONE: usize = 32;
/// How many pages of an hour's listing one call reads, of 5,000 names each.
const PAGES: usize = 20;

/// Finds the uploads that have arrived and that no event announced, and files them: a bounded number a call.
/// Events are for speed, this is for certainty.
pub(crate) async fn sweep(cx: &Context) -> Result<Reply> {
    cx.require_event_key().await?;
    let ask = json!({"recent": RECENT, "older": OLDER});
    let waiting = cx.call_as("sweep", "*", "ingest.waiting", ask).await?;
    let (mut arrived, expected) = split(&waiting, "recent")?;
    let (_, older) = split(&waiting, "older")?;
    if arrived.is_empty() && expected.is_empty() && older.is_empty() {
        return Ok(answer(0, false));
    }

    let storage = Storage::from_settings().await?;
    arrived.extend(if expected.len() <= ONE_BY_ONE {
        present(storage, &expected).await?
    } else {
        listed(storage, &expected).await?
    });
    let late = present(storage, &older).await?;
    let missing: Vec<UploadId> = older
        .iter()
        .filter(|waiting| !late.contains(&waiting.upload))
        .map(|waiting| waiting.upload)
        .collect();
    arrived.extend(late);
    if !missing.is_empty() {
        cx.call_as("sweep", "*", "ingest.missing", json!({"ids": missing})).await?;
    }

    let more = arrived.len() > MOST;
    arrived.truncate(MOST);
    let taken: Vec<Result<Option<String>>> = stream::iter(&arrived)
        .map(|upload| take(cx, storage, *upload))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let filed = taken.iter().filter(|taken| taken.is_ok()).count();
    // One blob that cannot be had now keeps none of the others, but the call says that something is out of reach.
    match taken.into_iter().find_map(Result::err) {
        Some(error) => Err(error),
        None => Ok(answer(filed, more)),
    }
}

fn answer(filed: usize, more: bool) -> Reply {
    Reply::success(200, &json!({"filed": filed, "more": more}))
}

struct Waiting {
    upload: UploadId,
    blob: String,
}

/// The uploads of one list: those whose bytes are known to be there, and those that are awaited.
fn split(waiting: &Value, list: &str) -> Result<(Vec<UploadId>, Vec<Waiting>)> {
    let unreadable = || Error::Internal("ingest.waiting named no upload".to_owned());
    let (mut received, mut expected) = (Vec::new(), Vec::new());
    for row in waiting.get(list).and_then(Value::as_array).into_iter().flatten() {
        let blob = row.get("blob").and_then(Value::as_str).ok_or_else(unreadable)?;
        let upload = upload_of(blob).ok_or_else(unreadable)?;
        if row.get("received") == Some(&Value::Bool(true)) {
            received.push(upload);
        } else {
            expected.push(Waiting { upload, blob: blob.to_owned() });
        }
    }
    Ok((received, expected))
}

/// Those that storage has, asked one by one.
async fn present(storage: &Storage, expected: &[Waiting]) -> Result<Vec<UploadId>> {
    let found: Vec<Option<UploadId>> = stream::iter(expected)
        .map(|waiting| async {
            Ok::<_, Error>(storage.exists(&waiting.blob).await?.then_some(waiting.upload))
        })
        .buffer_unordered(16)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Those that storage has, by listing the hours that they were offered in.
async fn listed(storage: &Storage, expected: &[Waiting]) -> Result<Vec<UploadId>> {
    let wanted: HashSet<&str> = expected.iter().map(|waiting| waiting.blob.as_str()).collect();
    let hours: BTreeSet<&str> =
        expected.iter().filter_map(|waiting| waiting.blob.rsplit_once('/')).map(|(hour, _)| hour).collect();
    let mut found = Vec::new();
    for hour in hours {
        let mut marker = None;
        for _ in 0..PAGES {
            let (names, next) = storage.list(&format!("{hour}/"), marker.as_deref()).await?;
            found.extend(
                names.iter().filter(|name| wanted.contains(name.as_str())).filter_map(|name| upload_of(name)),
            );
            marker = next;
            if marker.is_none() {
                break;
            }
        }
    }
    Ok(found)
}
