//! When the issuer is asked for its keys, and for how long an answer serves. No clock and no network is in here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// For this long an answer is used without a thought.
const FRESH: Duration = Duration::from_mins(10);
/// For this long it is used if the issuer does not answer again.
const KEPT: Duration = Duration::from_hours(1);
/// Between two times that the issuer is asked for more than it is known to have.
const PAUSE: Duration = Duration::from_secs(30);
/// The same where nothing serves meanwhile.
const RETRY: Duration = Duration::from_secs(1);
/// After this long somebody who asks has gone, and takes what came of it along.
const GONE: Duration = Duration::from_secs(6);

/// What a request needs of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Any that may be used yet.
    Any,
    /// What the issuer has now: those that were used know nothing of the token's.
    Latest,
}

/// What a request has to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Step<K> {
    Use(Arc<K>),
    /// Ask the issuer, say what came of it, and look again.
    Ask,
    /// Another request is asking: look again in a moment.
    Wait,
    /// The issuer did not answer, for this reason, and what is kept does not serve.
    GiveUp(String),
}

/// The last answer, and the attempts since.
#[derive(Debug)]
pub(super) struct Cache<K> {
    kept: Option<(Arc<K>, Instant)>,
    /// Since when somebody is asking.
    asking: Option<Instant>,
    /// When the issuer last failed to answer, and why; nothing once it has.
    failed: Option<(Instant, String)>,
}

impl<K> Cache<K> {
    pub(super) const fn new() -> Self {
        Self { kept: None, asking: None, failed: None }
    }

    /// What a request has to do that has this need at this moment.
    pub(super) fn step(&mut self, need: Need, now: Instant) -> Step<K> {
        let younger = |limit: Duration, moment: Instant| now.saturating_duration_since(moment) < limit;
        let kept = |limit: Duration| {
            self.kept
                .as_ref()
                .filter(|(_, fetched)| younger(limit, *fetched))
                .map(|(keys, _)| Arc::clone(keys))
        };
        let (at_once, otherwise) = match need {
            Need::Any => (kept(FRESH), kept(KEPT)),
            // What came a moment ago is the latest, or each token that names nobody's key would make us ask.
            Need::Latest => (kept(PAUSE), None),
        };
        if let Some(keys) = at_once {
            return Step::Use(keys);
        }
        if self.asking.is_some_and(|since| younger(GONE, since)) {
            return otherwise.map_or(Step::Wait, Step::Use);
        }
        let pause = if kept(KEPT).is_some() { PAUSE } else { RETRY };
        if let Some((moment, cause)) = &self.failed
            && younger(pause, *moment)
        {
            return otherwise.map_or_else(|| Step::GiveUp(cause.clone()), Step::Use);
        }
        self.asking = Some(now);
        Step::Ask
    }

    /// The issuer answered.
    pub(super) fn answered(&mut self, keys: K, now: Instant) {
        *self = Self { kept: Some((Arc::new(keys), now)), asking: None, failed: None };
    }

    /// The issuer did not answer, or nothing that can be read.
    pub(super) fn failed(&mut self, cause: String, now: Instant) {
        self.asking = None;
        self.failed = Some((now, cause));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Need::*, *};

    /// A cache, and a clock that stands still unless it is moved on.
    struct Story {
        cache: Cache<u32>,
        now: Instant,
    }

    impl Story {
        fn new() -> Self {
            Self { cache: Cache::new(), now: Instant::now() }
        }

        fn later(&mut self, seconds: u64) -> &mut Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        fn step(&mut self, need: Need) -> Step<u32> {
            self.cache.step(need, self.now)
        }

        #[track_caller]
        fn asks(&mut self, need: Need) -> &mut Self {
            assert_eq!(self.step(need), Step::Ask);
            self
        }

        #[track_caller]
        fn uses(&mut self, need: Need, keys: u32) -> &mut Self {
            assert_eq!(self.step(need), Step::Use(Arc::new(keys)));
            self
        }

        #[track_caller]
        fn gives_up(&mut self, need: Need) -> &mut Self {
            assert_eq!(self.step(need), Step::GiveUp("it answered 500".to_owned()));
            self
        }

        fn answers(&mut self, keys: u32) -> &mut Self {
            self.cache.answered(keys, self.now);
            self
        }

        fn fails(&mut self) -> &mut Self {
            self.cache.failed("it answered 500".to_owned(), self.now);
            self
        }
    }

    #[test]
    fn an_answer_serves_ten_minutes_without_another_question() {
        let mut story = Story::new();
        story.asks(Any).answers(1).uses(Any, 1).later(599).uses(Any, 1);
        story.later(1).asks(Any).answers(2).uses(Any, 2);
    }

    #[test]
    fn an_answer_serves_an_hour_while_the_issuer_is_away_and_no_longer() {
        let mut story = Story::new();
        story.asks(Any).answers(1).later(600);
        story.asks(Any).fails().uses(Any, 1);
        story.later(29).uses(Any, 1).later(1).asks(Any).fails().uses(Any, 1);
        story.later(2969).asks(Any).fails().uses(Any, 1);
        story.later(1).asks(Any).fails().gives_up(Any);
        story.later(1).asks(Any).answers(2).uses(Any, 2);
    }

    #[test]
    fn without_any_answer_the_issuer_is_asked_once_a_second() {
        let mut story = Story::new();
        story.asks(Any).fails().gives_up(Any).gives_up(Latest);
        story.later(1).asks(Any).fails().gives_up(Any);
    }

    #[test]
    fn an_unknown_key_is_asked_for_every_half_minute_at_most() {
        let mut story = Story::new();
        story.asks(Any).answers(1).uses(Latest, 1).later(29).uses(Latest, 1);
        story.later(1).asks(Latest).answers(2).uses(Latest, 2).uses(Any, 2);
        // Nobody knows whether it is unknown while the issuer is away.
        story.later(30).asks(Latest).fails().gives_up(Latest).uses(Any, 2);
        story.later(29).gives_up(Latest).later(1).asks(Latest);
    }

    #[test]
    fn one_asks_and_the_others_wait_or_use_what_there_is() {
        let mut story = Story::new();
        story.asks(Any);
        assert_eq!(story.step(Any), Step::Wait);
        story.answers(1).uses(Any, 1).later(600).asks(Any).uses(Any, 1);
        assert_eq!(story.step(Latest), Step::Wait);
        // Whoever asked has been ended, and says nothing any more.
        story.later(5).uses(Any, 1).later(1).asks(Any);
    }

    proptest! {
        /// Whatever happens when: what is asked is bounded, and so is the age of what is used.
        #[test]
        fn an_issuer_is_asked_seldom_and_old_keys_do_not_live_on(
            moves in prop::collection::vec((0_u64..900, any::<bool>(), any::<bool>()), 1..200)
        ) {
            let mut story = Story::new();
            let (mut fetched, mut asked): (Option<Instant>, Option<Instant>) = (None, None);
            for (number, (seconds, latest, answers)) in moves.into_iter().enumerate() {
                story.later(seconds);
                let (need, young, old) = if latest { (Latest, PAUSE, PAUSE) } else { (Any, FRESH, KEPT) };
                let mut step = story.step(need);
                let age = fetched.map(|fetched| story.now - fetched);
                if step == Step::Ask {
                    let pause = if age.is_some_and(|age| age < KEPT) { PAUSE } else { RETRY };
                    prop_assert!(asked.is_none_or(|asked| story.now - asked >= pause));
                    prop_assert!(age.is_none_or(|age| age >= young));
                    asked = Some(story.now);
                    if answers {
                        story.answers(u32::try_from(number).unwrap());
                        fetched = Some(story.now);
                    } else {
                        story.fails();
                    }
                    step = story.step(need);
                }
                let age = fetched.map(|fetched| story.now - fetched);
                match step {
                    Step::Use(_) => prop_assert!(age.is_some_and(|age| age < old)),
                    Step::GiveUp(_) => prop_assert!(age.is_none_or(|age| age >= old)),
                    // Nobody else is asking here.
                    Step::Ask | Step::Wait => prop_assert!(false, "{:?}", step),
                }
            }
        }
    }
}
