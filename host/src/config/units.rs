//! Durations and sizes as people write them: `250ms`, `30s`, `26h`; `10G`, `64MiB`, plain bytes.
use std::time::Duration;

/// A text that is no duration or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {expected}")]
pub struct UnitError {
    text: String,
    expected: &'static str,
}

const DURATION: &str = "duration such as 250ms, 30s, 15m, 26h or 7d";
const SIZE: &str = "size such as 65536, 512K, 10M, 10G or 1.5T";

const DURATION_UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a duration: a number and its unit, and nothing without a unit but `0`.
///
/// # Errors
/// [`UnitError`] if there is no unit, another one, or the number is too large.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let error = || UnitError { text: text.to_owned(), expected: DURATION };
    let (number, unit) = split(text).ok_or_else(error)?;
    if number == "0" && unit.is_empty() {
        return Ok(Duration::ZERO);
    }
    let milliseconds = DURATION_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ms)| *ms);
    scale(number, milliseconds.ok_or_else(error)?).map(Duration::from_millis).ok_or_else(error)
}

/// Reads a size in bytes. Units are powers of 1024, with or without `B` or `iB`, in either case.
///
/// # Errors
/// [`UnitError`] if the unit is another one or the number is too large.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let error = || UnitError { text: text.to_owned(), expected: SIZE };
    let (number, unit) = split(text).ok_or_else(error)?;
    let unit = unit.to_ascii_uppercase();
    let power = match unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit) {
        "" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        _ => return Err(error()),
    };
    scale(number, 1024_u64.pow(power)).ok_or_else(error)
}

/// Number and unit, the unit possibly empty.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    (!number.is_empty()).then_some((number, unit.trim_start()))
}

/// `number` times `unit`, with up to six decimals, exact in integers.
fn scale(number: &str, unit: u64) -> Option<u64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if decimals.len() > 6 || number.ends_with('.') {
        return None;
    }
    let divisor = 10_u128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    let fraction: u128 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let whole: u128 = whole.parse().ok()?;
    let unit = u128::from(unit);
    let total = whole.checked_mul(unit)?.checked_add(fraction * unit / divisor)?;
    u64::try_from(total).ok()
}

/// A size for people, two decimals above a kilobyte: `250.00 GB`. Units are powers of 1024.
pub fn format_size(bytes: u64) -> String {
    let (amount, unit) = scaled(bytes);
    if unit == "B" { format!("{bytes} B") } else { format!("{amount:.2} {unit}") }
}

/// A size in few characters for prose: `250GB`, `1.2GB`.
pub fn format_size_short(bytes: u64) -> String {
    let (amount, unit) = scaled(bytes);
    if amount < 10.0 && unit != "B" {
        let text = format!("{amount:.1}");
        format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
    } else {
        format!("{amount:.0}{unit}")
    }
}

#[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn scaled(bytes: u64) -> (f64, &'static str) {
    let units = ["B", "KB", "MB", "GB", "TB", "PB"];
    let mut amount = bytes as f64;
    let mut unit = "B";
    for next in units.into_iter().skip(1) {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    (amount, unit)
}

/// A duration for people: `250ms`, `12.3s`, `4m05s`, `26h00m`.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests;
