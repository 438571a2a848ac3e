//! Azure Blob storage: the URLs by which clients send and fetch bytes, and what little the service reads itself.
//!
//! Every access is by a service SAS signed here with the account's key, the service's own included. A URL names one
//! blob (or the container, to list it), one permission and a short time.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use http_body_util::{BodyExt, Full, Limited};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Error, Result, Setting, setting, settings};

/// The version of the storage service that signs (its string to sign has 16 fields) and answers.
const VERSION: &str = "2021-12-02";
/// How long an upload URL is valid.
pub const UPLOAD_MINUTES: i64 = 15;
/// How often a request that storage was too busy for is tried.
const TRIES: u32 = 4;

const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

/// The account and the container that `azure_storage_connection_string` and `azure_storage_container_name` name.
pub struct Storage {
    account: String,
    key: Vec<u8>,
    endpoint: String,
    container: String,
    /// Storage on a laptop speaks http; anywhere else a URL is for https only.
    http_allowed: bool,
}

static STORAGE: Setting<Storage> = Setting::new();
static STORAGE_OF_THE_AUDIT: Setting<Storage> = Setting::new();

/// What a SAS allows.
#[derive(Clone, Copy)]
enum Permission {
    /// Create, and never overwrite.
    Create,
    Read,
    List,
    Delete,
}

impl Permission {
    const fn letter(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Read => "r",
            Self::List => "l",
            Self::Delete => "d",
        }
    }
}

/// A URL, and when it ends.
pub struct Grant {
    pub url: String,
    pub expires_at: Timestamp,
}

impl Grant {
    pub fn expires_at(&self) -> String {
        to_the_second(self.expires_at).replace('Z', ".000Z")
    }

    /// What a client needs to send the bytes of one instance.
    pub fn as_upload(&self) -> Value {
        json!({
            "method": "PUT",
            "url": self.url,
            "headers": {"x-ms-blob-type": "BlockBlob", "content-type": "application/dicom"},
            "expiresAt": self.expires_at(),
        })
    }
}

/// A part of a blob, and what storage says of the whole.
pub struct Part {
    pub bytes: Bytes,
    /// Size of the whole blob, in bytes.
    pub total: u64,
    pub etag: String,
    /// The MD5 of the whole, in base64, as storage checked it; none if storage does not keep one.
    pub content_md5: Option<String>,
    /// Of the kind that is written once and as a whole, and sent by the client itself. Others may be written to after they were
    /// read, and of a copy storage has checked no hash.
    pub is_sent_whole: bool,
}

impl Storage {
    pub async fn from_settings() -> Result<&'static Self> {
        STORAGE.get(async || Self::in_container(setting("azure_storage_container_name").await?).await).await
    }

    /// Where the audit's hashes go: to a container of their own when there is one, which storage can be told to let
    /// nobody change, else to that of the images.
    pub async fn of_the_audit() -> Result<&'static Self> {
        STORAGE_OF_THE_AUDIT
            .get(async || match settings::optional("azure_storage_audit_container_name").await? {
                Some(container) => Self::in_container(container).await,
                None => Self::in_container(setting("azure_storage_container_name").await?).await,
            })
            .await
    }

    async fn in_container(container: String) -> Result<Self> {
        let http_allowed = setting("development").await.is_ok_and(|value| value == "true");
        Self::parse(&setting("azure_storage_connection_string").await?, container, http_allowed)
    }

    fn parse(connection: &str, container: String, http_allowed: bool) -> Result<Self> {
        let malformed = |why: &str| settings::malformed("azure_storage_connection_string", why);
        let part = |name: &str| {
            connection.split(';').find_map(|part| {
                let (key, value) = part.trim().split_once('=')?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let account = part("AccountName").ok_or_else(|| malformed("names no AccountName"))?;
        let key = part("AccountKey").ok_or_else(|| malformed("holds no AccountKey"))?;
        let key = STANDARD.decode(key).map_err(|_| malformed("holds an AccountKey that is not base64"))?;
        let endpoint = part("BlobEndpoint").unwrap_or_else(|| {
            let protocol = part("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
            let suffix = part("EndpointSuffix").unwrap_or_else(|| "core.windows.net".to_owned());
            format!("{protocol}://{account}.blob.{suffix}")
        });
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Ok(Self { account, key, endpoint, container, http_allowed })
    }

    /// The name of the storage account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// A URL to which one blob may be sent, once.
    pub fn upload(&self, blob: &str) -> Result<Grant> {
        self.grant(Some(blob), Permission::Create, SignedDuration::from_mins(UPLOAD_MINUTES))
    }

    /// A URL from which one blob may be fetched.
    pub fn download(&self, blob: &str, minutes: i64) -> Result<Grant> {
        self.grant(Some(blob), Permission::Read, SignedDuration::from_mins(minutes))
    }

    /// The blob that a client means by its URL or its name, if it is in our container.
    pub fn blob_of<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.split('?').next().unwrap_or_default();
        if !path.contains("://") {
            return Some(path);
        }
        path.strip_prefix(&self.endpoint)?.strip_prefix('/')?.strip_prefix(&self.container)?.strip_prefix('/')
    }

    /// Signs a service SAS. The fields, in this order, are those of version 2020-12-06 and later; those for identity,
    /// address, snapshot, encryption and answer headers stay empty.
    fn grant(&self, blob: Option<&str>, permission: Permission, valid: SignedDuration) -> Result<Grant> {
        let now = crate::now();
        let expires_at =
            now.checked_add(valid).map_err(|_| Error::Internal("the clock is out of range".to_owned()))?;
        // Clocks differ by a little: a URL is valid from a moment ago.
        let start = to_the_second(now.checked_sub(SignedDuration::from_mins(5)).unwrap_or(now));
        let expiry = to_the_second(expires_at);
        let resource = if blob.is_some() { "b" } else { "c" };
        let path = blob.map_or_else(|| self.container.clone(), |blob| format!("{}/{blob}", self.container));
        let protocol = if self.http_allowed { "https,http" } else { "https" };
        let to_sign = [
            permission.letter(),
            &start,
            &expiry,
            &format!("/blob/{}/{path}", self.account),
            "",
            "",
            protocol,
            VERSION,
            resource,
            "",
            "",
            "",
            "",
            "",
            "",
            "",
        ]
        .join("\n");
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .map_err(|_| Error::Internal("the storage key cannot sign".to_owned()))?;
        mac.update(to_sign.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());

        let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let query = [
            ("sv", VERSION),
            ("st", &start),
            ("se", &expiry),
            ("sr", resource),
            ("sp", permission.letter()),
            ("spr", protocol),
            ("sig", &signature),
        ]
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .join("&");
        let url = format!("{}/{}?{query}", self.endpoint, utf8_percent_encode(&path, PATH));
        Ok(Grant { url, expires_at })
    }

    /// Bytes `from` to `to` (inclusive) of a blob, or as many as there are. With an ETag, of that version only.
    /// Nothing when there is no such blob.
    pub async fn read(&self, blob: &str, from: u64, to: u64, etag: Option<&str>) -> Result<Option<Part>> {
        let url = self.grant(Some(blob), Permission::Read, SignedDuration::from_mins(5))?.url;
        let range = format!("bytes={from}-{to}");
        let most = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX).saturating_add(1);
        let answer = send("GET", &url, &[("x-ms-range", Some(&range)), ("if-match", etag)], most).await?;
        match answer.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(Some(answer.part())),
            // An empty blob has no range at all.
            StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(Some(Part { bytes: Bytes::new(), total: answer.total().unwrap_or(0), ..answer.part() }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            // There, but archived, or encrypted under a key of the sender's: no trying again will help.
            StatusCode::CONFLICT => {
                Err(Error::conflict("blob_unreadable", "Storage has it, and does not give it out."))
            }
            status => Err(unexpected(status)),
        }
    }

    /// Whether a blob is there, readable or not.
    pub async fn exists(&self, blob: &str) -> Result<bool> {
        let url = self.grant(Some(blob), Permission::Read, SignedDuration::from_mins(5))?.url;
        match send("HEAD", &url, &[], 0).await?.status {
            StatusCode::OK | StatusCode::CONFLICT => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => Err(unexpected(status)),
        }
    }

    /// The names of the blobs that begin with `prefix`: one page, and what leads to the next.
    pub async fn list(&self, prefix: &str, marker: Option<&str>) -> Result<(Vec<String>, Option<String>)> {
        let grant = self.grant(None, Permission::List, SignedDuration::from_mins(5))?;
        let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let mut url = format!("{}&restype=container&comp=list&prefix={}", grant.url, encode(prefix));
        if let Some(marker) = marker {
            url = format!("{url}&marker={}", encode(marker));
        }
        let answer = send("GET", &url, &[], 16 * 1024 * 1024).await?;
        if answer.status != StatusCode::OK {
            return Err(unexpected(answer.status));
        }
        let text = String::from_utf8_lossy(&answer.bytes);
        let names = texts_of(&text, "Name").map(str::to_owned).collect();
        let next =
            texts_of(&text, "NextMarker").next().filter(|marker| !marker.is_empty()).map(str::to_owned);
        Ok((names, next))
    }

    /// Makes a small blob of a text, and overwrites none: whether it was made, or one of that name is there already.
    pub async fn create(&self, blob: &str, text: String) -> Result<bool> {
        let url = self.grant(Some(blob), Permission::Create, SignedDuration::from_mins(5))?.url;
        let length = text.len().to_string();
        let headers = [
            ("x-ms-blob-type", Some("BlockBlob")),
            ("content-type", Some("application/json")),
            ("content-length", Some(length.as_str())),
            ("if-none-match", Some("*")),
        ];
        let answer = send_with("PUT", &url, &headers, text.into(), 0).await?;
        match answer.status {
            StatusCode::CREATED => Ok(true),
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Ok(false),
            // The right to create does not reach to a blob that is there.
            StatusCode::FORBIDDEN if self.exists(blob).await? => Ok(false),
            status => Err(unexpected(status)),
        }
    }

    /// Removes a blob; one that is gone already is fine.
    pub async fn delete(&self, blob: &str) -> Result<()> {
        let url = self.grant(Some(blob), Permission::Delete, SignedDuration::from_mins(5))?.url;
        match send("DELETE", &url, &[], 0).await?.status {
            StatusCode::ACCEPTED | StatusCode::NOT_FOUND => Ok(()),
            status => Err(unexpected(status)),
        }
    }
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    bytes: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The size of the whole blob: what stands behind the slash of `Content-Range`, else the length of what came.
    fn total(&self) -> Option<u64> {
        self.header("content-range")
            .and_then(|range| range.rsplit('/').next())
            .and_then(|total| total.parse().ok())
    }

    fn part(&self) -> Part {
        let whole = self.bytes.len().try_into().unwrap_or(u64::MAX);
        // Of a part, `Content-MD5` would be the part's; the blob's own has a name of its own.
        let md5 = if self.status == StatusCode::OK { "content-md5" } else { "x-ms-blob-content-md5" };
        Part {
            bytes: self.bytes.clone(),
            total: self.total().unwrap_or(whole),
            etag: self.header("etag").unwrap_or_default().to_owned(),
            content_md5: self.header(md5).map(str::to_owned),
            // Of what could not be read, an empty one, nothing is said, and nothing is wrong with that.
            is_sent_whole: self.header("x-ms-blob-type").is_none_or(|kind| kind == "BlockBlob")
                && self.header("x-ms-copy-id").is_none(),
        }
    }
}

/// Sends a request that may safely be sent again, and does so, later each time, while storage is too busy for it.
async fn send(
    method: &str,
    url: &str,
    headers: &[(&'static str, Option<&str>)],
    most: usize,
) -> Result<Answer> {
    send_with(method, url, headers, Bytes::new(), most).await
}

async fn send_with(
    method: &str,
    url: &str,
    headers: &[(&'static str, Option<&str>)],
    body: Bytes,
    most: usize,
) -> Result<Answer> {
    let mut wait = std::time::Duration::from_millis(100);
    for _ in 1..TRIES {
        let answer = send_once(method, url, headers, body.clone(), most).await?;
        if !matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return Ok(answer);
        }
        spin_sdk::time::sleep(wait).await;
        wait *= 3;
    }
    send_once(method, url, headers, body, most).await
}

async fn send_once(
    method: &str,
    url: &str,
    headers: &[(&'static str, Option<&str>)],
    body: Bytes,
    most: usize,
) -> Result<Answer> {
    let mut request = http::Request::builder().method(method).uri(url).header("x-ms-version", VERSION);
    for (name, value) in headers {
        if let Some(value) = value {
            request = request.header(*name, *value);
        }
    }
    let request = request
        .body(Full::new(body))
        .map_err(|_| Error::Internal("a request to storage cannot be made".to_owned()))?;
    let response = spin_sdk::http::send(request).await.map_err(|error| unreachable(&error))?;
    let (parts, body) = response.into_parts();
    let bytes = match method {
        "HEAD" => Bytes::new(),
        // The body of a failure is small, and not read to the end when it is not.
        _ => match Limited::new(body, most.max(64 * 1024)).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(_) if parts.status.is_success() => {
                return Err(Error::Unavailable {
                    what: "Storage",
                    cause: "its answer was cut off".to_owned(),
                });
            }
            Err(_) => Bytes::new(),
        },
    };
    Ok(Answer { status: parts.status, headers: parts.headers, bytes })
}

/// `YYYY-MM-DDTHH:MM:SSZ`. Not by a pattern: what understands patterns is forty kilobytes of code.
fn to_the_second(moment: Timestamp) -> String {
    format!("{moment:.0}")
}

fn unreachable(error: &impl std::fmt::Debug) -> Error {
    // An error code of the runtime: it names no URL, and so no signature.
    Error::Unavailable { what: "Storage", cause: format!("no answer: {error:?}") }
}

fn unexpected(status: StatusCode) -> Error {
    Error::Unavailable { what: "Storage", cause: format!("it answered {status}") }
}

/// The texts of all elements of one name in a listing. The names in it are ours, and hold nothing that XML escapes.
fn texts_of<'a>(xml: &'a str, element: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (text, after) = after.split_once(&close)?;
        rest = after;
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTION: &str = "DefaultEndpointsProtocol=https;AccountName=radiology;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net";

    fn storage(connection: &str) -> Storage {
        Storage::parse(connection, "medical-images".to_owned(), false).unwrap()
    }

    #[test]
    fn an_upload_url_is_for_one_blob_to_create_and_https_only() {
        let grant = storage(CONNECTION).upload("incoming/2026112403/a.dcm").unwrap();
        assert!(grant.url.starts_with(
            "https://radiology.blob.core.windows.net/medical-images/incoming/2026112403/a.dcm?"
        ));
        for part in ["sp=c", "sr=b", "spr=https&", "sv=2021-12-02"] {
            assert!(grant.url.contains(part), "{part} in {}", grant.url);
        }
    }

    #[test]
    fn a_connection_string_without_a_key_names_what_is_missing() {
        let Err(error) = Storage::parse("AccountName=radiology", String::new(), false) else {
            panic!("accepted")
        };
        assert!(error.to_string().contains("AccountKey"));
    }

    #[test]
    fn only_a_url_into_our_container_names_a_blob() {
        let storage = storage(CONNECTION);
        let url = "https://radiology.blob.core.windows.net/medical-images/incoming/1/a.dcm?sig=x";
        assert_eq!(storage.blob_of(url), Some("incoming/1/a.dcm"));
        assert_eq!(storage.blob_of("incoming/1/a.dcm"), Some("incoming/1/a.dcm"));
        assert_eq!(storage.blob_of("https://elsewhere.example/medical-images/a.dcm"), None);
    }
}
