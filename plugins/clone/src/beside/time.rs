//! How long tables are locked while they are read, as their size tells before the clone begins.

use std::time::Duration;

use super::{BesideError, table::Table};

/// Bytes a second that no session brings: rows go through one thread of the server, and one of ours.
const FASTEST: u64 = 1_000_000_000;
/// Bytes a second that an ordinary machine brings.
const USUAL: u64 = 100_000_000;

/// Refuses tables that cannot be read within the time that they may be locked: the run would fail after
/// the whole clone. Of those that might not be, it warns.
///
/// # Errors
/// [`BesideError::TooLarge`].
pub(super) fn check(tables: &[Table], hold: Duration) -> Result<(), BesideError> {
    let bytes: u64 = tables.iter().filter(|table| table.has_rows()).map(|table| table.bytes).sum();
    let usual = time(bytes, USUAL);
    if time(bytes, FASTEST) > hold {
        return Err(BesideError::TooLarge { count: tables.len(), bytes, hold, usual });
    }
    if usual > hold {
        tracing::warn!(
            bytes,
            max_lock_ms = hold.as_millis(),
            "the tables that are not InnoDB's may take longer to read than they may be locked: allow \
             more with --max-lock"
        );
    }
    Ok(())
}

/// Time for so many bytes.
fn time(bytes: u64, bytes_a_second: u64) -> Duration {
    let (seconds, rest) = (bytes / bytes_a_second, bytes % bytes_a_second);
    Duration::from_secs(seconds) + Duration::from_nanos(rest * 1_000_000_000 / bytes_a_second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbbackup_sdk::{Classify as _, ErrorCode};

    fn table(storage_engine: &str, bytes: u64) -> Table {
        let (schema, name) = ("shop".to_owned(), "notes".to_owned());
        Table { schema, name, storage_engine: storage_engine.to_owned(), bytes }
    }

    #[test]
    fn what_no_machine_reads_in_time_is_refused_with_what_it_takes() {
        let second = Duration::from_secs(1);
        let tables = [table("MyISAM", 3_000_000_000), table("MRG_MYISAM", 3_000_000_000)];
        let refused = check(&tables, second).expect_err("3 GB in a second");
        assert_eq!(refused.code(), ErrorCode::LOCK_BUDGET);
        assert!(!refused.is_retryable(), "nothing changes by itself");
        let text = refused.to_string();
        assert!(text.contains("2 tables") && text.contains("3000 MB"), "{text}");
        assert!(refused.hint().expect("a hint").contains("--max-lock 60s"));
        assert!(check(&tables, Duration::from_secs(3)).is_ok());
        assert!(check(&[table("MRG_MYISAM", u64::MAX / 2)], second).is_ok());
        assert!(check(&[], Duration::ZERO).is_ok());
    }

    #[test]
    fn sizes_of_any_kind_have_a_time() {
        assert_eq!(time(0, USUAL), Duration::ZERO);
        assert_eq!(time(250_000_000, USUAL), Duration::from_millis(2500));
        assert_eq!(time(u64::MAX, FASTEST).as_secs(), u64::MAX / FASTEST);
    }
}
