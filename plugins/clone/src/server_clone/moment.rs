//! Where a server stands before and after it has cloned itself, and what that makes of the content.

use dbbackup_sdk::{
    document::manifest::{CoordinatesRecord, Precision, ReplicaSourceRecord},
    position::{BinlogCoordinates, GtidSet},
    server::{BinlogStatus, Session},
};

use super::MethodError;

/// Where a server stands at one moment: in its own binlog, and in those of its sources.
#[derive(Debug)]
pub(crate) struct Moment {
    binlog: Option<BinlogStatus>,
    /// None if the account may not ask.
    pub(crate) sources: Option<Vec<ReplicaSourceRecord>>,
}

/// How far one source has been applied.
#[derive(Debug, PartialEq, Eq)]
struct Applied<'m> {
    channel: &'m str,
    binlog: Option<&'m BinlogCoordinates>,
    gtid: Option<&'m GtidSet>,
}

impl Moment {
    /// Now. The sources come first: what is applied after that shows in the binlog, or at the next moment.
    pub(crate) fn of(session: &mut Session) -> Result<Self, MethodError> {
        let sources = session.replica_sources_if_told()?;
        Ok(Self { binlog: session.log_status()?.and_then(|status| status.binlog), sources })
    }

    /// How far each source has been applied.
    fn applied(&self) -> Option<Vec<Applied<'_>>> {
        let sources = self.sources.as_ref()?.iter();
        let applied = sources.map(|one| Applied {
            channel: &one.channel,
            binlog: one.binlog.as_ref(),
            gtid: one.gtid.as_ref(),
        });
        Some(applied.collect())
    }

    /// True if nothing was written between two moments. A replica may apply what it does not write into
    /// its binlog (`log_replica_updates = OFF`): that the file has not grown proves nothing there, but how
    /// far it has applied does. Where nobody may ask for that, GTIDs must do.
    fn stood_still(&self, later: &Self) -> bool {
        let applied_nothing = match (self.applied(), later.applied()) {
            (Some(before), Some(after)) => before == after,
            _ => self.binlog.as_ref().is_some_and(|binlog| binlog.gtid.is_some()),
        };
        self.binlog == later.binlog && applied_nothing
    }
}

/// Coordinates of a content that is neither that of before nor that of after.
pub(crate) fn bracket(before: Moment, after: Moment) -> CoordinatesRecord {
    let stood_still = before.stood_still(&after);
    let (Some(before), Some(after)) = (before.binlog, after.binlog) else {
        return CoordinatesRecord::default();
    };
    CoordinatesRecord {
        precision: if stood_still { Precision::Exact } else { Precision::Bracket },
        binlog: Some(before.binlog),
        gtid: before.gtid,
        binlog_upper: Some(after.binlog),
        gtid_upper: after.gtid,
        lsn: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GTIDS: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-4";

    fn moment(at: u64, gtid: Option<&str>, sources: Option<&[u64]>) -> Moment {
        let point = |position| BinlogCoordinates { file: "binlog.000001".to_owned(), position };
        let gtid = gtid.map(|set| GtidSet::Mysql(set.parse().unwrap()));
        let sources = sources.map(|all| {
            let applied = all.iter().map(|at| ReplicaSourceRecord {
                binlog: Some(point(*at)),
                ..ReplicaSourceRecord::default()
            });
            applied.collect()
        });
        Moment { binlog: Some(BinlogStatus { binlog: point(at), gtid }), sources }
    }

    #[test]
    fn a_content_is_exact_only_where_nothing_was_written_or_applied() {
        let precision = |before, after| bracket(before, after).precision;
        let still = |gtid, sources: Option<&[u64]>| {
            precision(moment(4, gtid, sources), moment(4, gtid, sources))
        };
        assert_eq!(still(None, Some(&[])), Precision::Exact);
        assert_eq!(still(Some(GTIDS), Some(&[7])), Precision::Exact);
        assert_eq!(still(Some(GTIDS), None), Precision::Exact);
        assert_eq!(still(None, None), Precision::Bracket, "nobody knows what it applies");
        assert_eq!(
            precision(moment(4, None, Some(&[])), moment(5, None, Some(&[]))),
            Precision::Bracket
        );
        // An old set of GTIDs says nothing of what is applied without them.
        let applied =
            precision(moment(4, Some(GTIDS), Some(&[7])), moment(4, Some(GTIDS), Some(&[8])));
        assert_eq!(applied, Precision::Bracket);
    }
}
