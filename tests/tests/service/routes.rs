//! A file for each action, named as its path is.

mod health;
mod images;
mod imaging_orders;
mod ingest;
mod studies;
