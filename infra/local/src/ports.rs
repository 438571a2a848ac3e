//! Free loopback ports.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};

/// `wanted` if nobody listens there, else any free one.
pub(crate) fn free(wanted: Option<u16>) -> Result<u16> {
    if let Some(port) = wanted
        && is_free(port)
    {
        return Ok(port);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// Whether a server could listen on `port` now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
