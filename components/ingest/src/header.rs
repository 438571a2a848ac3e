//! From a blob to its DICOM header, by as few and as small reads as that takes.

use domain::dicom::{
    Header, HeaderError, Reason, StructuredReport, is_structured_report, read_header, read_structured_report,
};
use futures::lock::Mutex;
use service::{
    Error, Result,
    blob::{Part, Storage},
};

/// How much is read of every file, in bytes: with the end of an encapsulated one, 64 KiB. Of nineteen files in twenty
/// the header is within the first sixteen.
const FIRST: u64 = 63 * 1024;

/// Longer headers than this are read one at a time: a few of the longest would not fit in memory together.
const LONG: u64 = 1024 * 1024;

/// What storage takes in one piece (Put Blob, 5,000 MiB). Whatever is longer did not come by the way that was offered.
const LARGEST: u64 = 5_000 << 20;

static ONE_LONG_HEADER: Mutex<()> = Mutex::new(());

/// What was found in a blob.
pub(crate) struct Read {
    pub header: Result<Box<Header>, Reason>,
    /// What it states, if it is a structured report; a report whose header can be read may state what cannot.
    pub report: Option<Result<StructuredReport, Reason>>,
    /// Size of the blob, in bytes.
    pub size: u64,
    pub content_md5: Option<String>,
}

/// Reads a blob's header and makes sure that the file is complete; nothing when there is no such blob.
pub(crate) async fn read(storage: &Storage, blob: &str) -> Result<Option<Read>> {
    let Some(first) = storage.read(blob, 0, FIRST - 1, None).await? else { return Ok(None) };
    let examined = match refused_unread(&first) {
        Some(reason) => Err(reason),
        None => examine(storage, blob, &first).await?,
    };
    let (header, report) = match examined {
        Ok((header, report)) => (Ok(header), report),
        Err(reason) => (Err(reason), None),
    };
    Ok(Some(Read { header, report, size: first.total, content_md5: first.content_md5 }))
}

/// What storage itself says of a blob that speaks against it. Of which kind it is was the client's word: one of pages costs
/// nothing, however long it is said to be.
fn refused_unread(first: &Part) -> Option<Reason> {
    if !first.is_sent_whole {
        return Some(Reason::NotABlockBlob);
    }
    (first.total > LARGEST).then_some(Reason::TooLarge)
}

type Examined = (Box<Header>, Option<Result<StructuredReport, Reason>>);

async fn examine(storage: &Storage, blob: &str, first: &Part) -> Result<Result<Examined, Reason>> {
    let total = first.total;
    let mut prefix = first.bytes.to_vec();
    let mut alone = None;
    let header = loop {
        let at_least = match read_header(&prefix, total) {
            Ok(header) => break header,
            Err(HeaderError::Refused(reason)) => return Ok(Err(reason)),
            Err(HeaderError::NeedMore { at_least }) => at_least,
        };
        let length = prefix.len() as u64;
        if length >= total {
            return Ok(Err(Reason::Truncated));
        }
        let wanted = at_least.max(length.saturating_mul(2)).min(total);
        if wanted > LONG && alone.is_none() {
            alone = Some(ONE_LONG_HEADER.lock().await);
        }
        prefix.reserve_exact(usize::try_from(wanted - length).unwrap_or_default());
        prefix.extend(part(storage, blob, length, wanted, first).await?.iter());
    };

    let mut wanted = header.tail_length(total);
    // One short look at the end, and a longer one when that does not tell.
    loop {
        let from = total.saturating_sub(wanted);
        let known = usize::try_from(from).ok().filter(|_| prefix.len() as u64 >= total);
        let complete = match known {
            _ if wanted == 0 => header.complete(total, &[]),
            Some(from) => header.complete(total, prefix.get(from..).unwrap_or_default()),
            None => header.complete(total, &part(storage, blob, from, total, first).await?),
        };
        match complete {
            Ok(()) => break,
            Err(HeaderError::Refused(reason)) => return Ok(Err(reason)),
            Err(HeaderError::NeedMore { at_least }) if at_least > wanted => wanted = at_least,
            Err(HeaderError::NeedMore { .. }) => return Ok(Err(Reason::Truncated)),
        }
    }
    // A report has no pixels: its header was all of it, and a long one is still read alone.
    let is_report = is_structured_report(&header.facts.image.sop_class_uid);
    let report = is_report.then(|| read_structured_report(&prefix).transpose()).flatten();
    Ok(Ok((Box::new(header), report)))
}

/// The bytes `from` up to `to` of the same version of the blob.
async fn part(storage: &Storage, blob: &str, from: u64, to: u64, first: &Part) -> Result<bytes::Bytes> {
    let part = storage.read(blob, from, to.saturating_sub(1), Some(&first.etag)).await?;
    part.filter(|part| part.bytes.len() as u64 == to - from).map(|part| part.bytes).ok_or_else(|| {
        Error::Unavailable { what: "Storage", cause: "a blob went away while it was read".to_owned() }
    })
}
