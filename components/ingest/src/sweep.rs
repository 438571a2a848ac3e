use std::collections::{BTreeMap, HashSet};

use domain::{UploadId, offered_together, upload_of};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use service::{Context, Error, Reply, Result, blob::Storage};

use crate::take::take;

/// How many blobs are read and filed at once.
const AT_ONCE: usize = 4;
/// How many blobs one call files; more are left to the next.
const MOST: usize = 100;
/// How many recent uploads one call looks for.
const RECENT: usize = 2000;
/// How many older uploads one call asks storage about.
const OLDER: usize = 50;
/// Up to how many recent uploads that were offered together are asked about one by one; of more, storage lists all of that
/// minute.
const ONE_BY_ONE: usize = 4;
/// How many pages of a minute's listing one call reads, of 5,000 names each.
const PAGES: usize = 20;

/// Finds the uploads that have arrived and that no event announced, and files them: a bounded number a call.
/// Events are for speed, this is for certainty.
pub(crate) async fn sweep(cx: &Context) -> Result<Reply> {
    cx.require_event_key().await?;
    let ask = json!({"received": MOST, "recent": RECENT, "older": OLDER});
    let waiting = cx.call_as("sweep", "*", "ingest.waiting", ask).await?;
    let (received, recent, older) =
        (blobs(&waiting, "received"), blobs(&waiting, "recent"), blobs(&waiting, "older"));
    if received.is_empty() && recent.is_empty() && older.is_empty() {
        return Ok(answer(0, false));
    }

    let storage = Storage::from_settings().await?;
    let mut arrived: Vec<UploadId> = received.iter().filter_map(|blob| upload_of(blob)).collect();
    let (many, few) = by_minute(&recent);
    let mut trouble = None;
    for (minute, expected) in many {
        match listed(storage, minute, &expected).await {
            Ok(there) => arrived.extend(there),
            Err(error) => trouble = Some(error),
        }
    }
    let looked = look(storage, &few).await;
    arrived.extend(looked.there);
    let trouble = trouble.or(looked.trouble);
    let looked = look(storage, &older).await;
    arrived.extend(looked.there);
    if !looked.missing.is_empty() {
        cx.call_as("sweep", "*", "ingest.missing", json!({"ids": looked.missing})).await?;
    }

    let more = arrived.len() > MOST;
    arrived.truncate(MOST);
    let taken = take_all(cx, storage, &arrived).await;
    // What cannot be had now keeps none of the others, but the call says that something is out of reach.
    match trouble.or(looked.trouble).or(taken.trouble) {
        Some(error) => Err(error),
        None => Ok(answer(taken.settled, more)),
    }
}

fn answer(filed: usize, more: bool) -> Reply {
    Reply::success(200, &json!({"filed": filed, "more": more}))
}

fn blobs<'a>(waiting: &'a Value, list: &str) -> Vec<&'a str> {
    waiting.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What came of taking up a number of uploads.
pub(crate) struct Taken {
    /// How many have come to something.
    pub settled: usize,
    /// The first thing that went wrong, if anything did.
    pub trouble: Option<Error>,
}

/// Takes up every one of them, a few at once, whatever becomes of the others.
pub(crate) async fn take_all(cx: &Context, storage: &Storage, uploads: &[UploadId]) -> Taken {
    let results: Vec<Result<Option<String>>> = stream::iter(uploads)
        .map(|upload| take(cx, storage, *upload))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let settled = results.iter().filter(|result| matches!(result, Ok(Some(_)))).count();
    Taken { settled, trouble: results.into_iter().find_map(Result::err) }
}

/// What storage said of a number of blobs, asked one by one.
struct Looked {
    there: Vec<UploadId>,
    missing: Vec<UploadId>,
    trouble: Option<Error>,
}

async fn look(storage: &Storage, blobs: &[&str]) -> Looked {
    let answers: Vec<(Option<UploadId>, Result<bool>)> = stream::iter(blobs)
        .map(|blob| async move { (upload_of(blob), storage.exists(blob).await) })
        .buffer_unordered(16)
        .collect()
        .await;
    let mut looked = Looked { there: Vec::new(), missing: Vec::new(), trouble: None };
    for answer in answers {
        match answer {
            (Some(upload), Ok(true)) => looked.there.push(upload),
            (Some(upload), Ok(false)) => looked.missing.push(upload),
            (_, Err(error)) => looked.trouble = Some(error),
            (None, Ok(_)) => {}
        }
    }
    looked
}

/// The minutes of which so many uploads are awaited that storage had better list them, each with those; and the rest.
fn by_minute<'a>(expected: &[&'a str]) -> (Vec<(&'a str, HashSet<&'a str>)>, Vec<&'a str>) {
    let mut minutes: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for blob in expected {
        minutes.entry(offered_together(blob)).or_default().insert(blob);
    }
    let (many, few): (Vec<_>, Vec<_>) =
        minutes.into_iter().partition(|(_, expected)| expected.len() > ONE_BY_ONE);
    (many, few.into_iter().flat_map(|(_, expected)| expected).collect())
}

/// Those that storage has, by listing the minute that they were offered in.
async fn listed(storage: &Storage, minute: &str, expected: &HashSet<&str>) -> Result<Vec<UploadId>> {
    let mut found = Vec::new();
    let mut marker = None;
    for _ in 0..PAGES {
        let (names, next) = storage.list(minute, marker.as_deref()).await?;
        let there = names.iter().filter(|name| expected.contains(name.as_str()));
        found.extend(there.filter_map(|name| upload_of(name)));
        marker = next;
        if marker.is_none() {
            break;
        }
    }
    Ok(found)
}
