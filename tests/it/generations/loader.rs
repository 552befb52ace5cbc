//! The host's loader, built with plugin-api 1.1. Loads each file named, in their order, and prints
//! a line for each: `loaded ID REASON GENERATION FIELD` or the refusal.
#![allow(dead_code, unreachable_pub, reason = "a part of the host in a program of its own")]
mod exit;
mod nearest;
mod plugin;

use dbbackup_plugin_api::{
    abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{RArc, ROption, RResult, RStr, RString, RVec},
    },
    capability::RawCapability,
    document::Doc,
    error::AbiResult,
    host::{HostBox, HostServices, HostServices_TO, unsupported},
    role::BackupRole_Ref,
};
use plugin::{PluginError, PluginSettings, Registry};
use std::path::Path;

fn main() {
    for file in std::env::args().skip(1) {
        match load(Path::new(&file)) {
            Ok(line) => println!("{line}"),
            Err(PluginError::Refused(refusal)) => println!("{}", refusal.report()),
            Err(error) => println!("error: {error}"),
        }
    }
}

fn load(file: &Path) -> Result<String, PluginError> {
    let mut registry = Registry::discover(&PluginSettings::only([]));
    let plugin = registry.register(file)?;
    let id = plugin.id().unwrap_or_default().to_owned();
    let engine = registry.load(&id, host(), serde_json::Value::Null)?;
    let assessment = engine.assess(&Default::default())?;
    let role = engine.role::<BackupRole_Ref>()?;
    let generation = engine.engine().generation();
    let field = role.generation().map(|generation| generation());
    // Nothing of the plugin may outlive its use here: the same file may be loaded again.
    drop(engine);
    Ok(format!("loaded {id}: {}, {generation}, {field:?}", assessment.reason))
}

fn host() -> HostBox {
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
