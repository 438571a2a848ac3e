//! Builds what runs: the components for WebAssembly, the host for this machine.
//!
//! Called when something is started, never by a `build.rs`, so that Cargo never waits for itself.

use crate::progress::{Detail, Step};
use crate::root;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// The target that Spin and our host run.
const TARGET: &str = "wasm32-wasip2";

/// Programs that were built.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Built {
    /// The host.
    pub host: PathBuf,
    /// This crate's own program.
    pub local: PathBuf,
}

/// Builds everything that is not fresh. Two processes that ask for it at once do it one after the other.
///
/// With nextest, which runs each test as a process, the first one builds for all of the run.
pub async fn everything() -> Result<Built> {
    let target = root().join("target");
    fs::create_dir_all(&target)?;
    let lock = lock(&target).await?;
    let run = std::env::var("NEXTEST_RUN_ID").ok();
    let record = target.join("local-built.json");
    if let Some(run) = &run
        && let Some(built) = built_in(run, &record)
    {
        return Ok(built);
    }
    let manifests = [root().join("spin.toml")];
    let (_, built) = tokio::try_join!(components(&manifests), natives())?;
    if let Some(run) = run {
        fs::write(record, serde_json::to_vec(&(run, &built))?)?;
    }
    drop(lock);
    Ok(built)
}

fn built_in(run: &str, record: &Path) -> Option<Built> {
    let (recorded, built): (String, Built) = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
    (recorded == run).then_some(built)
}

async fn lock(target: &Path) -> Result<File> {
    let file = File::create(target.join("local-build.lock"))?;
    let wait = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    Ok(wait.await??)
}

/// The components of another application, such as one that a test brings. They are built with the service's own, so
/// that Cargo does not build twice what they share.
pub async fn application(manifest: &Path) -> Result<()> {
    let lock = lock(&root().join("target")).await?;
    components(&[root().join("spin.toml"), manifest.to_owned()]).await?;
    drop(lock);
    Ok(())
}

/// The components that manifests name, each from the package that has its file's name.
async fn components(manifests: &[PathBuf]) -> Result<()> {
    let step = Step::begin("Building the components");
    let mut packages: Vec<String> =
        manifests.iter().map(|manifest| packages(manifest)).collect::<Result<Vec<_>>>()?.concat();
    packages.sort();
    packages.dedup();
    add_target().await?;
    let mut command = cargo();
    command
        .args(["build", "--profile", "guest", "--target", TARGET, "--target-dir"])
        .arg(root().join("target"));
    for package in &packages {
        command.args(["-p", package]);
    }
    run(command, "the components", &step.detail()).await?;
    step.done("");
    Ok(())
}

async fn natives() -> Result<Built> {
    let step = Step::begin("Building the host");
    let mut command = cargo();
    // Cargo unifies the features of dependencies over the packages that are selected. Without `--package` they are
    // those of `cargo up` and `cargo test`; with it, wasmtime would be compiled a second time.
    command.args(["build", "--bin", "host", "--bin", "local", "--message-format=json-render-diagnostics"]);
    let messages = run(command, "the host", &step.detail()).await?;
    let executable = |name: &str| {
        messages
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|message| message.pointer("/target/name").is_some_and(|found| found == name))
            .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
            .with_context(|| format!("cargo built no program named {name}"))
    };
    let built = Built { host: executable("host")?, local: executable("local")? };
    step.done("");
    Ok(built)
}

fn packages(manifest: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let manifest: toml::Table =
        text.parse().with_context(|| format!("{} is not TOML as it should be", manifest.display()))?;
    let components =
        manifest.get("component").and_then(toml::Value::as_table).context("spin.toml has no component")?;
    let mut packages = Vec::new();
    for (name, component) in components {
        let source = component
            .get("source")
            .and_then(toml::Value::as_str)
            .with_context(|| format!("the component {name} in spin.toml has no file as its source"))?;
        let stem = Path::new(source).file_stem().context("a component's source has no name")?;
        packages.push(stem.to_string_lossy().replace('_', "-"));
    }
    Ok(packages)
}

async fn add_target() -> Result<()> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root())
        .output()
        .await
        .context("rustc could not be started: install Rust with rustup")?;
    let library = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && library.is_dir() {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(root()).output().await;
    match added {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            bail!("`rustup target add {TARGET}` failed:\n{}", String::from_utf8_lossy(&output.stderr))
        }
        Err(_) => bail!("Rust's target {TARGET} is missing: install it the way your Rust was installed"),
    }
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What the outer Cargo told this program about itself is not about what is built now.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(name.as_ref());
        }
    }
    command
        .current_dir(root())
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "120")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs Cargo, passing on how far it is; returns what it printed on its standard output.
async fn run(mut command: Command, what: &str, detail: &Detail) -> Result<String> {
    let mut child = command.spawn().context("cargo could not be started: install Rust with rustup")?;
    let mut stdout = child.stdout.take().context("cargo has no output")?;
    let stderr = child.stderr.take().context("cargo has no output")?;
    let mut output = String::new();
    let (read, said, status) =
        tokio::join!(stdout.read_to_string(&mut output), follow(stderr, detail), child.wait());
    read?;
    if !status?.success() {
        bail!("{what} could not be built:\n{said}");
    }
    Ok(output)
}

/// Reads Cargo's lines. Its progress bar, redrawn in place, is the detail; what else it says is returned.
async fn follow(mut stderr: impl AsyncRead + Unpin, detail: &Detail) -> String {
    let mut said = String::new();
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = match stderr.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        for byte in buffer.iter().take(length) {
            if !matches!(byte, b'\n' | b'\r') {
                line.push(*byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line).replace("\u{1b}[K", "");
            note(&text, &mut said, detail);
            line.clear();
        }
    }
    said
}

fn note(line: &str, said: &mut String, detail: &Detail) {
    let word = line.split_whitespace().next().unwrap_or_default();
    match word {
        "Building" => {
            if let Some(count) = line.split_whitespace().find(|word| word.contains('/')) {
                detail.set(format!("{} crates", count.trim_end_matches(':')));
            }
        }
        "Blocking" => detail.set("waiting for another cargo"),
        "Downloading" | "Downloaded" | "Updating" | "Locking" => detail.set("downloading crates"),
        "Compiling" | "Checking" | "Fresh" | "Finished" | "" => {}
        _ => {
            said.push_str(line);
            said.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Detail, note};

    #[test]
    fn progress_is_told_and_errors_are_kept() {
        let detail = Detail::default();
        let mut said = String::new();
        for line in
            ["   Compiling serde v1", "    Building [===>   ] 12/300: serde, syn", "error: no such crate"]
        {
            note(line, &mut said, &detail);
        }
        assert_eq!(format!("{detail:?}").matches("12/300 crates").count(), 1);
        assert_eq!(said, "error: no such crate\n");
    }
}
