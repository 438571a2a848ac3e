//! What `wit/` says of Spin's interfaces, as Rust.

wasmtime::component::bindgen!({
    path: "wit",
    world: "imaging:host/host",
    imports: { default: async | trappable },
    with: {
        "spin:postgres/postgres.connection": crate::postgres::Connection,
        "spin:postgres/postgres.connection-builder": crate::postgres::Builder,
    },
    require_store_data_send: true,
});
