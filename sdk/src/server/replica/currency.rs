//! Whether a replica is current enough to be backed up: what has stopped or lags is refused, unless
//! the operator accepts it by name.

use std::{fmt, time::Duration};

use dbbackup_plugin_api::{
    document::{backup::BackupRequest, manifest::ReplicaThread},
    error::ErrorCode,
};

use super::ReplicaChannel;
use crate::{
    failure::Classify,
    server::{Requirement, ServerVersion, Session, SessionError, quote},
};

/// Name under which an operator accepts a channel that does not run.
const ACCEPT_STOPPED: &str = "replica-stopped";
/// Name under which an operator accepts a channel that is too far behind.
const ACCEPT_LAG: &str = "replica-lag";

/// Why a replica is not backed up.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The replica could not be asked.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The account may not ask whether the channels run.
    #[error("whether this replica is out of date cannot be known: {account} lacks {privilege}")]
    Unseen {
        /// The account.
        account: String,
        /// What it lacks.
        privilege: &'static str,
        /// The statement that gives it.
        grant: String,
    },
    /// A channel receives or applies nothing: the content would be of the past.
    #[error("this replica stands still: {}", listed(channels))]
    Stopped {
        /// The channels and what has stopped.
        channels: Vec<ChannelState>,
        /// The statements that start them.
        start: String,
    },
    /// A channel is too far behind its source.
    #[error("this replica is more than {} s behind: {}", limit.as_secs(), listed(channels))]
    Lagging {
        /// The channels and how far they are behind.
        channels: Vec<ChannelState>,
        /// The limit, beyond the delay that the replica is told to keep.
        limit: Duration,
    },
}

/// One channel that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Its name; empty for the default one.
    pub channel: String,
    /// Address of its source.
    pub source: String,
    /// What is wrong, a clause.
    pub what: String,
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.channel.as_str() {
            "" => write!(f, "channel from {}: {}", self.source, self.what),
            name => write!(f, "channel {name} from {}: {}", self.source, self.what),
        }
    }
}

impl Session {
    /// Refuses a replica that has stopped or lags, unless the request accepts it; answers which
    /// promises are weaker then, for the `degraded` of the backup's summary. Nothing is said about
    /// a server that is no replica.
    ///
    /// An account that may not ask is refused too where the server is a replica, as far as anybody
    /// knows: it takes writes of nobody, or the request's environment says so. `replica-stopped` accepts
    /// that as well. Of any other server the log says what is not known.
    ///
    /// The names to accept are `replica-stopped` and `replica-lag`; the limit of the lag is the
    /// request's, on top of the delay that a channel is told to keep. Needs `REPLICATION CLIENT`
    /// (MariaDB: `REPLICA MONITOR`).
    ///
    /// # Errors
    /// [`ReplicaError::Unseen`], [`ReplicaError::Stopped`], [`ReplicaError::Lagging`], and as [`Session::replica_sources`].
    pub fn check_replica(&mut self, request: &BackupRequest) -> Result<Vec<String>, ReplicaError> {
        let channels = match self.replica_channels() {
            Err(error) if error.is_denied() => return self.check_unseen(request),
            answer => answer?,
        };
        let accepts = |name: &str| request.accept_degraded.iter().any(|given| given == name);
        let stopped: Vec<_> = channels.iter().filter_map(stopped).collect();
        if !stopped.is_empty() && !accepts(ACCEPT_STOPPED) {
            let start = stopped.iter().map(|state| start_statement(self.version(), state));
            let start = start.collect::<Vec<_>>().join(" ");
            return Err(ReplicaError::Stopped { channels: stopped, start });
        }
        let limit = request.max_replica_lag_ms.map(Duration::from_millis);
        let lagging: Vec<_> =
            channels.iter().filter_map(|channel| lagging(channel, limit?)).collect();
        if let Some(limit) = limit.filter(|_| !lagging.is_empty() && !accepts(ACCEPT_LAG)) {
            return Err(ReplicaError::Lagging { channels: lagging, limit });
        }
        let weaker = stopped.into_iter().chain(lagging);
        Ok(weaker.map(|state| format!("the source was a replica out of date: {state}")).collect())
    }

    /// What is to be said of a server whose account may not ask for its channels.
    fn check_unseen(&mut self, request: &BackupRequest) -> Result<Vec<String>, ReplicaError> {
        let privilege = monitor_privilege(self.version());
        let grants = self.grants()?;
        let grant = grants.statement([&Requirement::global(privilege)]);
        let is_known = request.environment.server.as_ref().is_some_and(|server| server.replica);
        // `ON`, and from MariaDB 12.0 also `NO_LOCK` and `NO_LOCK_NO_ADMIN`.
        let takes_writes = |value: String| ["OFF", "0"].contains(&value.as_str());
        let is_replica = is_known || !self.variable("read_only")?.is_none_or(takes_writes);
        if !is_replica {
            tracing::warn!(
                "whether the server is a replica that is out of date cannot be known: {grant}"
            );
            return Ok(Vec::new());
        }
        if !request.accept_degraded.iter().any(|given| given == ACCEPT_STOPPED) {
            let account = grants.account().to_sql(quote::Escaping::Backslash);
            return Err(ReplicaError::Unseen { account, privilege, grant });
        }
        Ok(vec![format!(
            "whether the source was a replica out of date is not known: the account lacks {privilege}"
        )])
    }
}

/// The privilege to ask for the channels, as this server calls it.
fn monitor_privilege(version: &ServerVersion) -> &'static str {
    /// First MariaDB that knows the new name.
    const MONITOR_SINCE: [u16; 3] = [10, 5, 9];
    match version.is_mariadb() && version.at_least(MONITOR_SINCE) {
        true => "REPLICA MONITOR",
        false => "REPLICATION CLIENT",
    }
}

/// What does not run, if anything. A receiver without a connection counts too: nobody knows how far
/// the source has gone on meanwhile.
fn stopped(channel: &ReplicaChannel) -> Option<ChannelState> {
    let said = |thread: &str, state: ReplicaThread, error: u64| {
        let what = match state {
            ReplicaThread::Stopped => "is stopped",
            ReplicaThread::Connecting => "has no connection",
            ReplicaThread::Running | ReplicaThread::Unknown => return None,
        };
        let error = if error == 0 { String::new() } else { format!(" by error {error}") };
        Some(format!("the {thread} {what}{error}"))
    };
    let record = &channel.record;
    let whats = [
        said("applier", record.applier, channel.applier_error),
        said("receiver", record.receiver, channel.receiver_error),
    ];
    let whats: Vec<String> = whats.into_iter().flatten().collect();
    (!whats.is_empty()).then(|| state(channel, whats.join(" and ")))
}

fn lagging(channel: &ReplicaChannel, limit: Duration) -> Option<ChannelState> {
    let record = &channel.record;
    let behind = record.seconds_behind?;
    let lag = Duration::from_secs(behind.saturating_sub(record.delay_seconds));
    (lag > limit).then(|| state(channel, format!("{behind} s behind")))
}

fn state(channel: &ReplicaChannel, what: String) -> ChannelState {
    let record = &channel.record;
    ChannelState { channel: record.channel.clone(), source: record.source.clone(), what }
}

/// The statement that starts a channel, as this server calls it.
fn start_statement(version: &ServerVersion, state: &ChannelState) -> String {
    /// First MySQL that knows the new words.
    const REPLICA_SINCE: [u16; 3] = [8, 0, 22];
    let name = quote::string(&state.channel, quote::Escaping::Backslash);
    let is_default = state.channel.is_empty();
    match (version.is_mariadb(), version.at_least(REPLICA_SINCE)) {
        (true, _) if is_default => "START SLAVE;".to_owned(),
        (true, _) => format!("START SLAVE {name};"),
        (false, true) if is_default => "START REPLICA;".to_owned(),
        (false, true) => format!("START REPLICA FOR CHANNEL {name};"),
        (false, false) if is_default => "START SLAVE;".to_owned(),
        (false, false) => format!("START SLAVE FOR CHANNEL {name};"),
    }
}

fn listed(channels: &[ChannelState]) -> String {
    channels.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Classify for ReplicaError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Session(error) => error.code(),
            Self::Unseen { .. } => ErrorCode::PRIVILEGE,
            Self::Stopped { .. } | Self::Lagging { .. } => ErrorCode::PRECONDITION,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Session(error) => error.hint(),
            Self::Unseen { grant, .. } => Some(format!(
                "{grant} or accept a backup that may be of the past: --accept-degraded {ACCEPT_STOPPED}"
            )),
            Self::Stopped { start, .. } => Some(format!(
                "start it: {start} or accept a backup of the past: --accept-degraded {ACCEPT_STOPPED}"
            )),
            Self::Lagging { .. } => Some(format!(
                "wait until it has caught up, allow more: --max-replica-lag TIME, or accept a backup \
                 of the past: --accept-degraded {ACCEPT_LAG}"
            )),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Session(error) => error.is_retryable(),
            Self::Unseen { .. } | Self::Stopped { .. } => false,
            Self::Lagging { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests;
