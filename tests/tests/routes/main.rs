//! What the service promises, a file for each action, in the folders of its URL.

mod about;
mod audit_events;
mod blob_created;
mod break_glass;
mod critical_findings;
mod deliveries;
mod docs;
mod events;
mod every_cell;
mod every_endpoint;
mod fhir;
mod finding_rules;
mod health;
mod idempotency;
mod images;
mod imaging_orders;
mod ingest;
mod machine;
mod not_found;
mod openapi;
mod reports;
mod rights;
mod settings;
mod studies;
mod tokens;
mod uploads;
