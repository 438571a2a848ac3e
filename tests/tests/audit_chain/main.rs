//! What was written into the audit stays as it was, or it is found out by whoever has the hashes in storage, whatever the
//! database's administrator has done.

mod chain;
mod many_at_once;
mod publishing;
mod restored;
mod tampering;
