//! The processor time that programs have had, as Linux tells it (proc(5)).

use std::{fs, path::Path, time::Duration};

/// What this program has had so far, and nothing of what it has started.
pub fn own_time() -> Duration {
    Duration::from_millis(ticks(std::process::id(), 2) * 10)
}

/// What a process has had so far, with all that it has started and, once they have ended, waited for; in steps of 10 ms.
/// Nothing when it is gone.
pub fn time_of(process: u32) -> Duration {
    let mut sum = 0;
    let mut rest = vec![process];
    while let Some(process) = rest.pop() {
        sum += ticks(process, 4);
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        rest.extend(
            children
                .unwrap_or_default()
                .split_ascii_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    Duration::from_millis(sum * 10)
}

/// So many of the fields from the 12th after the name on: two of the process itself, two of those that it waited for.
fn ticks(process: u32, fields: usize) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything.
    let after_name = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
    let counted = after_name.split_ascii_whitespace().skip(11).take(fields);
    counted.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// The process whose number is the first line of a file.
pub fn named_in(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}
