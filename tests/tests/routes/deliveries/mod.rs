//! `/api/deliveries`: what other systems are told, for administrators.

mod list;
mod retry;
