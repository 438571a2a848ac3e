//! Writes what the fuzzers begin with: made files, hostile ones and reports, each small.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use tests::{
    dicom::{self, Syntax, hostile},
    reports,
};

/// Larger files teach a fuzzer little, and slow it down.
const LARGEST: usize = 8 << 10;

/// What comes before a file for the target `header`: all of the file is at hand, and the blob is no longer.
const WHOLE: [u8; 4] = [0xff, 0xff, 0, 0];

/// Writes the seeds of the fuzz targets in tests/fuzz, a folder for each.
#[derive(Parser)]
struct Arguments {
    folder: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { folder } = Arguments::parse();
    let reports: Vec<Vec<u8>> = reports::all()?.into_iter().map(|report| report.content).collect();
    let made = Syntax::ALL
        .iter()
        .map(|syntax| dicom::instance().syntax(*syntax).frames(2).size(4, 4).write())
        .collect::<Result<Vec<_>>>()?;
    let hostile = hostile::all()?.into_iter().map(|hostile| hostile.content);

    let files = made.into_iter().chain(hostile).chain(reports.iter().cloned());
    write(&folder.join("header"), files.map(|file| [&WHOLE[..], &file].concat()))?;
    write(&folder.join("structured_report"), reports.into_iter())
}

fn write(folder: &PathBuf, files: impl Iterator<Item = Vec<u8>>) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (number, file) in files.filter(|file| file.len() <= LARGEST).enumerate() {
        let path = folder.join(format!("seed-{number}"));
        fs::write(&path, file).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
