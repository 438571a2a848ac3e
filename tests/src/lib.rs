//! What the tests are written with: a hospital that runs, the people in it, and DICOM files real and made.
//!
//! Everything here goes through HTTP against the real host, Postgres and Blob storage. Nothing of ours is replaced.

pub mod actor;
pub mod contract;
pub mod dicom;
pub mod dispatch;
pub mod door;
pub mod fhir;
pub mod files;
pub mod hospital;
pub mod load;
pub mod logs;
pub mod planted;
pub mod processor;
pub mod python;
pub mod receiver;
pub mod reply;
pub mod reports;
pub mod storage;

pub use actor::Actor;
pub use hospital::Hospital;
pub use reply::Reply;
