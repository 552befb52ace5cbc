//! What the account must be allowed before anything is read: a dump that cannot see an object would
//! leave it out without a word.

use dbbackup_sdk::server::{Grants, MissingPrivilege, Requirement, Session};

use super::catalogue::Selection;
use crate::error::EngineError;

/// Shows every schema, whatever the account may do in it. Nothing less is sure to: `RELOAD` and its like
/// do not on either family.
pub(crate) const SEE_ALL: &str = "SHOW DATABASES";
/// Privileges on every schema that is dumped.
const ON_SCHEMAS: [&str; 4] = ["SELECT", "SHOW VIEW", "TRIGGER", "EVENT"];

/// Checks the account.
///
/// # Errors
/// [`EngineError::Privileges`] with the statements that give what is lacking.
pub(super) fn check(meta: &mut Session, selection: &Selection) -> Result<Grants, EngineError> {
    let grants = meta.grants()?;
    let all = super::catalogue::schema_names(meta)?;
    let schemas = selection.schemas(all, &mut Vec::new())?;
    let mut required = for_the_server(meta)?;
    for schema in &schemas {
        required.extend(ON_SCHEMAS.map(|privilege| Requirement::on_schema(privilege, schema)));
    }
    let mut missing = Vec::new();
    if !selection.names_every_schema() {
        missing.extend(missing_to_see_all(&grants));
    }
    missing.extend(grants.missing(&required));
    missing.extend(missing_for_routines(meta, &grants));
    if missing.is_empty() {
        return Ok(grants);
    }
    let account = grants.account();
    Err(EngineError::Privileges {
        account: format!("'{}'@'{}'", account.user, account.host),
        missing: joined(missing, &grants),
    })
}

/// A server does not tell an account of schemas in which it may do nothing: what is to be dumped out of
/// all schemas can only be known by those who see all. A partial revoke hides a schema from `SELECT`,
/// not from the privilege to see it.
fn missing_to_see_all(grants: &Grants) -> Option<MissingPrivilege> {
    let see_all = Requirement::global(SEE_ALL);
    if grants.allows(&Requirement::global("SELECT")) {
        return None;
    }
    grants.missing([&see_all]).into_iter().next()
}

/// Privileges on the whole server: for the snapshot's position and its lock.
fn for_the_server(meta: &mut Session) -> Result<Vec<Requirement>, EngineError> {
    let version = meta.version().clone();
    if version.is_mariadb() {
        let monitor =
            if version.at_least([10, 5, 2]) { "SLAVE MONITOR" } else { "REPLICATION CLIENT" };
        return Ok(vec![Requirement::global(monitor)]);
    }
    let mut required = vec![Requirement::global("REPLICATION CLIENT")];
    if meta.variable("log_bin")?.is_some_and(|value| value == "ON") {
        required.extend(["RELOAD", "PROCESS"].map(Requirement::global));
    }
    Ok(required)
}

/// The text of other accounts' routines is shown to those who may read it where it is kept: nobody
/// else even learns that it exists.
fn missing_for_routines(meta: &Session, grants: &Grants) -> Option<MissingPrivilege> {
    let version = meta.version();
    let alternatives = if version.is_mariadb() || !version.at_least([8, 0, 20]) {
        [Requirement::global("SELECT"), Requirement::on_schema("SELECT", "mysql")]
    } else {
        [Requirement::global("SELECT"), Requirement::global("SHOW_ROUTINE")]
    };
    if alternatives.iter().any(|requirement| grants.allows(requirement)) {
        return None;
    }
    let [_, least] = alternatives;
    grants.missing([&least]).into_iter().next()
}

/// One entry for what is lacking on every schema alike would be repeated for each of them: the
/// statement is the same for all of a scope.
fn joined(missing: Vec<MissingPrivilege>, grants: &Grants) -> Vec<MissingPrivilege> {
    let requirements: Vec<Requirement> =
        missing.iter().map(|one| one.requirement.clone()).collect();
    let statement = grants.statement(&requirements);
    let with = |(at, one): (usize, MissingPrivilege)| MissingPrivilege {
        // Shown once, with the first.
        statement: if at == 0 { statement.clone() } else { String::new() },
        ..one
    };
    missing.into_iter().enumerate().map(with).collect()
}
