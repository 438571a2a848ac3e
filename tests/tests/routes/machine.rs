//! A state machine as its table: from where to where, and whether that takes a reason.

/// Reads rows like `SCHEDULED: ARRIVED, CANCELLED (r)`, a status each.
pub(crate) struct Machine(Vec<(String, Vec<(String, bool)>)>);

/// What a machine says of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Free,
    WithReason,
    Never,
}

impl Machine {
    pub(crate) fn read(table: &str) -> Self {
        let rows = table.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| {
            let (from, to) = line.split_once(':').expect("FROM: TO, TO (r)");
            let steps = to.split(',').map(str::trim).filter(|to| !to.is_empty()).map(|to| {
                let (to, with_reason) = match to.strip_suffix(" (r)") {
                    Some(to) => (to, true),
                    None => (to, false),
                };
                (to.to_owned(), with_reason)
            });
            (from.to_owned(), steps.collect())
        });
        Self(rows.collect())
    }

    pub(crate) fn statuses(&self) -> Vec<&str> {
        self.0.iter().map(|(status, _)| status.as_str()).collect()
    }

    /// Where a status may go.
    pub(crate) fn targets(&self, from: &str) -> Vec<&str> {
        self.row(from).iter().map(|(to, _)| to.as_str()).collect()
    }

    pub(crate) fn step(&self, from: &str, to: &str) -> Step {
        match self.row(from).iter().find(|(target, _)| target == to) {
            None => Step::Never,
            Some((_, false)) => Step::Free,
            Some((_, true)) => Step::WithReason,
        }
    }

    fn row(&self, from: &str) -> &[(String, bool)] {
        &self.0.iter().find(|(status, _)| status == from).expect("a status of the table").1
    }
}
