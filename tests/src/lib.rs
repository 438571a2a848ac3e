pub mod dicom;
pub mod files;
