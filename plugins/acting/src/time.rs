//! A moment as text.

/// Last moment of the year 9999.
const LAST: i64 = 253_402_300_799_999;

/// RFC 3339 in UTC with milliseconds, as in `2026-11-27T10:15:00.000Z`. What
/// lies outside the years 1970 to 9999 becomes the nearer end.
#[must_use]
pub fn rfc3339(milliseconds: i64) -> String {
    let at = milliseconds.clamp(0, LAST);
    let (day, rest) = (at / 86_400_000, at % 86_400_000);
    let (year, month, day) = date(day);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Year, month and day of a day since 1970: eras of 400 years from the first of
/// March on, so that the leap day comes last (H. Hinnant, chrono-compatible
/// low-level date algorithms).
fn date(day: i64) -> (i64, i64, i64) {
    let since_march_0 = day + 719_468;
    let (era, day) = (since_march_0 / 146_097, since_march_0 % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (at, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_795_774_500_123, "2026-11-27T10:15:00.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(at), expected);
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut last = date(-1);
        for day in 0..200_000 {
            let found = date(day);
            let next = found.2 == last.2 + 1 && found.1 == last.1;
            let first = found.2 == 1 && last.2 >= 28;
            assert!(next || first, "{last:?} {found:?}");
            last = found;
        }
    }
}
