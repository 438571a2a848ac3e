//! Deliveries to other systems: what may follow what, what a reply means, and how long it takes until the next attempt.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

use crate::{Fault, Parse, Severity, enumeration::enumeration, parse, transition::Transition};

enumeration! {
    /// By which system somebody is told.
    Channel {
        /// The platform's notification service.
        Notification = "NOTIFICATION",
        /// The electronic health record, in FHIR.
        Ehr = "EHR",
    }
}

enumeration! {
    DeliveryState {
        /// To be sent, for the first time or again.
        Pending = "PENDING",
        Delivered = "DELIVERED",
        /// Given up: somebody has to see to it.
        Dead = "DEAD",
        /// Somebody had acknowledged the finding before it was sent, or something newer was told in its place.
        NotNeeded = "NOT_NEEDED",
    }
}

impl DeliveryState {
    /// The state machine of a delivery.
    pub fn step(from: Self, to: Self) -> Transition {
        use DeliveryState::{Dead, Delivered, NotNeeded, Pending};
        match (from, to) {
            // It failed, and is tried again.
            (Pending, Pending) => Transition::Free,
            (Pending, Delivered | Dead | NotNeeded) => Transition::Free,
            // It was on its way already.
            (NotNeeded, Delivered) => Transition::Free,
            // Only a person does that.
            (Dead, Pending) => Transition::Free,
            // And then it may be that something newer was told since.
            (Dead, NotNeeded) => Transition::Free,
            _ => Transition::Never,
        }
    }

    /// What a person may have tried again.
    pub const RETRYABLE: &'static [Self] = &[Self::Dead];
}

/// A state as a filter names it: in capitals as everywhere, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct StateFilter(DeliveryState);

impl Parse for StateFilter {
    fn parse(value: &serde_json::Value) -> Result<Self, Fault> {
        parse::text(value)?.to_ascii_uppercase().parse().map(Self)
    }
}

/// The first pause, in milliseconds; each further one is twice as long.
const FIRST_PAUSE: u64 = 2_000;
/// The longest pause, in milliseconds, before what is added so that not all come again at once.
const LONGEST_PAUSE: u64 = 12 * 60 * 1_000;
/// Of what a pause is made longer at most: a quarter.
const SPREAD: u64 = 4;
/// How often a delivery is tried. With the pauses in between that is a day at least.
pub const MOST_ATTEMPTS: u32 = 130;
/// The longest pause that a receiver can ask for: it may be wrong about that as well.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);
/// A CRITICAL finding does not wait longer for a channel than so many attempts, or for one that asks for a longer pause.
const CRITICAL_ATTEMPTS: u32 = 3;
const CRITICAL_PAUSE: Duration = Duration::from_secs(60);

/// What is known of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// The first is 1.
    pub number: u32,
    /// The status of the reply; nothing when there was none.
    pub status: Option<u16>,
    /// What the receiver asks for (RFC 9110 10.2.3).
    pub retry_after: Option<Duration>,
    /// Any number, by which those who fail together do not come again together.
    pub chance: u16,
}

/// What is to come of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    Again { after: Duration },
    Dead,
}

impl Attempt {
    pub fn verdict(&self) -> Verdict {
        match self.status {
            Some(200..=299) => Verdict::Delivered,
            Some(status) if !may_pass(status) => Verdict::Dead,
            _ if self.number >= MOST_ATTEMPTS => Verdict::Dead,
            _ => Verdict::Again { after: self.pause() },
        }
    }

    fn pause(&self) -> Duration {
        let doubled = FIRST_PAUSE.checked_shl(self.number.saturating_sub(1)).filter(|_| self.number < 32);
        let pause = doubled.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        let spread = pause / SPREAD * u64::from(self.chance) / u64::from(u16::MAX);
        let asked = self.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        asked.max(Duration::from_millis(pause + spread))
    }

    /// Of which findings the next group is told at once, since this could not reach somebody: of all when it is given up,
    /// and of the critical ones before that.
    pub fn hastens(&self) -> &'static [Severity] {
        match self.verdict() {
            Verdict::Delivered => &[],
            Verdict::Dead => Severity::ALL,
            // Whoever is not found there may be found when a setting is mended: the others do not wait for that.
            Verdict::Again { .. } if self.status.is_some_and(is_nowhere) => Severity::ALL,
            Verdict::Again { after } if self.number >= CRITICAL_ATTEMPTS || after > CRITICAL_PAUSE => {
                &[Severity::Critical]
            }
            Verdict::Again { .. } => &[],
        }
    }
}

impl Verdict {
    pub const fn state(self) -> DeliveryState {
        match self {
            Self::Delivered => DeliveryState::Delivered,
            Self::Again { .. } => DeliveryState::Pending,
            Self::Dead => DeliveryState::Dead,
        }
    }
}

/// Whether the same request may be answered otherwise another time. A redirection, 401, 403 and whatever says that nothing is
/// there are settings that somebody mends, or a receiver that is being replaced; 409 is how one says that it is still at the
/// first of two with one key; 408, 425 and 429 say it themselves.
const fn may_pass(status: u16) -> bool {
    is_nowhere(status) || matches!(status, 0..=399 | 401 | 403 | 408 | 409 | 425 | 429 | 500..)
}

/// Whether an answer says that nothing is there, or nothing that takes this (RFC 9110 15.5.5, 15.5.6, 15.5.11).
const fn is_nowhere(status: u16) -> bool {
    matches!(status, 404 | 405 | 410)
}

/// What `Retry-After` asks for: seconds, or a date (RFC 9110 10.2.3).
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Duration::try_from(date.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transition::table;
    use proptest::prelude::*;
    use serde_json::json;

    fn attempt(number: u32, status: Option<u16>) -> Attempt {
        Attempt { number, status, retry_after: None, chance: 0 }
    }

    #[test]
    fn the_machine_of_a_delivery() {
        insta::assert_snapshot!(table(DeliveryState::ALL, DeliveryState::step, DeliveryState::as_str), @r"
        PENDING -> PENDING, DELIVERED, DEAD, NOT_NEEDED
        DELIVERED -> nothing
        DEAD -> PENDING, NOT_NEEDED
        NOT_NEEDED -> DELIVERED
        ");
    }

    #[test]
    fn a_reply_means_arrived_or_again_or_never() {
        let words = |status| match attempt(1, status).verdict() {
            Verdict::Delivered => "arrived",
            Verdict::Again { .. } => "again",
            Verdict::Dead => "never",
        };
        for (statuses, word) in [
            (vec![Some(200), Some(201), Some(202), Some(204)], "arrived"),
            (
                vec![
                    None,
                    Some(301),
                    Some(401),
                    Some(403),
                    Some(404),
                    Some(405),
                    Some(408),
                    Some(409),
                    Some(410),
                ],
                "again",
            ),
            (vec![Some(425), Some(429)], "again"),
            (vec![Some(500), Some(502), Some(503), Some(504), Some(599)], "again"),
            (vec![Some(400), Some(406), Some(411), Some(413), Some(415), Some(422)], "never"),
        ] {
            for status in statuses {
                assert_eq!(words(status), word, "{status:?}");
            }
        }
    }

    #[test]
    fn a_delivery_is_tried_for_a_day_at_least() {
        let pauses = (1..).map_while(|number| match attempt(number, None).verdict() {
            Verdict::Again { after } => Some(after),
            _ => None,
        });
        let all: Vec<Duration> = pauses.collect();
        assert_eq!(all.len() as u32, MOST_ATTEMPTS - 1);
        assert!(all.iter().sum::<Duration>() >= Duration::from_secs(24 * 60 * 60));
        assert_eq!(all[..3].iter().map(Duration::as_secs).collect::<Vec<_>>(), [2, 4, 8]);
    }

    #[test]
    fn a_channel_that_fails_escalates_at_once() {
        assert_eq!(attempt(2, None).hastens(), []);
        assert_eq!(attempt(3, Some(500)).hastens(), [Severity::Critical]);
        assert_eq!(attempt(3, Some(200)).hastens(), []);
        assert_eq!(attempt(1, Some(422)).hastens(), Severity::ALL);
        assert_eq!(attempt(1, Some(404)).hastens(), Severity::ALL);
        let busy = Attempt { retry_after: Some(Duration::from_secs(600)), ..attempt(1, Some(429)) };
        assert_eq!(busy.hastens(), [Severity::Critical]);
        assert_eq!(attempt(MOST_ATTEMPTS, None).hastens(), Severity::ALL);
    }

    #[test]
    fn a_receiver_may_ask_for_a_pause_in_seconds_or_until_a_date() {
        let now = "2026-11-24T08:49:37Z".parse().unwrap();
        let seconds = |text| retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Tue, 24 Nov 2026 08:51:37 GMT"), Some(120));
        assert_eq!(seconds("Tue, 24 Nov 2026 08:49:00 GMT"), None);
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-5"), None);
    }

    #[test]
    fn a_filter_names_a_state_in_any_case() {
        assert_eq!(StateFilter::parse(&json!("dead")), Ok(StateFilter(DeliveryState::Dead)));
        assert_eq!(StateFilter::parse(&json!("DEAD")), Ok(StateFilter(DeliveryState::Dead)));
        assert!(StateFilter::parse(&json!("gone")).is_err());
    }

    proptest! {
        #[test]
        fn a_pause_is_neither_short_nor_long_and_what_is_asked_for_is_kept(
            number in 1..MOST_ATTEMPTS, chance: u16, asked in prop::option::of(0_u64..10_000),
        ) {
            let retry_after = asked.map(Duration::from_secs);
            let attempt = Attempt { number, status: Some(429), retry_after, chance };
            let Verdict::Again { after } = attempt.verdict() else { panic!("given up") };
            prop_assert!(after >= Duration::from_secs(2));
            prop_assert!(after >= retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER));
            prop_assert!(after <= Duration::from_secs(15 * 60).max(retry_after.unwrap_or_default()));
            prop_assert!(after <= LONGEST_RETRY_AFTER);
        }

        #[test]
        fn what_has_arrived_stays_so_and_what_is_given_up_waits_for_a_person(status in prop::option::of(100_u16..600), number in 1_u32..300) {
            let verdict = attempt(number, status).verdict();
            prop_assert_eq!(verdict == Verdict::Delivered, status.is_some_and(|status| (200..300).contains(&status)));
            prop_assert!(DeliveryState::step(DeliveryState::Pending, verdict.state()) != Transition::Never);
        }
    }
}
