//! From a blob that is there to the stored image as fast as that goes, and where the time goes; beside a native program that
//! reads, parses and asks the same: what this machine could do at most.
//!
//! What the native program asks is what the component asked: it is written down once while Postgres files nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use futures::{StreamExt, TryStreamExt, stream};
use local::{Stack, storage::Account};
use migrate::storage::Container;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Hospital,
    hospital::{id, instance_of},
    processor,
};

use crate::{
    costs::event,
    table::{percentile, print, row},
};

const AT_ONCE: [usize; 3] = [1, 4, 16];
/// Over how many studies the images are spread: of one study they are filed one after the other.
const STUDIES: usize = 16;
/// Images of each program that are filed before the clock starts.
const WARM: usize = 32;
/// How much the component reads of a file at first.
const FIRST: &str = "bytes=0-64511";

/// What was offered, sent, and not looked at yet.
struct Sent {
    offer: Value,
    blob: String,
}

/// What filing a number of images took.
struct Round {
    images: usize,
    lasted: Duration,
    /// Of each image: in all, of that in storage, and in Postgres.
    each: Vec<[Duration; 3]>,
    processors: [Duration; 3],
}

pub(crate) async fn measure(images: usize) -> Result<()> {
    let mut rows = vec![row([
        "at a time",
        "",
        "images/s",
        "p50 ms",
        "p99 ms",
        "mean ms",
        "storage",
        "Postgres",
        "the rest",
        "processor ms: program",
        "Postgres",
        "storage",
    ])];
    let mut ratios = Vec::new();
    for at_once in AT_ONCE {
        let (ours, native) = compare(at_once, images, STUDIES).await?;
        rows.push(ours.line(&at_once.to_string(), "components under our host"));
        rows.push(native.line("", "native"));
        ratios.push((at_once.to_string(), ours.per_second() / native.per_second()));
    }
    let (ours, native) = compare(16, images, 1).await?;
    rows.push(ours.line("16, of one study", "components under our host"));
    rows.push(native.line("", "native"));
    ratios.push(("16 of one study".to_owned(), ours.per_second() / native.per_second()));
    print(&format!("A blob of 512 KiB → image STORED, {images} images each"), &rows);
    for (at_once, ratio) in ratios {
        println!("{at_once} at a time: {ratio:.2} of the native program's images a second");
    }
    println!("reading a header natively, nothing else: {:.0} µs", parsing()?.as_secs_f64() * 1e6);
    Ok(())
}

/// The same number of images by each, of the same hospital.
async fn compare(at_once: usize, images: usize, studies: usize) -> Result<(Round, Round)> {
    let hospital = Hospital::open_with(|settings| {
        settings.timers.clear();
        settings.arguments.push("--profile".to_owned());
    })
    .await;
    let sent = send(&hospital, 2 * (images + WARM), studies).await?;
    let (ours, theirs) = sent.split_at(images + WARM);
    let asks = written_down(&hospital, theirs).await?;
    let native = Native::new(&hospital)?;

    let (warm, rest) = ours.split_at(WARM);
    let natives: Vec<(&Sent, &(Value, Value))> = theirs.iter().zip(&asks).collect();
    let (natives_warm, natives_rest) = natives.split_at(WARM);
    by_events(&hospital, warm, at_once).await?;
    native.file(natives_warm, at_once).await?;
    let ours = by_events(&hospital, rest, at_once).await?;
    let natively = native.file(natives_rest, at_once).await?;

    let stored = hospital.sql("select count(*)::text from imaging.images where status = 'STORED'").await;
    ensure!(stored == Some(sent.len().to_string()), "of {} images {stored:?} are stored", sent.len());
    Ok((ours, natively))
}

/// Uploads that have arrived, of studies in turn.
async fn send(hospital: &Hospital, images: usize, studies: usize) -> Result<Vec<Sent>> {
    let mut registered = Vec::new();
    for _ in 0..studies {
        registered.push(hospital.registered_study().await);
    }
    let mut offers: Vec<Value> = Vec::new();
    while offers.len() < images {
        let count = (images - offers.len()).min(1000);
        let mut offered =
            hospital.technologist().post("/api/uploads", json!({"count": count})).await.expect(201);
        offers.extend(serde_json::from_value::<Vec<Value>>(offered["uploads"].take())?);
    }
    let send = async |(number, offer): (usize, Value)| {
        let file = instance_of(&registered[number % studies]).series(&format!("1.2.3.{}", number % studies));
        hospital.send(&offer["upload"], file.size(512, 512).write()?).await.expect_status(201);
        let url = offer["upload"]["url"].as_str().and_then(|url| url.split('?').next()).context("a URL")?;
        let blob = url.split('/').skip(5).collect::<Vec<_>>().join("/");
        Ok::<_, anyhow::Error>(Sent { offer, blob })
    };
    stream::iter(offers.into_iter().enumerate()).map(send).buffered(8).try_collect().await
}

/// Files them by an event each, so many at a time.
async fn by_events(hospital: &Hospital, sent: &[Sent], at_once: usize) -> Result<Round> {
    let machine = hospital.machine();
    let file = async |sent: &Sent| {
        let asked = Instant::now();
        let reply = machine
            .request(Method::POST, "/events/blob")
            .json(&event(&sent.offer))
            .send()
            .await?
            .error_for_status()?;
        let took = asked.elapsed();
        let profile = reply.headers().get("x-profile").context("no profile")?.to_str()?;
        let millis = |name: &str| -> Result<Duration> {
            let pairs = profile.split(' ').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.into_iter().find(|(found, _)| *found == name).context("no such figure")?;
            Ok(Duration::from_secs_f64(value.parse::<f64>()? / 1e3))
        };
        Ok::<_, anyhow::Error>([took, millis("http_ms")?, millis("db_ms")?])
    };
    let programs = Programs::of(hospital.host.pid()).await?;
    let began = Instant::now();
    let each = stream::iter(sent).map(file).buffer_unordered(at_once).try_collect().await?;
    let lasted = began.elapsed();
    Ok(Round { images: sent.len(), lasted, each, processors: programs.since() })
}

/// What the component asks of `ingest.file` about each of these uploads, and as whom. They wait again afterwards.
async fn written_down(hospital: &Hospital, sent: &[Sent]) -> Result<Vec<(Value, Value)>> {
    let definition = hospital
        .sql("select pg_get_functiondef('ingest.file(jsonb, jsonb)'::regprocedure)")
        .await
        .context("ingest.file is there")?;
    hospital
        .execute(
            "create table public.asked (id uuid primary key, cx jsonb, ask jsonb);
             create or replace function ingest.file(cx jsonb, ask jsonb) returns jsonb
             language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
             as $$
             begin
                 insert into public.asked values ((ask->>'id')::uuid, cx, ask) on conflict do nothing;
                 return imaging.done('{\"settled\": \"RECEIVED\"}');
             end
             $$;
             grant insert, select on public.asked to public",
        )
        .await;
    let machine = hospital.machine();
    for batch in sent.chunks(50) {
        let events: Vec<Value> = batch.iter().map(|sent| event(&sent.offer)).collect();
        machine.post("/events/blob", json!(events)).await.expect_status(200);
    }
    hospital.execute(&definition).await;
    hospital
        .execute(
            "update imaging.uploads set status = 'EXPECTED', attempts = 0, unreturned = 0, received_at = null
              where status = 'RECEIVED'",
        )
        .await;
    let written = hospital
        .sql("select jsonb_object_agg(id, jsonb_build_array(cx, ask))::text from public.asked")
        .await
        .context("nothing was asked")?;
    let mut written: Value = serde_json::from_str(&written)?;
    sent.iter().map(|sent| Ok(serde_json::from_value(written[id(&sent.offer)].take())?)).collect()
}

/// The same without components: storage, the parser and Postgres, from this process.
struct Native {
    database: Pool,
    container: Container,
}

impl Native {
    fn new(hospital: &Hospital) -> Result<Self> {
        let manager = Manager::from_config(
            hospital.setting("database_url").parse()?,
            tokio_postgres::NoTls,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let account = Account::parse(&hospital.setting("azure_storage_connection_string"))?;
        Ok(Self {
            database: Pool::builder(manager).max_size(16).build()?,
            container: account.container(&hospital.setting("azure_storage_container_name"))?,
        })
    }

    async fn file(&self, sent: &[(&Sent, &(Value, Value))], at_once: usize) -> Result<Round> {
        let file = async |(sent, (cx, ask)): (&Sent, &(Value, Value))| {
            let began = Instant::now();
            let mut everywhere = cx.clone();
            everywhere["organization"] = json!("*");
            let begun = self.call("ingest.begin", &everywhere, &json!({"id": id(&sent.offer)})).await?;
            ensure!(begun["done"]["blob"] == sent.blob.as_str(), "{begun}");
            let asked = Instant::now();
            let read = self
                .container
                .send(Method::GET, Some(&sent.blob), &[], &[("x-ms-range", FIRST)], Vec::new())
                .await?;
            let in_storage = asked.elapsed();
            let total = read.headers.get("content-range").context("a part")?.to_str()?;
            let total = total.rsplit('/').next().context("a size")?.parse()?;
            let header = domain::dicom::read_header(&read.body, total)?;
            ensure!(
                !serde_json::to_string(&header.metadata)?.is_empty() && header.complete(total, &[]).is_ok()
            );
            let asked = Instant::now();
            let filed = self.call("ingest.file", cx, ask).await?;
            ensure!(filed["done"]["settled"] == "STORED", "{filed}");
            let (in_postgres, took) = (asked.elapsed(), began.elapsed());
            Ok::<_, anyhow::Error>([took, in_storage, in_postgres])
        };
        let programs = Programs::of(None).await?;
        let began = Instant::now();
        let each =
            stream::iter(sent.iter().copied()).map(file).buffer_unordered(at_once).try_collect().await?;
        let lasted = began.elapsed();
        Ok(Round { images: sent.len(), lasted, each, processors: programs.since() })
    }

    async fn call(&self, function: &str, cx: &Value, ask: &Value) -> Result<Value> {
        let connection = self.database.get().await?;
        let statement =
            connection.prepare_cached(&format!("select {function}($1::jsonb, $2::jsonb)")).await?;
        Ok(connection.query_one(&statement, &[cx, ask]).await?.try_get(0)?)
    }
}

/// The processes that file images, and the processor time that they had before. The first is this one when it is no other.
struct Programs {
    processes: [Option<u32>; 3],
    before: [Duration; 3],
}

impl Programs {
    async fn of(program: Option<u32>) -> Result<Self> {
        let stack = Stack::shared().await?;
        let logs = stack.logs();
        let [postgres, azurite] = [("data/postmaster.pid", 0), ("process.pid", 1)]
            .map(|(file, log)| logs.get(log).and_then(|log| processor::named_in(&log.with_file_name(file))));
        let postgres = postgres.context("Postgres runs")?;
        let azurite = azurite.context("Azurite runs")?;
        let processes = [program, Some(postgres), Some(azurite)];
        Ok(Self { processes, before: processes.map(Self::time_of) })
    }

    fn time_of(process: Option<u32>) -> Duration {
        process.map_or_else(processor::own_time, processor::time_of)
    }

    fn since(&self) -> [Duration; 3] {
        let now = self.processes.map(Self::time_of);
        std::array::from_fn(|place| now[place].saturating_sub(self.before[place]))
    }
}

impl Round {
    fn per_second(&self) -> f64 {
        self.images as f64 / self.lasted.as_secs_f64()
    }

    fn line(&self, at_once: &str, program: &str) -> Vec<String> {
        let millis = |seconds: f64| format!("{:.2}", seconds * 1e3);
        let mean = |place: usize| {
            self.each.iter().map(|each| each[place].as_secs_f64()).sum::<f64>() / self.each.len() as f64
        };
        let mut took: Vec<Duration> = self.each.iter().map(|each| each[0]).collect();
        let of_all = |percent| percentile(&mut took, percent).map_or(0.0, |took| took.as_secs_f64());
        let [p50, p99] = [50, 99].map(of_all);
        let mut line = vec![at_once.to_owned(), program.to_owned(), format!("{:.0}", self.per_second())];
        line.extend([p50, p99, mean(0), mean(1), mean(2), mean(0) - mean(1) - mean(2)].map(millis));
        line.extend(self.processors.map(|processor| millis(processor.as_secs_f64() / self.images as f64)));
        line
    }
}

/// How long the parser takes for the beginning of such a file.
fn parsing() -> Result<Duration> {
    const TIMES: u32 = 2000;
    let file = tests::dicom::instance().size(512, 512).write()?;
    let (total, first) = (file.len() as u64, file.get(..64512).context("the file is long enough")?);
    let began = Instant::now();
    for _ in 0..TIMES {
        let header = domain::dicom::read_header(std::hint::black_box(first), total)?;
        std::hint::black_box(serde_json::to_string(&header.metadata)?);
    }
    Ok(began.elapsed() / TIMES)
}
