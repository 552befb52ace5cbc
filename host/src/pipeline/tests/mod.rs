//! The pipeline from outside: what goes in comes back, and nothing damaged passes for good.
mod damage;
mod directory;
mod failure;
mod findings;
mod round_trip;
mod stock;
mod streams;

use super::{
    ChunkWriter, Encoding, EntryWriter, Output, Pipeline, PipelineError, PipelineReceipt,
    PipelineSpec, Recipient,
    read::{Identities, RangedRead, ReadError, ReadSpec},
};
use dbbackup_plugin_api::{
    chunk::Chunk,
    document::{
        Extra,
        entry::{EntryKind, EntryMeta, LocalEntry, PageCheck},
        manifest::FileRecord,
        path::EntryPath,
    },
};
use std::{
    io,
    path::Path,
    sync::{Arc, LazyLock, Mutex},
};

/// Every encoding of a tar archive.
const TARS: [&str; 6] = [".tar", ".tar.gz", ".tar.zst", ".tar.age", ".tar.gz.age", ".tar.zst.age"];

/// A key pair of this run.
static KEY: LazyLock<age::x25519::Identity> = LazyLock::new(age::x25519::Identity::generate);

fn secret_line(key: &age::x25519::Identity) -> String {
    age::secrecy::ExposeSecret::expose_secret(&key.to_string()).to_owned()
}

/// An artefact in memory.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl ChunkWriter for Memory {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(&chunk);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes as an artefact that can be read by ranges.
struct Bytes(Vec<u8>);

impl RangedRead for Bytes {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}

fn spec(ending: &str) -> PipelineSpec {
    let mut spec = PipelineSpec::new(ending.parse().unwrap());
    spec.threads = std::num::NonZeroUsize::new(3);
    if spec.encoding.is_encrypted() {
        spec.recipients = vec![KEY.to_public().to_string().parse::<Recipient>().unwrap()];
    }
    spec
}

fn start(ending: &str) -> (Pipeline, Memory) {
    let memory = Memory::default();
    let pipeline = Pipeline::start(spec(ending), Output::Chunks(Box::new(memory.clone())));
    (pipeline.unwrap(), memory)
}

fn meta(kind: EntryKind, path: &str, size_bytes: Option<u64>) -> EntryMeta {
    let (root, path) = path.split_once('/').unwrap_or(("", path));
    EntryMeta {
        kind,
        root: root.to_owned(),
        path: EntryPath::from(path),
        size_bytes,
        mode: Some(0o640),
        uid: Some(0),
        gid: Some(0),
        modified_unix: Some(1_700_000_000),
        pages: PageCheck::None,
        extra: Extra::new(),
    }
}

fn push_file(pipeline: &Pipeline, path: &str, content: &[u8]) -> Result<(), PipelineError> {
    let meta = meta(EntryKind::File, path, Some(content.len() as u64));
    let mut writer = pipeline.open_entry(&meta)?;
    for chunk in content.chunks(300_000) {
        writer.write(chunk)?;
    }
    writer.finish()
}

fn open_stream(pipeline: &Pipeline, path: &str) -> Result<EntryWriter, PipelineError> {
    pipeline.open_entry(&meta(EntryKind::Stream, path, None))
}

fn add_local(pipeline: &Pipeline, name: &str, source: &Path) -> Result<(), PipelineError> {
    let mut meta = meta(EntryKind::File, name, None);
    (meta.mode, meta.modified_unix) = (None, None);
    pipeline.add_local(&[LocalEntry { meta, source: source.to_path_buf() }])
}

/// How an artefact is read: with its records, its digest, both or neither.
fn read_spec(ending: &str, receipt: Option<&PipelineReceipt>) -> ReadSpec {
    let encoding: Encoding = ending.parse().unwrap();
    let mut spec = ReadSpec::new(format!("backup{ending}"), encoding);
    spec.threads = std::num::NonZeroUsize::new(2);
    spec.identities = Identities::parse(secret_line(&KEY).as_bytes()).unwrap();
    spec.records = receipt.map(|receipt| receipt.members.files.clone());
    spec.digests = receipt.map(|receipt| receipt.objects.clone()).unwrap_or_default();
    spec
}

/// All members of an artefact with their content.
fn read_all(spec: &ReadSpec, bytes: &[u8]) -> Result<Vec<(EntryPath, Vec<u8>)>, ReadError> {
    let mut members = spec.members(io::Cursor::new(bytes.to_vec()))?;
    let mut all = Vec::new();
    while let Some(header) = members.next_member()? {
        let path = header.path.clone();
        all.push((path, read_content(&mut members)?));
    }
    members.finish()?;
    Ok(all)
}

fn read_content(members: &mut super::read::Members) -> Result<Vec<u8>, ReadError> {
    let (mut content, mut buffer) = (Vec::new(), vec![0; 70_000]);
    loop {
        match members.read(&mut buffer)? {
            0 => return Ok(content),
            read => content.extend_from_slice(&buffer[..read]),
        }
    }
}

/// Bytes that compress a little, different for each seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(format!("{:x},", state % 1_000_003).as_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn record<'a>(receipt: &'a PipelineReceipt, path: &str) -> &'a FileRecord {
    let path = EntryPath::from(path);
    receipt.members.files.iter().find(|record| record.path == path).unwrap()
}
