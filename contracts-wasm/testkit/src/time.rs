//! Points in time and spans, as people write them.

use std::time::Duration;

/// 2026-01-05T09:00:00Z, a Monday: when a test chain begins.
pub const MONDAY_MORNING_MS: u64 = 1_767_603_600_000;

const DAY_MS: u64 = 86_400_000;
/// No block is older than this project, and years beyond four digits are typing errors.
const YEARS: std::ops::RangeInclusive<u64> = 1970..=9999;

/// Milliseconds since 1970 of a time in UTC: `2026-01-05T02:00:00Z`, or only its date.
pub fn parse_utc(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let in_range = YEARS.contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let days = days_before(year) + (1..month).map(|month| days_of(year, month)).sum::<u64>() + day;
    in_range.then(|| (days - 1) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1_000)
}

/// A span: a number and a unit, s, m, h or d.
pub fn parse_span(text: &str) -> Option<Duration> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    units.into_iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(seconds).map(Duration::from_secs)
    })
}

/// A time as it is written in cases: `2026-01-05T02:00:00Z`.
pub fn utc_text(time_ms: u64) -> String {
    let (mut days, seconds) = (time_ms / DAY_MS, time_ms % DAY_MS / 1_000);
    let mut year = 1970;
    while days >= year_days(year) {
        days -= year_days(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        days + 1
    )
}

fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut parts = text.split(separator);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts
            .next()
            .filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn year_days(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_before(year: u64) -> u64 {
    (1970..year).map(year_days).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        assert_eq!(parse_utc("1970-01-01"), Some(0));
        assert_eq!(parse_utc("2026-01-05T09:00:00Z"), Some(MONDAY_MORNING_MS));
        assert_eq!(parse_utc("2000-02-29T23:59:59Z"), Some(951_868_799_000));
        for time in [0, 951_868_799_000, MONDAY_MORNING_MS, 4_102_444_800_000] {
            assert_eq!(parse_utc(&utc_text(time)), Some(time));
        }
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "2026-01-05T24:00:00Z",
            "2026-01-05T09:00:00",
            "2026-1-5",
            "+026-01-05",
            "2026-01-05-01",
        ] {
            assert_eq!(parse_utc(text), None, "{text}");
        }
    }

    #[test]
    fn spans_have_units() {
        assert_eq!(parse_span("90m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse_span("2d"), Some(Duration::from_secs(172_800)));
        assert_eq!(parse_span("2"), None);
        assert_eq!(parse_span(&format!("{}d", u64::MAX)), None);
    }
}
