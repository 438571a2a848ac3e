//! What a state machine says of one step, and the form in which it is handed to a SQL function.

use serde_json::{Map, Value};

/// May one status follow another?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    Free,
    /// Only with a reason, which is kept.
    WithReason,
    Never,
}

/// The statuses that may go to `to`, each with whether that needs a reason:
/// `{"PENDING": false, "IN_PROGRESS": true}`. The SQL function knows the row's status, and looks it up here.
pub fn sources<S: Copy + std::fmt::Display>(all: &[S], step: fn(S, S) -> Transition, to: S) -> Value {
    let sources = all.iter().filter_map(|from| match step(*from, to) {
        Transition::Free => Some((from.to_string(), Value::Bool(false))),
        Transition::WithReason => Some((from.to_string(), Value::Bool(true))),
        Transition::Never => None,
    });
    Value::Object(sources.collect::<Map<_, _>>())
}

/// The statuses that may follow `from`.
pub fn targets<S: Copy>(all: &[S], step: fn(S, S) -> Transition, from: S) -> Vec<S> {
    all.iter().copied().filter(|to| step(from, *to) != Transition::Never).collect()
}

/// A machine as text, a line for each status, for the tests that pin it.
#[cfg(test)]
pub(crate) fn table<S: Copy>(all: &[S], step: fn(S, S) -> Transition, name: fn(S) -> &'static str) -> String {
    let line = |from: &S| {
        let steps: Vec<String> = all
            .iter()
            .filter_map(|to| match step(*from, *to) {
                Transition::Free => Some(name(*to).to_owned()),
                Transition::WithReason => Some(format!("{} (r)", name(*to))),
                Transition::Never => None,
            })
            .collect();
        let steps = if steps.is_empty() { "nothing".to_owned() } else { steps.join(", ") };
        format!("{} -> {steps}\n", name(*from))
    };
    all.iter().map(line).collect()
}
