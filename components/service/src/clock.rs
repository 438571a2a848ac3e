//! The clock of the machine, for what is said to others. What is written down has the database's.

use jiff::Timestamp;

/// This moment, to the second. Not by what would panic: it knows how to print every mistake there is about time, which is
/// forty kilobytes of code as well.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since
        .as_secs()
        .try_into()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or_default()
}

/// Today in UTC, as `YYYY-MM-DD`.
pub fn today() -> String {
    now().to_string().chars().take(10).collect()
}
