//! Blob storage, as whoever has the account's key reaches it: what little the native programs do there.

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request, StatusCode, header::HeaderMap};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{sync::Arc, time::Duration};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The version of the storage protocol that we speak, in which no header that is sent is left out of what is signed.
const VERSION: &str = "2021-12-02";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A storage account and where its blobs are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The account's name.
    pub name: String,
    /// The account's key, in base64.
    pub key: String,
    /// Where its blobs are, without a slash at the end.
    pub endpoint: String,
}

/// A container of an account.
#[derive(Debug)]
pub struct Container {
    account: Account,
    name: String,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What storage answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A part of a list of blobs, in the order of their names, and what leads to the next.
#[derive(Debug)]
pub struct Listing {
    pub blobs: Vec<Listed>,
    pub next: Option<String>,
}

/// A blob in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    /// The MD5 of its bytes, if storage keeps one.
    pub md5: Option<Vec<u8>>,
}

impl Account {
    /// Reads a connection string as Azure writes it.
    pub fn parse(connection_string: &str) -> Result<Self> {
        let value = |wanted: &str| {
            connection_string
                .split(';')
                .filter_map(|pair| pair.split_once('='))
                .find_map(|(name, value)| (name.trim() == wanted).then(|| value.trim().to_owned()))
        };
        let name = value("AccountName").context("it has no AccountName")?;
        let key = value("AccountKey").context("it has no AccountKey")?;
        let endpoint = value("BlobEndpoint").unwrap_or_else(|| {
            let protocol = value("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
            let suffix = value("EndpointSuffix").unwrap_or_else(|| "core.windows.net".to_owned());
            format!("{protocol}://{name}.blob.{suffix}")
        });
        Ok(Self { name, key, endpoint: endpoint.trim_end_matches('/').to_owned() })
    }

    /// The connection string, as Azure writes it.
    pub fn connection_string(&self) -> String {
        let protocol = self.endpoint.split(':').next().unwrap_or("https");
        format!(
            "DefaultEndpointsProtocol={protocol};AccountName={};AccountKey={};BlobEndpoint={};",
            self.name, self.key, self.endpoint
        )
    }

    /// Whether it is reached without TLS, as only an emulator is.
    pub fn is_plain(&self) -> bool {
        self.endpoint.starts_with("http://")
    }

    /// Makes a container; one that exists already is as good. Says whether it was made now.
    pub async fn create_container(&self, container: &str) -> Result<bool> {
        let query = [("restype", "container")];
        let answer = self.container(container)?.send(Method::PUT, None, &query, &[], Vec::new()).await?;
        match answer.status {
            StatusCode::CREATED => Ok(true),
            StatusCode::CONFLICT => Ok(false),
            status => bail!(
                "the container {container} could not be made: {status} {}",
                String::from_utf8_lossy(&answer.body)
            ),
        }
    }

    /// A container, which may not be there.
    pub fn container(&self, name: &str) -> Result<Container> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Container { account: self.clone(), name: name.to_owned(), client })
    }

    /// "Shared Key" of the Blob service: the verb, eleven standard headers of which we send one, then ours and the path.
    fn authorization(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        length: usize,
    ) -> Result<String> {
        let length = if length == 0 { String::new() } else { length.to_string() };
        let mut ours: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        ours.sort();
        let mut parameters: Vec<String> =
            query.iter().map(|(name, value)| format!("\n{name}:{value}")).collect();
        parameters.sort();
        let text = format!(
            "{method}\n\n\n{length}\n\n\n\n\n\n\n\n\n{}/{}{}{path}{}",
            ours.concat(),
            self.name,
            self.path(),
            parameters.concat()
        );
        let key = STANDARD.decode(&self.key).context("the storage account's key is not base64")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
        mac.update(text.as_bytes());
        Ok(format!("SharedKey {}:{}", self.name, STANDARD.encode(mac.finalize().into_bytes())))
    }

    /// The path of its address, which an emulator has.
    fn path(&self) -> String {
        self.endpoint.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default()
    }
}

impl Container {
    /// The whole of a blob; nothing when there is no such blob.
    pub async fn read(&self, blob: &str) -> Result<Option<Vec<u8>>> {
        let answer = self.send(Method::GET, Some(blob), &[], &[], Vec::new()).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body.to_vec())),
            StatusCode::NOT_FOUND => Ok(None),
            status => bail!("the storage at {} answers {status} for {blob}", self.account.endpoint),
        }
    }

    /// The blobs whose names begin with `prefix`: one page.
    pub async fn list(&self, prefix: &str, marker: Option<&str>) -> Result<Listing> {
        let mut query = vec![("restype", "container"), ("comp", "list"), ("prefix", prefix)];
        query.extend(marker.map(|marker| ("marker", marker)));
        let answer = self.send(Method::GET, None, &query, &[], Vec::new()).await?;
        ensure!(
            answer.status == StatusCode::OK,
            "the storage at {} does not list the container {}: it answers {}",
            self.account.endpoint,
            self.name,
            answer.status
        );
        let text = String::from_utf8_lossy(&answer.body);
        let blobs = elements(&text, "Blob")
            .filter_map(|blob| {
                let md5 = elements(blob, "Content-MD5").next().and_then(|md5| STANDARD.decode(md5).ok());
                Some(Listed { name: elements(blob, "Name").next()?.to_owned(), md5 })
            })
            .collect();
        let next = elements(&text, "NextMarker").next().filter(|next| !next.is_empty()).map(str::to_owned);
        Ok(Listing { blobs, next })
    }

    /// A request about the container, or about a blob of it. Headers are `x-ms-` ones, in lower case.
    pub async fn send(
        &self,
        method: Method,
        blob: Option<&str>,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer> {
        let path = blob.map_or_else(|| format!("/{}", self.name), |blob| format!("/{}/{blob}", self.name));
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut headers = headers.to_vec();
        headers.extend([("x-ms-date", date.as_str()), ("x-ms-version", VERSION)]);
        let authorization = self.account.authorization(&method, &path, query, &headers, body.len())?;

        let encode = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        let parameters: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}?{}", self.account.endpoint, parameters.join("&")))
            .header("authorization", authorization)
            .header("content-length", body.len());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(body)).context("the storage's address cannot be used")?;
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(anyhow::Error::from)
            .flatten()
            .with_context(|| format!("the storage at {} does not answer", self.account.endpoint))
    }
}

/// What lies in all elements of one name. The names in a listing are ours, and hold nothing that XML escapes.
fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (inside, after) = after.split_once(&close)?;
        rest = after;
        Some(inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_read_as_azure_writes_it() {
        let account = Account::parse(
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=eA==;EndpointSuffix=core.windows.net",
        )
        .unwrap();
        assert_eq!(account.endpoint, "https://a.blob.core.windows.net");
        assert_eq!(account.key, "eA==");

        let account =
            Account::parse("AccountName=a;AccountKey=eA==;BlobEndpoint=http://127.0.0.1:1/a/").unwrap();
        assert_eq!(account.endpoint, "http://127.0.0.1:1/a");
        assert!(account.is_plain());
        assert!(Account::parse("AccountName=a").is_err());
    }

    #[test]
    fn the_blobs_of_a_listing_keep_their_digests_apart() {
        let xml = "<Blobs><Blob><Name>a</Name><Properties><Content-MD5>AQI=</Content-MD5></Properties></Blob>\
                   <Blob><Name>b</Name><Properties/></Blob></Blobs><NextMarker/>";
        let md5s: Vec<_> = elements(xml, "Blob").map(|blob| elements(blob, "Content-MD5").next()).collect();
        assert_eq!(md5s, [Some("AQI="), None]);
        assert_eq!(elements(xml, "NextMarker").next(), None);
    }
}
