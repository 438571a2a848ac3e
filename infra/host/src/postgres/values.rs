//! Between Postgres's values and those of `spin:postgres`.
//!
//! A parameter is sent in binary where that is as simple, else as text for Postgres to parse. Results come in binary.

use crate::bindings::spin::postgres::postgres::{
    DbDataType, DbValue, Interval, ParameterValue, RangeBoundKind,
};
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

type Failure = Box<dyn Error + Sync + Send>;
type Bound<T> = Option<(T, RangeBoundKind)>;
type Bounds<T> = (Bound<T>, Bound<T>);
pub type Parameter = Box<dyn ToSql + Sync + Send>;

/// A parameter as `tokio-postgres` takes it, or why it cannot be one.
pub fn parameter(value: ParameterValue) -> Result<Parameter, String> {
    Ok(match value {
        ParameterValue::Boolean(value) => Box::new(value),
        ParameterValue::Int8(value) => Box::new(value),
        ParameterValue::Int16(value) => Box::new(value),
        ParameterValue::Int32(value) => Box::new(value),
        ParameterValue::Int64(value) => Box::new(value),
        ParameterValue::Floating32(value) => Box::new(value),
        ParameterValue::Floating64(value) => Box::new(value),
        ParameterValue::Str(value) => Box::new(value),
        ParameterValue::Binary(value) => Box::new(value),
        ParameterValue::Jsonb(value) => Box::new(Document(value)),
        ParameterValue::Uuid(value) => {
            Box::new(uuid::Uuid::try_parse(&value).map_err(|_| format!("{value:?} is not a UUID"))?)
        }
        ParameterValue::Timestamp(seconds) => {
            Box::new(instant(seconds).ok_or("the timestamp is out of range")?)
        }
        ParameterValue::Date(date) => text(date_text(date), |ty| *ty == Type::DATE),
        ParameterValue::Time(time) => text(time_text(time), |ty| *ty == Type::TIME),
        ParameterValue::Datetime((year, month, day, hour, minute, second, nanosecond)) => {
            let (date, era) = date_and_era((year, month, day));
            let time = time_text((hour, minute, second, nanosecond));
            text(format!("{date} {time}{era}"), |ty| *ty == Type::TIMESTAMP)
        }
        ParameterValue::Interval(Interval { micros, days, months }) => {
            let written = format!("{months} months {days} days {micros} microseconds");
            text(written, |ty| *ty == Type::INTERVAL)
        }
        ParameterValue::Decimal(value) => text(value, |ty| *ty == Type::NUMERIC),
        ParameterValue::RangeInt32(bounds) => text(range_text(bounds), |ty| *ty == Type::INT4_RANGE),
        ParameterValue::RangeInt64(bounds) => text(range_text(bounds), |ty| *ty == Type::INT8_RANGE),
        ParameterValue::RangeDecimal(bounds) => text(range_text(bounds), |ty| *ty == Type::NUM_RANGE),
        ParameterValue::ArrayInt32(values) => Box::new(values),
        ParameterValue::ArrayInt64(values) => Box::new(values),
        ParameterValue::ArrayStr(values) => Box::new(values),
        ParameterValue::ArrayDecimal(values) => {
            let element =
                |value: &Option<String>| value.as_ref().map_or("NULL".to_owned(), |value| quoted(value));
            let written = values.iter().map(element).collect::<Vec<_>>().join(",");
            text(format!("{{{written}}}"), |ty| *ty == Type::NUMERIC_ARRAY)
        }
        ParameterValue::DbNull => Box::new(Null),
    })
}

pub fn data_type(ty: &Type) -> DbDataType {
    match *ty {
        Type::BOOL => DbDataType::Boolean,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        Type::BYTEA => DbDataType::Binary,
        Type::DATE => DbDataType::Date,
        Type::TIME => DbDataType::Time,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => DbDataType::Datetime,
        Type::UUID => DbDataType::Uuid,
        Type::JSON | Type::JSONB => DbDataType::Jsonb,
        Type::NUMERIC => DbDataType::Decimal,
        Type::INTERVAL => DbDataType::Interval,
        Type::INT4_RANGE => DbDataType::RangeInt32,
        Type::INT8_RANGE => DbDataType::RangeInt64,
        Type::NUM_RANGE => DbDataType::RangeDecimal,
        Type::INT4_ARRAY => DbDataType::ArrayInt32,
        Type::INT8_ARRAY => DbDataType::ArrayInt64,
        Type::NUMERIC_ARRAY => DbDataType::ArrayDecimal,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => DbDataType::ArrayStr,
        _ => DbDataType::Other(ty.name().to_owned()),
    }
}

pub fn row(row: &Row) -> Result<Vec<DbValue>, tokio_postgres::Error> {
    (0..row.len()).zip(row.columns()).map(|(index, column)| value(row, index, column.type_())).collect()
}

fn value(row: &Row, index: usize, ty: &Type) -> Result<DbValue, tokio_postgres::Error> {
    fn get<'a, T: FromSql<'a>>(
        row: &'a Row,
        index: usize,
        carry: impl Fn(T) -> DbValue,
    ) -> Result<DbValue, tokio_postgres::Error> {
        Ok(row.try_get::<_, Option<T>>(index)?.map_or(DbValue::DbNull, carry))
    }
    match *ty {
        Type::BOOL => get(row, index, DbValue::Boolean),
        Type::INT2 => get(row, index, DbValue::Int16),
        Type::INT4 => get(row, index, DbValue::Int32),
        Type::INT8 => get(row, index, DbValue::Int64),
        Type::FLOAT4 => get(row, index, DbValue::Floating32),
        Type::FLOAT8 => get(row, index, DbValue::Floating64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => get(row, index, DbValue::Str),
        Type::BYTEA => get(row, index, DbValue::Binary),
        Type::DATE => get(row, index, |date: Date| DbValue::Date(date.0)),
        Type::TIME => get(row, index, |time: Time| DbValue::Time(time.0)),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => get(row, index, |datetime: Datetime| {
            let ((year, month, day), (hour, minute, second, nanosecond)) = (datetime.0, datetime.1);
            DbValue::Datetime((year, month, day, hour, minute, second, nanosecond))
        }),
        Type::UUID => get(row, index, |uuid: uuid::Uuid| DbValue::Uuid(uuid.to_string())),
        Type::JSON | Type::JSONB => get(row, index, |document: Document| DbValue::Jsonb(document.0)),
        Type::NUMERIC => get(row, index, |decimal: Decimal| DbValue::Decimal(decimal.0)),
        Type::INTERVAL => get(row, index, DbValue::Interval),
        Type::INT4_RANGE => get(row, index, |range: Range<i32>| DbValue::RangeInt32(range.0)),
        Type::INT8_RANGE => get(row, index, |range: Range<i64>| DbValue::RangeInt64(range.0)),
        Type::NUM_RANGE => get(row, index, |range: Range<Decimal>| {
            let text = |bound: Bound<Decimal>| bound.map(|(value, kind)| (value.0, kind));
            DbValue::RangeDecimal((text(range.0.0), text(range.0.1)))
        }),
        Type::INT4_ARRAY => get(row, index, DbValue::ArrayInt32),
        Type::INT8_ARRAY => get(row, index, DbValue::ArrayInt64),
        Type::NUMERIC_ARRAY => get(row, index, |values: Vec<Option<Decimal>>| {
            DbValue::ArrayDecimal(values.into_iter().map(|value| value.map(|value| value.0)).collect())
        }),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => get(row, index, DbValue::ArrayStr),
        _ => get(row, index, |raw: Raw| DbValue::Unsupported(raw.0)),
    }
}

/// SQL's NULL, of whatever type is wanted.
#[derive(Debug)]
struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Failure> {
        Ok(IsNull::Yes)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

/// JSON as it stands; Postgres checks it.
#[derive(Debug)]
struct Document(Vec<u8>);

impl Document {
    /// What stands before the text of a `jsonb`.
    const VERSION: u8 = 1;
}

impl ToSql for Document {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        if *ty == Type::JSONB {
            out.extend_from_slice(&[Self::VERSION]);
        }
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::JSON | Type::JSONB)
    }
    to_sql_checked!();
}

impl FromSql<'_> for Document {
    fn from_sql(ty: &Type, raw: &[u8]) -> Result<Self, Failure> {
        match raw.split_first() {
            Some((&Self::VERSION, text)) if *ty == Type::JSONB => Ok(Self(text.to_vec())),
            _ if *ty == Type::JSON => Ok(Self(raw.to_vec())),
            _ => Err("a jsonb of an unknown version".into()),
        }
    }
    fn accepts(ty: &Type) -> bool {
        <Self as ToSql>::accepts(ty)
    }
}

/// A parameter that Postgres parses by itself.
#[derive(Debug)]
struct Text {
    text: String,
    fits: fn(&Type) -> bool,
}

fn text(text: String, fits: fn(&Type) -> bool) -> Parameter {
    Box::new(Text { text, fits })
}

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.extend_from_slice(self.text.as_bytes());
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        if !(self.fits)(ty) {
            return Err(
                format!("the parameter is of another type than the {ty} that the statement wants").into()
            );
        }
        self.to_sql(ty, out)
    }
    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
}

fn date_and_era((year, month, day): (i32, u8, u8)) -> (String, &'static str) {
    // The year before 1 is 1 BC to Postgres and 0 to everybody else.
    let (year, era) = if year > 0 { (i64::from(year), "") } else { (1 - i64::from(year), " BC") };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn date_text(date: (i32, u8, u8)) -> String {
    let (date, era) = date_and_era(date);
    date + era
}

fn time_text((hour, minute, second, nanosecond): (u8, u8, u8, u32)) -> String {
    format!("{hour:02}:{minute:02}:{second:02}.{:06}", nanosecond / 1000)
}

fn range_text<T: ToString>((lower, upper): Bounds<T>) -> String {
    let value =
        |bound: &Bound<T>| bound.as_ref().map(|(value, _)| quoted(&value.to_string())).unwrap_or_default();
    let inclusive = |bound: &Bound<T>| matches!(bound, Some((_, RangeBoundKind::Inclusive)));
    let opening = if inclusive(&lower) { '[' } else { '(' };
    let closing = if inclusive(&upper) { ']' } else { ')' };
    format!("{opening}{},{}{closing}", value(&lower), value(&upper))
}

/// An element of an array or a range, so that nothing in it can end it.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn instant(seconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// Bytes of a type that the interface does not know.
struct Raw(Vec<u8>);

impl FromSql<'_> for Raw {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        Ok(Self(raw.to_vec()))
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

struct Date((i32, u8, u8));

impl FromSql<'_> for Date {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        let days = i32::from_be_bytes(raw.try_into()?);
        if matches!(days, i32::MIN | i32::MAX) {
            return Err("an infinite date has no year".into());
        }
        Ok(Self(date_from_days(i64::from(days))?))
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::DATE
    }
}

struct Time((u8, u8, u8, u32));

impl FromSql<'_> for Time {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        Ok(Self(time_from_micros(i64::from_be_bytes(raw.try_into()?))?))
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIME
    }
}

/// A point in time, in UTC where the type says so.
struct Datetime((i32, u8, u8), (u8, u8, u8, u32));

impl FromSql<'_> for Datetime {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        const DAY: i64 = 86_400_000_000;
        let micros = i64::from_be_bytes(raw.try_into()?);
        if matches!(micros, i64::MIN | i64::MAX) {
            return Err("an infinite timestamp has no year".into());
        }
        Ok(Self(date_from_days(micros.div_euclid(DAY))?, time_from_micros(micros.rem_euclid(DAY))?))
    }
    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TIMESTAMP | Type::TIMESTAMPTZ)
    }
}

/// The day so many days after 2000-01-01, counted in years that begin in March, so that the leap day comes last.
fn date_from_days(days: i64) -> Result<(i32, u8, u8), Failure> {
    const FROM_MARCH_OF_YEAR_0: i64 = 730_425;
    const ERA: i64 = 146_097;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Ok((year.try_into()?, month.try_into()?, day.try_into()?))
}

fn time_from_micros(micros: i64) -> Result<(u8, u8, u8, u32), Failure> {
    let seconds = micros / 1_000_000;
    let nanoseconds = (micros % 1_000_000) * 1000;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Ok((hour.try_into()?, minute.try_into()?, second.try_into()?, nanoseconds.try_into()?))
}

impl FromSql<'_> for Interval {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        let mut raw = Reader(raw);
        Ok(Self {
            micros: i64::from_be_bytes(raw.take()?),
            days: i32::from_be_bytes(raw.take()?),
            months: i32::from_be_bytes(raw.take()?),
        })
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::INTERVAL
    }
}

/// A `numeric` in decimal notation, as exact as it is stored.
struct Decimal(String);

impl FromSql<'_> for Decimal {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        let mut raw = Reader(raw);
        let count = i16::from_be_bytes(raw.take()?);
        let weight = i64::from(i16::from_be_bytes(raw.take()?));
        let sign = u16::from_be_bytes(raw.take()?);
        let scale = usize::from(u16::from_be_bytes(raw.take()?));
        let groups =
            (0..count).map(|_| Ok(i16::from_be_bytes(raw.take()?))).collect::<Result<Vec<_>, Failure>>()?;
        // Groups of four digits; those that are not stored are zero.
        let group = |position: i64| {
            let stored = usize::try_from(position).ok().and_then(|position| groups.get(position));
            format!("{:04}", stored.copied().unwrap_or_default())
        };

        let sign = match sign {
            0x0000 => "",
            0x4000 => "-",
            0xC000 => return Ok(Self("NaN".to_owned())),
            0xD000 => return Ok(Self("Infinity".to_owned())),
            0xF000 => return Ok(Self("-Infinity".to_owned())),
            _ => return Err("a numeric of an unknown sign".into()),
        };
        let whole: String = (0..=weight).map(group).collect();
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        if scale == 0 {
            return Ok(Self(format!("{sign}{whole}")));
        }
        let fraction: String = (weight + 1..)
            .take(scale.div_ceil(4))
            .flat_map(|at| group(at).into_bytes())
            .map(char::from)
            .take(scale)
            .collect();
        Ok(Self(format!("{sign}{whole}.{fraction}")))
    }
    fn accepts(ty: &Type) -> bool {
        *ty == Type::NUMERIC
    }
}

struct Range<T>(Bounds<T>);

impl<'a, T: FromSql<'a>> FromSql<'a> for Range<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        const EMPTY: u8 = 0x01;
        const LOWER: (u8, u8) = (0x02, 0x08);
        const UPPER: (u8, u8) = (0x04, 0x10);
        let element = match *ty {
            Type::INT4_RANGE => Type::INT4,
            Type::INT8_RANGE => Type::INT8,
            _ => Type::NUMERIC,
        };
        let mut raw = Reader(raw);
        let [flags] = raw.take()?;
        if flags & EMPTY != 0 {
            return Err("an empty range has no bounds".into());
        }
        let mut bound = |(inclusive, infinite): (u8, u8)| -> Result<Bound<T>, Failure> {
            if flags & infinite != 0 {
                return Ok(None);
            }
            let length = u32::from_be_bytes(raw.take()?);
            let value = T::from_sql(&element, raw.bytes(usize::try_from(length)?)?)?;
            let kind = match flags & inclusive {
                0 => RangeBoundKind::Exclusive,
                _ => RangeBoundKind::Inclusive,
            };
            Ok(Some((value, kind)))
        };
        Ok(Self((bound(LOWER)?, bound(UPPER)?)))
    }
    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT4_RANGE | Type::INT8_RANGE | Type::NUM_RANGE)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("the value is cut short")?;
        self.0 = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("the value is cut short")?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        let check = |days, date| assert_eq!(date_from_days(days).unwrap(), date);
        check(0, (2000, 1, 1));
        check(59, (2000, 2, 29));
        check(-1, (1999, 12, 31));
        check(9_824, (2026, 11, 24));
        check(-730_119, (1, 1, 1));
        check(-730_120, (0, 12, 31));
    }

    #[test]
    fn dates_and_times_are_written_as_postgres_reads_them() {
        assert_eq!(date_text((2026, 1, 9)), "2026-01-09");
        assert_eq!(date_text((0, 12, 31)), "0001-12-31 BC");
        assert_eq!(time_text((1, 2, 3, 4_005_999)), "01:02:03.004005");
    }

    #[test]
    fn ranges_and_elements_cannot_be_broken_out_of() {
        let bound = |value: &str| Some((value.to_owned(), RangeBoundKind::Inclusive));
        assert_eq!(range_text((bound("1"), None)), "[\"1\",)");
        assert_eq!(range_text((None, bound("1\",2"))), "(,\"1\\\",2\"]");
    }

    #[test]
    fn numerics_keep_every_digit() {
        let check = |groups: &[i16], weight: i16, sign: u16, scale: u16, text: &str| {
            let mut raw = Vec::new();
            raw.extend(i16::try_from(groups.len()).unwrap().to_be_bytes());
            raw.extend(weight.to_be_bytes());
            raw.extend(sign.to_be_bytes());
            raw.extend(scale.to_be_bytes());
            raw.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
            assert_eq!(Decimal::from_sql(&Type::NUMERIC, &raw).unwrap().0, text);
        };
        check(&[], 0, 0, 0, "0");
        check(&[1, 2345, 6700], 1, 0, 2, "12345.67");
        check(&[1], 2, 0, 0, "100000000");
        check(&[500], -1, 0x4000, 3, "-0.050");
        check(&[12], -2, 0, 8, "0.00000012");
        check(&[], 0, 0xC000, 0, "NaN");
    }
}
