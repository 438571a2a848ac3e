//! Python and its packages, installed by lock file when a test first asks for them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::files::digest;

/// Packages in a folder of their own, and the Python that runs them.
pub struct Packages {
    python: &'static str,
    folder: PathBuf,
}

impl Packages {
    /// Those that a lock file names, under this name in the target directory. The first call on a machine installs
    /// them, which needs a network.
    pub fn installed(name: &str, lock_file: &str) -> Result<Self> {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate has no folder above it")?;
        let home = root.join("target/tests").join(name);
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let lock = fs::File::create(home.with_extension("lock"))?;
        lock.lock().with_context(|| format!("cannot lock {}", home.display()))?;

        let python = python_with_pip()?;
        let (folder, stamp) = (home.join("python"), home.join("stamp"));
        let wanted = digest(format!("{}{lock_file}", version_of(python)?).as_bytes());
        if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(Self { python, folder });
        }
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::write(home.join("requirements.txt"), lock_file)?;
        run(Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
            .args(["--root-user-action=ignore", "--no-deps", "--require-hashes", "--only-binary=:all:"])
            .args(["--target=python", "--requirement", "requirements.txt"])
            // What a person may have set for themselves, which --target excludes.
            .env("PIP_USER", "0")
            .current_dir(&home))
        .with_context(|| {
            format!("{name} cannot be installed: that needs Python 3.11 or later, and its package index within reach")
        })?;
        fs::write(stamp, wanted)?;
        Ok(Self { python, folder })
    }

    /// Runs a module of theirs.
    pub fn module(&self, module: &str) -> Command {
        let mut command = Command::new(self.python);
        command
            .args(["-m", module])
            .env("PYTHONPATH", &self.folder)
            .env("PYTHONNOUSERSITE", "1")
            .stdin(Stdio::null());
        command
    }
}

fn version_of(python: &str) -> Result<String> {
    let output =
        Command::new(python).arg("--version").output().with_context(|| format!("cannot run {python}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn python_with_pip() -> Result<&'static str> {
    if let Some(python) = find_python() {
        return Ok(python);
    }
    // A fresh machine has apt, and where we may use it nobody need be asked.
    let install = ["install", "--yes", "--no-install-recommends", "python3-pip"];
    run(Command::new("apt-get").args(["update", "--quiet"]))
        .and_then(|()| run(Command::new("apt-get").args(install).env("DEBIAN_FRONTEND", "noninteractive")))
        .context("pip is missing; install it (apt-get install python3-pip) and run the tests again")?;
    find_python().context("python3 -m pip does not run, although python3-pip is installed")
}

fn find_python() -> Option<&'static str> {
    ["python3", "python"].into_iter().find(|python| {
        Command::new(python)
            .args(["-m", "pip", "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    if output.status.success() {
        return Ok(());
    }
    bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim())
}
