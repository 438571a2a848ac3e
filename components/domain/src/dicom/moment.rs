//! DA, TM and DT: dates and times as devices write them (PS3.5 6.2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A calendar date, without a time zone. In JSON and in print `2024-01-31`; read from that, from DICOM's
/// `20240131` and from the `2024.01.31` of ACR-NEMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A time of day. In JSON and in print `13:05:09.120000`, without a fraction when there is none; read from
/// that and from DICOM's `130509.12`, in which minutes, seconds and the fraction may be missing and are then
/// zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("A date is YYYYMMDD or YYYY-MM-DD and on the calendar.")]
pub struct InvalidDate;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("A time is HHMMSS.FFFFFF or HH:MM:SS.FFFFFF, in which what follows the hour may be missing.")]
pub struct InvalidTime;

impl Date {
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, InvalidDate> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return Err(InvalidDate),
        };
        if year == 0 || year > 9999 || day == 0 || day > days {
            return Err(InvalidDate);
        }
        Ok(Self { year, month, day })
    }

    pub const fn year(self) -> u16 {
        self.year
    }

    pub const fn month(self) -> u8 {
        self.month
    }

    pub const fn day(self) -> u8 {
        self.day
    }
}

impl Time {
    pub const fn hour(self) -> u8 {
        self.hour
    }

    pub const fn minute(self) -> u8 {
        self.minute
    }

    /// 60 in a leap second.
    pub const fn second(self) -> u8 {
        self.second
    }

    pub const fn microsecond(self) -> u32 {
        self.microsecond
    }
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let text = text.trim_matches([' ', '\0']);
        let digits: String = match text.len() {
            8 => text.to_owned(),
            10 if has_separator(text, '-') || has_separator(text, '.') => text.replace(['-', '.'], ""),
            _ => return Err(InvalidDate),
        };
        if digits.len() != 8 {
            return Err(InvalidDate);
        }
        let part = |range| number(digits.get(range)).ok_or(InvalidDate);
        Self::new(part(0..4)? as u16, part(4..6)? as u8, part(6..8)? as u8)
    }
}

fn has_separator(text: &str, separator: char) -> bool {
    text.match_indices(separator).map(|(at, _)| at).eq([4, 7])
}

impl FromStr for Time {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let text = text.trim_matches([' ', '\0']);
        let (clock, fraction) =
            text.split_once('.').map_or((text, None), |(clock, fraction)| (clock, Some(fraction)));
        let digits = match clock.len() {
            2 | 4 | 6 => clock.to_owned(),
            5 | 8 if clock.match_indices(':').all(|(at, _)| at == 2 || at == 5) => clock.replace(':', ""),
            _ => return Err(InvalidTime),
        };
        if digits.len() % 2 != 0 {
            return Err(InvalidTime);
        }
        let part = |at: usize| match digits.get(at..at + 2) {
            Some(part) => number(Some(part)).ok_or(InvalidTime),
            None => Ok(0),
        };
        let (hour, minute, second) = (part(0)?, part(2)?, part(4)?);
        let microsecond = match fraction {
            None | Some("") => 0,
            Some(fraction) if digits.len() == 6 && fraction.len() <= 6 => {
                number(Some(&format!("{fraction:0<6}"))).ok_or(InvalidTime)?
            }
            Some(_) => return Err(InvalidTime),
        };
        if hour > 23 || minute > 59 || second > 60 {
            return Err(InvalidTime);
        }
        Ok(Self { hour: hour as u8, minute: minute as u8, second: second as u8, microsecond })
    }
}

fn number(digits: Option<&str>) -> Option<u32> {
    digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// The date and the time of a DT, `YYYYMMDDHHMMSS.FFFFFF&ZZXX`, as far as it goes.
pub(super) fn split_date_time(text: &str) -> (Option<Date>, Option<Time>) {
    let text = text.trim_matches([' ', '\0']);
    let local = text.find(['+', '-']).and_then(|at| text.get(..at)).unwrap_or(text);
    let date = local.get(..8).and_then(|date| date.parse().ok());
    let time = local.get(8..).and_then(|time| time.parse().ok());
    (date, time)
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.microsecond == 0 {
            return Ok(());
        }
        write!(formatter, ".{:06}", self.microsecond)
    }
}

impl TryFrom<String> for Date {
    type Error = InvalidDate;

    fn try_from(text: String) -> Result<Self, InvalidDate> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl TryFrom<String> for Time {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        text.parse()
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_devices_and_clients_write_them() {
        for (text, read) in [
            ("20240229", Some("2024-02-29")),
            ("2024.02.29", Some("2024-02-29")),
            ("2024-02-29", Some("2024-02-29")),
            ("20240229 ", Some("2024-02-29")),
            ("20230229", None),
            ("00000000", None),
            ("2024", None),
            ("20241301", None),
            ("2024-0229", None),
            ("+2024101", None),
            ("19０00101", None),
        ] {
            assert_eq!(text.parse::<Date>().ok().map(|date| date.to_string()).as_deref(), read, "{text:?}");
        }
    }

    #[test]
    fn times_are_read_as_far_as_they_go() {
        for (text, read) in [
            ("070907.0705 ", Some("07:09:07.070500")),
            ("1010", Some("10:10:00")),
            ("09", Some("09:00:00")),
            ("10:11:12", Some("10:11:12")),
            ("10:11:12.5", Some("10:11:12.500000")),
            ("235960", Some("23:59:60")),
            ("101112.", Some("10:11:12")),
            ("021 ", None),
            ("250000", None),
            ("1010.5", None),
            ("101112.1234567", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Time>().ok().map(|time| time.to_string()).as_deref(), read, "{text:?}");
        }
    }

    #[test]
    fn a_date_time_is_a_date_and_a_time() {
        let (date, time) = split_date_time("20240131130509.12+0100");
        assert_eq!(date.unwrap().to_string(), "2024-01-31");
        assert_eq!(time.unwrap().to_string(), "13:05:09.120000");
        assert_eq!(split_date_time("2024"), (None, None));
        assert_eq!(split_date_time("20240131").1, None);
    }
}
