//! What an account must be allowed for a clone that a server makes. It is looked at before anything
//! begins, since the server says no in the middle.

use dbbackup_sdk::server::{Requirement, Session, quote::Escaping};

use crate::server_clone::MethodError;

/// Asks for nothing: the server looks at the account alone. A grant on this table is as good as one on
/// the schema.
const POSITIONS: &str = "SELECT SERVER_UUID FROM performance_schema.log_status LIMIT 0";
/// Where positions and progress are.
const SCHEMA: &str = "performance_schema";

/// Checks the account of a recipient.
///
/// # Errors
/// [`MethodError::Privileges`] with the statement that gives what is lacking.
pub(crate) fn check_recipient(session: &mut Session) -> Result<(), MethodError> {
    // The second one for the clone into a directory (seen with MySQL 9.7).
    check(session, &["CLONE_ADMIN", "BACKUP_ADMIN"], false)
}

/// Checks the account of the server whose data are cloned: it also tells the files, their sizes, and
/// its position.
///
/// # Errors
/// As [`check_recipient`].
pub(crate) fn check_source(session: &mut Session) -> Result<(), MethodError> {
    check(session, &["BACKUP_ADMIN", "PROCESS"], true)
}

fn check(session: &mut Session, needed: &[&str], tells_position: bool) -> Result<(), MethodError> {
    let grants = session.grants()?;
    let needed = needed.iter().map(|privilege| Requirement::global(privilege));
    let mut lacking: Vec<_> = needed.filter(|required| !grants.allows(required)).collect();
    let select = Requirement::on_schema("SELECT", SCHEMA);
    if tells_position && !grants.allows(&select) {
        match session.query(POSITIONS) {
            Ok(_) => {}
            Err(error) if error.is_denied() => lacking.push(select),
            Err(error) => return Err(error.into()),
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    Err(MethodError::Privileges {
        account: grants.account().to_sql(Escaping::Backslash),
        privileges: lacking.iter().map(shown).collect(),
        grant: grants.statement(&lacking),
    })
}

fn shown(required: &Requirement) -> String {
    match &required.schema {
        Some(schema) => format!("{} ON {schema}.*", required.privilege),
        None => required.privilege.clone(),
    }
}
