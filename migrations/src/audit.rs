//! `migrate audit verify`: whether the audit is what was sealed, and what was sealed is what storage got.
//!
//! The hashes are computed by the database, by the function that sealed; of that it is made sure that it is this build's.
//! What is held in memory does not grow with the audit.

mod faults;
mod published;

pub use faults::Faults;

use crate::files::{FUNCTIONS, SCHEMA};
use crate::storage::Container;
use crate::{address, roles};
use anyhow::{Context, Result, bail, ensure};
use published::Published;
use sqlx::{Connection, Executor, PgConnection, Row, postgres::PgRow};
use std::fmt;

/// How many batches are looked at with one query.
const AT_ONCE: i64 = 100;

/// What comes before the first batch.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// How many batches there are in the table.
    pub batches: u64,
    /// How many events were sealed in them.
    pub events: i64,
    /// How many batches were compared with what storage has of them; nothing when storage was not asked.
    pub compared: Option<u64>,
    /// How many batches are not in storage, and need not be yet.
    pub unpublished: u64,
    /// How many events are not sealed yet.
    pub unsealed: i64,
    /// When the oldest of those was written.
    pub unsealed_since: Option<String>,
    /// What is not as it was sealed.
    pub faults: Faults,
}

impl Verified {
    pub fn is_whole(&self) -> bool {
        self.faults.number() == 0
    }
}

/// A batch as the table has it, and as its events are now.
struct Batch {
    number: i64,
    starts: i64,
    ends: i64,
    sealed: i64,
    previous: String,
    hash: String,
    is_published: bool,
    /// How many events there are in it now.
    found: i64,
    /// The hash of what is there now.
    found_hash: String,
    blob: String,
    /// What storage must have of it.
    text: String,
    /// The MD5 of that text.
    md5: Vec<u8>,
}

impl Batch {
    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            number: row.try_get("number")?,
            starts: row.try_get("starts")?,
            ends: row.try_get("ends")?,
            sealed: row.try_get("sealed")?,
            previous: row.try_get("previous")?,
            hash: row.try_get("hash")?,
            is_published: row.try_get("is_published")?,
            found: row.try_get("found")?,
            found_hash: row.try_get("found_hash")?,
            blob: row.try_get("blob")?,
            text: row.try_get("text")?,
            md5: row.try_get("md5")?,
        })
    }
}

/// Compares the audit of the database at `admin_url` with its chain of batches, and the chain with storage.
pub async fn verify(admin_url: &str, storage: Option<&Container>) -> Result<Verified> {
    let mut connection = address::connect(admin_url).await?;
    roles::refuse_the_service(&mut connection).await?;
    roles::become_owner(&mut connection).await?;
    connection.execute("set default_transaction_read_only = on").await?;
    // Under row level security, the owner sees the events of every organization only as who works across all of them.
    connection.execute("select set_config('imaging.organization', '*', false)").await?;
    refuse_other_functions(&mut connection).await?;

    let mut chain = Chain { published: storage.map(Published::new), ..Chain::default() };
    chain.verified.compared = storage.map(|_| 0);
    chain.walk(&mut connection).await?;
    chain.end(&mut connection).await?;
    connection.close().await?;
    Ok(chain.verified)
}

/// Who can change events can change what computes their hash, too.
async fn refuse_other_functions(connection: &mut PgConnection) -> Result<()> {
    for name in ["hash_of", "published", "blob_of"] {
        let bodies: Vec<String> = sqlx::query_scalar(
            "select prosrc from pg_proc where proname = $1 and pronamespace = 'audit'::regnamespace",
        )
        .bind(name)
        .fetch_all(&mut *connection)
        .await
        .context("this database has no audit that could be verified: run `migrate up`")?;
        let [body] = bodies.as_slice() else {
            bail!(
                "the function audit.{name} is not there, or twice: run `migrate up` of the release that runs"
            );
        };
        ensure!(
            FUNCTIONS
                .iter()
                .any(|file| file.path.starts_with("components/audit/") && file.sql.contains(body)),
            "the function audit.{name} is not the one that this build carries: either another release runs, whose \
             `migrate` must verify, or somebody changed it. {SCHEMA}.functions knows what was installed, and when"
        );
    }
    Ok(())
}

/// The way along the chain: what the next batch must follow.
#[derive(Default)]
struct Chain<'a> {
    verified: Verified,
    published: Option<Published<'a>>,
    number: i64,
    ends: i64,
    hash: Option<String>,
    /// The newest batch that storage has, by its digest: what it is called, and what it must be.
    newest: Option<(String, String)>,
}

impl Chain<'_> {
    /// Looks at every batch that comes after the last one that was looked at.
    async fn walk(&mut self, connection: &mut PgConnection) -> Result<()> {
        loop {
            let batches = batches_after(connection, self.number).await?;
            if batches.is_empty() {
                return Ok(());
            }
            for batch in &batches {
                self.take(batch).await?;
            }
        }
    }

    async fn take(&mut self, batch: &Batch) -> Result<()> {
        let faults = &mut self.verified.faults;
        let missing = batch.number - self.number - 1;
        if missing > 0 {
            faults.add(format!("{} before batch {}: missing", batches(missing), batch.number));
        } else if batch.starts != self.ends || batch.previous != self.hash.as_deref().unwrap_or(NOTHING) {
            faults.add(format!("batch {}: does not follow the one before it", batch.number));
        }
        let difference = batch.found - batch.sealed;
        let events = format!("batch {}, sealed with {}", batch.number, events(batch.sealed));
        if difference < 0 {
            faults.add(format!("{events}: {} missing, deleted or moved elsewhere", -difference));
        } else if difference > 0 {
            faults.add(format!("{events}: {difference} too many, inserted since or moved here"));
        } else if batch.found_hash != batch.hash {
            faults.add(format!("{events}: not as they were, edited or in another order"));
        }
        self.verified.batches += 1;
        self.verified.events += batch.sealed;
        (self.number, self.ends, self.hash) = (batch.number, batch.ends, Some(batch.hash.clone()));
        self.compare(batch).await
    }

    /// Compares a batch with what storage has of it.
    async fn compare(&mut self, batch: &Batch) -> Result<()> {
        let Some(published) = &mut self.published else { return Ok(()) };
        let faults = &mut self.verified.faults;
        for blob in published.before(&batch.blob).await? {
            faults.add(format!("{blob}: storage has it, and the table has no such batch"));
        }
        // A list tells a blob's digest; where it does not tell enough, the blob itself does.
        let listed = published.take(&batch.blob).await?;
        let same = match listed {
            Some(listed) if listed.md5.as_ref() == Some(&batch.md5) => true,
            Some(_) => published.read(&batch.blob).await?.is_some_and(|text| text == batch.text.as_bytes()),
            None => match published.read(&batch.blob).await? {
                Some(text) => text == batch.text.as_bytes(),
                None if batch.is_published => {
                    faults.add(format!("batch {}: storage had it, and has it no more", batch.number));
                    return Ok(());
                }
                None => {
                    self.verified.unpublished += 1;
                    return Ok(());
                }
            },
        };
        if same {
            self.verified.compared = self.verified.compared.map(|compared| compared + 1);
            self.newest = Some((batch.blob.clone(), batch.text.clone()));
        } else {
            faults.add(format!("batch {}: rewritten, storage has another hash of it", batch.number));
        }
        Ok(())
    }

    /// What lies beyond the last batch: in storage, where the table's end may be missing, and in the table, what is not
    /// sealed yet.
    async fn end(&mut self, connection: &mut PgConnection) -> Result<()> {
        if let Some(mut published) = self.published.take() {
            // All others hang on this one: of it not even the digest is taken on trust.
            if let Some((blob, text)) = self.newest.take()
                && published.read(&blob).await?.is_none_or(|content| content != text.as_bytes())
            {
                self.verified.faults.add(format!("{blob}: rewritten, storage has another hash of it"));
            }
            let mut beyond = published.rest().await?;
            // Sealed and published while this went on.
            self.published = Some(published);
            self.walk(connection).await?;
            let last = self.number;
            beyond.retain(|blob| number_of(blob).is_none_or(|number| number > last));
            for blob in beyond {
                self.verified
                    .faults
                    .add(format!("{blob}: storage has it, and the table ends with batch {last}: cut off"));
            }
        }
        let tail: (i64, Option<String>, i64, i64) = sqlx::query_as(
            "select count(*) filter (where transaction >= $1),
                    imaging.iso(min(at) filter (where transaction >= $1)),
                    count(*) filter (where transaction < 0),
                    count(*) filter (where transaction > greatest($1, coalesce(
                        (select shift from imaging.audit_batches order by number desc limit 1), 0)
                        + pg_snapshot_xmax(pg_current_snapshot())::text::bigint))
               from imaging.audit_events where transaction >= $1 or transaction < 0",
        )
        .bind(self.ends)
        .fetch_one(&mut *connection)
        .await?;
        let (unsealed, since, before, ahead) = tail;
        (self.verified.unsealed, self.verified.unsealed_since) = (unsealed, since);
        if before > 0 {
            self.verified.faults.add(format!("{} before the first batch: inserted by hand", events(before)));
        }
        if ahead > 0 {
            let ahead = events(ahead);
            self.verified
                .faults
                .add(format!("{ahead} of transactions that are yet to come: inserted by hand"));
        }
        let unfindable: i64 = sqlx::query_scalar(
            "select count(*)
               from imaging.audit_events e, unnest(e.patient_ids) as patient
              where not exists (
                    select from imaging.audit_patients p
                     where p.organization = e.organization and p.patient_id = patient and p.event_id = e.id)",
        )
        .fetch_one(connection)
        .await?;
        if unfindable > 0 {
            let text = format!(
                "{}: not found by its patient, for imaging.audit_patients lacks it",
                events(unfindable)
            );
            self.verified.faults.add(text);
        }
        Ok(())
    }
}

async fn batches_after(connection: &mut PgConnection, number: i64) -> Result<Vec<Batch>> {
    let rows = sqlx::query(
        "select b.number, b.starts, b.ends, b.events as sealed, b.previous, b.hash,
                b.published_at is not null as is_published, found.events as found, found.hash as found_hash,
                audit.blob_of(b) as blob, audit.published(b) as text, decode(md5(audit.published(b)), 'hex') as md5
           from (select * from imaging.audit_batches where number > $1 order by number limit $2) b
          cross join lateral audit.hash_of(b.number, b.starts, b.ends, b.previous) as found
          order by b.number",
    )
    .bind(number)
    .bind(AT_ONCE)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(Batch::read).collect::<sqlx::Result<_>>()?)
}

/// `audit/000000000017.json` is of batch 17.
fn number_of(blob: &str) -> Option<i64> {
    blob.strip_prefix(published::PREFIX)?.strip_suffix(".json")?.parse().ok()
}

fn events(number: i64) -> String {
    if number == 1 { "1 event".to_owned() } else { format!("{number} events") }
}

fn batches(number: i64) -> String {
    if number == 1 { "1 batch".to_owned() } else { format!("{number} batches") }
}

impl fmt::Display for Verified {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (batches, events) = (batches(self.batches.try_into().unwrap_or(i64::MAX)), events(self.events));
        if self.is_whole() {
            writeln!(formatter, "OK: {events} in {batches}, each as it was sealed.")?;
        } else {
            writeln!(formatter, "NOT OK: {events} in {batches}, of which this is not as it was sealed:")?;
            write!(formatter, "{}", self.faults)?;
        }
        match self.compared {
            Some(compared) => writeln!(
                formatter,
                "Storage has {compared} of the batches as the table has them; {} not sent there yet.",
                self.unpublished
            )?,
            None => writeln!(
                formatter,
                "Storage was not asked: this does not prove that the chain was not made anew as a whole, \
                 nor that nothing was cut off its end."
            )?,
        }
        match &self.unsealed_since {
            Some(since) => writeln!(
                formatter,
                "Not sealed yet: {}, the oldest of {since}. Of these nothing is proven.",
                self::events(self.unsealed)
            ),
            None => writeln!(formatter, "Everything is sealed."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blobs_name_is_the_number_of_its_batch() {
        assert_eq!(number_of("audit/000000000017.json"), Some(17));
        assert_eq!(number_of("audit/readme.txt"), None);
    }

    #[test]
    fn what_is_not_proven_is_said() {
        let verified = Verified { batches: 1, events: 2, ..Verified::default() };
        let text = verified.to_string();
        assert!(text.starts_with("OK: 2 events in 1 batch"), "{text}");
        assert!(text.contains("does not prove"), "{text}");
    }
}
