//! Dates and times of rows.

use std::fmt;
use std::str::FromStr;

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::place::excerpt;
use super::split_error::SplitError;

/// A moment, as nanoseconds since 1970 in UTC; what names no zone is taken for UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i128);

impl fmt::Display for Moment {
    /// As it is parsed again.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = OffsetDateTime::from_unix_timestamp_nanos(self.0).ok().and_then(|moment| moment.format(&Rfc3339).ok());
        match shown {
            Some(shown) => formatter.write_str(&shown),
            None => write!(formatter, "{}", self.0 as f64 / 1e9),
        }
    }
}

impl FromStr for Moment {
    type Err = SplitError;

    /// `2026-11-26`, with `T` or a space and a time behind it (`18:30` or `18:30:05`), RFC 3339 with a zone, or seconds since 1970.
    fn from_str(text: &str) -> Result<Self, SplitError> {
        let text = text.trim();
        let wrong = || SplitError::Moment { found: excerpt(text) };
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self(moment.unix_timestamp_nanos()));
        }
        if let Ok(seconds) = text.parse::<f64>() {
            let nanoseconds = seconds * 1e9;
            return if nanoseconds.abs() < 1e30 { Ok(Self(nanoseconds as i128)) } else { Err(wrong()) };
        }
        let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "0:0"));
        let numbers =
            |text: &str, separator: char| -> Option<Vec<u16>> { text.split(separator).map(|part| part.parse().ok()).collect() };
        let date = match *numbers(date, '-').ok_or_else(wrong)?.as_slice() {
            [year, month, day] => u8::try_from(month)
                .ok()
                .zip(u8::try_from(day).ok())
                .and_then(|(month, day)| Date::from_calendar_date(i32::from(year), Month::try_from(month).ok()?, day).ok()),
            _ => None,
        };
        let time = match *numbers(time, ':').ok_or_else(wrong)?.as_slice() {
            [hour, minute] => Some((hour, minute, 0)),
            [hour, minute, second] => Some((hour, minute, second)),
            _ => None,
        };
        let small = |number: u16| u8::try_from(number).ok();
        let time = time.and_then(|(hour, minute, second)| Time::from_hms(small(hour)?, small(minute)?, small(second)?).ok());
        let (date, time) = date.zip(time).ok_or_else(wrong)?;
        Ok(Self(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_several_forms_are_in_one_order() {
        let moments =
            ["2026-01-31", "2026-01-31 12:30", "2026-01-31T12:30:01", "2026-01-31T12:30:02Z", "2026-01-31T14:30:03+02:00"];
        let parsed: Vec<Moment> = moments.iter().map(|text| text.parse().unwrap()).collect();
        assert!(parsed.windows(2).all(|pair| pair[0] < pair[1]), "{parsed:?}");
        assert_eq!("1769817600".parse::<Moment>().unwrap(), "2026-01-31".parse().unwrap());
        assert!(moments.iter().zip(&parsed).all(|(_, moment)| moment.to_string().parse::<Moment>().unwrap() == *moment));
        for text in ["", "yesterday", "2026-02-30", "2026-01", "2026-01-31 25:00", "1e300", "NaN"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
