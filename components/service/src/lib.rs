//! The guest's toolkit over the runtime's SDK: what every family needs and none should write again.
//!
//! It knows requests, callers, the database call, blobs and sealed text, and no radiology noun.

mod attempt;
pub mod auth;
pub mod blob;
mod body;
mod clock;
mod context;
mod db;
mod error;
mod log;
mod page;
mod query;
mod reply;
pub mod seal;
mod serve;
mod settings;
mod wake;

pub use body::Body;
pub use clock::{now, today};
pub use context::{Authorized, Context};
pub use error::{Error, Failure, FieldFault, Refusal, Result};
pub use page::Page;
pub use query::Query;
pub use reply::Reply;
pub use serve::{serve, serve_in};
pub use settings::{Setting, optional, setting};
pub use wake::wake;

pub use http::Method;
