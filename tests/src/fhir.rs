//! Whether resources are what FHIR R4 defines. `tests/fhir` names the packages that know, by lock file; the first test on a
//! machine that gets a resource installs them, which needs a network and Node.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{files::digest, python::run, reply::Reply};

/// The media type of resources.
pub const MEDIA_TYPE: &str = "application/fhir+json";

const PACKAGE: &str = include_str!("../fhir/package.json");
const PACKAGE_LOCK: &str = include_str!("../fhir/package-lock.json");
const VALIDATE: &str = include_str!("../fhir/validate.cjs");

/// A program that is asked a line and answers a line, for as long as the tests run.
struct Validator {
    // It ends when nobody can ask it any more.
    _child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What is wrong with a resource, or with what lies in it; nothing when R4 defines it so.
pub fn faults(resource: &Value) -> Vec<String> {
    static VALIDATOR: OnceLock<Mutex<Validator>> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(|| {
        Mutex::new(
            Validator::start().unwrap_or_else(|error| panic!("resources cannot be validated: {error:#}")),
        )
    });
    let mut validator = validator.lock().unwrap_or_else(PoisonError::into_inner);
    validator.faults(resource).unwrap_or_else(|error| panic!("resources cannot be validated: {error:#}"))
}

/// Fails when R4 defines a resource otherwise: one that was replied, or that was sent to another system.
#[track_caller]
pub fn must_be_as_defined(resource: &Value) {
    let faults = faults(resource);
    assert!(faults.is_empty(), "this is not as FHIR R4 defines it: {faults:#?}\n{resource}");
}

/// The same for a reply that says that it is a resource.
#[track_caller]
pub(crate) fn hold(reply: &Reply) {
    if reply.header("content-type") == MEDIA_TYPE {
        must_be_as_defined(&reply.body);
    }
}

impl Validator {
    fn start() -> Result<Self> {
        let mut child = Command::new("node")
            .arg("validate.cjs")
            .current_dir(installed()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node does not run")?;
        let asked = child.stdin.take().context("node takes no input")?;
        let answers = BufReader::new(child.stdout.take().context("node gives no output")?);
        Ok(Self { _child: child, asked, answers })
    }

    fn faults(&mut self, resource: &Value) -> Result<Vec<String>> {
        writeln!(self.asked, "{resource}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        serde_json::from_str(&answer).with_context(|| format!("it answers {answer:?}"))
    }
}

/// Where the packages are, once: several test programs may start together, so under a file lock.
fn installed() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate has no folder above it")?;
    let home = root.join("target/tests/fhir");
    fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
    let lock = fs::File::create(home.with_extension("lock"))?;
    lock.lock().with_context(|| format!("cannot lock {}", home.display()))?;

    let stamp = home.join("stamp");
    let wanted = digest([PACKAGE_LOCK, VALIDATE].concat().as_bytes());
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(home);
    }
    for (name, content) in
        [("package.json", PACKAGE), ("package-lock.json", PACKAGE_LOCK), ("validate.cjs", VALIDATE)]
    {
        fs::write(home.join(name), content)?;
    }
    run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&home))?;
    fs::write(stamp, wanted)?;
    Ok(home)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_r4_does_not_define_is_found() {
        let subject = json!({"reference": "Patient/1"});
        let sound = json!({"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": subject});
        assert_eq!(faults(&sound), Vec::<String>::new());
        for (element, value) in [
            ("status", json!("activ")),
            ("intent", Value::Null),
            ("subject", json!("Patient/1")),
            ("colour", json!("red")),
            ("authoredOn", json!("2026-01-02T03:04")),
            ("identifier", json!({"value": "1"})),
            ("resourceType", json!("Order")),
        ] {
            let mut other = sound.clone();
            other[element] = value;
            assert_ne!(faults(&other), Vec::<String>::new(), "{other}");
            let bundle =
                json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": other}]});
            assert_ne!(faults(&bundle), Vec::<String>::new(), "{bundle}");
        }
        let untold = json!({"resourceType": "ImagingStudy", "status": "available", "subject": subject, "series": [{"uid": "1.2"}]});
        assert_ne!(faults(&untold), Vec::<String>::new());
    }
}
