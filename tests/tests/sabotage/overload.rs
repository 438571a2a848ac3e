//! More is asked than the host can serve, or by clients that keep it waiting: it turns away what is too much, at once, does
//! the rest, and is seen to be well.

use futures::{StreamExt, stream::FuturesUnordered};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tests::{
    Actor, Hospital,
    hospital::{ct_chest, id, instance_of},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::scanner;

/// A hospital whose host runs, and lets wait, so few requests at once; it sweeps only when it is asked to.
async fn open(arguments: &[&str]) -> Hospital {
    Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
    })
    .await
}

/// Until this is rolled back, nobody places an order.
async fn hold_orders(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut held = connection.begin().await.unwrap();
    sqlx::raw_sql("lock table imaging.orders in exclusive mode").execute(&mut *held).await.unwrap();
    held
}

#[tokio::test]
async fn what_is_too_much_is_turned_away_at_once_and_whatever_was_answered_is_so() {
    let hospital = open(&["--max-concurrent", "4", "--max-queued", "2"]).await;
    let provider = hospital.provider();
    let order = provider.places(ct_chest()).await;
    let mut connection = PgConnection::connect(&hospital.database.admin_url()).await.unwrap();
    let held = hold_orders(&mut connection).await;

    let mut asked: FuturesUnordered<_> =
        (0..30).map(|_| provider.post("/api/imaging-orders", ct_chest())).collect();
    // While the four that run wait for Postgres, and would do so for ever.
    for _ in 0..26 {
        let refused = asked.next().await.unwrap();
        refused.expect_unavailable();
        assert_eq!(refused.header("content-type"), "application/json");
        assert_eq!(refused.header("x-request-id"), refused.body["requestId"].as_str().unwrap());
    }
    provider.get(&format!("/api/imaging-orders/{}", id(&order))).await.expect_unavailable();
    // Also to somebody who has not sent all of it yet.
    let large = json!({"instructions": "x".repeat(1000 * 1000)});
    provider.post("/api/imaging-orders", large).await.expect_unavailable();
    hospital.anonymous().get("/health").await.expect_status(200);
    hospital.anonymous().get("/health/live").await.expect_status(200);
    held.rollback().await.unwrap();

    let mut placed = Vec::new();
    while let Some(reply) = asked.next().await {
        placed.push(reply.expect(201)["order"].take());
    }
    assert_eq!(placed.len(), 4);
    for order in &placed {
        provider.get(&format!("/api/imaging-orders/{}", id(order))).await.expect(200);
    }
    let orders = hospital.sql("select count(*)::text from imaging.orders").await;
    assert_eq!(orders.as_deref(), Some("5"));
    // A full host has no time to log each of them.
    let told = hospital
        .wait_for("the log to tell how many were turned away", async || {
            let log = hospital.log();
            let lines = log.lines().filter(|line| line.contains("the host is full"));
            let lines: Vec<serde_json::Value> =
                lines.map(|line| serde_json::from_str(line).unwrap()).collect();
            let requests: u64 = lines.iter().map(|line| line["requests"].as_u64().unwrap()).sum();
            (requests >= 28).then_some((requests, lines.len()))
        })
        .await;
    assert_eq!(told.0, 28);
    assert!(told.1 < 28, "{told:?}");
}

#[tokio::test]
async fn an_image_is_filed_while_the_host_takes_no_more_requests() {
    let mut hospital = open(&["--max-concurrent", "1", "--max-queued", "0"]).await;
    let (provider, scheduler) = (hospital.provider(), hospital.scheduler());
    let (order, study) = (provider.places(ct_chest()).await, hospital.registered_study().await);
    let offers = scanner::offers(&hospital, 1).await;
    hospital.host.settings_mut().timers.insert("/tasks/sweep".to_owned(), 1);
    hospital.host.restart().await.unwrap();
    let path = format!("/api/imaging-orders/{}", id(&order));
    let mut connection = PgConnection::connect(&hospital.database.admin_url()).await.unwrap();
    let mut held = connection.begin().await.unwrap();
    sqlx::query("select from imaging.orders where id = $1::uuid for update")
        .bind(id(&order))
        .execute(&mut *held)
        .await
        .unwrap();

    // The one place is taken, by a request that waits for the order.
    let change = async {
        loop {
            let reply = scheduler.patch(&path, json!({"priority": "STAT"})).await;
            if reply.status != 503 {
                break reply;
            }
        }
    };
    let meanwhile = async {
        hospital
            .wait_for("a request to wait for the order", async || {
                let waiting = "select 'yes' from pg_stat_activity
                                where datname = current_database() and usename = 'imaging_service'
                                  and wait_event_type = 'Lock'";
                hospital.sql(waiting).await
            })
            .await;
        provider.get(&path).await.expect_unavailable();
        scanner::send(&hospital, &offers, &[instance_of(&study)]).await;
        hospital
            .wait_for("the image to be filed", async || {
                hospital.sql("select 'yes' from imaging.uploads where status = 'STORED'").await
            })
            .await;
        provider.get(&path).await.expect_unavailable();
        held.rollback().await.unwrap();
    };
    let (changed, ()) = tokio::join!(change, meanwhile);

    assert_eq!(changed.expect(200)["order"]["priority"], "STAT");
}

/// A client of its own connection, which sends what it likes.
struct Plain(TcpStream);

impl Plain {
    async fn connect(hospital: &Hospital) -> Self {
        let address = hospital.host.address();
        Self(TcpStream::connect(address.strip_prefix("http://").unwrap()).await.unwrap())
    }

    /// The head of a request by somebody, as it goes over the wire.
    fn head(actor: &Actor, method: Method, path: &str, headers: &str) -> String {
        let request = actor.request(method, path).build().unwrap();
        let token = request.headers()["authorization"].to_str().unwrap();
        format!(
            "{} {path} HTTP/1.1\r\nhost: h\r\nauthorization: {token}\r\ncontent-type: application/json\r\n{headers}\r\n",
            request.method()
        )
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Whether the connection is one of those that can be used again.
    async fn is_kept(&mut self) -> bool {
        self.send("GET /health/live HTTP/1.1\r\nhost: h\r\n\r\n").await;
        let mut reply = String::new();
        while !reply.ends_with("\"}") {
            reply.push(self.0.read_u8().await.unwrap().into());
        }
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        !reply.contains("\r\nconnection: close\r\n")
    }

    /// What comes until the connection is closed.
    async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        // A connection that is closed while something is still sent to it ends with an error.
        let _ = self.0.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    }
}

#[tokio::test]
async fn a_client_that_does_not_send_its_body_keeps_its_place_for_seconds_only() {
    let hospital = open(&["--max-concurrent", "1", "--max-queued", "0"]).await;
    let provider = hospital.provider();
    let head = Plain::head(&provider, Method::POST, "/api/imaging-orders", "content-length: 1000\r\n");

    // One that comes while somebody is served is turned away itself, and another comes, until one has the place.
    let mut slow = Vec::new();
    loop {
        let mut client = Plain::connect(&hospital).await;
        client.send(&head).await;
        client.send("{\"patientId\":").await;
        slow.push(client);
        let reply = provider.get("/api/imaging-orders").await;
        if reply.status == 503 {
            reply.expect_unavailable();
            break;
        }
    }
    hospital.anonymous().get("/health").await.expect_status(200);
    let mut kept_waiting = 0;
    for client in slow {
        let answered = client.rest().await;
        kept_waiting += usize::from(answered.starts_with("HTTP/1.1 400 "));
        assert!(answered.starts_with("HTTP/1.1 400 ") || answered.starts_with("HTTP/1.1 503 "), "{answered}");
    }
    assert_eq!(kept_waiting, 1);
    hospital
        .wait_for("the place to come free", async || {
            (provider.get("/api/imaging-orders").await.status == 200).then_some(())
        })
        .await;
    let orders = hospital.sql("select count(*)::text from imaging.orders").await;
    assert_eq!(orders.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_body_without_end_is_refused_and_no_longer_read() {
    let hospital = open(&[]).await;
    let provider = hospital.provider();
    let mut endless = Plain::connect(&hospital).await;

    endless
        .send(&Plain::head(&provider, Method::POST, "/api/imaging-orders", "transfer-encoding: chunked\r\n"))
        .await;
    let (mut from, mut to) = endless.0.into_split();
    let write = async {
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        // Until nobody takes it any more.
        while to.write_all(chunk.as_bytes()).await.is_ok() {}
    };
    let read = async {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes).await;
        String::from_utf8(bytes).unwrap()
    };
    let ((), answered) = tokio::join!(write, read);

    assert!(answered.starts_with("HTTP/1.1 413 ") && answered.contains("body_too_large"), "{answered}");
    provider.get("/api/imaging-orders").await.expect_status(200);
}

#[tokio::test]
async fn a_client_for_whose_connection_there_is_no_room_is_told_so_or_how_the_host_is() {
    let hospital = open(&["--max-connections", "3"]).await;
    let provider = hospital.provider();
    let late = async |path: &str| {
        let mut client = Plain::connect(&hospital).await;
        client.send(&Plain::head(&provider, Method::GET, path, "")).await;
        client.rest().await
    };
    let mut others = Vec::new();
    loop {
        let mut other = Plain::connect(&hospital).await;
        if !other.is_kept().await {
            break;
        }
        others.push(other);
    }

    let refused = late("/api/imaging-orders").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("\r\nconnection: close\r\n"), "{refused}");
    assert!(refused.contains(r#""code":"unavailable""#), "{refused}");
    for path in ["/health", "/health/live"] {
        let answered = late(path).await;
        assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    }
    drop(others);

    hospital
        .wait_for("room for a connection", async || {
            (provider.get("/api/imaging-orders").await.status == 200).then_some(())
        })
        .await;
}
