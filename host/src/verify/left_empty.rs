//! Tables that came empty out of a clone: a clone brings InnoDB's rows alone. What the backup says of
//! them is a note; what it does not say is a loss that nobody has noticed.
use super::{VerifyReport, boot::BootError, boot::ask};
use crate::connection::Session;
use dbbackup_plugin_api::document::manifest::{ExcludedRecord, Manifest};

/// Looks for such tables in a clone that a scratch server runs on. Tables without rows of their own,
/// and those whose rows no server keeps, have lost nothing.
pub(super) fn look(
    session: &mut Session,
    manifest: &Manifest,
    report: &mut VerifyReport,
) -> Result<(), BootError> {
    let query = format!(
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME), ENGINE FROM information_schema.TABLES \
         WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN {} AND ENGINE NOT IN \
         ('InnoDB', 'MEMORY', 'BLACKHOLE', 'FEDERATED') ORDER BY 1",
        super::boot::OWN_SCHEMAS
    );
    let tables: Vec<(String, String)> = ask(session, "list tables of other engines", &query)?;
    for (table, engine) in tables {
        let is_known = manifest.excluded.iter().any(|excluded| names(excluded, &table));
        if is_known {
            report.notes.push(format!("{table} ({engine}): no rows of it are in the clone"));
        } else {
            report.problems.push(format!(
                "{table} ({engine}): comes back empty, and the backup does not say so: its account \
                 did not see the table"
            ));
        }
    }
    Ok(())
}

/// True if a record is about this table: `shop.notes` or `shop.notes (MyISAM)`.
fn names(excluded: &ExcludedRecord, table: &str) -> bool {
    let rest = excluded.what.strip_prefix(table);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
}
