//! What an instance of a component carries with it, and the handler that keeps instances and reuses them.

use crate::call::{Admitted, Call, Slot};
use crate::http::{Client, Outbound};
use crate::outbound::AllowedHosts;
use crate::postgres::Databases;
use crate::stdio::Lines;
use crate::variables::Variables;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};
use wasmtime::component::{GuestTaskId, HasData, ResourceTable};
use wasmtime::{Engine, Result, Store, StoreContextMut, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyHandler, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What bounds an instance.
#[derive(Clone, Debug)]
pub struct Limits {
    pub memory: usize,
    pub deadline: Duration,
    /// How many requests an instance answers, one after the other, before it is dropped.
    pub reuse: usize,
    /// How long an instance without a request is kept.
    pub idle: Duration,
}

/// What all components share.
pub struct Shared {
    pub databases: Databases,
    pub client: Client,
    pub limits: Limits,
    /// The application itself, for components that call it.
    pub application: OnceLock<Weak<crate::application::Application>>,
    /// Set when the host is done: instances that end with it are no news.
    pub stopped: AtomicBool,
}

/// What a component may use.
pub struct Context {
    pub name: String,
    pub variables: Variables,
    pub allowed_hosts: AllowedHosts,
    pub environment: Vec<(String, String)>,
    pub shared: Arc<Shared>,
}

/// The state of one instance.
pub struct Guest {
    pub table: ResourceTable,
    pub context: Arc<Context>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    limits: StoreLimits,
}

impl Guest {
    fn new(context: &Arc<Context>) -> Self {
        let wasi = WasiCtx::builder()
            .envs(&context.environment)
            .stdout(Lines::stdout())
            .stderr(Lines::stderr())
            .build();
        let limits = StoreLimitsBuilder::new()
            .memory_size(context.shared.limits.memory)
            .trap_on_grow_failure(true)
            .build();
        let nobody = Arc::new(Call::new(String::new(), Instant::now()));
        Self {
            table: ResourceTable::new(),
            context: Arc::clone(context),
            wasi,
            http: WasiHttpCtx::new(),
            outbound: Outbound { context: Arc::clone(context), call: nobody },
            limits,
        }
    }

    /// The request that the instance is answering.
    pub fn call(&self) -> Arc<Call> {
        Arc::clone(&self.outbound.call)
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

/// How Spin's interfaces reach the state of an instance.
pub struct HasGuest;

impl HasData for HasGuest {
    type Data<'a> = &'a mut Guest;
}

/// A component that is ready to answer.
pub type Handler = ProxyHandler<Instances>;

/// Makes the instances of a component.
pub struct Instances {
    pub engine: Engine,
    pub component: ProxyPre<Guest>,
    pub context: Arc<Context>,
}

impl HandlerState for Instances {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> Result<Instance<Guest, Expiration, Worker>> {
        let mut store = Store::new(&self.engine, Guest::new(&self.context));
        store.limiter(|guest| &mut guest.limits);
        // A guest that computes gives way to others at each tick, which is also when its deadline is looked at.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let proxy = self.component.instantiate_async(&mut store).await?;
        let slot = Arc::new(Slot::default());
        let limits = self.context.shared.limits.clone();
        Ok(Instance {
            store,
            proxy,
            view: WasiHttpView::http,
            expiration: Expiration {
                slot: Arc::clone(&slot),
                sleep: Box::pin(tokio::time::sleep(limits.idle)),
                limits: limits.clone(),
            },
            state: Worker { slot, reuse: limits.reuse },
        })
    }
}

/// When an instance ends: after a while without a request, or when a request runs past its deadline.
pub struct Expiration {
    slot: Arc<Slot>,
    limits: Limits,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
        status: WorkerStatus,
        since: Instant,
    ) -> Poll<()> {
        self.slot.wait(task.waker());
        let allowed = match status {
            WorkerStatus::Idle => self.limits.idle,
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.limits.deadline,
        };
        let end = (since + allowed).into();
        if self.sleep.deadline() != end {
            self.sleep.as_mut().reset(end);
        }
        self.sleep.as_mut().poll(task)
    }
}

/// Lets requests into an instance, one at a time.
pub struct Worker {
    slot: Arc<Slot>,
    reuse: usize,
}

impl WorkerState for Worker {
    type StoreData = Guest;
    type RequestData = Admitted;

    fn should_accept_request(&self, running: usize, total: usize) -> ShouldAccept {
        if total >= self.reuse {
            ShouldAccept::Never
        } else if running == 0 && self.slot.is_free() {
            ShouldAccept::Yes
        } else {
            ShouldAccept::No
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Guest>,
        Admitted { call, place }: Admitted,
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        call.occupy(Arc::clone(&self.slot));
        let deadline = call.deadline;
        store.data_mut().outbound.call = call;
        Box::pin(async move {
            tokio::time::sleep_until(deadline.into()).await;
            drop(place);
        })
    }

    fn drop(&self, store: Store<Guest>, result: Result<()>) {
        let Err(error) = result else { return };
        let guest = store.data();
        guest.outbound.call.break_off();
        if guest.context.shared.stopped.load(SeqCst) {
            return;
        }
        tracing::error!(
            component = guest.context.name,
            request_id = guest.outbound.call.id,
            error = %error.root_cause(),
            "the component was ended"
        );
        tracing::debug!(error = %format!("{error:#}"), "where it was");
    }
}
