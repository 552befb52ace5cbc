//! What the tasks of one upload share: the upload's id, the parts that are there, the first error.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use tokio::{sync::Semaphore, task::JoinError};

use super::{UploadOrder, latch::Latch};
use crate::{
    checksum::Crc64,
    error::S3Error,
    refusal::Refusal,
    store::{Part, Store, Upload},
};

/// One upload as its tasks see it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) store: Arc<Store>,
    pub(super) key: String,
    pub(super) run: String,
    pub(super) if_absent: bool,
    pub(super) upload: OnceLock<Upload>,
    pub(super) latch: Latch,
    /// True once a request went out that makes the object visible.
    pub(super) may_be_visible: AtomicBool,
    /// True while such a request has no answer.
    pub(super) is_unanswered: AtomicBool,
    /// True if a lost answer may have left a second upload behind.
    pub(super) has_twin: AtomicBool,
    /// True once a request went out that begins the upload.
    pub(super) may_have_begun: AtomicBool,
    /// True as long as the store takes checksums.
    pub(super) checksum: AtomicBool,
    /// Permits of the workers.
    turns: Semaphore,
    /// Parts that the store has, in the order of their arrival.
    sent: Mutex<Vec<Part>>,
}

impl Session {
    pub(super) fn new(store: Arc<Store>, order: &UploadOrder) -> Self {
        Self {
            checksum: AtomicBool::new(store.wants_checksum()),
            store,
            key: order.key.clone(),
            run: order.run.clone(),
            if_absent: order.if_absent,
            upload: OnceLock::new(),
            latch: Latch::new(),
            may_be_visible: AtomicBool::new(false),
            is_unanswered: AtomicBool::new(false),
            may_have_begun: AtomicBool::new(false),
            has_twin: AtomicBool::new(false),
            turns: Semaphore::new(usize::from(order.workers.max(1))),
            sent: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn url(&self) -> String {
        self.store.url(&self.key)
    }

    /// Task: starts the upload.
    pub(super) async fn begin(&self) {
        self.may_have_begun.store(true, Relaxed);
        match self.store.create(&self.key, &self.run).await {
            Ok(created) => {
                if !created.has_checksums {
                    self.checksum.store(false, Relaxed);
                }
                self.has_twin.store(created.has_twin, Relaxed);
                self.upload.get_or_init(|| Upload { key: self.key.clone(), id: created.id });
            }
            Err(error) => drop(self.latch.close(error)),
        }
    }

    /// Task: uploads one part, when it is its turn. Ends early if another one has failed.
    pub(super) async fn send_part(&self, number: u32, body: Bytes) {
        let sending = async {
            // The semaphore is never closed.
            let _turn = self.turns.acquire().await;
            self.upload_part(number, body).await
        };
        tokio::select! {
            sent = sending => if let Err(error) = sent {
                self.latch.close(error);
            },
            _ = self.latch.closed() => {}
        }
    }

    async fn upload_part(&self, number: u32, body: Bytes) -> Result<(), S3Error> {
        let Some(upload) = self.upload.get() else {
            return Err(S3Error::Ended { object: self.url() });
        };
        let crc = self.store.wants_checksum().then(|| Crc64::of(&body));
        let asked = crc.filter(|_| self.checksum.load(Relaxed));
        let etag = match self.store.part(upload, number, &body, asked).await {
            Err(error) if asked.is_some() && error.is(Refusal::is_unsupported) => {
                let etag = self.store.part(upload, number, &body, None).await?;
                self.checksum.store(false, Relaxed);
                etag
            }
            other => other?,
        };
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let part = Part { number, length, etag, crc };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(part);
        Ok(())
    }

    /// The parts by number, once every one of them is accounted for.
    ///
    /// # Errors
    /// [`S3Error::Differs`]: a part is missing, or there are more or fewer bytes than were written.
    pub(super) fn parts(&self, count: u32, written: u64) -> Result<Vec<Part>, S3Error> {
        let mut parts = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        parts.sort_by_key(|part| part.number);
        let differs = |what| S3Error::Differs { object: self.url(), what };
        if !parts.iter().map(|part| part.number).eq(1..=count) {
            let there = parts.len();
            return Err(differs(format!("{there} parts are accounted for, {count} were sent")));
        }
        let stored: u64 = parts.iter().map(|part| part.length).sum();
        if stored != written {
            return Err(differs(format!("the parts hold {stored} bytes, {written} were written")));
        }
        Ok(parts)
    }

    /// A task that panicked has lost its part.
    pub(super) fn note_panic(&self, joined: Result<(), JoinError>) {
        if joined.is_err_and(|error| error.is_panic()) {
            self.latch.close(S3Error::Panicked { object: self.url() });
        }
    }
}
