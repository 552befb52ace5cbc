//! `RESTORE.txt`: how to get the content back, also without this program.
use crate::supervisor::job::ManifestDraft;
use dbbackup_plugin_api::document::manifest::FileRecord;

/// An engine's own program that makes a data directory of the unpacked archive.
const APPLIER: &[u8] = b".dbbackup/apply.py";

/// The text for one backup.
pub(crate) fn restore_text(draft: &ManifestDraft, files: &[FileRecord]) -> String {
    let roots: String =
        draft.roots.iter().map(|(root, path)| format!("  {root}/ was {path}\n")).collect();
    let places = if roots.is_empty() { String::new() } else { format!("\nPlaces:\n{roots}") };
    format!(
        "Backup {id} of {flavor} {version} at {address}, made by dbbackup with the engine {engine}.\n\
         \n\
         With dbbackup:\n\
         \x20 dbbackup verify ARTEFACT\n\
         \x20 dbbackup restore ARTEFACT --target-dir DIRECTORY     (files)\n\
         \x20 dbbackup restore ARTEFACT --into-server              (statements)\n\
         \n\
         Without it:\n\
         {without}\
         \x20 manifest.json beside this file names every member with its sha256.\n{places}",
        id = draft.id,
        flavor = draft.source.flavor,
        version = draft.source.version,
        address = draft.source.address,
        engine = draft.engine.id,
        without = without_dbbackup(draft, files),
    )
}

fn without_dbbackup(draft: &ManifestDraft, files: &[FileRecord]) -> String {
    let decrypt = match draft.encoding.encryption.as_str() {
        "none" => String::new(),
        _ => "  age --decrypt --identity KEYFILE ARTEFACT > archive        (first)\n".to_owned(),
    };
    let unpack = match (draft.encoding.container.as_str(), draft.encoding.compression.as_str()) {
        ("directory", _) => "  the files lie beside this one, as they are\n",
        (_, "gzip") => "  tar xzf ARCHIVE\n",
        (_, "zstd") => "  tar --zstd -xf ARCHIVE\n",
        _ => "  tar xf ARCHIVE\n",
    };
    let streams =
        "  a stream lies in pieces: cat NAME.*.sql joins them, and the stock client takes SQL\n";
    if files.iter().any(|file| file.path.as_bytes() == APPLIER) {
        let apply =
            "  python3 .dbbackup/apply.py . DIRECTORY      (makes a data directory of it)\n";
        return format!("{decrypt}{unpack}{apply}");
    }
    format!("{decrypt}{unpack}{streams}")
}
