//! Every request goes through here: attempts with a limit each, waits that grow and jitter, a
//! deadline, one pause for all workers when the store is busy. The SDK's own retries are off: its
//! budget of tokens ends a backup after an outage of seconds.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    clock::StoreClock,
    error::{S3Error, Step},
    refusal::{Refusal, Verdict},
};

/// First wait before another attempt.
const FIRST_WAIT: Duration = Duration::from_millis(400);
/// Longest wait before another attempt, unless the store asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Attempts with damaged bytes: a network that spoils more than these is broken, and a store that
/// calls a right checksum wrong will not change its mind.
const MOST_DAMAGED: u32 = 8;
/// Attempts that were signed with a wrong time: each answer tells the right one.
const MOST_SKEWED: u32 = 3;
/// How long new credentials may take to come.
const RENEWAL: Duration = Duration::from_secs(4);
/// How long a store that has never answered is asked: the endpoint may be a mistyped one.
const FIRST_CONTACT: Duration = Duration::from_secs(30);
/// Least time for an attempt to end.
const LEAST_ATTEMPT: Duration = Duration::from_secs(60);
/// A line that is slower than this has stalled; all requests in flight share it.
const LEAST_BYTES_PER_S: u64 = 100 * 1024;

/// The way to one store; clones share what they have learnt of it.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    clock: StoreClock,
    shared: Arc<Shared>,
    deadline: Duration,
    /// Longest attempt, if it is to be shorter than what its bytes would need.
    hurry: Option<Duration>,
    /// True if even a store that never answered is asked until the deadline.
    patient: bool,
    /// True if the store is asked to encrypt.
    encrypts: bool,
    /// Told of attempts without an answer.
    silence: Option<Silence>,
}

/// Whether any attempt of some requests went unanswered: whatever the later ones were told, the store
/// may still do what it was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silence(Arc<AtomicBool>);

impl Silence {
    /// True if an attempt had no answer.
    pub(crate) fn was_met(&self) -> bool {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// True once the store answered: the address is right.
    known: AtomicBool,
    /// True once a request succeeded: there were credentials.
    trusted: AtomicBool,
    /// True once the store took something that it was to encrypt.
    encrypted: AtomicBool,
    pause: Mutex<Pause>,
}

/// A time before which nobody asks the store.
#[derive(Debug, Default)]
struct Pause {
    until: Option<Instant>,
    /// Pauses in a row.
    streak: u32,
}

impl Requests {
    /// Requests that are tried again for so long.
    pub(crate) fn new(clock: StoreClock, deadline: Duration) -> Self {
        Self {
            clock,
            shared: Arc::default(),
            deadline,
            hurry: None,
            patient: false,
            encrypts: false,
            silence: None,
        }
    }

    /// The same with a shorter deadline, which ends an attempt as well.
    pub(crate) fn within(&self, deadline: Duration) -> Self {
        let deadline = self.deadline.min(deadline);
        Self { deadline, hurry: Some(deadline), ..self.clone() }
    }

    /// How long a request is tried again.
    pub(crate) fn longest(&self) -> Duration {
        self.deadline
    }

    /// The same for a request that must get through an outage even if it is the first one.
    pub(crate) fn patient(&self) -> Self {
        Self { patient: true, ..self.clone() }
    }

    /// The same for requests that ask the store to encrypt, or do not.
    pub(crate) fn encrypting(&self, encrypts: bool) -> Self {
        Self { encrypts, ..self.clone() }
    }

    /// The same, and what tells of its attempts without an answer.
    pub(crate) fn watched(&self) -> (Self, Silence) {
        let silence = Silence::default();
        (Self { silence: Some(silence.clone()), ..self.clone() }, silence)
    }

    /// Time that an attempt with so many bytes may take, where so many share the line: no longer than
    /// all attempts together, unless the bytes alone need it.
    pub(crate) fn attempt_limit(&self, bytes: u64, in_flight: u16) -> Duration {
        let shared = attempt_limit(bytes, in_flight).min(self.deadline);
        shared.max(attempt_limit(bytes, 1))
    }

    /// True once the store has answered anything.
    pub(crate) fn is_known(&self) -> bool {
        self.shared.known.load(Relaxed)
    }

    /// The clock of the store.
    pub(crate) fn clock(&self) -> &StoreClock {
        &self.clock
    }

    /// Makes attempts until one succeeds.
    ///
    /// # Errors
    /// [`S3Error::Refused`] if another attempt would fail as well; [`S3Error::GaveUp`] after the
    /// deadline.
    pub(crate) async fn send<T, F>(
        &self,
        step: &Step,
        limit: Duration,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, S3Error>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let mut tries = Tries::default();
        let limit = self.hurry.map_or(limit, |most| limit.min(most));
        loop {
            self.pause_over(tries.started + self.deadline).await;
            let answer = timeout(limit, attempt()).await.unwrap_or_else(|_| {
                Err(Refusal::unanswered(format!("no answer within {} s", limit.as_secs())))
            });
            match answer {
                Ok(value) => {
                    self.succeeded();
                    return Ok(value);
                }
                Err(refusal) => sleep(self.wait(step, refusal, &mut tries)?).await,
            }
        }
    }

    /// The wait before the next attempt, or the error if there is none.
    fn wait(&self, step: &Step, refusal: Refusal, tries: &mut Tries) -> Result<Duration, S3Error> {
        tries.attempts += 1;
        self.note(&refusal);
        let step = step.clone();
        if !self.is_worth_another(&refusal, tries) {
            return Err(S3Error::Refused { step, source: Box::new(refusal) });
        }
        let waited = tries.started.elapsed();
        let left = self.deadline(&refusal).saturating_sub(waited);
        if left.is_zero() {
            let (attempts, seconds) = (tries.attempts, waited.as_secs());
            let lacks_encryption = self.may_lack_encryption(&refusal);
            let refusal = refusal.suspecting_encryption(lacks_encryption);
            return Err(S3Error::GaveUp { step, attempts, seconds, source: Box::new(refusal) });
        }
        // The last attempt is made when the deadline passes.
        let wait = tries.backoff().max(refusal.retry_after().unwrap_or_default()).min(left);
        let is_throttled = refusal.verdict() == Verdict::Throttled;
        let wait = if is_throttled { self.pause(wait, left) } else { wait };
        let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let attempt = tries.attempts;
        // An outage is told of more and more rarely.
        if attempt.is_power_of_two() {
            tracing::info!(%step, attempt, milliseconds, %refusal, "trying again");
        } else {
            tracing::debug!(%step, attempt, milliseconds, %refusal, "trying again");
        }
        Ok(wait)
    }

    /// What a failed attempt tells of the store.
    fn note(&self, refusal: &Refusal) {
        if refusal.has_word() {
            self.shared.known.store(true, Relaxed);
        }
        if let Some(silence) = self.silence.as_ref().filter(|_| refusal.is_silence()) {
            silence.0.store(true, Relaxed);
        }
    }

    /// True if another attempt may succeed.
    fn is_worth_another(&self, refusal: &Refusal, tries: &mut Tries) -> bool {
        match refusal.verdict() {
            Verdict::Retry | Verdict::Throttled => true,
            Verdict::Damaged => {
                tries.damaged += 1;
                tries.damaged < MOST_DAMAGED
            }
            // The SDK signs the next attempt by the clock that this answer told.
            Verdict::WrongClock => tries.skewed() < MOST_SKEWED,
            // Credentials that were there come back: the service that hands them out is away.
            Verdict::NoCredentials => self.shared.trusted.load(Relaxed),
            // The SDK fetches new ones when they are out of date by our clock, which may be behind.
            Verdict::Expired => {
                self.shared.trusted.load(Relaxed)
                    && tries.started.elapsed() < self.clock.apart() + RENEWAL
            }
            // Some stores call a wrong clock a wrong signature, and a HEAD has no words at all.
            Verdict::Permanent => {
                refusal.is_denied() && self.clock.is_skewed() && tries.skewed() == 0
            }
        }
    }

    fn deadline(&self, refusal: &Refusal) -> Duration {
        let is_known = self.shared.known.load(Relaxed) && !self.may_lack_encryption(refusal);
        if self.patient || is_known { self.deadline } else { self.deadline.min(FIRST_CONTACT) }
    }

    /// True if the store may have failed because it cannot encrypt: MinIO without a key service says 500.
    fn may_lack_encryption(&self, refusal: &Refusal) -> bool {
        self.encrypts && refusal.is_internal() && !self.shared.encrypted.load(Relaxed)
    }

    fn succeeded(&self) {
        self.shared.known.store(true, Relaxed);
        self.shared.trusted.store(true, Relaxed);
        if self.encrypts {
            self.shared.encrypted.store(true, Relaxed);
        }
        let mut pause = self.shared.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if pause.until.is_none_or(|until| until <= Instant::now()) {
            *pause = Pause::default();
        }
    }

    /// Makes everybody wait: at least so long, longer each time in a row, at most as long as is left of
    /// the deadline. Many workers that hear the same answer make one pause.
    fn pause(&self, least: Duration, left: Duration) -> Duration {
        let mut pause = self.shared.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if pause.until.is_none_or(|until| until <= now) {
            pause.streak = pause.streak.saturating_add(1);
        }
        let grown = FIRST_WAIT.saturating_mul(1 << pause.streak.min(10)).min(LONGEST_WAIT);
        let length = least.max(jittered(grown)).min(left);
        let until = pause.until.map_or(now + length, |until| until.max(now + length));
        pause.until = Some(until);
        length
    }

    /// Waits for the end of a pause, or for the deadline: somebody else's pause may be longer than that.
    async fn pause_over(&self, deadline: Instant) {
        loop {
            let until = self.shared.pause.lock().unwrap_or_else(PoisonError::into_inner).until;
            match until.map(|until| until.min(deadline)) {
                Some(until) if until > Instant::now() => sleep_until(until).await,
                _ => return,
            }
        }
    }
}

/// Time that an attempt with so many bytes may take, where so many share the line.
fn attempt_limit(bytes: u64, in_flight: u16) -> Duration {
    let bytes = bytes.saturating_mul(u64::from(in_flight.max(1)));
    LEAST_ATTEMPT.max(Duration::from_secs(bytes / LEAST_BYTES_PER_S))
}

/// Attempts of one request.
#[derive(Debug)]
struct Tries {
    started: Instant,
    attempts: u32,
    damaged: u32,
    skewed: u32,
}

impl Default for Tries {
    fn default() -> Self {
        Self { started: Instant::now(), attempts: 0, damaged: 0, skewed: 0 }
    }
}

impl Tries {
    /// How often an attempt was refused for its time before this one.
    fn skewed(&mut self) -> u32 {
        self.skewed += 1;
        self.skewed - 1
    }

    /// Doubles with every attempt, a random half of it taken off, so that workers which failed
    /// together do not come back together.
    fn backoff(&self) -> Duration {
        let doublings = self.attempts.saturating_sub(1).min(10);
        jittered(FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT))
    }
}

fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::tests::answered;
    use std::sync::atomic::AtomicU32;
    use tokio::runtime::Builder;

    fn step() -> Step {
        Step::new("upload part 1 of", "s3://bucket/key", "s3:PutObject")
    }

    fn requests(deadline_ms: u64) -> Requests {
        Requests::new(StoreClock::default(), Duration::from_millis(deadline_ms))
    }

    /// Runs a request whose attempts fail until there are `failures` of them; answers the attempts.
    fn run(requests: &Requests, failures: u32, refusal: &Refusal) -> (Result<(), S3Error>, u32) {
        let made = AtomicU32::new(0);
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let result = runtime.block_on(requests.send(&step(), LEAST_ATTEMPT, || {
            let fails = made.fetch_add(1, Relaxed) < failures;
            let refusal = refusal.clone();
            async move { if fails { Err(refusal) } else { Ok(()) } }
        }));
        (result, made.load(Relaxed))
    }

    #[test]
    fn an_outage_is_waited_for() {
        let (result, made) = run(&requests(10_000), 2, &answered(500, "InternalError"));
        result.unwrap();
        assert_eq!(made, 3);
    }

    #[test]
    fn a_refusal_ends_at_once() {
        let (result, made) = run(&requests(10_000), 9, &answered(403, "AccessDenied"));
        assert!(matches!(result, Err(S3Error::Refused { .. })));
        assert_eq!(made, 1);
    }

    #[test]
    fn credentials_that_were_good_may_be_renewed() {
        let expired = answered(400, "ExpiredToken");
        let requests = requests(10_000);
        let (result, made) = run(&requests, 1, &expired);
        assert!(matches!(result, Err(S3Error::Refused { .. })), "they never were");
        assert_eq!(made, 1);
        requests.succeeded();
        let (result, made) = run(&requests, 2, &expired);
        result.unwrap();
        assert_eq!(made, 3);
    }

    #[test]
    fn the_deadline_ends_an_outage() {
        let (result, made) = run(&requests(500), 99, &Refusal::unanswered("reset"));
        assert!(matches!(result, Err(S3Error::GaveUp { attempts, .. }) if attempts == made));
        assert!((1..=4).contains(&made), "{made}");
    }

    #[test]
    fn an_attempt_that_stalls_is_given_up() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let made = AtomicU32::new(0);
        let requests = requests(10_000);
        let step = step();
        let sent = requests.send(&step, Duration::from_millis(20), || {
            let stalls = made.fetch_add(1, Relaxed) == 0;
            async move {
                if stalls {
                    std::future::pending::<()>().await;
                }
                Ok::<_, Refusal>(())
            }
        });
        runtime.block_on(sent).unwrap();
        assert_eq!(made.load(Relaxed), 2);
    }

    #[test]
    fn a_busy_store_is_left_alone_by_everybody_for_as_long_as_it_wants() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let requests = requests(10_000);
            let left = Duration::from_secs(10);
            let first = requests.pause(Duration::from_secs(3), left);
            let second = requests.pause(Duration::from_millis(1), left);
            assert!(first >= Duration::from_secs(3) && second < first);
            let until = requests.shared.pause.lock().unwrap().until.unwrap();
            assert!(until >= Instant::now() + Duration::from_millis(2_900));
            assert_eq!(requests.shared.pause.lock().unwrap().streak, 1);
        });
    }

    #[test]
    fn waits_grow_to_their_limit() {
        let wait = |attempts| Tries { attempts, ..Tries::default() }.backoff();
        assert!(wait(1) <= FIRST_WAIT && wait(1) >= FIRST_WAIT / 2);
        assert!(wait(60) <= LONGEST_WAIT && wait(60) >= LONGEST_WAIT / 2);
    }

    #[test]
    fn a_large_part_has_more_time() {
        assert_eq!(attempt_limit(1, 4), LEAST_ATTEMPT);
        assert_eq!(attempt_limit(64 * 1024 * 1024, 1), Duration::from_secs(655));
    }

    #[test]
    fn parts_that_share_a_slow_line_have_the_time_for_it() {
        let line_bytes_per_s = 2_000_000 / 8;
        let all = 4 * 10 * 1024 * 1024 / line_bytes_per_s;
        assert!(attempt_limit(10 * 1024 * 1024, 4) > Duration::from_secs(all));
        let requests = requests(900_000);
        assert_eq!(requests.attempt_limit(10 * 1024 * 1024, 4), Duration::from_secs(409));
        // A stall is noticed within the deadline, however many workers there are.
        assert_eq!(requests.attempt_limit(10 * 1024 * 1024, 64), Duration::from_secs(900));
        assert_eq!(requests.attempt_limit(256 << 20, 64), Duration::from_secs(2621));
    }

    #[test]
    fn a_pause_is_as_long_as_the_store_wants_and_no_longer_than_the_deadline() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (asked, left) = (Duration::from_secs(300), Duration::from_secs(900));
            assert_eq!(requests(900_000).pause(asked, left), asked);
            let left = Duration::from_secs(7);
            let hasty = requests(7_000);
            assert_eq!(hasty.pause(asked, left), left);
            hasty.pause(asked, asked);
            // Who has less time than somebody else's pause does not wait for its end.
            hasty.pause_over(Instant::now() + Duration::from_millis(20)).await;
        });
    }

    #[test]
    fn an_attempt_without_an_answer_is_remembered_after_one_with_an_answer() {
        let (watched, silence) = requests(10_000).watched();
        run(&watched, 1, &answered(500, "InternalError")).0.unwrap();
        assert!(!silence.was_met());
        run(&watched, 1, &Refusal::unanswered("reset")).0.unwrap();
        assert!(silence.was_met());
    }

    #[test]
    fn a_store_that_may_lack_encryption_is_not_asked_for_long() {
        let failed = answered(500, "InternalError");
        let plain = requests(900_000);
        plain.succeeded();
        let encrypting = plain.encrypting(true);
        assert_eq!(plain.deadline(&failed), Duration::from_secs(900));
        assert_eq!(encrypting.deadline(&failed), FIRST_CONTACT);
        assert_eq!(encrypting.deadline(&answered(502, "")), Duration::from_secs(900));
        assert_eq!(encrypting.patient().deadline(&failed), Duration::from_secs(900));
        encrypting.succeeded();
        assert_eq!(encrypting.deadline(&failed), Duration::from_secs(900));
    }
}
