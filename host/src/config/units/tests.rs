//! Units as they are written and shown.
use super::*;

#[test]
fn durations_need_a_unit() {
    for (text, milliseconds) in [
        ("250ms", 250),
        ("30s", 30_000),
        ("1.5s", 1_500),
        ("15m", 900_000),
        ("26h", 93_600_000),
        ("7d", 604_800_000),
        ("0", 0),
    ] {
        assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["", "30", "s", "-1s", "1 fortnight", "1..5s", "99999999999999999999s"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn sizes_are_powers_of_1024() {
    for (text, bytes) in [
        ("10485760", 10_485_760),
        ("0", 0),
        ("512K", 524_288),
        ("10G", 10 << 30),
        ("10GB", 10 << 30),
        ("10GiB", 10 << 30),
        ("10g", 10 << 30),
        ("1.5T", 3 << 39),
        ("64 MiB", 64 << 20),
    ] {
        assert_eq!(parse_size(text), Ok(bytes), "{text}");
    }
    for text in ["", "G", "10Q", "-1", "1e9", "20000000P", "1.", ".5G"] {
        assert!(parse_size(text).is_err(), "{text}");
    }
}

#[test]
fn sizes_are_shown_as_in_the_handbook() {
    assert_eq!(format_size(250 << 30), "250.00 GB");
    assert_eq!(format_size(999), "999 B");
    assert_eq!(format_size(1536), "1.50 KB");
    assert_eq!(format_size_short(250 << 30), "250GB");
    assert_eq!(format_size_short(3 << 30), "3GB");
    assert_eq!(format_size_short((3 << 30) + (1 << 29)), "3.5GB");
    assert_eq!(format_size_short(0), "0B");
}

#[test]
fn durations_are_shown_short() {
    assert_eq!(format_duration(Duration::from_millis(250)), "250ms");
    assert_eq!(format_duration(Duration::from_millis(12_340)), "12.3s");
    assert_eq!(format_duration(Duration::from_secs(245)), "4m05s");
    assert_eq!(format_duration(Duration::from_secs(93_600)), "26h00m");
}
