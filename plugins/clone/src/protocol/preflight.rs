//! What must be so before a clone begins: version, plugin, privilege, packet size, redo log; and what
//! a clone leaves out.

use dbbackup_sdk::server::{Requirement, Session, SessionError, quote::Escaping};

use crate::{
    error::CloneError,
    left_out::{LeftOut, left_out},
    protocol::observer::Observer,
    source::told,
    unseen, unstartable,
};

/// Name under which an operator accepts tables that come out empty.
pub(super) const ACCEPT_NON_TRANSACTIONAL: &str = "non-transactional";
/// First version with the clone plugin.
const CLONE_SINCE: [u16; 3] = [8, 0, 17];
/// What a donor demands of `max_allowed_packet`.
const LEAST_PACKET_BYTES: u64 = 2 * 1024 * 1024;

/// What was found.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Tables that come out empty, or of no use, accepted by the operator.
    pub(crate) empty_tables: Vec<LeftOut>,
    /// The account sees every table, so that the list is complete.
    pub(crate) sees_all_tables: bool,
}

/// Checks everything that can be checked beforehand.
///
/// # Errors
/// What is missing, each with the statement that mends it.
pub(crate) fn check(observer: &mut Observer, accepted: &[String]) -> Result<Facts, CloneError> {
    let sees_all_tables = observer.ask(check_server)?;
    observer.ask(|session| Ok(unstartable::check(session)?))?;
    let empty_tables = tables_left_empty(observer)?;
    if !empty_tables.is_empty() && !accepted.iter().any(|name| name == ACCEPT_NON_TRANSACTIONAL) {
        let tables = empty_tables.iter().map(ToString::to_string).collect();
        return Err(CloneError::NonInnodb { tables });
    }
    Ok(Facts { empty_tables, sees_all_tables })
}

/// Checks server and account; answers whether the account sees every table.
fn check_server(session: &mut Session) -> Result<bool, CloneError> {
    check_version(session)?;
    let grants = session.grants()?;
    let missing = grants.missing([&Requirement::global("BACKUP_ADMIN")]);
    if !missing.is_empty() {
        let account = grants.account().to_sql(Escaping::Backslash);
        return Err(CloneError::Privileges { account, missing });
    }
    check_plugin(session)?;
    check_settings(session)?;
    Ok(unseen::sees_all(&grants))
}

/// User tables that come out of a clone empty, or of no use; of those that the account sees.
///
/// # Errors
/// As [`Session::query`].
pub(crate) fn tables_left_empty(observer: &mut Observer) -> Result<Vec<LeftOut>, CloneError> {
    observer.ask(|session| Ok(left_out(session)?))
}

fn check_version(session: &Session) -> Result<(), CloneError> {
    let version = session.version();
    if version.is_mariadb() || version.numbers < CLONE_SINCE {
        return Err(CloneError::Version { server: version.to_string() });
    }
    Ok(())
}

fn check_plugin(session: &mut Session) -> Result<(), CloneError> {
    const SQL: &str = "SELECT plugin_status FROM information_schema.plugins \
                       WHERE plugin_name = 'clone'";
    match session.value(SQL)?.as_deref() {
        Some("ACTIVE") => Ok(()),
        status => Err(CloneError::NoPlugin { status: status.map(str::to_owned) }),
    }
}

fn check_settings(session: &mut Session) -> Result<(), CloneError> {
    let text = told(session, "max_allowed_packet")?;
    let bytes = text.parse().map_err(|_| SessionError::Answer {
        statement: "SHOW GLOBAL VARIABLES".to_owned(),
        what: format!("a number in max_allowed_packet = {text:?}"),
    })?;
    if bytes < LEAST_PACKET_BYTES {
        return Err(CloneError::PacketSize { bytes });
    }
    for name in ["innodb_redo_log_encrypt", "innodb_undo_log_encrypt"] {
        if session.variable(name)?.as_deref() == Some("ON") {
            return Err(CloneError::EncryptedLogs { setting: name });
        }
    }
    const REDO: &str = "SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_enabled'";
    let table = session.query(REDO)?;
    let enabled = table.records().next().and_then(|record| record.get("Value"));
    if enabled == Some("OFF") { Err(CloneError::NoRedo) } else { Ok(()) }
}
