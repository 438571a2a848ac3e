//! What is wrong, as many as anybody reads of it.

use std::fmt;

/// How many are told in words; the rest is counted.
const TOLD: usize = 100;

/// What is not as it was sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    told: Vec<String>,
    number: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: String) {
        self.number += 1;
        if self.told.len() < TOLD {
            self.told.push(fault);
        }
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// The first of them, in words.
    pub fn told(&self) -> &[String] {
        &self.told
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.told {
            writeln!(formatter, "  {fault}")?;
        }
        match self.number.saturating_sub(self.told.len().try_into().unwrap_or(u64::MAX)) {
            0 => Ok(()),
            others => writeln!(formatter, "  and {others} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;

    #[test]
    fn however_many_they_are_they_are_counted() {
        let mut faults = Faults::default();
        (0..250).for_each(|number| faults.add(format!("batch {number}")));
        assert_eq!((faults.number(), faults.told().len()), (250, 100));
        assert!(faults.to_string().ends_with("  and 150 more\n"));
    }
}
