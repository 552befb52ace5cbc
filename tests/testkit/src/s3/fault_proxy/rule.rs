//! Which requests meet which fault.
#[cfg(test)]
mod tests;

use crate::random::Random;
use crate::s3::request::{S3Operation, Target};
use std::time::Duration;

/// What goes wrong with a request. Where nothing else is said, the store never sees the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset in the middle of the request's body, or at once if it has none.
    Reset,
    /// The store carries the request out, then the connection is reset instead of an answer.
    LostAnswer,
    /// `500 InternalError`.
    Status500,
    /// `503 ServiceUnavailable`, with a `Retry-After` header of this many seconds if there is one.
    Status503(Option<u32>),
    /// `503 SlowDown`.
    SlowDown,
    /// Nothing is read and nothing answered for this long; then what has arrived goes on, even if
    /// the client has given up meanwhile, as on a real network.
    Stall(Duration),
    /// Nothing is read and nothing answered until the rules are taken back; then it goes on as after
    /// [`Fault::Stall`].
    Hold,
    /// Bodies pass at this many KiB per second in either direction.
    Slow(u32),
    /// One bit of the request's body arrives flipped at the store.
    Corrupt,
    /// One bit of the answer's body arrives flipped at the client.
    CorruptGet,
    /// Status 200 with an `InternalError` in the body, as `CompleteMultipartUpload` may answer.
    Error200,
    /// The store carries the request out; the answer's body, or its head if it has none, is cut in
    /// the middle by an orderly close.
    Truncate,
    /// `400 ExpiredToken`.
    Expired,
    /// `403 RequestTimeTooSkewed`, with the right time in the `Date` header.
    Skew,
    /// The store's clock is this far ahead of ours: its answers say so, and what is signed by another
    /// clock is refused with `403 RequestTimeTooSkewed`. For a sink, which checks no signatures.
    ClockAhead(Duration),
    /// `403 AccessDenied`.
    Deny,
    /// What the store says is not there is `403 AccessDenied`, as for keys that may not list.
    HideMissing,
    /// The store says that it saw the object last this long ago.
    Older(Duration),
    /// `500 InternalError` for whatever the store is to encrypt; it takes the rest.
    CannotEncrypt,
    /// `403 InvalidObjectState`: the object lies in an archive.
    Archived,
    /// `409 ConditionalRequestConflict`: somebody else is at the same key at this moment.
    Conflict,
    /// Status 200 with an `ETag` and the checksums that the client sent: a store that loses what it
    /// has acknowledged.
    LosePart,
}

/// How often a rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Always,
    First(u32),
    Percent(u32),
}

/// A fault, the requests that may meet it, and how often they do. By default that is always.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    fault: Fault,
    operation: Option<S3Operation>,
    key_suffix: String,
    skipped: u32,
    frequency: Frequency,
}

impl FaultRule {
    /// A fault of requests of one kind.
    pub fn on(operation: S3Operation, fault: Fault) -> Self {
        Self { operation: Some(operation), ..Self::on_any(fault) }
    }

    /// A fault of any request.
    pub fn on_any(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            key_suffix: String::new(),
            skipped: 0,
            frequency: Frequency::Always,
        }
    }

    /// Only requests for objects whose key ends like this, such as `.manifest.json`.
    #[must_use]
    pub fn key_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.key_suffix = suffix.into();
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn skip(mut self, requests: u32) -> Self {
        self.skipped = requests;
        self
    }

    /// Only the first requests that match.
    #[must_use]
    pub fn first(mut self, requests: u32) -> Self {
        self.frequency = Frequency::First(requests);
        self
    }

    /// A random part of the requests that match. The seed is printed.
    #[must_use]
    pub fn percent(mut self, percent: u32) -> Self {
        self.frequency = Frequency::Percent(percent);
        self
    }

    fn matches(&self, target: &Target) -> bool {
        self.operation.is_none_or(|operation| operation == target.operation)
            && target.key.ends_with(&self.key_suffix)
    }
}

/// The standing rules of a proxy, and how often each has been asked.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<(FaultRule, u32)>,
    random: Option<Random>,
}

impl Rules {
    pub(super) fn add(&mut self, rule: FaultRule) {
        self.rules.push((rule, 0));
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that a request meets. Every rule that matches counts it, up to the one that fires.
    pub(super) fn decide(&mut self, target: &Target) -> Option<Fault> {
        for (rule, asked) in &mut self.rules {
            if !rule.matches(target) {
                continue;
            }
            let turn = *asked;
            *asked = asked.saturating_add(1);
            let Some(turn) = turn.checked_sub(rule.skipped) else { continue };
            let fires = match rule.frequency {
                Frequency::Always => true,
                Frequency::First(requests) => turn < requests,
                Frequency::Percent(percent) => {
                    let random =
                        self.random.get_or_insert_with(|| Random::announced("S3 fault proxy"));
                    random.below(100) < u64::from(percent)
                }
            };
            if fires {
                return Some(rule.fault);
            }
        }
        None
    }
}
