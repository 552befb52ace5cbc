//! Tables that the account does not see. `BACKUP_ADMIN` is all that a clone needs, and with nothing
//! else nobody can say whether a clone leaves tables empty. Such a run is not degraded, or every run
//! of the least account would be; but the manifest, the restore and `verify --level boot`, which sees
//! every table of the copy, say what was not looked at.

use dbbackup_sdk::{
    document::{backup::BackupSummary, manifest::ExcludedRecord},
    serde_json::json,
    server::{Grants, Requirement},
};

/// Key of what the manifest's `source` says.
pub(crate) const FACT: &str = "non_innodb_unseen";

/// Whether the account sees every table.
pub(crate) fn sees_all(grants: &Grants) -> bool {
    grants.allows(&Requirement::global("SELECT"))
}

/// Says that nobody has looked.
pub(crate) fn note(summary: &mut BackupSummary) {
    tracing::warn!(
        "the account does not see all tables: rows in other storage engines than InnoDB, if \
         there are any, are not in the backup; GRANT SELECT ON *.* lets the run find out, and \
         verify --level boot tells afterwards"
    );
    summary.excluded.push(ExcludedRecord {
        what: "rows in other storage engines than InnoDB".to_owned(),
        why: "a clone copies InnoDB alone, and the account does not see whether there are any"
            .to_owned(),
    });
    summary.source.insert(FACT.to_owned(), json!(true));
}
