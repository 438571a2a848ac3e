//! What the service promises, a file for each action, in the folders of its URL.

mod about;
mod events;
mod every_endpoint;
mod health;
mod images;
mod imaging_orders;
mod ingest;
mod machine;
mod not_found;
mod rights;
mod studies;
mod uploads;
