//! What is known before a byte is written: is it the right kind of server, is there room for the
//! longest statement, and would anything be overwritten?

use dbbackup_sdk::{
    RestoreRun,
    document::{
        manifest::{Manifest, SourceRecord},
        restore::RestorePlan,
    },
    server::{Session, quote},
};

use super::{
    chosen::Choice,
    present::{Present, TableNames},
    target::Target,
};
use crate::{
    error::{EngineError, RestoreError},
    options::{GtidChoice, Options},
};

/// Directory of the entries that make schemas, one for each.
const SCHEMA_ENTRIES: &str = "10-schemas/";
/// Directory of the entries of tables, `schema/table.sql`.
const TABLE_ENTRIES: &str = "20-tables/";
/// Room for the command byte and for what an edit adds.
const PACKET_OVERHEAD_BYTES: u64 = 1024;

/// Checks a restore. Read-only.
///
/// # Errors
/// [`RestoreError::Exists`], [`RestoreError::PacketTooSmall`], [`RestoreError::Incompatible`], and
/// those of the session.
pub(crate) fn check(run: &RestoreRun, options: &Options) -> Result<RestorePlan, EngineError> {
    let request = &run.request;
    let mut target = Target::connect(run)?;
    let session = &mut target.session;
    let choice = Choice::new(request);
    let mut plan = RestorePlan::default();
    check_packet(session, &request.manifest)?;
    plan.warnings = compatibility(session, &request.manifest.source)?;
    if !request.force {
        check_existing(session, &request.manifest, &choice)?;
    }
    let address = session.options().address();
    plan.steps = steps(&request.manifest, &choice, options, &address.to_string());
    Ok(plan)
}

fn check_packet(session: &mut Session, manifest: &Manifest) -> Result<(), EngineError> {
    let facts = &manifest.source.facts;
    let Some(longest) = facts.get("longest_statement_bytes").and_then(serde_json::Value::as_u64)
    else {
        return Ok(());
    };
    let needed = longest + PACKET_OVERHEAD_BYTES;
    let have = session.variable("max_allowed_packet")?.and_then(|value| value.parse().ok());
    match have {
        Some(have) if have < needed => Err(RestoreError::PacketTooSmall { needed, have }.into()),
        _ => Ok(()),
    }
}

/// What may go wrong between these two servers; refuses what cannot go right.
fn compatibility(session: &mut Session, source: &SourceRecord) -> Result<Vec<String>, EngineError> {
    let mut warnings = Vec::new();
    let to = session.version().clone();
    let from = dbbackup_sdk::server::ServerVersion::parse(&source.version, &source.flavor);
    if from.is_mariadb() != to.is_mariadb() {
        warnings.push(format!(
            "from {from} into {to}: types, collations and objects that the other family does not \
             know end the restore"
        ));
    } else if (from.numbers[0], from.numbers[1]) > (to.numbers[0], to.numbers[1]) {
        warnings.push(format!("{to} is older than the source, {from}: it may refuse definitions"));
    }
    let letters = "lower_case_table_names";
    let was = source.facts.get(letters).and_then(serde_json::Value::as_str);
    let is = session.variable(letters)?;
    if let (Some(was), Some(is)) = (was, is)
        && was != is
    {
        if was == "0" {
            warnings.push(format!(
                "{letters} is {is} here and was {was}: names that differ in case alone collide"
            ));
        } else {
            warnings.push(format!("{letters} is {is} here and was {was}: names are in lower case"));
        }
    }
    Ok(warnings)
}

fn check_existing(
    session: &mut Session,
    manifest: &Manifest,
    choice: &Choice,
) -> Result<(), EngineError> {
    let names = TableNames::of(session)?;
    let mut existing = Vec::new();
    for schema in schemas(manifest) {
        if choice.wants_whole_schema(&schema) {
            let name = choice.target_schema(&schema);
            if !Present::in_schema(session, name, names)?.is_empty() {
                existing.push(name.to_owned());
            }
        }
    }
    if existing.is_empty() {
        Ok(())
    } else {
        Err(RestoreError::Exists { schemas: existing }.into())
    }
}

fn steps(manifest: &Manifest, choice: &Choice, options: &Options, address: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for schema in schemas(manifest).into_iter().filter(|schema| choice.wants_schema(schema)) {
        let new = choice.target_schema(&schema);
        let part = if choice.wants_whole_schema(&schema) { "" } else { "part of " };
        let name =
            if new == schema { String::new() } else { format!(" as {}", quote::identifier(new)) };
        steps.push(format!("restore {part}{}{name} into {address}", quote::identifier(&schema)));
    }
    if steps.is_empty() {
        steps.push(format!("run the statements of the dump on {address}"));
    }
    if !options.binlog {
        steps.push("keep the restored rows out of the target's binlog".to_owned());
    }
    if options.gtid == GtidChoice::Set {
        steps.push("make the backup's GTID set the target's own".to_owned());
    }
    steps
}

/// The schemas of one of our own dumps, by the names of its entries; none for other dumps.
fn schemas(manifest: &Manifest) -> Vec<String> {
    entries(manifest, SCHEMA_ENTRIES).iter().map(|name| decoded(name)).collect()
}

/// The tables of one of our own dumps with their schemas, likewise.
pub(super) fn tables(manifest: &Manifest) -> Vec<(String, String)> {
    let entries = entries(manifest, TABLE_ENTRIES);
    let parts = entries.iter().filter_map(|name| name.split_once('/'));
    parts.map(|(schema, table)| (decoded(schema), decoded(table))).collect()
}

/// Names of the entries of a directory, without `.sql`.
fn entries(manifest: &Manifest, directory: &str) -> Vec<String> {
    let mut names: Vec<String> = manifest
        .files
        .iter()
        .filter_map(|file| {
            let path = file.piece.as_ref().map_or(&file.path, |piece| &piece.of).to_string();
            let (_, name) = path.split_once(directory)?;
            name.strip_suffix(".sql").map(str::to_owned)
        })
        .collect();
    names.dedup();
    names
}

/// The name that a path component stands for.
fn decoded(component: &str) -> String {
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = hex.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
pub(super) mod tests;
