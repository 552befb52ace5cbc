//! One object going up: bytes fill pooled buffers, full ones go to the store as parts, several at a
//! time, while the next one fills. A stream that fits into one buffer is written in one step.
//!
//! Nothing is visible before [`ObjectUpload::finish`]. The first error is kept: after it every write
//! fails, and nothing is completed.

mod complete;
mod latch;
mod session;

pub(crate) use complete::Finished;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use dbbackup_sdk::runtime;
use tokio::task::{JoinHandle, JoinSet};

use crate::{
    error::S3Error,
    leftovers::Sweep,
    marker::Claim,
    pool::{Buffer, Pool},
    schedule::Schedule,
    store::{Store, Upload},
    upload::session::Session,
};

/// Buffers beyond those that are going up: one that fills, one that waits.
const SPARE_BUFFERS: usize = 2;
/// What is to be uploaded.
#[derive(Clone, Debug)]
pub(crate) struct UploadOrder {
    /// Key in the bucket.
    pub(crate) key: String,
    /// Names the run in the object's metadata.
    pub(crate) run: String,
    /// Fail if the object exists.
    pub(crate) if_absent: bool,
    /// Parts that go up at the same time.
    pub(crate) workers: u16,
    /// Sizes of the parts.
    pub(crate) schedule: Schedule,
}

/// An object that is going up.
#[derive(Debug)]
pub(crate) struct ObjectUpload {
    session: Arc<Session>,
    schedule: Schedule,
    capacity: u64,
    pool: Arc<Pool>,
    /// The part that is being filled; its number is `next`.
    filling: Option<Buffer>,
    next: u32,
    written: u64,
    tasks: JoinSet<()>,
    ended: bool,
    /// What makes the object visible. It goes on if nobody waits for it any more: who has told a store
    /// to put an object together must hear what came of it.
    making: Option<JoinHandle<Result<Finished, S3Error>>>,
}

/// Ends an upload whose writer is busy.
#[derive(Debug)]
pub(crate) struct Canceller(Arc<Session>);

impl Canceller {
    /// Nothing is completed after this, and whoever waits for room waits no longer.
    pub(crate) fn cancel(&self) {
        self.0.latch.close(S3Error::Cancelled);
    }
}

impl ObjectUpload {
    /// Prepares an upload. The store hears of it when the first part is full.
    pub(crate) fn new(store: Arc<Store>, order: UploadOrder) -> Self {
        let capacity = order.schedule.capacity_bytes();
        Self {
            schedule: order.schedule,
            capacity,
            pool: Pool::new(usize::from(order.workers) + SPARE_BUFFERS),
            session: Arc::new(Session::new(store, &order)),
            filling: None,
            next: 1,
            written: 0,
            tasks: JoinSet::new(),
            ended: false,
            making: None,
        }
    }

    /// Bytes that the object can hold.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Key in the bucket.
    pub(crate) fn key(&self) -> &str {
        &self.session.key
    }

    /// Id of the upload, once there is one.
    pub(crate) fn id(&self) -> Option<String> {
        self.session.upload.get().map(|upload| upload.id.clone())
    }

    /// The time at the store.
    pub(crate) fn time_there(&self) -> SystemTime {
        self.session.store.clock().time_there()
    }

    /// URL of the object.
    pub(crate) fn url(&self) -> String {
        self.session.url()
    }

    /// What ends the upload from elsewhere.
    pub(crate) fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.session))
    }

    /// Keeps an error from outside, such as a cancellation: nothing is completed after it.
    pub(crate) fn fail(&self, error: S3Error) -> S3Error {
        self.session.latch.close(error)
    }

    /// Refuses bytes that the object cannot take: beyond its capacity, after its end, after an error.
    ///
    /// # Errors
    /// [`S3Error::TooLarge`], [`S3Error::Ended`], [`S3Error::Latched`].
    pub(crate) fn admit(&self, bytes: usize) -> Result<(), S3Error> {
        self.check()?;
        let more = u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.written.saturating_add(more) > self.capacity {
            return Err(S3Error::TooLarge { object: self.url(), capacity: self.capacity });
        }
        Ok(())
    }

    /// Copies what fits into the part that is being filled; answers how much that was.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> usize {
        let filled = self.filling.as_mut().map_or(0, |buffer| buffer.fill(bytes));
        self.written += u64::try_from(filled).unwrap_or(u64::MAX);
        filled
    }

    /// True if the next byte needs parts, and the store has not been told yet.
    pub(crate) fn is_to_begin(&self) -> bool {
        self.session.upload.get().is_none() && self.filling.as_ref().is_some_and(Buffer::is_full)
    }

    /// Starts the upload in parts.
    ///
    /// # Errors
    /// What the store refuses it with.
    pub(crate) async fn begin(&mut self) -> Result<Upload, S3Error> {
        self.check()?;
        let session = Arc::clone(&self.session);
        // A task of ours, so that it runs where there is a timer, and ends with this upload.
        self.tasks.spawn_on(async move { session.begin().await }, runtime::runtime()?.handle());
        self.settle().await?;
        let upload = self.session.upload.get().cloned();
        upload.ok_or_else(|| S3Error::Panicked { object: self.url() })
    }

    /// Ends other uploads of the key if a lost answer may have left one behind. Only for whoever knows
    /// that nobody else writes to it.
    ///
    /// # Errors
    /// One may still be there.
    pub(crate) async fn end_twins(&self) -> Result<(), S3Error> {
        if !self.session.has_twin.load(Relaxed) {
            return Ok(());
        }
        let own = self.session.upload.get().map(|upload| upload.id.as_str());
        Sweep::new(&self.session.store).uploads_of(&self.session.key, own).await
    }

    /// Sends the full part off and gets a buffer for the next one; waits until one is free.
    ///
    /// # Errors
    /// The first error of the upload.
    pub(crate) async fn make_room(&mut self) -> Result<(), S3Error> {
        self.check()?;
        if self.filling.as_ref().is_some_and(|buffer| !buffer.is_full()) {
            return Ok(());
        }
        self.send_filled()?;
        let room = self.schedule.part_bytes(self.next);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        tokio::select! {
            buffer = self.pool.take(room) => self.filling = Some(buffer),
            error = self.session.latch.closed() => return Err(error),
        }
        Ok(())
    }

    /// Waits until the store has every part of what was written. What fits into one buffer waits for
    /// [`finish`](Self::finish).
    ///
    /// # Errors
    /// The first error of the upload.
    pub(crate) async fn send_rest(&mut self) -> Result<(), S3Error> {
        if self.session.upload.get().is_some() {
            self.send_filled()?;
            self.settle().await?;
        }
        self.session.latch.check()
    }

    /// Makes the object visible, and looks whether it is what was sent.
    ///
    /// # Errors
    /// The first error of the upload; nothing is visible then, unless an answer was lost, which
    /// [`abort`](Self::abort) cleans up.
    pub(crate) async fn finish(&mut self) -> Result<Finished, S3Error> {
        self.check()?;
        let finished = self.finish_open().await;
        self.ended = true;
        finished.map_err(|error| self.fail(error))
    }

    async fn finish_open(&mut self) -> Result<Finished, S3Error> {
        let session = Arc::clone(&self.session);
        if self.session.upload.get().is_none() {
            let body = self.filling.take().map_or_else(Bytes::new, Buffer::into_bytes);
            return self.make(async move { session.write_small(body).await }).await;
        }
        self.send_rest().await?;
        let (count, written) = (self.next - 1, self.written);
        self.make(async move { session.complete(count, written).await }).await
    }

    async fn make(
        &mut self,
        work: impl Future<Output = Result<Finished, S3Error>> + Send + 'static,
    ) -> Result<Finished, S3Error> {
        let object = self.url();
        let made = self.making.insert(runtime::runtime()?.spawn(work)).await;
        self.making = None;
        made.unwrap_or(Err(S3Error::Panicked { object }))
    }

    /// Waits for what was told to make the object visible, if it is still under way.
    async fn settle_making(&mut self, deadline: Duration) {
        let Some(mut making) = self.making.take() else { return };
        if tokio::time::timeout(deadline, &mut making).await.is_err() {
            making.abort();
            self.session.is_unanswered.store(true, Relaxed);
        }
    }

    /// Ends the upload and removes what was stored of it, each request within the deadline. `claim` is the
    /// marker of the backup that it is a part of.
    ///
    /// # Errors
    /// What keeps it from being removed: parts may still take room.
    pub(crate) async fn abort(
        &mut self,
        deadline: Duration,
        claim: Option<&Claim>,
    ) -> Result<(), S3Error> {
        self.ended = true;
        self.filling = None;
        self.tasks.shutdown().await;
        self.settle_making(deadline).await;
        let store = self.session.store.within(deadline);
        if let Some(upload) = self.session.upload.get() {
            store.abort(upload).await?;
        } else if let Some(claim) = claim
            && self.session.may_have_begun.load(Relaxed)
            && store.is_known()
        {
            self.end_all(&store, claim).await?;
        }
        if self.session.may_be_visible.load(Relaxed) && store.is_known() {
            Sweep::new(&store).object(&self.session.key, &self.session.run).await?;
        }
        if self.session.is_unanswered.load(Relaxed) {
            return Err(S3Error::Unanswered { object: self.url() });
        }
        Ok(())
    }

    /// Ends all uploads of the key after a beginning that was not answered: they are ours as long as the
    /// marker is.
    async fn end_all(&self, store: &Store, claim: &Claim) -> Result<(), S3Error> {
        match claim.expect_own(store).await {
            // Who has taken over has ended ours, and may have begun another.
            Err(S3Error::TakenOver { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Sweep::new(store).uploads_of(&self.session.key, None).await,
        }
    }

    /// Refuses to begin if the object must not be there and is: at the end a store that ignores
    /// If-None-Match would write over it. Who may not look relies on that condition.
    ///
    /// # Errors
    /// [`S3Error::Exists`], and what keeps it from being looked at.
    pub(crate) async fn expect_absent(&self) -> Result<(), S3Error> {
        if !self.session.if_absent {
            return Ok(());
        }
        let session = Arc::clone(&self.session);
        // On our runtime: the caller's may have no timer.
        let looking =
            runtime::runtime()?.spawn(async move { session.store.head(&session.key).await });
        match looking.await.map_err(|_| S3Error::Panicked { object: self.url() })? {
            Ok(Some(_)) => Err(S3Error::Exists { object: self.url() }),
            Err(error) if !error.is_blind() => Err(error),
            _ => Ok(()),
        }
    }

    fn check(&self) -> Result<(), S3Error> {
        self.session.latch.check()?;
        if self.ended {
            return Err(S3Error::Ended { object: self.url() });
        }
        Ok(())
    }

    /// Gives the part that is being filled to a task, if there is anything in it.
    fn send_filled(&mut self) -> Result<(), S3Error> {
        // Tasks that have ended are forgotten as we go; what they failed with is in the latch.
        while let Some(joined) = self.tasks.try_join_next() {
            self.session.note_panic(joined);
        }
        let Some(buffer) = self.filling.take().filter(|buffer| !buffer.is_empty()) else {
            return Ok(());
        };
        let (session, number) = (Arc::clone(&self.session), self.next);
        let body = buffer.into_bytes();
        let sending = async move { session.send_part(number, body).await };
        self.tasks.spawn_on(sending, runtime::runtime()?.handle());
        self.next += 1;
        Ok(())
    }

    /// Waits for all tasks.
    async fn settle(&mut self) -> Result<(), S3Error> {
        while let Some(joined) = self.tasks.join_next().await {
            self.session.note_panic(joined);
        }
        self.session.latch.check()
    }
}
