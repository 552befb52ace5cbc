//! An engine behind the boundary: made by its id, found again behind the erased box.
use super::guard::guard;
use crate::{
    engine::Engine,
    failure::{Classify, Failure},
    host::Host,
};
use abi_stable::{
    sabi_trait::TD_CanDowncast,
    std_types::{ROption, RStr},
};
use dbbackup_plugin_api::{
    PANIC_PROBE_ENGINE,
    capability::RawCapability,
    document::{Doc, environment::Environment, plugin::EngineConfig},
    engine::{Engine as AbiEngine, Engine_TO, EngineBox},
    error::{AbiResult, EngineError, ErrorCode},
    host::HostBox,
};

/// The roles that an engine exports; implemented by `export_plugin!`.
pub trait RoleList: Engine {
    /// The role of this id, or none.
    fn role(id: &str) -> Option<RawCapability>;
}

/// An engine's id and how to make it.
#[derive(Clone, Copy)]
pub struct EngineEntry {
    id: &'static str,
    make: fn(&EngineConfig, &Host) -> Result<EngineBox, Failure>,
}

/// The entry of an engine type.
pub const fn entry<E: RoleList>(id: &'static str) -> EngineEntry {
    EngineEntry { id, make: make::<E> }
}

/// Makes the engine with an id: the body of `create_engine`.
pub fn create(
    engines: &[EngineEntry],
    id: RStr<'_>,
    config: Doc,
    host: HostBox,
) -> AbiResult<EngineBox> {
    guard(|| {
        assert!(id.as_str() != PANIC_PROBE_ENGINE, "the conformance kit asked for a panic");
        let found = engines.iter().find(|entry| entry.id == id.as_str()).ok_or_else(|| {
            Failure::new(ErrorCode::UNSUPPORTED, format!("no engine {id} in this plugin"))
        })?;
        (found.make)(&config.decode()?, &Host::new(host))
    })
}

fn make<E: RoleList>(config: &EngineConfig, host: &Host) -> Result<EngineBox, Failure> {
    let options = if config.options.is_null() {
        E::Options::default()
    } else {
        serde_json::from_value(config.options.clone()).map_err(OptionsError)?
    };
    let instance = Instance(E::create(options, host)?);
    Ok(Engine_TO::from_value(instance, TD_CanDowncast))
}

/// Options that passed the schema in the manifest and still do not fit the engine's type.
#[derive(Debug, thiserror::Error)]
#[error("the engine's options do not fit")]
struct OptionsError(#[source] serde_json::Error);

impl Classify for OptionsError {
    fn code(&self) -> ErrorCode {
        ErrorCode::CONFIG
    }
}

/// An engine inside its box.
struct Instance<E>(E);

impl<E: RoleList> AbiEngine for Instance<E> {
    fn assess(&self, environment: Doc, host: HostBox) -> AbiResult<Doc> {
        guard(|| {
            let environment: Environment = environment.decode()?;
            Ok(Doc::encode(&self.0.assess(&environment, &Host::new(host))?)?)
        })
    }

    fn role(&self, id: RStr<'_>) -> ROption<RawCapability> {
        E::role(id.as_str()).into()
    }
}

/// The engine inside a box that this plugin made.
///
/// # Errors
/// `INTERNAL` if the box holds another engine: the host mixed up roles.
pub(crate) fn engine<E: RoleList>(engine: &EngineBox) -> Result<&E, Failure> {
    engine
        .obj
        .downcast_as::<Instance<E>>()
        .map(|instance| &instance.0)
        .map_err(|_| Failure::from_host(EngineError::new(ErrorCode::INTERNAL, "engine mixed up")))
}
