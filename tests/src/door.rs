//! A way to storage that can be shut: what the service and its clients then see is a storage that is too busy for them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, header},
};
use local::storage::Account;
use tokio::{net::TcpListener, task::JoinHandle};

/// Of what comes while the door is shut, one in so many is done all the same: only its answer is lost.
const LOST: usize = 8;

/// A door before a storage account, open at first. It ends with this handle.
pub struct Door {
    account: Account,
    behind: Arc<Behind>,
    serving: JoinHandle<()>,
}

struct Behind {
    origin: String,
    http: reqwest::Client,
    shut: AtomicBool,
    refused: AtomicUsize,
    lost: AtomicUsize,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Door {
    pub async fn before(account: &Account) -> Self {
        let mut parts = account.endpoint.splitn(4, '/');
        let (scheme, _, host, path) =
            (parts.next(), parts.next(), parts.next(), parts.next().unwrap_or_default());
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Shorter than the 5 seconds after which Azurite closes an idle connection.
            .pool_idle_timeout(std::time::Duration::from_secs(2))
            .build()
            .expect("an HTTP client");
        let behind = Arc::new(Behind {
            origin: format!("{}//{}", scheme.expect("a scheme"), host.expect("a host")),
            http,
            shut: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}/{path}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(pass).with_state(Arc::clone(&behind));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { account: Account { endpoint, ..account.clone() }, behind, serving }
    }

    /// The account as it is reached through the door. What is signed names no address, so that it holds on both sides.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// From now on everybody is told that storage is too busy.
    pub fn shut(&self) {
        self.behind.shut.store(true, SeqCst);
    }

    pub fn open(&self) {
        self.behind.shut.store(false, SeqCst);
    }

    /// How many requests were answered with 503, and how many of them were carried out all the same.
    pub fn refused(&self) -> (usize, usize) {
        (self.behind.refused.load(SeqCst), self.behind.lost.load(SeqCst))
    }
}

async fn pass(State(behind): State<Arc<Behind>>, request: Request) -> Response<Body> {
    let shut = behind.shut.load(SeqCst);
    if !shut {
        return forward(&behind, request).await;
    }
    if behind.refused.fetch_add(1, SeqCst) % LOST == 0 {
        behind.lost.fetch_add(1, SeqCst);
        forward(&behind, request).await;
    } else {
        // Who is still sending would find a closed connection instead of the answer.
        drop(to_bytes(request.into_body(), usize::MAX).await);
    }
    // As Azure says it.
    answer(
        StatusCode::SERVICE_UNAVAILABLE,
        HeaderMap::from_iter([(
            header::HeaderName::from_static("x-ms-error-code"),
            header::HeaderValue::from_static("ServerBusy"),
        )]),
        Body::empty(),
    )
}

async fn forward(behind: &Behind, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return answer(StatusCode::BAD_REQUEST, HeaderMap::new(), Body::empty());
    };
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let sent = behind
        .http
        .request(head.method, format!("{}{path}", behind.origin))
        .headers(head.headers)
        .body(body)
        .send()
        .await;
    match sent {
        Ok(reply) => {
            let (status, headers) = (reply.status(), reply.headers().clone());
            answer(status, headers, Body::from_stream(reply.bytes_stream()))
        }
        Err(_) => answer(StatusCode::BAD_GATEWAY, HeaderMap::new(), Body::empty()),
    }
}

fn answer(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response<Body> {
    // About one connection, and this is another.
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::HeaderName::from_static("keep-alive")]
    {
        headers.remove(name);
    }
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
