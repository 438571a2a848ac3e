//! Every test of the service as it is used: over HTTP, on the real host, with real Postgres and Blob storage.

mod walk;
