//! The host's services as a check gives them: in memory, and counted.
use crate::supervisor::Secrets;
use dbbackup_plugin_api::{
    abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{RArc, ROption, RResult, RStr, RString, RVec},
    },
    capability::RawCapability,
    document::{Doc, undo::UndoRecord},
    error::{AbiResult, EngineError, ErrorCode},
    host::{HostBox, HostServices, HostServices_TO},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Services of a check; clones share everything.
#[derive(Clone)]
pub(super) struct CheckServices(Arc<Shared>);

struct Shared {
    secrets: Secrets,
    scratch: tempfile::TempDir,
    state: Mutex<State>,
    cancelled: Condvar,
}

#[derive(Default)]
struct State {
    cancelled_at: Option<Instant>,
    next_record: u64,
    open_records: BTreeSet<u64>,
}

impl CheckServices {
    /// Services that know these secrets.
    pub(super) fn new(secrets: Secrets) -> Result<Self, String> {
        let scratch = tempfile::tempdir().map_err(|error| format!("scratch directory: {error}"))?;
        Ok(Self(Arc::new(Shared {
            secrets,
            scratch,
            state: Mutex::new(State::default()),
            cancelled: Condvar::new(),
        })))
    }

    /// The services as they cross the boundary.
    pub(super) fn host(&self) -> HostBox {
        HostServices_TO::from_ptr(RArc::new(self.clone()), TD_Opaque)
    }

    /// Cancels the run.
    pub(super) fn cancel(&self) {
        self.state().cancelled_at.get_or_insert_with(Instant::now);
        self.0.cancelled.notify_all();
    }

    /// When the run was cancelled.
    pub(super) fn cancelled_at(&self) -> Option<Instant> {
        self.state().cancelled_at
    }

    /// How many journal records are not ticked off.
    pub(super) fn open_records(&self) -> usize {
        self.state().open_records.len()
    }

    /// How many journal records were ever written.
    pub(super) fn records(&self) -> u64 {
        self.state().next_record
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostServices for CheckServices {
    fn log_enabled(&self, level: u8, _target: RStr<'_>) -> bool {
        level <= 2
    }

    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, _fields_json: RStr<'_>) {
        tracing::debug!(level, target = target.as_str(), "{message}");
    }

    fn progress(&self, _phase: RStr<'_>, _done: u64, _total: u64, _unit: RStr<'_>) {}

    fn heartbeat(&self) {}

    fn is_cancelled(&self) -> bool {
        self.state().cancelled_at.is_some()
    }

    fn wait_cancelled(&self, milliseconds: u64) -> bool {
        let is_running = |state: &mut State| state.cancelled_at.is_none();
        let limit = Duration::from_millis(milliseconds);
        let waited = self.0.cancelled.wait_timeout_while(self.state(), limit, is_running);
        waited.unwrap_or_else(PoisonError::into_inner).0.cancelled_at.is_some()
    }

    fn scratch_directory(&self) -> AbiResult<RString> {
        RResult::ROk(RString::from(self.0.scratch.path().display().to_string()))
    }

    fn secret(&self, name: RStr<'_>) -> AbiResult<ROption<RVec<u8>>> {
        let secret = self.0.secrets.get(name.as_str());
        RResult::ROk(secret.map(|bytes| RVec::from(bytes.to_vec())).into())
    }

    fn journal_record(&self, record: Doc) -> AbiResult<u64> {
        if let Err(error) = record.decode::<UndoRecord>() {
            return RResult::RErr(EngineError::from_error(ErrorCode::INTERNAL, &error));
        }
        let mut state = self.state();
        state.next_record += 1;
        let number = state.next_record;
        state.open_records.insert(number);
        RResult::ROk(number)
    }

    fn journal_done(&self, number: u64) -> AbiResult<()> {
        if self.state().open_records.remove(&number) {
            return RResult::ROk(());
        }
        let what = format!("journal record {number} is not open");
        RResult::RErr(EngineError::new(ErrorCode::INTERNAL, what))
    }

    fn capability(&self, _id: RStr<'_>) -> ROption<RawCapability> {
        ROption::RNone
    }
}
