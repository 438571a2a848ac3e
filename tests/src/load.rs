//! A hospital at work: gateways send studies while people read, storage announces what came, and things fail meanwhile.
//! In the end each image that was sent must be there, once.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use futures::{
    StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::join_all,
};
use local::{Postgres, Stack, stack::Private};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::{
    Actor, Hospital,
    dicom::{self, Instance, uid},
    door::Door,
    hospital::{ct_chest, id, instance_of},
    processor,
};

/// How many uploads a gateway has offered to it at a time.
const OFFERED: usize = 100;
/// One image in so many of a registered study is announced before it is sent.
const ANNOUNCED: usize = 10;
/// One image in so many is sent once more under an upload of its own.
const SENT_AGAIN: usize = 97;
/// One blob in so many is announced by no event.
const UNTOLD: usize = 50;
/// One batch of events in so many is delivered twice, as Event Grid reserves to itself.
const TOLD_AGAIN: usize = 20;
/// How many events come in one delivery at most, and how many deliveries at a time.
const EVENTS: usize = 16;
const DELIVERIES: usize = 4;
/// How long a reader looks at what it has got.
const LOOK: Duration = Duration::from_millis(50);
/// How long nothing may come of anything before it is said that nothing will.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many images are fetched in the end and held against what was sent.
const FETCHED: usize = 20;

/// How much comes.
#[derive(Clone, Debug)]
pub struct Load {
    pub studies: usize,
    /// Of each study.
    pub instances: usize,
    pub uploaders: usize,
    pub readers: usize,
    /// How often the sweep looks for what no event has announced, in seconds.
    pub swept: u32,
    pub trouble: Trouble,
}

/// What fails while it comes, at even distances.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    pub host_killed: usize,
    /// The first time as a power cut does it, then in good order, and so on.
    pub postgres_restarted: usize,
    /// How long storage is too busy for everybody.
    pub storage_busy: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Until the last upload was sent, and until the last image was filed.
    pub sending: Duration,
    pub filing: Duration,
    /// How long each request of the readers took, by its status; 0 is a connection that the host did not take or keep.
    pub reads: BTreeMap<u16, Vec<Duration>>,
    /// What was counted in the database in the end.
    pub counts: BTreeMap<String, usize>,
    /// What went wrong on the way, as those who sent and announced have seen it.
    pub seen: BTreeMap<String, usize>,
    /// The processor time of each program.
    pub processors: BTreeMap<&'static str, Duration>,
}

/// What everybody who takes part knows.
struct Ward {
    load: Load,
    studies: Vec<Study>,
    done: AtomicBool,
    sent: AtomicUsize,
    seen: Mutex<BTreeMap<String, usize>>,
}

/// A study that is to come.
struct Study {
    /// Registered, or known by its order's accession number alone.
    registered: Option<Value>,
    order: Value,
    uid: String,
    series: [String; 2],
    instances: Vec<String>,
}

impl Study {
    /// The file of one of its instances: the same each time.
    fn file(&self, number: usize) -> Instance {
        let file = match &self.registered {
            Some(study) => instance_of(study),
            None => dicom::instance()
                .study(&self.uid)
                .patient(self.order["patientId"].as_str().expect("a patient"), "Doe^Jane")
                .accession(self.order["accessionNumber"].as_str().expect("an accession number")),
        };
        let series = number % self.series.len();
        file.series(&self.series[series])
            .sop(&self.instances[number])
            .number(series as u32 + 1, number as u32 + 1)
    }
}

impl Ward {
    fn saw(&self, what: impl Into<String>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(what.into()).or_default() += 1;
    }

    /// The status and the body of an answer; nothing when there was none, or not the whole.
    async fn answer(&self, request: RequestBuilder) -> Option<(u16, Value)> {
        let reply = request.send().await.ok()?;
        let status = reply.status().as_u16();
        let bytes = reply.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Asks again, later each time, as long as it is told to come again or not told anything.
    async fn asks(&self, whom: &str, make: impl Fn() -> RequestBuilder) -> (u16, Value) {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.answer(make()).await {
                Some((503, _)) => self.saw(format!("{whom} said to come again")),
                Some(answer) => return answer,
                None => self.saw(format!("{whom} did not answer")),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// What is asked under a key is done once, however often it has to be asked; the data of the answer.
    async fn posts(&self, actor: &Actor, path: &str, body: Value) -> Value {
        let key = uuid::Uuid::now_v7().to_string();
        let (status, mut answered) = self
            .asks("the host", || {
                actor.request(Method::POST, path).header("idempotency-key", &key).json(&body)
            })
            .await;
        assert_eq!(status, 201, "{path}: {answered}");
        answered["data"].take()
    }
}

/// Lets all of it happen, saying now and then how far it is, and counts.
pub async fn bear(load: &Load, progress: impl Fn(&str)) -> Outcome {
    let stack = Stack::shared().await.expect("the stack starts");
    let postgres = stack.private_postgres().await.expect("a Postgres");
    let is_troubled = load.trouble.storage_busy > Duration::ZERO;
    let door = if is_troubled { Some(Door::before(stack.account()).await) } else { None };
    let mut hospital = Hospital::open_with(|settings| {
        settings.variables.insert("database_url".to_owned(), postgres.service_url().expect("its URL"));
        settings.timers.insert("/tasks/sweep".to_owned(), load.swept);
        if let Some(door) = &door {
            let account = door.account().connection_string();
            settings.variables.insert("azure_storage_connection_string".to_owned(), account);
        }
    })
    .await;
    progress(&format!("{} orders are placed", load.studies));
    let ward = Arc::new(Ward {
        load: load.clone(),
        studies: expects(&hospital, load).await,
        done: AtomicBool::new(false),
        sent: AtomicUsize::new(0),
        seen: Mutex::default(),
    });

    let azurite = stack.logs()[1].with_file_name("process.pid");
    let mut watched = Watched::begin(postgres, &azurite);
    let (announce, announced) = unbounded();
    let began = Instant::now();
    let gateways: Vec<_> = (0..load.uploaders)
        .map(|number| tokio::spawn(sends(Arc::clone(&ward), number, hospital.service(), announce.clone())))
        .collect();
    drop(announce);
    let events = tokio::spawn(delivers(Arc::clone(&ward), hospital.machine(), announced));
    let readers: Vec<_> = (0..load.readers)
        .map(|number| tokio::spawn(reads(Arc::clone(&ward), number, hospital.radiologist())))
        .collect();

    let uploading = async {
        for gateway in gateways {
            gateway.await.expect("a gateway sends all that it has");
        }
        began.elapsed()
    };
    let (sending, filing) =
        tokio::join!(uploading, oversees(&ward, &mut hospital, &mut watched, door.as_ref(), began, progress));
    events.await.expect("all events are delivered");
    ward.done.store(true, SeqCst);
    let mut reads = BTreeMap::<u16, Vec<Duration>>::new();
    for read in join_all(readers).await {
        for (status, took) in read.expect("a reader reads") {
            reads.entry(status).or_default().push(took);
        }
    }

    if let Some(door) = &door {
        let (refused, lost) = door.refused();
        let mut seen = ward.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert("requests that storage was too busy for".to_owned(), refused);
        seen.insert("  of these done all the same, the answer lost".to_owned(), lost);
    }
    let processors = watched.processors(&hospital);
    is_complete(&ward, &hospital).await;
    let counts = watched.counts().await.expect("Postgres answers");
    let seen = ward.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Outcome { sending, filing, reads, counts, seen, processors }
}

impl Outcome {
    /// Whether nothing was lost and nothing is there twice; and nobody who read was told anything but what they asked for,
    /// or to come again when something had failed.
    pub fn must_be_whole(&self, load: &Load) {
        let images = load.studies * load.instances;
        let again = (0..images).filter(|number| number % SENT_AGAIN == 0).count();
        let wanted: BTreeMap<String, usize> = [
            ("uploads stored", images),
            ("uploads duplicate", again),
            ("uploads of any other status", 0),
            ("images stored", images),
            ("images of any other status", 0),
            ("SOP instances", images),
            ("blobs of images", images),
            ("studies", load.studies),
            ("studies whose counts are right", load.studies),
            ("orders in progress", load.studies),
            ("audit events image.store", images),
            ("audit events upload.stored", images),
            ("messages study.changed", load.studies),
        ]
        .into_iter()
        .map(|(what, count)| (what.to_owned(), count))
        .collect();
        assert_eq!(self.counts, wanted, "{:#?}", self.seen);
        let is_calm = load.trouble.host_killed == 0
            && load.trouble.postgres_restarted == 0
            && load.trouble.storage_busy == Duration::ZERO;
        for (status, took) in &self.reads {
            let is_right = *status == 200 || !is_calm && matches!(status, 0 | 503);
            assert!(is_right, "{} reads were answered with {status}", took.len());
        }
    }
}

/// The orders of all that is to come; every second one has its study registered.
async fn expects(hospital: &Hospital, load: &Load) -> Vec<Study> {
    let (provider, technologist) = (hospital.provider(), hospital.technologist());
    let mut studies = Vec::new();
    for number in 0..load.studies {
        let mut order = ct_chest();
        order["patientId"] = json!(format!("MRN-{number}"));
        let order = provider.places(order).await;
        let registered = match number % 2 {
            0 => Some(technologist.registers(&order).await),
            _ => None,
        };
        let uid = match &registered {
            Some(study) => study["studyInstanceUID"].as_str().expect("a study has a UID").to_owned(),
            None => uid(),
        };
        let instances = (0..load.instances).map(|_| dicom::uid()).collect();
        studies.push(Study { registered, order, uid, series: [dicom::uid(), dicom::uid()], instances });
    }
    studies
}

/// One gateway sends its share: of every study half, so that each comes from two at the same time.
async fn sends(ward: Arc<Ward>, gateway: usize, actor: Actor, announce: UnboundedSender<String>) {
    let http = client();
    let load = &ward.load;
    let mut share = Vec::new();
    for study in 0..load.studies {
        for number in (0..load.instances).filter(|number| (study + number % 2) % load.uploaders == gateway) {
            let is_announced =
                ward.studies[study].registered.is_some() && number % ANNOUNCED == ANNOUNCED - 1;
            share.push((study, number, is_announced));
            if (study * load.instances + number).is_multiple_of(SENT_AGAIN) {
                share.push((study, number, false));
            }
        }
    }
    for batch in share.chunks(OFFERED) {
        let count = batch.iter().filter(|(_, _, is_announced)| !is_announced).count();
        let mut offered = ward.posts(&actor, "/api/uploads", json!({"count": count})).await;
        let mut offers = offered["uploads"].as_array_mut().map(std::mem::take).into_iter().flatten();
        for (study, number, is_announced) in batch {
            let study = &ward.studies[*study];
            let upload = match is_announced {
                true => announces(&ward, &actor, study, *number).await,
                false => offers.next().expect("an upload for each")["upload"].take(),
            };
            puts(&ward, &actor, &http, &upload, study.file(*number).write().expect("a DICOM file")).await;
            if !ward.sent.fetch_add(1, SeqCst).is_multiple_of(UNTOLD) {
                announce.unbounded_send(blob_url(&upload).to_owned()).expect("somebody delivers");
            }
        }
    }
}

/// Says what is to come, and is told where to send it.
async fn announces(ward: &Ward, actor: &Actor, study: &Study, number: usize) -> Value {
    let registered = study.registered.as_ref().expect("only what has a study can be announced");
    let series = number % study.series.len();
    let body = json!({
        "seriesInstanceUID": study.series[series],
        "sopInstanceUID": study.instances[number],
        "seriesNumber": series + 1,
        "instanceNumber": number + 1,
    });
    ward.posts(actor, &format!("/api/studies/{}/images", id(registered)), body).await["upload"].take()
}

/// Sends a file until it is there. That it may not be sent once more says that it is, and then the service knows of it.
async fn puts(ward: &Ward, actor: &Actor, http: &reqwest::Client, upload: &Value, file: Vec<u8>) {
    let url = upload["url"].as_str().expect("an upload URL");
    let put = || {
        let mut request = http.put(url).header("content-length", file.len()).body(file.clone());
        for (name, value) in upload["headers"].as_object().expect("headers of an upload") {
            request = request.header(name, value.as_str().expect("a header"));
        }
        request
    };
    let (status, _) = ward.asks("storage", put).await;
    if status == 201 {
        return;
    }
    assert_eq!(status, 403, "storage refuses a file");
    ward.saw("files that were sent once more and were there");
    let upload = blob_url(upload).rsplit('/').next().and_then(|name| name.strip_suffix(".dcm"));
    let path = format!("/api/ingest/{}", upload.expect("a blob's name has its upload's id"));
    let (status, body) = ward.asks("the host", || actor.request(Method::GET, &path)).await;
    assert_eq!(status, 200, "{body}");
}

fn blob_url(upload: &Value) -> &str {
    upload["url"].as_str().and_then(|url| url.split('?').next()).expect("an upload URL")
}

fn client() -> reqwest::Client {
    // Shorter than the 5 seconds after which Azurite closes an idle connection.
    let client = reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(2));
    client.build().expect("an HTTP client")
}

/// Delivers what storage announces, each at least once: again a second later when it was not taken.
async fn delivers(ward: Arc<Ward>, machine: Actor, announced: UnboundedReceiver<String>) {
    let deliver = async |(number, urls): (usize, Vec<String>)| {
        let events: Vec<Value> = urls.iter().map(|url| event(url)).collect();
        for _ in 0..if number % TOLD_AGAIN == 0 { 2 } else { 1 } {
            let post = || machine.request(Method::POST, "/events/blob").json(&events);
            let (status, body) = ward.asks("the host", post).await;
            assert_eq!(status, 200, "{body}");
        }
    };
    announced.ready_chunks(EVENTS).enumerate().for_each_concurrent(DELIVERIES, deliver).await;
}

fn event(url: &str) -> Value {
    json!({
        "specversion": "1.0",
        "type": "Microsoft.Storage.BlobCreated",
        "source": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "id": uuid::Uuid::now_v7(),
        "time": "2026-01-02T09:30:15Z",
        "data": {"api": "PutBlob", "contentType": "application/dicom", "url": url},
    })
}

/// One reader lists studies and opens one after the other, until all is done: the status and the duration of each request.
async fn reads(ward: Arc<Ward>, reader: usize, actor: Actor) -> Vec<(u16, Duration)> {
    let mut read = Vec::new();
    let mut studies = Vec::new();
    for turn in reader.. {
        if ward.done.load(SeqCst) {
            break;
        }
        let path = match studies.get(turn % 10) {
            Some(study) => format!("/api/studies/{study}"),
            None => "/api/studies?limit=50".to_owned(),
        };
        let asked = Instant::now();
        let answer = ward.answer(actor.request(Method::GET, &path)).await;
        let status = answer.as_ref().map_or(0, |(status, _)| *status);
        read.push((status, asked.elapsed()));
        if let Some((200, body)) = answer {
            if let Some(listed) = body["data"]["studies"].as_array() {
                // The last of ten turns is for listing again, which finds what is new.
                studies = listed.iter().take(9).map(|study| id(study).to_owned()).collect();
            } else {
                let counted = body["data"]["study"]["numberOfInstances"].as_u64();
                assert!(counted.is_some_and(|counted| counted <= ward.load.instances as u64), "{body}");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    read
}

/// What may fail next.
#[derive(Clone, Copy, Debug)]
enum Fault {
    HostKilled,
    PostgresCrashed,
    PostgresRestarted,
    StorageBusy(Duration),
}

impl Trouble {
    /// All that is to fail, mixed.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![Fault::HostKilled; self.host_killed];
        for number in 0..self.postgres_restarted {
            let fault = if number % 2 == 0 { Fault::PostgresCrashed } else { Fault::PostgresRestarted };
            faults.insert((number + 1) * faults.len() / (self.postgres_restarted + 1), fault);
        }
        if self.storage_busy > Duration::ZERO {
            faults.insert(faults.len() / 2, Fault::StorageBusy(self.storage_busy));
        }
        faults
    }
}

/// Looks how far it is until everything is filed, and lets fail what is to fail on the way: how long it took.
async fn oversees(
    ward: &Ward,
    hospital: &mut Hospital,
    watched: &mut Watched,
    door: Option<&Door>,
    began: Instant,
    progress: impl Fn(&str),
) -> Duration {
    let images = ward.load.studies * ward.load.instances;
    let faults = ward.load.trouble.faults();
    let mut next = 0;
    let (mut last, mut since, mut told) = (0, Instant::now(), Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // It may be away.
        let Ok(filing) = watched.filing().await else { continue };
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let sent = ward.sent.load(SeqCst);
            progress(&format!("{:>4} s: {sent} sent, {} filed", began.elapsed().as_secs(), filing.settled));
            if since.elapsed() > Duration::from_secs(10) {
                progress(&format!("  nothing since {:?}: {}", since.elapsed(), watched.waiting().await));
            }
        }
        if filing.is_over(images) {
            return began.elapsed();
        }
        if filing.settled > last {
            (last, since) = (filing.settled, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{filing:?} since {PATIENCE:?}\n{}", last_lines(&hospital.log()));
        let Some(fault) =
            faults.get(next).filter(|_| filing.settled * (faults.len() + 1) > (next + 1) * images)
        else {
            continue;
        };
        next += 1;
        progress(&format!("{:>4} s: {} filed, {fault:?}", began.elapsed().as_secs(), filing.settled));
        match fault {
            Fault::HostKilled => {
                watched.forget_host(hospital);
                hospital.host.kill();
                hospital.host.restart().await.expect("the host starts again");
            }
            Fault::PostgresCrashed => watched.restart_postgres(|postgres| postgres.kill()).await,
            Fault::PostgresRestarted => watched.restart_postgres(|postgres| postgres.stop()).await,
            Fault::StorageBusy(lasts) => {
                let door = door.expect("a door to shut");
                door.shut();
                tokio::time::sleep(*lasts).await;
                door.open();
            }
        }
        since = Instant::now();
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(20)).copied().collect::<Vec<_>>().join("\n")
}

/// How far it is.
#[derive(Debug)]
struct Filing {
    settled: usize,
    /// Nothing has come of these yet.
    awaited: usize,
}

impl Filing {
    fn is_over(&self, images: usize) -> bool {
        self.awaited == 0 && self.settled >= images
    }
}

/// The Postgres that all of it ends in, and the processor time of those that work.
struct Watched {
    postgres: Option<Private<Postgres>>,
    url: String,
    connection: Option<PgConnection>,
    azurite: Option<u32>,
    /// Of those that were ended.
    former: BTreeMap<&'static str, Duration>,
    azurite_before: Duration,
    own_before: Duration,
}

impl Watched {
    fn begin(postgres: Private<Postgres>, azurite: &Path) -> Self {
        let url = postgres.get().expect("a Postgres").server().url("imaging");
        let azurite = processor::named_in(azurite);
        let azurite_before = azurite.map(processor::time_of).unwrap_or_default();
        let (connection, former) = (None, BTreeMap::new());
        let own_before = processor::own_time();
        Self { postgres: Some(postgres), url, connection, azurite, former, azurite_before, own_before }
    }

    async fn ask(&mut self, query: &'static str) -> sqlx::Result<Vec<(String, i64)>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => PgConnection::connect(&self.url).await?,
        };
        let rows = sqlx::query_as(query).fetch_all(&mut connection).await?;
        self.connection = Some(connection);
        Ok(rows)
    }

    async fn filing(&mut self) -> sqlx::Result<Filing> {
        let rows = self.ask("select status, count(*) from imaging.uploads group by status").await?;
        let count = |is_counted: fn(&str) -> bool| {
            rows.iter().filter(|(status, _)| is_counted(status)).map(|(_, count)| *count as usize).sum()
        };
        Ok(Filing {
            settled: count(|status| status == "STORED"),
            awaited: count(|status| matches!(status, "EXPECTED" | "RECEIVED")),
        })
    }

    /// What nothing has come of yet, as the database has it.
    async fn waiting(&mut self) -> String {
        let waiting = "
            select concat_ws(', ', status, 'attempts ' || attempts, 'unreturned ' || unreturned,
                             'updated ' || date_trunc('second', imaging.clock() - updated_at),
                             'asked ' || date_trunc('second', imaging.clock() - asked_at)), count(*)
              from imaging.uploads where status in ('EXPECTED', 'RECEIVED') group by 1 order by 2 desc limit 5";
        format!("{:?}", self.ask(waiting).await)
    }

    /// What is there in the end.
    async fn counts(&mut self) -> sqlx::Result<BTreeMap<String, usize>> {
        let rows = self.ask(COUNTS).await?;
        Ok(rows.into_iter().map(|(what, count)| (what, count as usize)).collect())
    }

    fn postgres_process(&self) -> Option<u32> {
        let postgres = self.postgres.as_ref()?.get().ok()?;
        processor::named_in(&postgres.directory().join("data/postmaster.pid"))
    }

    /// Takes Postgres away and brings it back. It blocks, and so does it elsewhere.
    async fn restart_postgres(&mut self, end: fn(&mut Postgres)) {
        self.count("Postgres", self.postgres_process());
        self.connection = None;
        let mut postgres = self.postgres.take().expect("a Postgres");
        let ended = tokio::task::spawn_blocking(move || {
            end(postgres.get_mut().expect("a Postgres"));
            postgres
        });
        let mut postgres = ended.await.expect("it ends");
        postgres.get_mut().expect("a Postgres").start_again().await.expect("Postgres starts again");
        self.postgres = Some(postgres);
    }

    fn forget_host(&mut self, hospital: &Hospital) {
        self.count("host", hospital.host.pid());
    }

    fn count(&mut self, program: &'static str, process: Option<u32>) {
        *self.former.entry(program).or_default() += process.map(processor::time_of).unwrap_or_default();
    }

    /// What each program has had in all.
    fn processors(&mut self, hospital: &Hospital) -> BTreeMap<&'static str, Duration> {
        self.count("host", hospital.host.pid());
        self.count("Postgres", self.postgres_process());
        self.count("storage", self.azurite);
        let mut processors = std::mem::take(&mut self.former);
        processors.insert("those who ask", processor::own_time().saturating_sub(self.own_before));
        if let Some(storage) = processors.get_mut("storage") {
            *storage = storage.saturating_sub(self.azurite_before);
        }
        processors
    }
}

/// Through the service: each study has all that was sent, and some images are what was sent, byte for byte.
async fn is_complete(ward: &Ward, hospital: &Hospital) {
    let (radiologist, http) = (hospital.radiologist(), client());
    let get = async |path: String| {
        let (status, mut body) = ward.asks("the host", || radiologist.request(Method::GET, &path)).await;
        assert_eq!(status, 200, "{path}: {body}");
        body["data"].take()
    };
    let step = (ward.load.studies / FETCHED).max(1);
    for (place, study) in ward.studies.iter().enumerate() {
        let order = get(format!("/api/imaging-orders/{}", id(&study.order))).await["order"].take();
        assert_eq!(
            (&order["status"], order["studies"].as_array().map(Vec::len)),
            (&json!("IN_PROGRESS"), Some(1))
        );
        let read = get(format!("/api/studies/{}", id(&order["studies"][0]))).await["study"].take();
        let images = read["images"].as_array().expect("images of a study");
        assert_eq!(read["studyInstanceUID"], study.uid.as_str());
        assert_eq!(
            (images.len(), &read["numberOfInstances"]),
            (ward.load.instances, &json!(ward.load.instances))
        );
        if place % step != 0 {
            continue;
        }
        let image = &images[place % images.len()];
        let number = study.instances.iter().position(|uid| image["sopInstanceUID"] == uid.as_str());
        let url = get(format!("/api/images/{}/url", id(image))).await["url"].take();
        let fetched = http.get(url.as_str().expect("a URL")).send().await.expect("storage answers");
        let sent = study.file(number.expect("only what was sent is there")).write().expect("a DICOM file");
        assert!(
            fetched.bytes().await.expect("the bytes of the blob") == sent,
            "an image is not what was sent"
        );
    }
}

const COUNTS: &str = "
    select 'uploads stored', count(*) from imaging.uploads where status = 'STORED'
     union all select 'uploads duplicate', count(*) from imaging.uploads where status = 'DUPLICATE'
     union all select 'uploads of any other status', count(*) from imaging.uploads
                where status not in ('STORED', 'DUPLICATE')
     union all select 'images stored', count(*) from imaging.images where status = 'STORED'
     union all select 'images of any other status', count(*) from imaging.images where status <> 'STORED'
     union all select 'SOP instances', count(distinct sop_instance_uid) from imaging.images
     union all select 'blobs of images', count(distinct blob) from imaging.images
     union all select 'studies', count(*) from imaging.studies
     union all select 'studies whose counts are right', count(*) from imaging.studies s
                where (number_of_instances, number_of_series) =
                      (select count(*), count(distinct series_instance_uid) from imaging.images
                        where organization = s.organization and study_id = s.id)
     union all select 'orders in progress', count(*) from imaging.orders where status = 'IN_PROGRESS'
     union all select 'audit events image.store', count(*) from imaging.audit_events where action = 'image.store'
     union all select 'audit events upload.stored', count(*) from imaging.audit_events where action = 'upload.stored'
     union all select 'messages study.changed', count(*) from imaging.outbox where topic = 'study.changed'";
