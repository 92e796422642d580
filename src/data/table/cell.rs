//! What the text of a cell means.

/// The texts that stand for a missing value, in upper or lower case, with blanks around them or not: an
/// empty cell, `?`, `NA`, `N/A`, `NaN` and `null`.
pub const MISSING: [&str; 6] = ["", "?", "NA", "N/A", "NaN", "null"];

/// The cell without the blanks around it; none if it is missing.
#[inline]
pub(super) fn present(cell: &str) -> Option<&str> {
    let cell = cell.trim_matches([' ', '\t']);
    // The longest has four bytes.
    let missing = cell.len() <= 4 && MISSING.iter().any(|text| text.eq_ignore_ascii_case(cell));
    (!missing).then_some(cell)
}

/// The number in a cell that is not missing. The error says what was expected.
#[inline]
pub(super) fn number(cell: &str) -> Result<f64, &'static str> {
    match cell.parse::<f64>() {
        // 0 instead of -0.
        Ok(x) if x.abs() <= f64::from(f32::MAX) => Ok(x + 0.0),
        Ok(_) => Err("expected a finite number that an f32 can hold"),
        Err(_) if has_decimal_comma(cell) => {
            Err("expected a number with a decimal point and without other separators")
        }
        Err(_) => Err("expected a number"),
    }
}

/// Whether this would be a number without commas.
fn has_decimal_comma(cell: &str) -> bool {
    cell.contains(',') && cell.replace(',', "").parse::<f64>().is_ok()
}

/// What a cell that is not missing looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    Number,
    /// Infinity, a number that is too large, or one with commas.
    AlmostNumber,
    Date,
    Text,
}

pub(super) fn looks(cell: &str) -> Looks {
    if number(cell).is_ok() {
        Looks::Number
    } else if cell.parse::<f64>().is_ok() || has_decimal_comma(cell) {
        Looks::AlmostNumber
    } else if date(cell).is_ok() {
        Looks::Date
    } else {
        Looks::Text
    }
}

/// The days since 1970-01-01 (UTC) of a date in the form of ISO 8601: `2024-02-29`, also with a time of
/// day, as in `2024-02-29 18:30`, `2024-02-29T18:30:05.5Z` and `2024-02-29T18:30:05+02:00`.
pub(super) fn date(cell: &str) -> Result<f64, &'static str> {
    parse_date(cell)
        .ok_or("expected a date like 2024-02-29, 2024-02-29 18:30 or 2024-02-29T18:30:05Z")
}

fn parse_date(cell: &str) -> Option<f64> {
    let (day, time) = match cell.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (cell, None),
    };
    let mut parts = day.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=days).contains(&day) {
        return None;
    }
    let seconds = match time {
        Some(time) => seconds(time)?,
        None => 0.0,
    };
    Some(days_since_1970(year, month, day) as f64 + seconds / 86_400.0)
}

/// The seconds since midnight (UTC).
fn seconds(time: &str) -> Option<f64> {
    let (time, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let offset = match offset {
        "" | "Z" => 0,
        _ => {
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ahead = 3600 * hours + 60 * minutes;
            match offset.as_bytes()[0] {
                b'+' => -ahead,
                b'-' => ahead,
                _ => return None,
            }
        }
    };
    let mut parts = time.split(':');
    let hours = digits(parts.next()?, 2).filter(|&hours| hours < 24)?;
    let minutes = digits(parts.next()?, 2).filter(|&minutes| minutes < 60)?;
    let seconds = match parts.next() {
        None => 0.0,
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            // 60 is a leap second.
            digits(whole, 2).filter(|&seconds| seconds <= 60)?;
            digits(fraction, fraction.len()).filter(|_| fraction.len() <= 9)?;
            text.parse().ok()?
        }
    };
    if parts.next().is_some() {
        return None;
    }
    Some((3600 * hours + 60 * minutes + offset) as f64 + seconds)
}

/// A number of this many digits, at least one.
fn digits(text: &str, count: usize) -> Option<i64> {
    let all = !text.is_empty() && text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// Counts in years that start in March, so that the leap day is the last one; Hinnant's
/// `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_cells_are_those_of_the_list() {
        for cell in
            ["", " ", "\t", "?", " ? ", "NA", "na", "n/a", "N/A", "nan", "NaN", "NULL", "Null"]
        {
            assert_eq!(present(cell), None, "{cell:?}");
        }
        for cell in ["none", "-", "0", "N", ".", "missing", "nan0"] {
            assert_eq!(present(&format!(" {cell}\t")), Some(cell));
        }
    }

    #[test]
    fn numbers_are_finite_and_have_a_decimal_point() {
        for (cell, x) in
            [("1", 1.0), ("-2.5", -2.5), ("+.5e3", 500.0), ("3.", 3.0), ("1e-320", 1e-320)]
        {
            assert_eq!((number(cell), looks(cell)), (Ok(x), Looks::Number), "{cell}");
        }
        assert!(number("-0").unwrap().is_sign_positive());
        for cell in ["inf", "-Infinity", "1e39", "-1e999", "1,5", "1,234.5", "1.234,5", "-nan"] {
            assert_eq!((number(cell).is_err(), looks(cell)), (true, Looks::AlmostNumber), "{cell}");
        }
        for cell in ["1 2", "0x10", "1_000", "12a", "a,b", "$3"] {
            assert_eq!(
                (number(cell), looks(cell)),
                (Err("expected a number"), Looks::Text),
                "{cell}"
            );
        }
    }

    /// The numbers are those of Python: `datetime.fromisoformat(text).timestamp() / 86400`, with UTC where
    /// no offset is given, and for the years before 1 those of the proleptic calendar.
    #[test]
    fn dates_are_days() {
        for (cell, days) in [
            ("1970-01-01", 0.0),
            ("1970-01-02", 1.0),
            ("1969-12-31", -1.0),
            ("2000-02-29", 11016.0),
            ("2024-02-29", 19782.0),
            ("2024-03-01", 19783.0),
            ("1900-03-01", -25508.0),
            ("0001-01-01", -719162.0),
            ("9999-12-31", 2932896.0),
            ("2024-02-29 18:30", 19782.770833333332),
            ("2024-02-29T18:30:00Z", 19782.770833333332),
            ("2024-02-29T18:30:05.5+02:00", 19782.687563657408),
            ("2024-02-29T18:30:05-00:30", 19782.79172453704),
        ] {
            let found = date(cell).unwrap();
            assert!((found - days).abs() < 1e-9, "{cell}: {found}");
            assert_eq!(looks(cell), Looks::Date);
        }
        for cell in [
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-04-31",
            "2024-1-1",
            "24-01-01",
            "2024-01-01T",
            "2024-01-01T24:00",
            "2024-01-01T10",
            "2024-01-01T10:60",
            "2024-01-01T10:00:61",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00+1:00",
            "2024-01-01T10:00Zx",
            "2024-01-01-01",
            "01/02/2024",
            "+024-01-01",
            "2024-01-0\u{661}",
        ] {
            assert!(date(cell).is_err(), "{cell}");
        }
    }
}
