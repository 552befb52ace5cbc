//! What the rogue plugins share: a raw root for those that the sdk would keep from lying, and a
//! small data path for those that behave.
use dbbackup_sdk::{
    BackupRun, EntryReader, Failure, RestoreRun, Sink,
    document::{
        assessment::Assessment,
        backup::BackupSummary,
        entry::{EntryKind, EntryMeta},
        path::EntryPath,
        restore::{RestorePlan, RestoreSummary},
    },
};

/// Bytes of the one entry of a well-behaved backup, unless its options say otherwise.
pub const DEFAULT_BYTES: u64 = 4 << 20;

/// What an engine answers that can always run.
pub fn applicable(id: &str) -> Assessment {
    Assessment { applicable: true, reason: format!("{id} needs nothing"), ..Assessment::default() }
}

/// Emits one stream entry of `bytes` bytes in 64 KiB pieces, and stops when cancelled.
///
/// # Errors
/// The sink's failure, or `CANCELLED`.
pub fn emit(run: &BackupRun, sink: &Sink, bytes: u64) -> Result<BackupSummary, Failure> {
    const PIECE: u64 = 64 << 10;
    let mut entry = sink.open_entry(&entry_meta())?;
    let mut sent = 0;
    while sent < bytes {
        if run.host.is_cancelled() {
            return Err(Failure::cancelled());
        }
        let length = PIECE.min(bytes - sent);
        let piece: Vec<u8> = (sent..sent + length).map(|at| (at % 251).to_le_bytes()[0]).collect();
        entry.write_chunk(piece)?;
        sent += length;
        run.host.progress("copy", sent, bytes, dbbackup_sdk::Unit::Bytes);
    }
    entry.finish()?;
    Ok(BackupSummary::default())
}

/// Reads everything back and counts it.
///
/// # Errors
/// The reader's failure.
pub fn absorb(entries: &mut EntryReader) -> Result<RestoreSummary, Failure> {
    let mut bytes = 0;
    let mut buffer = vec![0; 64 << 10];
    while entries.next_entry()?.is_some() {
        loop {
            let read = entries.read_bytes(&mut buffer)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
        }
    }
    Ok(RestoreSummary { bytes, ..RestoreSummary::default() })
}

/// The plan of a restore that needs nothing.
pub fn plan(_run: &RestoreRun) -> RestorePlan {
    RestorePlan { steps: vec!["read the entry".to_owned()], ..RestorePlan::default() }
}

/// The one entry of a backup.
pub fn entry_meta() -> EntryMeta {
    EntryMeta::new(EntryKind::Stream, "dump", EntryPath::from_bytes("numbers.bin"))
}

/// Exports a note and a root that need not agree: what `export_plugin!` makes impossible.
///
/// `note` is the JSON of the note, `constructor` the function that makes the root.
#[macro_export]
macro_rules! raw_plugin {
    (note: $note:expr, constructor: $constructor:path $(,)?) => {
        const _: () = {
            use dbbackup_sdk::export;
            const LENGTH: usize = export::note_json_len(&[$note]);
            #[used]
            #[unsafe(link_section = ".note.dbbackup")]
            static NOTE_IN_FILE: export::Note<LENGTH> = export::Note::new(export::concat(&[$note]));
            // SAFETY: not sound, which is the point: the host has to find out.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static HEADER: export::RawLibHeader = unsafe { export::header($constructor) };
        };
    };
}

/// A note of the current contract with this id and one engine of the same name.
#[macro_export]
macro_rules! note {
    ($id:literal) => {
        concat!(
            r#"{"schema":"dbbackup.plugin/1","api":"1.0.0","version":"0.1.0","plugin":{"id":""#,
            $id,
            r#"","vendor":"rogue","summary":"a plugin that must be refused","requires":">=1.0, <2","#,
            r#""engines":[{"id":""#,
            $id,
            r#"","family":""#,
            $id,
            r#"","summary":"never runs","roles":["dbbackup.role.backup/1"]}]}}"#
        )
    };
}
