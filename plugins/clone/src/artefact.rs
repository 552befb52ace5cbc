//! What a clone artefact holds beside its files: `clone.json` and streams of records. Written by the
//! backup, read by the restore and by `apply.py`; `docs/clone-artefact.md` describes it.

mod document;
mod records;

pub(crate) use document::{
    Change, ChangeKind, CloneDocument, ClonedFile, DocumentError, Donor, DonorPlugin, Layout,
    RedoFile, Stage, StreamCount,
};
pub(crate) use records::{Record, RecordError, RecordReader, RecordWriter};

/// Root of everything that is ours.
pub(crate) const OUR_ROOT: &str = ".dbbackup";
/// Root of the data directory.
pub(crate) const DATA_ROOT: &str = "data";
/// Path of the document below [`OUR_ROOT`].
pub(crate) const DOCUMENT_PATH: &str = "clone.json";
/// Path of the applier below [`OUR_ROOT`].
pub(crate) const APPLIER_PATH: &str = "apply.py";

/// Path of the tables that were dumped beside the clone, below [`OUR_ROOT`].
pub(crate) const BESIDE_PATH: &str = "non-innodb.sql";

/// The path of the chunks that one connection brought, below [`OUR_ROOT`]; counted from 1.
pub(crate) fn chunks_path(connection: u32) -> String {
    format!("chunks/{connection:06}.chunks")
}

/// The path of the page patches that one connection brought, below [`OUR_ROOT`]; counted from 1.
pub(crate) fn pages_path(connection: u32) -> String {
    format!("pages/{connection:06}.pages")
}

/// The path of the redo that one connection brought, below [`OUR_ROOT`]; counted from 1.
pub(crate) fn redo_path(connection: u32) -> String {
    format!("redo/{connection:06}.redo")
}

#[cfg(test)]
mod tests;
