//! The end of a clone: `clone.json`, the applier, and what the manifest gets.

use std::time::Duration;

use dbbackup_sdk::document::{
    backup::BackupSummary,
    manifest::{ExcludedRecord, LockRecord},
};

use crate::{
    artefact::{APPLIER_PATH, CloneDocument, ClonedFile, DATA_ROOT, DOCUMENT_PATH, Donor, Layout},
    encrypted,
    error::CloneError,
    left_out::{LeftOut, in_memory},
    protocol::{machine::Machine, observer::Observer, preflight::Facts},
    rpc::DESCRIPTOR_VERSION,
    source::told,
    unseen,
};

/// Permission bits of our documents.
const DOCUMENT_MODE: u32 = 0o644;
/// Those of the applier, which is a program.
const APPLIER_MODE: u32 = 0o755;
/// Builds a data directory out of the artefact without dbbackup.
const APPLIER: &[u8] = include_bytes!("../apply.py");
/// The donor's setting of its page size.
const PAGE_SIZE: &str = "innodb_page_size";
/// Facts that a server needs to start on the restored files, as variables of the donor.
const FACTS: [&str; 6] = [
    "lower_case_table_names",
    "innodb_data_file_path",
    "innodb_undo_tablespaces",
    "innodb_checksum_algorithm",
    "character_set_server",
    "collation_server",
];

/// Writes the last entries and puts the summary together.
///
/// # Errors
/// The sink takes no more, or the donor does not answer.
pub(crate) fn finish(
    machine: Machine<'_>,
    observer: &mut Observer,
    facts: Facts,
    empty_tables: Vec<LeftOut>,
    ddl_blocked: Option<Duration>,
) -> Result<BackupSummary, CloneError> {
    let Machine { output, files, donor, protocol_version, bracket, .. } = machine;
    let mut summary = BackupSummary {
        coordinates: bracket.coordinates(),
        replica_sources: bracket.replica_sources,
        consistent_at: bracket.consistent_at,
        locks: ddl_blocked.map(backup_lock).into_iter().collect(),
        restore_needs: restore_needs(&donor),
        roots: files.external_roots(),
        ..BackupSummary::default()
    };
    exclude(&mut summary, &facts, empty_tables);
    summary.excluded.extend(observer.ask(|session| Ok(in_memory(session)?))?);
    let variable =
        |observer: &mut Observer, name: &str| observer.ask(|session| Ok(session.variable(name)?));
    let directory = observer.ask(|session| Ok(told(session, "datadir")?))?;
    summary.roots.insert(DATA_ROOT.to_owned(), directory);
    for name in FACTS {
        if let Some(value) = variable(observer, name)? {
            summary.source.insert(name.to_owned(), value.into());
        }
    }
    let page_size_bytes = page_size(&donor)?;
    summary.source.insert(PAGE_SIZE.to_owned(), page_size_bytes.into());

    let layout = output.layout();
    let streams = output.streams().to_vec();
    let (files, changes, redo) = files.into_parts();
    if files.iter().any(ClonedFile::is_encrypted) {
        encrypted::describe(&mut summary);
    }
    let document = CloneDocument {
        schema: CloneDocument::schema(),
        protocol_version,
        descriptor_version: DESCRIPTOR_VERSION,
        page_size_bytes,
        encrypted: files.iter().any(ClonedFile::is_encrypted),
        ddl_blocked: ddl_blocked.is_some(),
        layout,
        donor,
        files,
        changes,
        redo,
        streams,
    };
    tracing::info!(
        files = document.files.len(),
        changes = document.changes.len(),
        chunks = layout == Layout::Chunks,
        "the donor has sent everything"
    );
    output.add(DOCUMENT_PATH, DOCUMENT_MODE, document.to_bytes()?)?;
    output.add(APPLIER_PATH, APPLIER_MODE, APPLIER.to_vec())?;
    Ok(summary)
}

/// The donor's page size, as its settings say.
pub(super) fn page_size(donor: &Donor) -> Result<u32, CloneError> {
    let text = donor.configs.get(PAGE_SIZE);
    let bytes = text.and_then(|text| text.parse::<u32>().ok());
    bytes
        .filter(|bytes| bytes.is_power_of_two() && (4096..=65_536).contains(bytes))
        .ok_or_else(|| CloneError::order("no page size", "the settings of the donor"))
}

/// The donor holds it from the beginning, and counts neither wait nor time for us.
fn backup_lock(held: Duration) -> LockRecord {
    LockRecord {
        statement: "LOCK INSTANCE FOR BACKUP (by the clone plugin)".to_owned(),
        waited_ms: 0,
        held_ms: u64::try_from(held.as_millis()).unwrap_or(u64::MAX),
        blocks_commits: false,
    }
}

fn restore_needs(donor: &Donor) -> Vec<String> {
    let config = |name: &str| donor.configs.get(name).map(String::as_str).unwrap_or("unknown");
    let version = config("version");
    let series = match version.split('.').collect::<Vec<_>>().as_slice() {
        [major, minor, ..] => format!("{major}.{minor}"),
        _ => version.to_owned(),
    };
    let mut needs = vec![
        format!("MySQL {series}, at least {version}, for the first start"),
        format!("{} {}", config("version_compile_os"), config("version_compile_machine")),
        format!("innodb_page_size = {}", config(PAGE_SIZE)),
    ];
    let libraries = donor.plugins.iter().filter(|plugin| !plugin.library.is_empty());
    let libraries: Vec<&str> = libraries.map(|plugin| plugin.library.as_str()).collect();
    if !libraries.is_empty() {
        needs.push(format!("plugins {}", libraries.join(", ")));
    }
    needs
}

/// Lists what is not in the backup.
fn exclude(summary: &mut BackupSummary, facts: &Facts, empty_tables: Vec<LeftOut>) {
    let mut tables = facts.empty_tables.clone();
    // Made while the clone ran: too late to refuse it.
    tables.extend(empty_tables.into_iter().filter(|table| !facts.empty_tables.contains(table)));
    for table in tables {
        summary.degraded.push(format!("{table}: {}", table.fate()));
        let why = format!("a clone copies InnoDB alone: the table {}", table.fate());
        summary.excluded.push(ExcludedRecord { what: table.to_string(), why });
    }
    if !facts.sees_all_tables {
        unseen::note(summary);
    }
    let mut push = |what: &str, why: &str| {
        summary.excluded.push(ExcludedRecord { what: what.to_owned(), why: why.to_owned() });
    };
    push("server configuration and mysqld-auto.cnf", "they are no part of a clone");
    push("binary logs", "they are no part of a clone");
}
