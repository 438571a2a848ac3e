//! Processes that an earlier run left behind because it was killed itself.
//!
//! A process is ended only when its command line names a directory of ours: a number in an old file may by now
//! belong to somebody else's process.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Remembers a process by its number in `directory`, so that a later run can find it.
pub(crate) fn remember(directory: &Path, pid: u32) -> std::io::Result<()> {
    fs::write(directory.join("process.pid"), pid.to_string())
}

/// Ends what `remember` noted in `directory`, if it still runs and its command line names `path`.
pub(crate) fn end_remembered(directory: &Path, path: &Path, signal: Signal) {
    end(&directory.join("process.pid"), path, signal);
}

/// Ends the Postgres that runs on `data`, if one does.
pub(crate) fn end_postgres(data: &Path) {
    end(&data.join("postmaster.pid"), data, Signal::INT);
}

/// Ends a Postgres or an Azurite that has its data in `instance`, or where that links to.
pub(crate) fn end_instance(instance: &Path) {
    let real = fs::canonicalize(instance).unwrap_or_else(|_| instance.to_owned());
    end_postgres(&real.join("data"));
    end_remembered(&real, &real, Signal::TERM);
}

/// Ends the process whose number is the first line of `pid_file`, if its command line names `path`.
fn end(pid_file: &Path, path: &Path, signal: Signal) {
    let Some(pid) = fs::read_to_string(pid_file)
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse().ok())
        .and_then(Pid::from_raw)
    else {
        return;
    };
    // SIGQUIT is Postgres' immediate shutdown; the others end by it as well.
    for (signal, patience) in [(signal, 10), (Signal::QUIT, 5), (Signal::KILL, 5)] {
        if !names(pid, path) {
            break;
        }
        let _ = kill_process(pid, signal);
        let asked = Instant::now();
        while test_kill_process(pid).is_ok() && asked.elapsed() < Duration::from_secs(patience) {
            sleep(Duration::from_millis(20));
        }
    }
    let _ = fs::remove_file(pid_file);
}

fn names(pid: Pid, path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    command_line(pid).is_some_and(|line| line.contains(path))
}

fn command_line(pid: Pid) -> Option<String> {
    let number = pid.as_raw_nonzero().get();
    if let Ok(bytes) = fs::read(format!("/proc/{number}/cmdline")) {
        return Some(String::from_utf8_lossy(&bytes).replace('\0', " "));
    }
    if Path::new("/proc/self").exists() {
        return None;
    }
    // macOS has no /proc.
    let output = Command::new("ps").args(["-o", "command=", "-p", &number.to_string()]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
