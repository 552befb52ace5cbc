//! The second session: plain SQL beside the clone, for positions, signs of life, and the end of a clone
//! that must not go on.

use std::time::Duration;

use dbbackup_sdk::{
    Host,
    document::manifest::ReplicaSourceRecord,
    position::{BinlogCoordinates, GtidSet, MysqlGtidSet},
    server::{CancelWatch, ConnectOptions, Session, SessionError},
};

use crate::error::CloneError;

/// Longest wait for an answer to an ordinary question.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Longest wait where the run must end soon: to see whether a donor lives, or to end its clone.
const QUICK: Duration = Duration::from_secs(1);
/// How often a question is asked over another session, and the first pause between; each further one
/// is twice as long.
const ATTEMPTS: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A session that is opened again when it is lost.
#[derive(Debug)]
pub(crate) struct Observer {
    host: Host,
    options: ConnectOptions,
    open: Option<Watched>,
}

/// A session with a watch of its own, so that nothing keeps its socket once it is dropped: one watch
/// for all would, and a donor that is slow to answer would collect a connection for each question.
#[derive(Debug)]
struct Watched {
    session: Session,
    _watch: CancelWatch,
}

impl Watched {
    /// Connects; every answer from the first on has to come within `patience`.
    fn connect(
        host: &Host,
        options: &ConnectOptions,
        patience: Duration,
    ) -> Result<Self, CloneError> {
        let mut options = options.clone();
        options.stall_budget_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let session = Session::connect(&options)?;
        let watch = CancelWatch::start_silent(host).map_err(CloneError::Thread)?;
        watch.add(&session);
        Ok(Self { session, _watch: watch })
    }
}

/// A point in the donor's history.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Position {
    /// File and offset; nothing without a binlog, or without the privilege to ask.
    pub(crate) binlog: Option<BinlogCoordinates>,
    /// Executed transactions.
    pub(crate) gtid: Option<GtidSet>,
}

impl Observer {
    /// Connects. The session ends when the run is cancelled.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub(crate) fn connect(host: &Host, options: &ConnectOptions) -> Result<Self, CloneError> {
        let (host, options) = (host.clone(), options.clone());
        let mut observer = Self { host, options, open: None };
        observer.within(ANSWER_WITHIN)?;
        Ok(observer)
    }

    /// Asks something, once more over another session where the connection is cut.
    ///
    /// # Errors
    /// As the question, and as [`Session::connect`].
    pub(crate) fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut Session) -> Result<T, CloneError>,
    ) -> Result<T, CloneError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.within(ANSWER_WITHIN).and_then(&mut question) {
                Err(error) if error.is_cut() => {
                    tracing::debug!(%error, "ask the donor once more");
                    self.open = None;
                    if self.host.wait_cancelled(pause) {
                        return Err(CloneError::Cancelled);
                    }
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        self.within(ANSWER_WITHIN).and_then(question)
    }

    /// Where the donor is now.
    ///
    /// # Errors
    /// A statement failed for another reason than a lacking privilege.
    pub(crate) fn position(&mut self) -> Result<Position, CloneError> {
        self.ask(position)
    }

    /// On a replica, how far it has applied each of its sources.
    ///
    /// # Errors
    /// As [`Observer::position`].
    pub(crate) fn replica_sources(&mut self) -> Result<Vec<ReplicaSourceRecord>, CloneError> {
        self.ask(|session| Ok(session.replica_sources_if_told()?.unwrap_or_default()))
    }

    /// The donor's clock, UTC, RFC 3339.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub(crate) fn now(&mut self) -> Result<String, CloneError> {
        const SQL: &str = "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ') AS now";
        self.ask(|session| Ok(session.query(SQL)?.only()?.text("now")?.to_owned()))
    }

    /// Whether the donor answers within a second.
    pub(crate) fn is_alive(&mut self) -> bool {
        let answer = self.within(QUICK).and_then(|session| Ok(session.value("SELECT 1")?));
        match answer {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "the donor gave no sign of life");
                self.open = None;
                false
            }
        }
    }

    /// Ends connections of the clone on the donor, which gives the clone up with them. Cutting them
    /// would not do: the donor would wait minutes for us to come back.
    pub(crate) fn end_clone(&self, ids: &[u32]) {
        let mut options = self.options.clone();
        options.connect_timeout_ms = u64::try_from(QUICK.as_millis()).unwrap_or(1000);
        // Not the session at hand: a cancelled run has lost it.
        let ended = Session::connect(&options).and_then(|mut session| {
            session.set_timeouts(QUICK, QUICK)?;
            ids.iter().try_for_each(|id| session.kill_session(*id))?;
            session.quit()
        });
        if let Err(error) = ended {
            tracing::warn!(
                %error,
                "end the clone on the donor; it gives up by itself after its \
                 clone_donor_timeout_after_network_failure"
            );
        }
    }

    fn within(&mut self, patience: Duration) -> Result<&mut Session, CloneError> {
        let open = match self.open.take() {
            Some(open) => open,
            None => Watched::connect(&self.host, &self.options, patience)?,
        };
        let session = &mut self.open.insert(open).session;
        session.set_timeouts(patience, patience)?;
        Ok(session)
    }
}

/// File, offset and transactions; without the privilege to ask for the file, transactions alone.
fn position(session: &mut Session) -> Result<Position, CloneError> {
    match session.binlog_status() {
        Ok(Some(status)) => Ok(Position { binlog: Some(status.binlog), gtid: status.gtid }),
        Ok(None) => Ok(Position::default()),
        Err(error) if error.is_denied() => {
            // Empty without GTIDs, but never missing.
            let answer = session.query("SELECT @@GLOBAL.gtid_executed AS gtids")?;
            let executed = answer.only()?.text("gtids")?;
            let executed: String = executed.chars().filter(|c| !c.is_whitespace()).collect();
            if executed.is_empty() {
                return Ok(Position::default());
            }
            let set = executed.parse::<MysqlGtidSet>().map_err(SessionError::from)?;
            Ok(Position { binlog: None, gtid: Some(GtidSet::Mysql(set)) })
        }
        Err(error) => Err(error.into()),
    }
}
