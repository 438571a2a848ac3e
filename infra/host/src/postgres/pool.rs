//! One pool of connections for each database address.

use super::address::Address;
use crate::tls::{self, PostgresTls};
use anyhow::{Context, Result, ensure};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_postgres::{NoTls, Statement};

/// How many databases an application may speak to.
const DATABASE_LIMIT: usize = 16;

/// How many statements a connection remembers; components are expected to have fewer.
const STATEMENT_LIMIT: usize = 512;

/// What bounds the use of a database.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connections: usize,
    /// How long to wait for a connection, be it a free one or a new one.
    pub wait: Duration,
    /// How long a statement may run: as long as a request may.
    pub statement: Duration,
}

/// An address and a further certificate to trust.
type Key = (String, Option<String>);

/// The databases that components have connected to.
pub struct Databases {
    application: String,
    limits: Limits,
    known: Mutex<HashMap<Key, Arc<Database>>>,
}

/// A database and its connections.
pub struct Database {
    pub hosts: Vec<(String, u16)>,
    pool: Pool,
    limits: Limits,
}

impl Databases {
    pub fn new(application: String, limits: Limits) -> Self {
        Self { application, limits, known: Mutex::default() }
    }

    /// The database at an address, which is not connected to yet; `authority` is a further certificate to trust.
    pub fn get(&self, address: &str, authority: Option<&str>) -> Result<Arc<Database>, String> {
        let key: Key = (address.to_owned(), authority.map(str::to_owned));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = known.get(&key) {
            return Ok(Arc::clone(database));
        }
        let database = self.prepare(address, authority, known.len()).map_err(|error| format!("{error:#}"))?;
        let database = Arc::new(database);
        known.insert(key, Arc::clone(&database));
        Ok(database)
    }

    fn prepare(&self, address: &str, authority: Option<&str>, known: usize) -> Result<Database> {
        ensure!(known < DATABASE_LIMIT, "this application has connected to {known} databases already");
        let Address { mut config, tls } = Address::parse(address)?;
        let hosts = Address { config: config.clone(), tls }
            .hosts()?
            .into_iter()
            .map(|(host, port)| (host.to_owned(), port))
            .collect();
        if config.get_application_name().is_none() {
            config.application_name(&self.application);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.limits.wait);
        }
        // A network that swallows packets must not hold a connection for the two hours that are usual.
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(self.limits.statement);

        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if tls {
            let tls = PostgresTls(Arc::new(tls::client(authority)?));
            Manager::from_config(config, tls, recycling)
        } else {
            Manager::from_config(config, NoTls, recycling)
        };
        let limits = self.limits.clone();
        let millis = limits.statement.as_millis();
        let setup =
            format!("set statement_timeout = {millis}; set idle_in_transaction_session_timeout = {millis}");
        let pool = Pool::builder(manager)
            .max_size(limits.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(limits.wait))
            .create_timeout(Some(limits.wait))
            .post_create(Hook::async_fn(move |client, _| {
                let setup = setup.clone();
                Box::pin(async move { client.batch_execute(&setup).await.map_err(HookError::Backend) })
            }))
            .build()
            .context("cannot make a pool of connections")?;
        Ok(Database { hosts, pool, limits })
    }
}

impl Database {
    pub async fn connect(&self) -> Result<Held, String> {
        use deadpool_postgres::PoolError;
        let object = self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(_) => format!(
                "no connection to the database within {:?} ({} of {} in use)",
                self.limits.wait,
                self.pool.status().size,
                self.limits.connections
            ),
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                super::with_causes(&error)
            }
            error => error.to_string(),
        })?;
        Ok(Held { object: Some(object), spoilt: AtomicBool::new(false) })
    }
}

/// A connection taken out of the pool. It goes back when dropped, unless a later user could be harmed by what was done
/// with it: then it is closed, and Postgres rolls back what was left open.
pub struct Held {
    object: Option<Object>,
    spoilt: AtomicBool,
}

impl Held {
    /// The statement prepared, and whether it had to be.
    pub async fn prepare(&self, text: &str) -> Result<(Statement, bool), tokio_postgres::Error> {
        if !keeps_session(text) {
            self.spoilt.store(true, SeqCst);
        }
        let cache = &self.statement_cache;
        if cache.size() >= STATEMENT_LIMIT {
            cache.clear();
        }
        let before = cache.size();
        let statement = self.prepare_cached(text).await?;
        Ok((statement, cache.size() != before))
    }

    pub fn forget(&self, text: &str) {
        self.statement_cache.remove(text, &[]);
    }

    /// Marks the connection until its answer has landed: a component that is ended while it waits leaves a statement
    /// running, and the next user would wait for it.
    pub fn in_flight(&self) -> InFlight<'_> {
        InFlight { held: self, landed: false }
    }
}

#[expect(clippy::expect_used, reason = "the object is taken out in drop, after which nobody can ask for it")]
impl std::ops::Deref for Held {
    type Target = deadpool_postgres::ClientWrapper;

    fn deref(&self) -> &Self::Target {
        self.object.as_ref().expect("held until dropped")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && self.spoilt.load(SeqCst)
        {
            drop(Object::take(object));
        }
    }
}

pub struct InFlight<'a> {
    held: &'a Held,
    landed: bool,
}

impl InFlight<'_> {
    pub fn landed(mut self) {
        self.landed = true;
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.landed {
            self.held.spoilt.store(true, SeqCst);
        }
    }
}

/// Whether a statement leaves the session as it was. Anything but plain reading and writing might begin a transaction,
/// set something, or lock it.
fn keeps_session(statement: &str) -> bool {
    const PLAIN: [&str; 7] = ["select", "with", "insert", "update", "delete", "merge", "values"];
    let word: String = statement.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    PLAIN.contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_touches_the_session_is_noticed() {
        for statement in
            ["select 1", " SELECT 1", "with a as (select 1) select * from a", "insert into a values (1)"]
        {
            assert!(keeps_session(statement), "{statement}");
        }
        for statement in
            ["begin", "START TRANSACTION", "set role x", "lock table a", "/* */ begin", "", "listen x"]
        {
            assert!(!keeps_session(statement), "{statement}");
        }
    }
}
