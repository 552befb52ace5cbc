//! Work, and what must be done after it whether it has failed or not.
use crate::exit::Failure;

/// What came of the work, if what followed it is done too. Where both have failed, the failure of the
/// work says why, and the other one is a warning.
pub(super) fn both<T>(
    work: Result<T, Failure>,
    after: Result<(), Failure>,
    warn: impl FnOnce(String),
) -> Result<T, Failure> {
    match (work, after) {
        (Err(failure), Err(second)) => {
            warn(second.chain());
            Err(failure)
        }
        (Ok(_), Err(failure)) => Err(failure),
        (work, Ok(())) => work,
    }
}

#[cfg(test)]
mod tests {
    use super::both;
    use crate::{exit::Failure, restore::RestoreError};
    use std::{io, path::Path};

    fn synced() -> Failure {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        RestoreError::io("sync", Path::new("/srv/db"), source).into()
    }

    #[test]
    fn the_failure_of_the_work_is_told_and_what_failed_after_it_is_a_warning() {
        let mut warned = Vec::new();
        let mut told =
            |work, after| both(work, after, |text| warned.push(text)).map_err(|e| e.code());
        let died = || Failure::from(RestoreError::SyncDied);
        assert_eq!(told(Err(died()), Err(synced())), Err("E-RESTORE-SYNC".to_owned()));
        assert_eq!(told(Ok(7), Err(synced())), Err("E-RESTORE-IO".to_owned()));
        assert_eq!(told(Err(died()), Ok(())), Err("E-RESTORE-SYNC".to_owned()));
        assert_eq!(told(Ok(7), Ok(())), Ok(7));
        assert_eq!(warned.len(), 1);
        assert!(warned.concat().starts_with("sync /srv/db: "), "{warned:?}");
    }
}
