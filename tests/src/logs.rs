//! What the parts of the stack write: nothing that the tests plant may stand in it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::planted;

/// How far each log was read by this process, in bytes.
static READ: Mutex<BTreeMap<PathBuf, u64>> = Mutex::new(BTreeMap::new());

/// Fails when what was written to these logs since they were last read tells of a patient.
///
/// Several tests write to one log of Postgres or of storage: of them the one that closes first fails, and whose line it is
/// has to be seen from the line.
pub fn must_tell_of_no_patient(logs: &[PathBuf]) {
    for log in logs {
        // None: it is not there, or not yet.
        let Some(written) = unread(log) else { continue };
        if let Some(found) = planted::told_in_log(&written) {
            panic!("{:?} was planted and stands in {}:\n{}", found.word, log.display(), found.line);
        }
    }
}

/// The whole lines that were written since.
fn unread(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = read.entry(log.to_owned()).or_default();
    if *begun > length {
        // Another run has begun it anew.
        *begun = 0;
    }
    file.seek(SeekFrom::Start(*begun)).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes.truncate(whole);
    *begun += whole as u64;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, panic::catch_unwind};

    use super::*;

    #[test]
    fn a_line_that_tells_of_a_patient_is_noticed_once_and_only_when_it_is_whole() {
        let log = std::env::temp_dir().join(format!("{}.log", uuid::Uuid::now_v7()));
        let mut written = String::from("listening\n{\"message\":\"there is no Ja");
        fs::write(&log, &written).unwrap();
        must_tell_of_no_patient(std::slice::from_ref(&log));
        written.push_str("ne Doe here\"}\nlistening again\n");
        fs::write(&log, &written).unwrap();

        let noticed = catch_unwind(|| must_tell_of_no_patient(std::slice::from_ref(&log))).unwrap_err();
        must_tell_of_no_patient(std::slice::from_ref(&log));

        fs::remove_file(&log).unwrap();
        let message = noticed.downcast_ref::<String>().unwrap();
        assert!(message.contains("\"Doe^Jane\" was planted"), "{message}");
        assert!(message.ends_with("{\"message\":\"there is no Jane Doe here\"}"), "{message}");
    }
}
