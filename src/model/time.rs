//! Moments and durations: microseconds since 1970 (UTC), read from logs and from people, and written for both.
//!
//! Log times are parsed by hand (a log has two a line, chrono's parser is generic); calendars and zones are chrono's.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};

/// Microseconds since 1970-01-01T00:00:00Z: the precision of Kubernetes' `MicroTime`.
pub type Micros = i64;

/// One second in [`Micros`].
pub const SECOND: Micros = 1_000_000;

/// The zone in which times are shown and clock times are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeZoneChoice {
    /// Coordinated universal time, as in the log.
    #[default]
    Utc,
    /// The zone of this machine (`TZ`, `/etc/localtime`).
    Local,
}

/// Reads an RFC 3339 moment as log writers produce it: `T`, `t` or a space between date and time, 0 to 9 digits of
/// fraction (cut to microseconds), `Z`, an offset, or nothing (taken as UTC). `None` for anything else.
pub fn parse_rfc3339(text: &[u8]) -> Option<Micros> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        text.get(range)?
            .iter()
            .try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
    };
    let at = |index: usize, wanted: u8| text.get(index) == Some(&wanted);
    if text.len() < 19 || !at(4, b'-') || !at(7, b'-') || !at(13, b':') || !at(16, b':') {
        return None;
    }
    if !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    let mut rest = &text[19..];
    let mut micros = 0i64;
    if let Some(fraction) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 9 {
            return None;
        }
        for place in 0..6 {
            let digit = if place < digits { fraction.get(place).map_or(0, |b| b - b'0') } else { 0 };
            micros = micros * 10 + i64::from(digit);
        }
        rest = &fraction[digits..];
    }
    let offset = match rest {
        b"" | b"Z" | b"z" | b" Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, tail @ ..] => {
            let tail = tail.strip_prefix(b":").unwrap_or(tail);
            let digit = |b: &u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
            let minutes = match tail {
                [] => 0,
                [m1, m2] => digit(m1)? * 10 + digit(m2)?,
                _ => return None,
            };
            let seconds = (digit(h1)? * 10 + digit(h2)?) * 3600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    Some((days * 86_400 + hour * 3600 + minute * 60 + second - offset) * SECOND + micros)
}

/// Days since 1970-01-01 of a proleptic Gregorian date; `None` when the date does not exist.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = LENGTHS.get(usize::try_from(month - 1).ok()?)? + i64::from(leap && month == 2);
    if day < 1 || day > length {
        return None;
    }
    let shifted_year = year - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// `2026-11-20T21:57:40.404650Z`, as Kubernetes writes `MicroTime`.
pub fn format_rfc3339(time: Micros) -> String {
    match DateTime::<Utc>::from_timestamp_micros(time) {
        Some(t) => t.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        None => "-".to_owned(),
    }
}

/// `time` in the zone, by a chrono format string.
fn formatted(time: Micros, zone: TimeZoneChoice, pattern: &str) -> String {
    match (DateTime::<Utc>::from_timestamp_micros(time), zone) {
        (None, _) => "-".to_owned(),
        (Some(t), TimeZoneChoice::Utc) => t.format(pattern).to_string(),
        (Some(t), TimeZoneChoice::Local) => t.with_timezone(&Local).format(pattern).to_string(),
    }
}

/// Time of day, `21:57:40`, with milliseconds (`21:57:40.404`) when `millis`.
pub fn format_clock(time: Micros, zone: TimeZoneChoice, millis: bool) -> String {
    formatted(time, zone, if millis { "%H:%M:%S%.3f" } else { "%H:%M:%S" })
}

/// Date and time of day to the second, `2026-11-20 21:57:40`, without the zone: print it once, beside.
pub fn format_stamp(time: Micros, zone: TimeZoneChoice) -> String {
    formatted(time, zone, "%Y-%m-%d %H:%M:%S")
}

/// How the zone is called beside a time: `Z` for UTC, the offset at that moment (`+02:00`) for local time.
pub fn format_local_offset(time: Micros, zone: TimeZoneChoice) -> String {
    match zone {
        TimeZoneChoice::Utc => "Z".to_owned(),
        TimeZoneChoice::Local => formatted(time, zone, "%:z"),
    }
}

/// A length of time in the unit a reader wants: `870 µs`, `51.9 ms`, `3.2 s`, `3m05s`, `2h10m`, `4d03h`.
pub fn format_duration(length: Micros) -> String {
    let sign = if length < 0 { "-" } else { "" };
    let n = length.unsigned_abs();
    let seconds = n / SECOND as u64;
    let text = match n {
        0..1_000 => format!("{n} µs"),
        1_000..1_000_000 => format!("{:.1} ms", n as f64 / 1e3),
        1_000_000..60_000_000 => format!("{:.1} s", n as f64 / 1e6),
        _ if seconds < 3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ if seconds < 86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    };
    format!("{sign}{text}")
}

/// Reads a moment that a person typed.
///
/// * `15m`, `-15m`, `2h`, `90s`, `1d`, `1h30m`: that long before `reference`;
/// * `now`: `reference`;
/// * `03:00`, `03:00:30`: the latest such time of day in `zone` that is not after `newest`;
/// * `2026-01-14`, `2026-01-14 03:00`, `2026-01-14T03:00:00`, each with an optional `Z` or offset; without one, in
///   `zone`.
///
/// # Errors
/// A sentence that says which forms are understood.
pub fn parse_user_time(
    text: &str,
    reference: Micros,
    newest: Micros,
    zone: TimeZoneChoice,
) -> Result<Micros, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(reference);
    }
    if let Some(length) = parse_length(text.strip_prefix('-').unwrap_or(text)) {
        return Ok(reference.saturating_sub(length));
    }
    let (bare, explicit_zone) = match text.strip_suffix(['Z', 'z']) {
        Some(bare) => (bare.trim_end(), Some(TimeZoneChoice::Utc)),
        None => (text, None),
    };
    let in_zone = explicit_zone.unwrap_or(zone);
    for pattern in ["%H:%M", "%H:%M:%S", "%H:%M:%S%.f"] {
        if let Ok(time) = NaiveTime::parse_from_str(bare, pattern) {
            return latest_clock_time(time, newest, in_zone).ok_or_else(|| explain(text));
        }
    }
    if let Some(moment) = text
        .get(19..)
        .and_then(|tail| (tail.contains(['+', '-', 'Z', 'z'])).then(|| parse_rfc3339(text.as_bytes()))?)
    {
        return Ok(moment);
    }
    for pattern in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(naive) = NaiveDateTime::parse_from_str(bare, pattern) {
            return from_zone(naive, in_zone).ok_or_else(|| explain(text));
        }
    }
    if let Ok(date) = NaiveDate::parse_from_str(bare, "%Y-%m-%d") {
        return from_zone(date.and_time(NaiveTime::MIN), in_zone).ok_or_else(|| explain(text));
    }
    Err(explain(text))
}

fn explain(text: &str) -> String {
    format!("'{text}' is not a time; write 15m, 2h, 03:00, 2026-01-14 03:00 or 2026-01-14T03:00:00Z")
}

/// `1h30m` and the like in microseconds; `None` unless every part is a number with a unit (s, m, h, d, w).
pub fn parse_length(text: &str) -> Option<Micros> {
    let mut total = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        let (unit, length) = match rest.get(digits..)? {
            r if r.starts_with("ms") => (1_000, 2),
            r if r.starts_with("us") => (1, 2),
            r if r.starts_with('s') => (SECOND, 1),
            r if r.starts_with('m') => (60 * SECOND, 1),
            r if r.starts_with('h') => (3600 * SECOND, 1),
            r if r.starts_with('d') => (86_400 * SECOND, 1),
            r if r.starts_with('w') => (7 * 86_400 * SECOND, 1),
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[digits + length..];
    }
    (!text.is_empty()).then_some(total)
}

fn latest_clock_time(time: NaiveTime, newest: Micros, zone: TimeZoneChoice) -> Option<Micros> {
    let newest_utc = DateTime::<Utc>::from_timestamp_micros(newest)?;
    let today = match zone {
        TimeZoneChoice::Utc => newest_utc.date_naive(),
        TimeZoneChoice::Local => newest_utc.with_timezone(&Local).date_naive(),
    };
    // Three days cover any zone change around midnight.
    (0..3).find_map(|back| {
        let day = today.checked_sub_signed(TimeDelta::days(back))?;
        from_zone(day.and_time(time), zone).filter(|moment| *moment <= newest)
    })
}

fn from_zone(naive: NaiveDateTime, zone: TimeZoneChoice) -> Option<Micros> {
    Some(match zone {
        TimeZoneChoice::Utc => naive.and_utc().timestamp_micros(),
        // A local time that occurs twice is taken at its later occurrence; one that is skipped, an hour later.
        TimeZoneChoice::Local => Local
            .from_local_datetime(&naive)
            .latest()
            .or_else(|| Local.from_local_datetime(&(naive + TimeDelta::hours(1))).latest())?
            .timestamp_micros(),
    })
}

/// The present moment.
pub fn now() -> Micros {
    Utc::now().timestamp_micros()
}

/// Seconds that local time is ahead of UTC at `time`: for axes whose ticks fall on local hours.
pub fn zone_offset_seconds(time: Micros, zone: TimeZoneChoice) -> i64 {
    match (zone, DateTime::<Utc>::from_timestamp_micros(time)) {
        (TimeZoneChoice::Local, Some(t)) => {
            i64::from(t.with_timezone(&Local).offset().fix().local_minus_utc())
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_a_log_writer_uses() {
        let base = parse_rfc3339(b"2026-11-20T21:57:40.404650Z").unwrap();
        assert_eq!(format_rfc3339(base), "2026-11-20T21:57:40.404650Z");
        assert_eq!(parse_rfc3339(b"2026-11-20 21:57:40.404650999"), Some(base));
        assert_eq!(parse_rfc3339(b"2026-11-20T17:57:40.40465-04:00"), Some(base));
        assert_eq!(parse_rfc3339(b"2026-11-20T23:27:40.40465+0130"), Some(base));
        assert_eq!(parse_rfc3339(b"1970-01-01T00:00:01Z"), Some(SECOND));
        assert_eq!(
            parse_rfc3339(b"2024-02-29T00:00:00Z").map(format_rfc3339).unwrap(),
            "2024-02-29T00:00:00.000000Z"
        );
        for wrong in [
            "",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-20T25:00:00Z",
            "2026-11-20T21:57:40x",
            "null",
        ] {
            assert_eq!(parse_rfc3339(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn reads_what_people_type() {
        let newest = parse_rfc3339(b"2026-11-20T02:30:00Z").unwrap();
        let read = |text| parse_user_time(text, newest, newest, TimeZoneChoice::Utc).map(format_rfc3339);
        assert_eq!(read("15m").unwrap(), "2026-11-20T02:15:00.000000Z");
        assert_eq!(read("-1h30m").unwrap(), "2026-11-20T01:00:00.000000Z");
        assert_eq!(read("02:00").unwrap(), "2026-11-20T02:00:00.000000Z");
        assert_eq!(read("03:00").unwrap(), "2026-11-19T03:00:00.000000Z", "not after the newest event");
        assert_eq!(read("2026-01-14 03:00Z").unwrap(), "2026-01-14T03:00:00.000000Z");
        assert_eq!(read("2026-01-14T03:00:00+01:00").unwrap(), "2026-01-14T02:00:00.000000Z");
        assert_eq!(read("2026-01-14").unwrap(), "2026-01-14T00:00:00.000000Z");
        assert!(read("yesterdayish").unwrap_err().contains("not a time"));
        assert!(read("").is_err());
    }

    #[test]
    fn durations_are_short() {
        for (micros, text) in [
            (870, "870 µs"),
            (51_900, "51.9 ms"),
            (3_200_000, "3.2 s"),
            (185 * SECOND, "3m05s"),
            (7_800 * SECOND, "2h10m"),
            (-2 * SECOND, "-2.0 s"),
        ] {
            assert_eq!(format_duration(micros), text);
        }
        assert_eq!(parse_length("1h30m"), Some(5400 * SECOND));
        assert_eq!(parse_length("15"), None);
    }
}
