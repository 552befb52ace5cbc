//! Drives the engine `mysqldump` through its own boundary, with a sink and a reader in memory. What
//! host and worker add is tested elsewhere; here the question is what the engine does to servers.
use anyhow::{Result, anyhow};
use dbbackup_mysqldump::MysqlDump;
use dbbackup_sdk::abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{ROption, RResult, RSlice, RSliceMut, RStr, RString, RVec},
};
use dbbackup_sdk::{
    document::{
        Doc,
        backup::{BackupRequest, BackupSummary},
        entry::{EntryMeta, SinkLimits},
        plugin::EngineConfig,
        restore::{RestorePlan, RestoreRequest, RestoreSummary},
    },
    export::{self, RoleList},
    plugin_api::{
        capability::RawCapability,
        chunk::Chunk,
        engine::EngineBox,
        error::{AbiResult, EngineError, ErrorCode},
        host::{HostBox, HostServices, HostServices_TO},
        role::{BACKUP_ROLE, BackupRole_Ref, RESTORE_ROLE, RestoreRole_Ref},
        sink::{
            ArchiveReader, ArchiveReader_TO, ArchiveSink, ArchiveSink_TO, EntryWriter,
            EntryWriter_TO, EntryWriterBox,
        },
    },
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// An entry of a dump.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) meta: EntryMeta,
    pub(crate) bytes: Vec<u8>,
}

/// What a dump left in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries(pub(crate) Vec<Entry>);

impl Entries {
    /// All entries one after the other: the file that a `.sql` container holds.
    pub(crate) fn sql(&self) -> Vec<u8> {
        self.0.iter().flat_map(|entry| entry.bytes.iter().copied()).collect()
    }
}

/// Something to do when an entry with a name is opened or a number of bytes has come.
pub(crate) type Hook = Arc<dyn Fn(&str, u64) + Send + Sync>;

#[derive(Default)]
struct Shared {
    entries: Mutex<Vec<Entry>>,
    cancelled: AtomicBool,
    wake: (Mutex<()>, Condvar),
}

/// A run's host, sink and options.
#[derive(Clone)]
pub(crate) struct Harness {
    shared: Arc<Shared>,
    password: Vec<u8>,
    hook: Option<Hook>,
    options: serde_json::Value,
}

impl Harness {
    pub(crate) fn new(password: &str) -> Self {
        Self {
            shared: Arc::default(),
            password: password.as_bytes().to_vec(),
            hook: None,
            options: serde_json::json!({}),
        }
    }

    pub(crate) fn options(mut self, options: serde_json::Value) -> Self {
        self.options = options;
        self
    }

    pub(crate) fn hook(mut self, hook: impl Fn(&str, u64) + Send + Sync + 'static) -> Self {
        self.hook = Some(Arc::new(hook));
        self
    }

    pub(crate) fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::SeqCst);
        self.shared.wake.1.notify_all();
    }

    pub(crate) fn entries(&self) -> Entries {
        Entries(self.shared.entries.lock().unwrap().clone())
    }

    /// Runs a backup; the entries are in [`Harness::entries`].
    pub(crate) fn backup(&self, request: &BackupRequest) -> Result<BackupSummary, EngineError> {
        let role = MysqlDump::role(BACKUP_ROLE).expect("a role");
        let role: BackupRole_Ref = role.get().expect("its layout");
        let sink = ArchiveSink_TO::from_value(Sink(self.clone()), TD_Opaque);
        let answer = (role.run())(&self.engine()?, doc(request), sink, self.host());
        Ok(answer.into_result()?.decode().expect("a summary"))
    }

    /// Checks a restore.
    pub(crate) fn check(&self, request: &RestoreRequest) -> Result<RestorePlan, EngineError> {
        let answer = (restore_role().check())(&self.engine()?, doc(request), self.host());
        Ok(answer.into_result()?.decode().expect("a plan"))
    }

    /// Runs a restore of these entries.
    pub(crate) fn restore(
        &self,
        request: &RestoreRequest,
        entries: Entries,
    ) -> Result<RestoreSummary, EngineError> {
        let reader = Reader {
            rest: entries.0.into(),
            current: Entry { meta: meta("none"), bytes: Vec::new() },
            at: 0,
        };
        let reader = ArchiveReader_TO::from_value(reader, TD_Opaque);
        let answer = (restore_role().run())(&self.engine()?, doc(request), reader, self.host());
        Ok(answer.into_result()?.decode().expect("a summary"))
    }

    fn engine(&self) -> Result<EngineBox, EngineError> {
        let config = EngineConfig { options: self.options.clone(), ..EngineConfig::default() };
        let engines = [export::entry::<MysqlDump>("mysqldump")];
        export::create(&engines, "mysqldump".into(), doc(&config), self.host()).into_result()
    }

    fn host(&self) -> HostBox {
        HostServices_TO::from_ptr(
            dbbackup_sdk::abi_stable::std_types::RArc::new(Host(self.clone())),
            TD_Opaque,
        )
    }
}

fn restore_role() -> RestoreRole_Ref {
    MysqlDump::role(RESTORE_ROLE).expect("a role").get().expect("its layout")
}

/// Meta of an entry of that name.
pub(crate) fn meta(path: &str) -> EntryMeta {
    serde_json::from_value(serde_json::json!({"kind": "stream", "root": "dump", "path": path}))
        .expect("an entry")
}

fn doc<D: dbbackup_sdk::document::Document>(document: &D) -> Doc {
    Doc::encode(document).expect("a document")
}

#[derive(Clone)]
struct Host(Harness);

impl HostServices for Host {
    fn log_enabled(&self, _: u8, _: RStr<'_>) -> bool {
        false
    }
    fn log(&self, _: u8, _: RStr<'_>, _: RStr<'_>, _: RStr<'_>) {}
    fn progress(&self, _: RStr<'_>, _: u64, _: u64, _: RStr<'_>) {}
    fn heartbeat(&self) {}
    fn is_cancelled(&self) -> bool {
        self.0.shared.cancelled.load(Ordering::SeqCst)
    }
    fn wait_cancelled(&self, milliseconds: u64) -> bool {
        let (mutex, condvar) = &self.0.shared.wake;
        let guard = mutex.lock().unwrap();
        drop(condvar.wait_timeout_while(guard, Duration::from_millis(milliseconds), |()| {
            !self.is_cancelled()
        }));
        self.is_cancelled()
    }
    fn scratch_directory(&self) -> AbiResult<RString> {
        RResult::RErr(EngineError::unsupported("a scratch directory"))
    }
    fn secret(&self, name: RStr<'_>) -> AbiResult<ROption<RVec<u8>>> {
        RResult::ROk(match name.as_str() {
            "connection.password" => ROption::RSome(self.0.password.clone().into()),
            _ => ROption::RNone,
        })
    }
    fn journal_record(&self, _: Doc) -> AbiResult<u64> {
        RResult::RErr(EngineError::unsupported("a journal"))
    }
    fn journal_done(&self, _: u64) -> AbiResult<()> {
        RResult::RErr(EngineError::unsupported("a journal"))
    }
    fn capability(&self, _: RStr<'_>) -> ROption<RawCapability> {
        ROption::RNone
    }
}

struct Sink(Harness);

impl ArchiveSink for Sink {
    fn limits(&self) -> Doc {
        doc(&SinkLimits {
            open_streams: 1,
            open_files: 1,
            chunk_bytes: 256 * 1024,
            extra: serde_json::Map::new(),
        })
    }
    fn open_entry(&self, meta: Doc) -> AbiResult<EntryWriterBox> {
        let meta: EntryMeta = meta.decode().expect("an entry");
        let writer = Writer { harness: self.0.clone(), entry: Entry { meta, bytes: Vec::new() } };
        writer.tell();
        RResult::ROk(EntryWriter_TO::from_value(writer, TD_Opaque))
    }
    fn local_entries(&self, _: Doc) -> AbiResult<()> {
        RResult::RErr(EngineError::unsupported("local entries"))
    }
}

struct Writer {
    harness: Harness,
    entry: Entry,
}

impl Writer {
    fn tell(&self) {
        if let Some(hook) = &self.harness.hook {
            hook(&self.entry.meta.path.to_string(), self.entry.bytes.len() as u64);
        }
    }
    fn take(&mut self, bytes: &[u8]) -> AbiResult<()> {
        if Host(self.harness.clone()).is_cancelled() {
            return RResult::RErr(EngineError::new(ErrorCode::CANCELLED, "cancelled"));
        }
        self.entry.bytes.extend_from_slice(bytes);
        self.tell();
        RResult::ROk(())
    }
}

impl EntryWriter for Writer {
    fn write(&mut self, chunk: Chunk) -> AbiResult<()> {
        self.take(&chunk)
    }
    fn write_slice(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<()> {
        self.take(bytes.as_slice())
    }
    fn finish(&mut self) -> AbiResult<()> {
        self.harness.shared.entries.lock().unwrap().push(self.entry.clone());
        RResult::ROk(())
    }
}

struct Reader {
    rest: VecDeque<Entry>,
    current: Entry,
    at: usize,
}

impl ArchiveReader for Reader {
    fn next_entry(&mut self) -> AbiResult<ROption<Doc>> {
        let Some(next) = self.rest.pop_front() else {
            return RResult::ROk(ROption::RNone);
        };
        let meta = doc(&next.meta);
        (self.current, self.at) = (next, 0);
        RResult::ROk(ROption::RSome(meta))
    }
    fn read(&mut self, mut buffer: RSliceMut<'_, u8>) -> AbiResult<usize> {
        let left = &self.current.bytes[self.at..];
        let count = left.len().min(buffer.len());
        buffer.as_mut_slice()[..count].copy_from_slice(&left[..count]);
        self.at += count;
        RResult::ROk(count)
    }
}

/// An error as one line with its class, for comparisons.
pub(crate) fn shown(error: &EngineError) -> String {
    format!("{} {error} | {}", error.code.0, error.hint)
}

/// The engine's error as an error of a test.
pub(crate) fn failed(error: EngineError) -> anyhow::Error {
    anyhow!("{}", shown(&error))
}
