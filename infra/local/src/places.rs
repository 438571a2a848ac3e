//! Where data lives, and as whom Postgres runs there.
//!
//! Postgres refuses to run as root, so under root it runs as an unprivileged user, in a directory which that user
//! can reach even when the repository lies under /root.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who Postgres runs as when we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// Nobody else, unless we are root.
    pub(crate) fn for_postgres() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        for wanted in ["postgres", "nobody"] {
            for line in accounts.lines() {
                let fields: Vec<&str> = line.split(':').collect();
                let [name, _, uid, gid, ..] = fields.as_slice() else { continue };
                let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) else { continue };
                if *name == wanted {
                    return Ok(Some(Self { uid, gid }));
                }
            }
        }
        bail!(
            "Postgres refuses to run as root and there is no user `nobody` here: start this as an ordinary user"
        )
    }

    pub(crate) fn run(self, command: &mut Command) {
        // The standard library drops root's other groups with it.
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether this user can pass through every directory above `path`, which need not exist, wherever links lead.
    fn reaches(self, path: &Path) -> bool {
        let Some(real) = path.ancestors().skip(1).find_map(|above| fs::canonicalize(above).ok()) else {
            return false;
        };
        real.ancestors().all(|above| {
            fs::metadata(above).is_ok_and(|metadata| {
                let mode = metadata.mode();
                if metadata.uid() == self.uid {
                    return mode & 0o100 != 0;
                }
                if metadata.gid() == self.gid {
                    return mode & 0o010 != 0;
                }
                mode & 0o001 != 0
            })
        })
    }
}

/// Makes the directory `wanted`, or another with a link to it at `wanted`, which `user` owns and can reach.
pub(crate) fn make(wanted: &Path, user: Option<User>) -> Result<PathBuf> {
    let parent = wanted.parent().context("a data directory needs a parent")?;
    make_all(parent, 0o711)?;
    let Some(user) = user else {
        make_all(wanted, 0o700)?;
        return Ok(wanted.to_owned());
    };

    if user.reaches(wanted) && !wanted.is_symlink() {
        make_all(wanted, 0o700)?;
        own(wanted, user)?;
        return Ok(wanted.to_owned());
    }
    let real = elsewhere(wanted, user)?;
    make_all(&real, 0o700)?;
    own(&real, user)?;
    if !wanted.is_symlink() {
        symlink(&real, wanted).with_context(|| format!("cannot link {}", wanted.display()))?;
    }
    Ok(real)
}

/// Deletes what `make` made, wherever it is.
pub(crate) fn remove(wanted: &Path) -> Result<()> {
    if let Ok(real) = fs::read_link(wanted) {
        remove_directory(&real)?;
        fs::remove_file(wanted)?;
        return Ok(());
    }
    remove_directory(wanted)
}

/// A copy of `installation` (which holds `bin/postgres`) that `user` can run, made once; itself where it can.
pub(crate) fn runnable(installation: &Path, user: Option<User>) -> Result<PathBuf> {
    let Some(user) = user else { return Ok(installation.to_owned()) };
    if runs(installation, user) {
        return Ok(installation.to_owned());
    }
    let copy = elsewhere(installation, user)?;
    if !runs(&copy, user) {
        make_all(&copy, 0o755)?;
        let mut from = installation.as_os_str().to_owned();
        from.push("/.");
        let done = Command::new("cp").arg("-RP").arg(from).arg(&copy).status()?;
        let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(&copy).status()?;
        if !done.success() || !opened.success() || !runs(&copy, user) {
            bail!(
                "Postgres must run as an unprivileged user, who can run neither {} nor its copy {}",
                installation.display(),
                copy.display()
            );
        }
    }
    Ok(copy)
}

fn runs(installation: &Path, user: User) -> bool {
    let mut command = Command::new(installation.join("bin/postgres"));
    user.run(&mut command);
    command.arg("--version").current_dir("/").output().is_ok_and(|output| output.status.success())
}

/// A directory for the same purpose that does not depend on where the repository is, but on which one it is.
fn elsewhere(path: &Path, user: User) -> Result<PathBuf> {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    for base in [PathBuf::from("/var/lib/imaging-local"), std::env::temp_dir().join("imaging-local")] {
        if make_all(&base, 0o711).is_ok() && user.reaches(&base.join(&name)) {
            // Nobody else may have prepared the place for us.
            if fs::metadata(&base)?.uid() == 0 {
                return Ok(base.join(name));
            }
        }
    }
    bail!("no directory was found that an unprivileged user can reach: make /var/lib/imaging-local, mode 711")
}

pub(crate) fn make_all(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
        make_all(parent, 0o755)?;
    }
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.with_context(|| format!("cannot make the directory {}", path.display())),
    }
}

pub(crate) fn remove_directory(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot delete {}", path.display())),
    }
}

fn own(path: &Path, user: User) -> Result<()> {
    chown(path, Some(user.uid), Some(user.gid))
        .with_context(|| format!("cannot give away {}", path.display()))
}

/// Gives one file to the user that Postgres runs as.
pub(crate) fn give(path: &Path, user: Option<User>) -> Result<()> {
    match user {
        Some(user) => own(path, user),
        None => Ok(()),
    }
}
