//! What the host does for a plugin. Given to `init` and to every role call.
use crate::{
    capability::RawCapability,
    document::Doc,
    error::{AbiResult, EngineError},
};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RArc, ROption, RResult, RStr, RString, RVec},
};

/// Services of the host. `[any thread]`
#[sabi_trait]
pub trait HostServices: Send + Sync + Clone + 'static {
    /// True if a log event of this level (1 error … 5 trace) and target would be written.
    fn log_enabled(&self, level: u8, target: RStr<'_>) -> bool;
    /// Writes a log event; `fields_json` is a JSON object.
    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, fields_json: RStr<'_>);
    /// Reports progress of a phase; `total` 0 means unknown; `unit` is `bytes`, `rows` or `pages`.
    fn progress(&self, phase: RStr<'_>, done: u64, total: u64, unit: RStr<'_>);
    /// Says that the engine is alive although nothing flows. At most one a second is sensible.
    fn heartbeat(&self);
    /// True once the run is cancelled; stays true.
    fn is_cancelled(&self) -> bool;
    /// Blocks for at most `milliseconds`; true if the run is cancelled.
    fn wait_cancelled(&self, milliseconds: u64) -> bool;
    /// A directory of this run, journalled and removed by the host, mode 0700.
    fn scratch_directory(&self) -> AbiResult<RString>;
    /// A secret by name, such as `connection.password`; the receiver wipes it after use.
    fn secret(&self, name: RStr<'_>) -> AbiResult<ROption<RVec<u8>>>;
    /// Records a side effect **before** it happens; durable when this returns. After a crash the
    /// document is handed to the undo role. The answer is the record's number.
    fn journal_record(&self, record: Doc) -> AbiResult<u64>;
    /// Ticks off a record after its side effect was undone.
    fn journal_done(&self, number: u64) -> AbiResult<()>;
    /// A service of a later version or of a vendor.
    #[sabi(last_prefix_field)]
    fn capability(&self, id: RStr<'_>) -> ROption<RawCapability>;
}

/// The host's services as they cross the boundary.
pub type HostBox = HostServices_TO<RArc<()>>;

/// Services for a program that looks at a plugin and runs nothing: no log, no secrets, never cancelled;
/// whatever would leave a trace is unsupported.
pub fn silent_host() -> HostBox {
    HostServices_TO::from_ptr(RArc::new(SilentHost), TD_Opaque)
}

#[derive(Clone)]
struct SilentHost;

impl HostServices for SilentHost {
    fn log_enabled(&self, _level: u8, _target: RStr<'_>) -> bool {
        false
    }
    fn log(&self, _level: u8, _target: RStr<'_>, _message: RStr<'_>, _fields_json: RStr<'_>) {}
    fn progress(&self, _phase: RStr<'_>, _done: u64, _total: u64, _unit: RStr<'_>) {}
    fn heartbeat(&self) {}
    fn is_cancelled(&self) -> bool {
        false
    }
    fn wait_cancelled(&self, _milliseconds: u64) -> bool {
        false
    }
    fn scratch_directory(&self) -> AbiResult<RString> {
        unsupported("a scratch directory")
    }
    fn secret(&self, _name: RStr<'_>) -> AbiResult<ROption<RVec<u8>>> {
        RResult::ROk(ROption::RNone)
    }
    fn journal_record(&self, _record: Doc) -> AbiResult<u64> {
        unsupported("a journal")
    }
    fn journal_done(&self, _number: u64) -> AbiResult<()> {
        unsupported("a journal")
    }
    fn capability(&self, _id: RStr<'_>) -> ROption<RawCapability> {
        ROption::RNone
    }
}

/// Answer of a side that lacks a method: used by default bodies of later methods.
pub fn unsupported<T>(what: &str) -> AbiResult<T> {
    RResult::RErr(EngineError::unsupported(what))
}
