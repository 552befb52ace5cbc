//! Method `local`: the connected server clones itself into a directory of its host, which is archived
//! and removed. It needs room for a second copy of the data, and a dbbackup on that host.

use std::path::Path;

use dbbackup_sdk::{
    BackupRun, Sink, document::backup::BackupSummary, server::Session, wire::Secret,
};

use crate::{
    beside::Beside,
    encrypted,
    options::Options,
    server_clone::{self, CloningServer, MethodError, Moment, privilege},
    unseen, unstartable,
};

/// Room beside the data: redo of the meantime, and what the server's estimate leaves out.
const EXTRA_BYTES: u64 = 128 << 20;
/// Files of the server, and their sizes.
const FILES: &str = "SELECT FILE_NAME AS name, FILE_TYPE AS kind, \
                     CAST(COALESCE(TOTAL_EXTENTS * EXTENT_SIZE, 0) AS UNSIGNED) AS bytes \
                     FROM information_schema.FILES \
                     WHERE ENGINE = 'InnoDB' AND FILE_TYPE <> 'TEMPORARY'";

/// Clones, archives and removes.
pub(crate) fn backup(
    run: &BackupRun,
    options: &Options,
    sink: &Sink,
) -> Result<BackupSummary, MethodError> {
    let mut server = CloningServer::connect(run, options)?;
    privilege::check_source(&mut server.session)?;
    server.check_redo_key()?;
    unstartable::check(&mut server.session)?;
    let sees_all_tables = unseen::sees_all(&server.session.grants()?);
    let beside = match options.include_non_innodb {
        true => Some(Beside::prepare(&mut server.session, run)?),
        false => None,
    };
    let mut degraded = match beside {
        // What is dumped beside does not come back empty.
        Some(_) => Vec::new(),
        None => server.check_left_out(&server.source)?,
    };
    degraded.extend(server.session.check_replica(&run.request)?);
    let bytes = cloned_bytes(&mut server.session, &server.source.data_directory)?;
    let needed_bytes = bytes.saturating_add(EXTRA_BYTES);
    let before = Moment::of(&mut server.session)?;
    server.clone_and_archive(sink, needed_bytes, "CLONE LOCAL DATA DIRECTORY …", |directory| {
        Secret::new(format!("CLONE LOCAL DATA DIRECTORY = {directory}"))
    })?;
    let after = Moment::of(&mut server.session)?;
    let dumped = beside.map(|beside| beside.dump(run, sink)).transpose()?;
    let (session, source) = (&mut server.session, &mut server.source);
    degraded.extend(server_clone::left_out_in_the_end(session, source, dumped.as_ref())?);
    let replica_sources = after.sources.clone();
    let coordinates = server_clone::bracket(before, after);
    let mut summary = server_clone::summary(&server.source, options, degraded, coordinates);
    if server.has_encrypted {
        encrypted::describe(&mut summary);
    }
    if !sees_all_tables {
        unseen::note(&mut summary);
    }
    if let Some(dumped) = dumped {
        dumped.describe(&mut summary);
    }
    summary.replica_sources = replica_sources.unwrap_or_default();
    Ok(summary)
}

/// Bytes of the clone. Tablespaces outside the data directory would be cloned onto themselves: the
/// server keeps their paths, and refuses in the middle.
pub(crate) fn cloned_bytes(session: &mut Session, data: &Path) -> Result<u64, MethodError> {
    let table = session.query(FILES)?;
    let mut bytes = 0_u64;
    let mut outside = Vec::new();
    for record in table.records() {
        let name = record.text("name")?;
        bytes = bytes.saturating_add(record.number("bytes")?);
        if record.text("kind")? == "TABLESPACE" && !data.join(name).starts_with(data) {
            outside.push(name.to_owned());
        }
    }
    if let Some(first) = outside.first() {
        return Err(MethodError::External { count: outside.len(), first: first.clone() });
    }
    Ok(bytes)
}
