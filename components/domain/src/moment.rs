//! Moments as clients write them.

use jiff::{Timestamp, civil, tz::TimeZone};
use serde::Serialize;
use serde_json::Value;

use crate::{Fault, Parse, parse};

/// A moment: ISO 8601 with an offset, or a date alone, which means its midnight in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Moment(Timestamp);

impl Moment {
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The last instant that is meant when this ends a range: a date alone includes its whole day.
    pub fn end_of_range(text: &str) -> Result<Self, Fault> {
        let moment: Self = text.parse()?;
        if !is_date(text) {
            return Ok(moment);
        }
        let end = moment.0.saturating_add(jiff::SignedDuration::from_hours(24)).map_err(|_| fault())?;
        Ok(Self(end.saturating_sub(jiff::SignedDuration::from_micros(1)).map_err(|_| fault())?))
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10
}

fn fault() -> Fault {
    Fault::new("must be a date (YYYY-MM-DD) or a time in ISO 8601 with its offset")
}

impl std::str::FromStr for Moment {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let moment = if is_date(text) {
            text.parse::<civil::Date>().map(|date| {
                // The last days that can be written are what people put for "no end".
                date.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
            })
        } else {
            text.parse::<Timestamp>()
        }
        .map_err(|_| fault())?;
        // Postgres and clients alike are at ease between these years.
        if !(1800..=9999).contains(&moment.to_zoned(TimeZone::UTC).year()) {
            return Err(Fault::new("must lie between the years 1800 and 9999"));
        }
        Ok(Self(moment))
    }
}

impl Parse for Moment {
    fn parse(value: &Value) -> Result<Self, Fault> {
        parse::text(value)?.parse()
    }
}

/// The end of a range of moments, as a filter names it: see [`Moment::end_of_range`].
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct RangeEnd(Moment);

impl Parse for RangeEnd {
    fn parse(value: &Value) -> Result<Self, Fault> {
        Moment::end_of_range(parse::text(value)?).map(Self)
    }
}

/// A day of birth: `YYYY-MM-DD`, or a moment of which only the day counts. Written as midnight in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BirthDate(civil::Date);

impl Serialize for BirthDate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}T00:00:00.000Z", self.0))
    }
}

impl BirthDate {
    pub const fn date(self) -> civil::Date {
        self.0
    }
}

impl From<civil::Date> for BirthDate {
    fn from(date: civil::Date) -> Self {
        Self(date)
    }
}

impl Parse for BirthDate {
    fn parse(value: &Value) -> Result<Self, Fault> {
        let text = parse::text(value)?;
        let _moment: Moment = text.parse()?;
        // The day as it is written: turned into UTC it may be the one before.
        text.get(..10).and_then(|day| day.parse().ok()).map(Self).ok_or_else(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_alone_is_midnight_and_ends_a_range_with_its_day() {
        let start: Moment = "2026-11-24".parse().unwrap();
        assert_eq!(start.timestamp().to_string(), "2026-11-24T00:00:00Z");
        let end = Moment::end_of_range("2026-11-24").unwrap();
        assert_eq!(end.timestamp().to_string(), "2026-11-24T23:59:59.999999Z");
    }

    #[test]
    fn the_end_of_time_is_a_date() {
        assert!(Moment::end_of_range("9999-12-31").is_ok());
        assert!("9999-12-31".parse::<Moment>().is_ok());
    }

    #[test]
    fn what_has_no_offset_is_not_a_moment() {
        assert!("2026-11-24T10:00:00".parse::<Moment>().is_err());
        assert!("24.11.2026".parse::<Moment>().is_err());
        assert!("-0044-03-15".parse::<Moment>().is_err());
    }
}
