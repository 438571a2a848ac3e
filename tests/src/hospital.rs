//! A hospital: a running host over a database and a container of its own, and the people who work there.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use local::{Host, Stack, host, stack::Database, token::Claims};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    actor::{Actor, finding_of, report_of},
    contract, dicom, logs,
    reply::Reply,
    reports, storage,
};

/// How long a test waits for what should take two seconds at most, before it says that it never came.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Hospital {
    pub host: Host,
    pub database: Database,
    pub organization: String,
    stack: &'static Stack,
    variables: BTreeMap<String, String>,
    http: reqwest::Client,
}

impl Drop for Hospital {
    /// Whatever was tested, nothing of a patient may have been logged: by the host and its components, by Postgres or by
    /// storage.
    fn drop(&mut self) {
        // What the host is answering yet is logged yet.
        self.host.stop();
        // A test that fails already has more to say; a second panic would keep it from saying so.
        if !std::thread::panicking() {
            logs::must_tell_of_no_patient(&[self.stack.logs(), vec![self.host.log()]].concat());
        }
    }
}

impl Hospital {
    /// A hospital that nobody else uses.
    pub async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// The same, its host's settings changed before it starts.
    pub async fn open_with(change: impl FnOnce(&mut host::Settings)) -> Self {
        let stack = Stack::shared().await.expect("the stack starts");
        let database = stack.database().await.expect("a database");
        let container = stack.container().await.expect("a container");
        let mut settings =
            stack.host(&database.service_url(), stack.account(), &container).expect("settings of a host");
        change(&mut settings);
        let variables = settings.variables.clone();
        let host = Host::start(settings).await.expect("the host starts");
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(60)).build().expect("an HTTP client");
        contract::learn(&http, &host.address()).await;
        Self { host, database, organization: "org-1".to_owned(), stack, variables, http }
    }

    /// Somebody of this hospital with a role, at facility `fac-1`.
    pub fn somebody(&self, role: &str) -> Actor {
        self.somebody_with(role, |_| {})
    }

    /// Somebody whose claims are changed before they are signed.
    pub fn somebody_with(&self, role: &str, change: impl FnOnce(&mut Claims)) -> Actor {
        self.bearer(&format!("Bearer {}", self.token_with(role, change)))
    }

    /// The token of somebody with a role, for a client that is none of ours.
    pub fn token(&self, role: &str) -> String {
        self.token_with(role, |_| {})
    }

    fn token_with(&self, role: &str, change: impl FnOnce(&mut Claims)) -> String {
        let mut claims = Claims::new(&format!("{role}-1"), role, &self.organization, 60);
        claims.facility_ids = vec!["fac-1".to_owned()];
        change(&mut claims);
        claims.sign(&self.setting("jwt_secret")).expect("a token")
    }

    /// Somebody who sends this as authorization.
    pub fn bearer(&self, authorization: &str) -> Actor {
        Actor::new(self.http.clone(), self.host.address(), Some(("authorization", authorization.to_owned())))
    }

    pub fn provider(&self) -> Actor {
        self.somebody("provider")
    }

    pub fn scheduler(&self) -> Actor {
        self.somebody("scheduler")
    }

    pub fn technologist(&self) -> Actor {
        self.somebody("technologist")
    }

    pub fn radiologist(&self) -> Actor {
        self.somebody("radiologist")
    }

    /// A gateway, or another service of the platform.
    pub fn service(&self) -> Actor {
        self.somebody("service")
    }

    pub fn patient(&self, patient: &str) -> Actor {
        self.somebody_with("patient", |claims| {
            claims.patient_id = Some(patient.to_owned());
            claims.facility_ids.clear();
        })
    }

    /// The radiologist of another organization, who must learn nothing of this one.
    pub fn stranger(&self) -> Actor {
        self.somebody_with("radiologist", |claims| claims.organization_id = "org-2".to_owned())
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Actor {
        Actor::new(self.http.clone(), self.host.address(), None)
    }

    /// Storage, or a timer: who has the event key.
    pub fn machine(&self) -> Actor {
        Actor::new(self.http.clone(), self.host.address(), Some(("x-event-key", self.setting("event_key"))))
    }

    /// A setting of the running host.
    pub fn setting(&self, name: &str) -> String {
        self.variables.get(name).cloned().unwrap_or_default()
    }

    /// What the host and its components have written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.host.log()).unwrap_or_default()
    }

    /// Waits until an upload is no longer awaited, and answers what became of it.
    pub async fn settled(&self, upload: &str) -> Value {
        let technologist = self.technologist();
        self.wait_for(&format!("upload {upload} to settle"), async || {
            let ingest =
                technologist.get(&format!("/api/ingest/{upload}")).await.expect(200)["ingest"].take();
            let settled = !matches!(ingest["status"].as_str(), Some("EXPECTED" | "RECEIVED"));
            settled.then_some(ingest)
        })
        .await
    }

    /// Waits until an image's bytes are filed, and answers the image.
    pub async fn stored(&self, image: &str) -> Value {
        let technologist = self.technologist();
        self.wait_for(&format!("image {image} to be STORED"), async || {
            let image = technologist.get(&format!("/api/images/{image}")).await.expect(200)["image"].take();
            (image["status"] == "STORED").then_some(image)
        })
        .await
    }

    /// Asks again and again until there is an answer.
    pub async fn wait_for<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        self.wait_for_long(PATIENCE, what, ask).await
    }

    /// The same for what takes longer.
    pub async fn wait_for_long<T>(
        &self,
        patience: Duration,
        what: &str,
        ask: impl AsyncFn() -> Option<T>,
    ) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(began.elapsed() < patience, "waited {patience:?} for {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A URL of storage as a client uses it: no token, only what the grant says.
    pub async fn send(&self, upload: &Value, bytes: Vec<u8>) -> Reply {
        // Storage wants to be told the length also where there is nothing, when the client would say none.
        let mut request = self
            .http
            .put(upload["url"].as_str().expect("an upload URL"))
            .header("content-length", bytes.len())
            .body(bytes);
        for (name, value) in upload["headers"].as_object().expect("headers of an upload") {
            request = request.header(name, value.as_str().expect("a header"));
        }
        Reply::from(request.send().await.expect("storage answers")).await
    }

    /// A file arrives by an upload that nobody announced: what became of it.
    pub async fn receives(&self, file: Vec<u8>) -> Value {
        let upload = self.uploads(file).await;
        self.settled(&upload).await
    }

    /// A file is sent to an upload URL of the kind that knows no study: the upload's id.
    pub async fn uploads(&self, file: Vec<u8>) -> String {
        let mut offered = self.technologist().post("/api/uploads", json!({"count": 1})).await.expect(201);
        let offer = offered["uploads"][0].take();
        self.send(&offer["upload"], file).await.expect_status(201);
        id(&offer).to_owned()
    }

    /// The bytes that storage has under a name, asked as the owner of the account; nothing when there are none.
    pub async fn blob(&self, name: &str) -> Option<Vec<u8>> {
        let account = self.setting("azure_storage_connection_string");
        storage::blob(&account, &self.setting("azure_storage_container_name"), name)
            .await
            .expect("storage answers")
    }

    /// The bytes of an upload are put by the owner of the account, in two pieces: of such a blob storage knows no hash.
    pub async fn puts_in_blocks(&self, upload: &str, bytes: &[u8]) {
        let name = self.sql(&format!("select blob from imaging.uploads where id = '{upload}'")).await;
        let account = self.setting("azure_storage_connection_string");
        let container = self.setting("azure_storage_container_name");
        storage::put_in_blocks(&account, &container, &name.expect("an upload"), bytes)
            .await
            .expect("storage takes it");
    }

    /// A request to storage by somebody who has nothing but a URL.
    pub fn to_storage(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.http.request(method, url)
    }

    /// The bytes behind a read URL.
    pub async fn fetch(&self, url: &str) -> Vec<u8> {
        let response = self.http.get(url).send().await.expect("storage answers");
        assert_eq!(response.status(), 200);
        response.bytes().await.expect("the bytes of the blob").to_vec()
    }

    /// The first column of the first row as text, asked as the database's administrator; nothing for no row or null.
    pub async fn sql(&self, query: &str) -> Option<String> {
        let mut connection =
            PgConnection::connect(&self.database.admin_url()).await.expect("the database answers");
        sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(query.to_owned()))
            .fetch_optional(&mut connection)
            .await
            .expect("the query runs")
            .flatten()
    }

    /// A statement, run as the database's administrator.
    pub async fn execute(&self, statement: &str) {
        let mut connection =
            PgConnection::connect(&self.database.admin_url()).await.expect("the database answers");
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await
            .expect("the statement runs");
    }

    /// An order, placed and with one registered study: the study.
    pub async fn registered_study(&self) -> Value {
        let order = self.provider().places(ct_chest()).await;
        self.technologist().registers(&order).await
    }

    /// A study of an order with one stored image: the study as it is then.
    pub async fn scanned_study(&self) -> Value {
        let study = self.registered_study().await;
        self.scans(&study).await;
        self.technologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take()
    }

    /// A study of an order whose images are all there, as the database is told: how they come is for other tests.
    pub async fn completed_study(&self) -> Value {
        let study = self.registered_study().await;
        self.completes(&study).await;
        self.technologist().get(&format!("/api/studies/{}", id(&study))).await.expect(200)["study"].take()
    }

    /// All the images of a study are there: it takes a report from now on.
    pub async fn completes(&self, study: &Value) {
        let complete = "update imaging.studies set status = 'COMPLETED', number_of_instances = 1";
        self.execute(&format!("{complete} where id = '{}'", id(study))).await;
    }

    /// A completed study gets a report, which is brought to a status: the report.
    pub async fn reports(&self, study: &Value, status: &str) -> Value {
        let radiologist = self.radiologist();
        let report = radiologist.writes(report_of(study)).await;
        if status == "PRELIMINARY" {
            return report;
        }
        let signed = radiologist.signs(&report).await.expect(200)["report"].take();
        if status == "FINAL" {
            return signed;
        }
        radiologist.amends(&signed, status).await.expect(200)["report"].take()
    }

    /// The radiologist finds something on a study: the finding.
    pub async fn finds(&self, study: &Value, severity: &str) -> Value {
        self.radiologist().raises(finding_of(study, severity)).await
    }

    /// A message about a finding was given up, as the database is told: the delivery's id. How that comes is for other tests.
    pub async fn gives_up_telling(&self, finding: &Value) -> String {
        let insert = format!(
            "insert into imaging.deliveries (organization, id, event_id, channel, topic, resource, resource_id,
                    finding_id, recipient, line, made_at, state, attempts, due_at, last_code, created_at)
             select organization, imaging.issue_id(clock_timestamp()), id, 'NOTIFICATION', topic, resource, resource_id,
                    resource_id, 'dr-1', resource_id || '/dr-1', now(), 'DEAD', 1, now(), '422', now()
               from imaging.outbox where topic = 'finding.raised' and resource_id = '{}'
             returning id::text",
            id(finding)
        );
        self.sql(&insert).await.expect("an event of the finding")
    }

    /// One more image of a registered study arrives, and is filed: the image.
    pub async fn scans(&self, study: &Value) -> Value {
        let file = instance_of(study);
        let technologist = self.technologist();
        let offered = technologist.post("/api/uploads", json!({"count": 1})).await.expect(201);
        let upload = &offered["uploads"][0];
        self.send(&upload["upload"], file.write().expect("a DICOM file")).await.expect_status(201);
        let ingest = self.settled(upload["id"].as_str().expect("an upload id")).await;
        assert_eq!(ingest["status"], "STORED", "{ingest}");
        self.stored(ingest["imageId"].as_str().expect("an image id")).await
    }

    /// A structured report about a registered study arrives, and is filed: its image.
    pub async fn states(&self, study: &Value, report: &str) -> Value {
        let ingest = self.receives(reports::about(study, report).expect("a report")).await;
        assert_eq!(ingest["status"], "STORED", "{report}: {ingest}");
        self.stored(ingest["imageId"].as_str().expect("an image id")).await
    }
}

/// The id of a resource.
pub fn id(resource: &Value) -> &str {
    resource["id"].as_str().expect("a resource has an id")
}

/// What a provider orders as a rule.
pub fn ct_chest() -> Value {
    json!({
        "patientId": "MRN-1",
        "providerId": "provider-1",
        "facilityId": "fac-1",
        "modality": "CT",
        "bodyPart": "CHEST",
        "clinicalIndication": "Persistent cough for six weeks",
    })
}

/// A file as the scanner makes it for a study: its UID, its patient, its accession number.
pub fn instance_of(study: &Value) -> dicom::Instance {
    let text = |name: &str| study[name].as_str().unwrap_or_default().to_owned();
    dicom::instance()
        .study(&text("studyInstanceUID"))
        .patient(&text("patientId"), &text("patientName"))
        .accession(&text("accessionNumber"))
}
