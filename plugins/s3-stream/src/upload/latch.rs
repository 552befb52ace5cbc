//! The first error of an upload, kept for everybody: writers, workers, and whoever waits.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::S3Error;

/// Open until the first error.
#[derive(Debug)]
pub(super) struct Latch(watch::Sender<Option<Arc<S3Error>>>);

impl Latch {
    /// An open latch.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Keeps an error if it is the first; answers the first.
    pub(super) fn close(&self, error: S3Error) -> S3Error {
        let error = match error {
            // What was kept before comes back here on its way out.
            S3Error::Latched(kept) => kept,
            other => Arc::new(other),
        };
        self.0.send_if_modified(|kept| {
            let first = kept.is_none();
            kept.get_or_insert_with(|| Arc::clone(&error));
            first
        });
        let kept = self.0.borrow().clone();
        S3Error::Latched(kept.unwrap_or(error))
    }

    /// The first error, if there was one.
    pub(super) fn check(&self) -> Result<(), S3Error> {
        match &*self.0.borrow() {
            Some(error) => Err(S3Error::Latched(Arc::clone(error))),
            None => Ok(()),
        }
    }

    /// Waits for the first error.
    pub(super) async fn closed(&self) -> S3Error {
        let mut changes = self.0.subscribe();
        loop {
            if let Some(error) = &*changes.borrow_and_update() {
                return S3Error::Latched(Arc::clone(error));
            }
            if changes.changed().await.is_err() {
                // The sender lives in this latch; without it nobody could call this.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_stays() {
        let latch = Latch::new();
        latch.check().unwrap();
        latch.close(S3Error::Cancelled);
        let later = latch.close(S3Error::Ended { object: "s3://bucket/key".to_owned() });
        assert_eq!(later.to_string(), "cancelled");
        assert_eq!(latch.check().unwrap_err().to_string(), "cancelled");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(latch.closed()).to_string(), "cancelled");
    }
}
