//! Tables that came empty out of a clone: a clone brings InnoDB's rows alone. What the backup says of
//! them is a note; what it does not say is a loss that nobody has noticed.
use super::{VerifyReport, boot::BootError, boot::ask};
use crate::connection::Session;
use dbbackup_plugin_api::document::manifest::{ExcludedRecord, Manifest};

/// How a record ends that counts the tables of which a long list has no names.
const FURTHER: &str = " further tables";
/// Engine of tables that have lists of their own: their rows end with every server.
const IN_MEMORY: &str = " (MEMORY)";

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
    judge(&tables, &manifest.excluded, report);
    Ok(())
}

/// Tells tables that the backup knows of from those that nobody has noticed. Where its list is too
/// long to have all names, as many as it counts may be without one.
fn judge(tables: &[(String, String)], excluded: &[ExcludedRecord], report: &mut VerifyReport) {
    let is_named = |table: &str| excluded.iter().any(|excluded| names(excluded, table));
    let unnamed = tables.iter().filter(|(table, _)| !is_named(table)).count();
    let are_counted = u64::try_from(unnamed).is_ok_and(|unnamed| unnamed <= further(excluded));
    for (table, engine) in tables {
        if are_counted || is_named(table) {
            report.notes.push(format!("{table} ({engine}): no rows of it are in the clone"));
        } else {
            report.problems.push(format!(
                "{table} ({engine}): comes back empty, and the backup does not say so: its account \
                 did not see the table"
            ));
        }
    }
}

/// True if a record is about this table: `shop.notes` or `shop.notes (MyISAM)`.
fn names(excluded: &ExcludedRecord, table: &str) -> bool {
    let rest = excluded.what.strip_prefix(table);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
}

/// Tables that are counted and not named: `7 further tables`, behind the names of the same list.
fn further(excluded: &[ExcludedRecord]) -> u64 {
    let counted = excluded.windows(2).filter_map(|pair| {
        let [named, counting] = pair else { return None };
        let count = counting.what.strip_suffix(FURTHER)?.parse::<u64>().ok()?;
        (!named.what.ends_with(IN_MEMORY)).then_some(count)
    });
    counted.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
