//! `spin:postgres`: connections out of pools that all instances share.

pub mod address;
pub mod pool;
pub mod values;

pub use pool::{Databases, Limits};

use crate::bindings::spin::postgres::postgres as wit;
use crate::call::Call;
use crate::guest::{Context, Guest, HasGuest};
use futures::TryStreamExt as _;
use pool::{Database, Held};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use values::Parameter;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

/// The most that the rows of one result may hold.
const RESULT_LIMIT: usize = 32 * 1024 * 1024;

/// A component's connection: one of the pool's, until it is dropped. Tasks of one instance share it.
pub struct Connection(Arc<Link>);

/// Where a component is about to connect.
pub struct Builder {
    address: String,
    authority: Option<String>,
}

struct Link {
    database: Arc<Database>,
    held: Mutex<Arc<Held>>,
    used: AtomicBool,
}

struct Outcome {
    columns: Vec<wit::Column>,
    rows: Vec<wit::Row>,
    affected: u64,
}

impl Link {
    async fn open(context: &Context, address: &str, authority: Option<&str>) -> Result<Self, wit::Error> {
        let database = context.shared.databases.get(address, authority).map_err(connection_failed)?;
        for (host, port) in &database.hosts {
            if !context.allowed_hosts.allows("postgres", host, Some(*port)) {
                let refused = format!("postgres://{host}:{port}");
                tracing::warn!(
                    component = context.name,
                    "refused {refused}: add it to allowed_outbound_hosts"
                );
                return Err(connection_failed(format!("address {refused} is not permitted")));
            }
        }
        let held = Mutex::new(Arc::new(database.connect().await.map_err(connection_failed)?));
        Ok(Self { database, held, used: AtomicBool::new(false) })
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn replace(&self) -> Result<Arc<Held>, wit::Error> {
        let fresh = Arc::new(self.database.connect().await.map_err(connection_failed)?);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// A connection that Postgres has closed meanwhile is replaced, but only while nothing has been asked of it: what a
    /// component set up in its session cannot be, and what may have been executed must not be executed again.
    async fn run(
        &self,
        call: &Call,
        statement: &str,
        parameters: Vec<wit::ParameterValue>,
        keep_rows: bool,
    ) -> Result<Outcome, wit::Error> {
        let parameters = parameters
            .into_iter()
            .map(values::parameter)
            .collect::<Result<Vec<_>, _>>()
            .map_err(wit::Error::BadParameter)?;
        let started = Instant::now();
        let first = !self.used.swap(true, SeqCst);

        let mut held = self.held();
        if first && held.is_closed() {
            held = self.replace().await?;
        }
        let mut prepared = held.prepare(statement).await;
        if first && prepared.as_ref().is_err_and(gone_away) {
            held = self.replace().await?;
            prepared = held.prepare(statement).await;
        }
        let (prepared, mut anew) = prepared.map_err(query_failed)?;

        let mut outcome = execute(&held, &prepared, &parameters, keep_rows).await;
        // Refused before it was executed: the statement was prepared for tables that have changed since.
        if outcome.as_ref().is_err_and(|failure| failure.is_outdated()) {
            held.forget(statement);
            let (prepared, _) = held.prepare(statement).await.map_err(query_failed)?;
            anew = true;
            outcome = execute(&held, &prepared, &parameters, keep_rows).await;
        }
        call.cost.statement(anew, started.elapsed());
        outcome.map_err(Into::into)
    }
}

async fn execute(
    held: &Held,
    statement: &Statement,
    parameters: &[Parameter],
    keep_rows: bool,
) -> Result<Outcome, Failure> {
    let in_flight = held.in_flight();
    let outcome = fetch(held, statement, parameters, keep_rows).await;
    if !matches!(outcome, Err(Failure::TooMuch)) {
        in_flight.landed();
    }
    outcome
}

async fn fetch(
    held: &Held,
    statement: &Statement,
    parameters: &[Parameter],
    keep_rows: bool,
) -> Result<Outcome, Failure> {
    let columns = statement.columns().iter();
    let columns = columns
        .map(|column| wit::Column {
            name: column.name().to_owned(),
            data_type: values::data_type(column.type_()),
        })
        .collect();
    let parameters =
        parameters.iter().map(|parameter| &**parameter as &(dyn tokio_postgres::types::ToSql + Sync));
    let mut stream = pin!(held.query_raw(statement, parameters).await?);
    let mut rows = Vec::new();
    let mut size = 0;
    while let Some(row) = stream.try_next().await? {
        size += row.raw_size_bytes();
        if size > RESULT_LIMIT {
            return Err(Failure::TooMuch);
        }
        if keep_rows {
            rows.push(values::row(&row).map_err(Failure::Conversion)?);
        }
    }
    Ok(Outcome { columns, rows, affected: stream.rows_affected().unwrap_or_default() })
}

enum Failure {
    Database(tokio_postgres::Error),
    Conversion(tokio_postgres::Error),
    TooMuch,
}

impl Failure {
    fn is_outdated(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error.as_db_error() {
            Some(error) if *error.code() == SqlState::FEATURE_NOT_SUPPORTED => {
                error.message().contains("cached plan")
            }
            Some(error) => *error.code() == SqlState::INVALID_SQL_STATEMENT_NAME,
            None => false,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for wit::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) => query_failed(error),
            Failure::Conversion(error) => Self::ValueConversionFailed(with_causes(&error)),
            Failure::TooMuch => Self::QueryFailed(wit::QueryError::Text(format!(
                "the result is larger than {} MiB: ask for fewer rows",
                RESULT_LIMIT / 1024 / 1024
            ))),
        }
    }
}

/// The session ended before the statement could be looked at.
fn gone_away(error: &tokio_postgres::Error) -> bool {
    let ended = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.is_closed() || error.code().is_some_and(|code| ended.contains(code))
}

fn connection_failed(reason: impl Into<String>) -> wit::Error {
    wit::Error::ConnectionFailed(reason.into())
}

fn query_failed(error: tokio_postgres::Error) -> wit::Error {
    let Some(told) = error.as_db_error() else {
        return wit::Error::QueryFailed(wit::QueryError::Text(with_causes(&error)));
    };
    let extras = [
        ("column", told.column().map(str::to_owned)),
        ("constraint", told.constraint().map(str::to_owned)),
        ("routine", told.routine().map(str::to_owned)),
        ("hint", told.hint().map(str::to_owned)),
        ("table", told.table().map(str::to_owned)),
        ("datatype", told.datatype().map(str::to_owned)),
        ("schema", told.schema().map(str::to_owned)),
        ("file", told.file().map(str::to_owned)),
        ("line", told.line().map(|line| line.to_string())),
        ("where_", told.where_().map(str::to_owned)),
    ];
    wit::Error::QueryFailed(wit::QueryError::DbError(wit::DbError {
        as_text: format!("{}: {} ({})", told.severity(), told.message(), told.code().code()),
        severity: told.severity().to_owned(),
        code: told.code().code().to_owned(),
        message: told.message().to_owned(),
        detail: told.detail().map(str::to_owned),
        extras: extras.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
    }))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let cause_text = error.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        cause = error.source();
    }
    text
}

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl Guest {
    async fn connect(&mut self, address: &str, authority: Option<&str>) -> Answer<Resource<Connection>> {
        Ok(match Link::open(&self.context, address, authority).await {
            Ok(link) => Ok(self.table.push(Connection(Arc::new(link)))?),
            Err(error) => Err(error),
        })
    }

    fn link(&self, connection: &Resource<Connection>) -> wasmtime::Result<Arc<Link>> {
        Ok(Arc::clone(&self.table.get(connection)?.0))
    }
}

async fn connect_async<T: Send>(
    accessor: &Accessor<T, HasGuest>,
    address: &str,
    authority: Option<&str>,
) -> Answer<Resource<Connection>> {
    let context = accessor.with(|mut access| Arc::clone(&access.get().context));
    Ok(match Link::open(&context, address, authority).await {
        Ok(link) => Ok(accessor.with(|mut access| access.get().table.push(Connection(Arc::new(link))))?),
        Err(error) => Err(error),
    })
}

async fn run_async<T: Send>(
    accessor: &Accessor<T, HasGuest>,
    connection: &Resource<Connection>,
    statement: &str,
    parameters: Vec<wit::ParameterValue>,
    keep_rows: bool,
) -> Answer<Outcome> {
    let (link, call) = accessor.with(|mut access| {
        let guest = access.get();
        wasmtime::error::Ok((guest.link(connection)?, guest.call()))
    })?;
    Ok(link.run(&call, statement, parameters, keep_rows).await)
}

impl wit::Host for Guest {}

impl wit::HostConnectionBuilder for Guest {
    async fn new(&mut self, address: String) -> wasmtime::Result<Resource<Builder>> {
        Ok(self.table.push(Builder { address, authority: None })?)
    }

    async fn set_ca_root(&mut self, builder: Resource<Builder>, certificate: String) -> Answer<()> {
        if let Err(error) = crate::tls::client(Some(&certificate)) {
            return Ok(Err(wit::Error::Other(format!("{error:#}"))));
        }
        self.table.get_mut(&builder)?.authority = Some(certificate);
        Ok(Ok(()))
    }

    async fn build(&mut self, builder: Resource<Builder>) -> Answer<Resource<Connection>> {
        let builder = self.table.get(&builder)?;
        let (address, authority) = (builder.address.clone(), builder.authority.clone());
        self.connect(&address, authority.as_deref()).await
    }

    async fn drop(&mut self, builder: Resource<Builder>) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}

impl<T: Send> wit::HostConnectionBuilderWithStore<T> for HasGuest {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<Builder>,
    ) -> Answer<Resource<Connection>> {
        let (address, authority) = accessor.with(|mut access| {
            let builder = access.get().table.get(&builder)?;
            wasmtime::error::Ok((builder.address.clone(), builder.authority.clone()))
        })?;
        connect_async(accessor, &address, authority.as_deref()).await
    }
}

impl wit::HostConnection for Guest {
    async fn open(&mut self, address: String) -> Answer<Resource<Connection>> {
        self.connect(&address, None).await
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<wit::RowSet> {
        let outcome = self.link(&connection)?.run(&self.call(), &statement, parameters, true).await;
        Ok(outcome.map(|Outcome { columns, rows, .. }| wit::RowSet { columns, rows }))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<u64> {
        let outcome = self.link(&connection)?.run(&self.call(), &statement, parameters, false).await;
        Ok(outcome.map(|outcome| outcome.affected))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl<T: Send> wit::HostConnectionWithStore<T> for HasGuest {
    async fn open_async(accessor: &Accessor<T, Self>, address: String) -> Answer<Resource<Connection>> {
        connect_async(accessor, &address, None).await
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<(Vec<wit::Column>, StreamReader<wit::Row>, FutureReader<Result<(), wit::Error>>)> {
        let outcome = match run_async(accessor, &connection, &statement, parameters, true).await? {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, outcome.rows)?;
            let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(Ok(())) })?;
            Ok(Ok((outcome.columns, rows, end)))
        })
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<wit::ParameterValue>,
    ) -> Answer<u64> {
        let outcome = run_async(accessor, &connection, &statement, parameters, false).await?;
        Ok(outcome.map(|outcome| outcome.affected))
    }
}
