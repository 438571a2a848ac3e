//! Writes a small made-up CT slice, for trying the service without a scanner.

use std::io::{IsTerminal, Write, stdout};

use anyhow::{Result, ensure};
use clap::Parser;
use tests::dicom;

/// Writes a made-up DICOM file, one small CT slice, to standard output.
#[derive(Parser)]
struct Arguments {
    /// Patient ID (0010,0020)
    #[arg(long)]
    patient: String,
    /// Accession Number (0008,0050): the order's
    #[arg(long)]
    accession: String,
    /// Patient's Name (0010,0010)
    #[arg(long, default_value = "Doe^Jane")]
    name: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(!stdout().is_terminal(), "a DICOM file is nothing to look at: redirect it, with > image.dcm");
    let file = dicom::instance()
        .patient(&arguments.patient, &arguments.name)
        .accession(&arguments.accession)
        .write()?;
    stdout().write_all(&file)?;
    Ok(())
}
