//! A loaded engine: its roles, and one method for each call across the boundary.
use super::{EngineRef, PluginError, PluginLabel, Reason, Refusal, TrustPolicy, image};
use crate::exit::Exit;
use dbbackup_plugin_api::{
    abi_stable::std_types::{ROption, RResult, RStr},
    capability::{Capability, CapabilityError, RawCapability},
    document::{
        Doc, Document,
        assessment::Assessment,
        backup::{BackupRequest, BackupSummary},
        doctor::DoctorFindings,
        environment::Environment,
        plugin::{EngineConfig, EngineManifest},
        restore::{RestorePlan, RestoreRequest, RestoreSummary},
        target::TargetLocation,
        undo::{UndoOutcome, UndoRequest},
        verify::{VerifyFindings, VerifyRequest},
    },
    engine::EngineBox,
    error::{AbiResult, EngineError, ErrorCode},
    host::HostBox,
    role::{
        ALL_ROLES, BackupRole_Ref, DoctorRole_Ref, RestoreRole_Ref, TargetBox, TargetRole_Ref,
        UndoRole_Ref, VerifyRole_Ref,
    },
    sink::{ReaderBox, SinkBox},
};
use std::{path::PathBuf, sync::Arc};

/// An engine of a loaded plugin. Every call blocks; drop it before the process ends.
pub struct LoadedEngine {
    engine: EngineBox,
    host: HostBox,
    manifest: EngineManifest,
    plugin: PluginLabel,
    path: PathBuf,
}

/// Loads and initialises the plugin and makes the engine.
pub(super) fn load(
    found: EngineRef<'_>,
    policy: TrustPolicy,
    host: HostBox,
    options: serde_json::Value,
) -> Result<LoadedEngine, PluginError> {
    let root = image::initialised_root(found.plugin, policy, host.clone())?;
    let id = found.engine.id.clone();
    let options = if options.is_null() { serde_json::json!({}) } else { options };
    let config = EngineConfig { options, ..EngineConfig::default() };
    let config = encode(&id, "options", &config)?;
    let answer = root.create_engine()(RStr::from_str(&id), config, host.clone());
    let engine = result(&id, "creation", answer)?;
    let label = found.plugin.label();
    let loaded = LoadedEngine {
        engine,
        host,
        manifest: found.engine.clone(),
        plugin: label.unwrap_or_else(|| PluginLabel { id, version: semver::Version::new(0, 0, 0) }),
        path: found.plugin.path.clone(),
    };
    loaded.check_promised_roles()?;
    Ok(loaded)
}

/// The plugin's bare answer to a request that need not make sense.
pub(super) fn create_unchecked(
    found: EngineRef<'_>,
    policy: TrustPolicy,
    id: &str,
    config: Doc,
    host: HostBox,
) -> Result<AbiResult<EngineBox>, PluginError> {
    let root = image::initialised_root(found.plugin, policy, host.clone())?;
    Ok(root.create_engine()(RStr::from_str(id), config, host))
}

impl LoadedEngine {
    /// What the plugin's manifest says of the engine.
    pub fn manifest(&self) -> &EngineManifest {
        &self.manifest
    }

    /// The plugin.
    pub fn plugin(&self) -> &PluginLabel {
        &self.plugin
    }

    /// The file of the plugin.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The engine itself, for roles that have no method here.
    pub fn engine(&self) -> &EngineBox {
        &self.engine
    }

    /// The engine's view of an environment. Read-only; the contract gives it 5 seconds.
    ///
    /// # Errors
    /// [`PluginError::Engine`] or [`PluginError::Document`].
    pub fn assess(&self, environment: &Environment) -> Result<Assessment, PluginError> {
        let environment = self.encode("assess", environment)?;
        self.decode("assess", self.engine.assess(environment, self.host.clone()))
    }

    /// A role by its type.
    ///
    /// # Errors
    /// [`PluginError::NoRole`] if the engine does not play it, [`PluginError::Refused`] if its
    /// layout is not the contract's.
    pub fn role<C: Capability>(&self) -> Result<C, PluginError> {
        let ROption::RSome(raw) = self.engine.role(RStr::from_str(C::ID)) else {
            return Err(self.no_role(C::ID));
        };
        raw.get::<C>().map_err(|error| {
            if let CapabilityError::Layout { id, detail } = &error {
                tracing::debug!(id, detail, "layout of a role");
            }
            self.refused(Reason::Layout { what: error.to_string() })
        })
    }

    /// Runs a backup into a sink.
    ///
    /// # Errors
    /// [`PluginError`]; the sink is to be abandoned then.
    pub fn backup(
        &self,
        request: &BackupRequest,
        sink: SinkBox,
    ) -> Result<BackupSummary, PluginError> {
        let run = self.role::<BackupRole_Ref>()?.run();
        let request = self.encode("backup", request)?;
        self.decode("backup", run(&self.engine, request, sink, self.host.clone()))
    }

    /// Checks what can be checked before a restore. Read-only.
    ///
    /// # Errors
    /// [`PluginError`].
    pub fn check_restore(&self, request: &RestoreRequest) -> Result<RestorePlan, PluginError> {
        let check = self.role::<RestoreRole_Ref>()?.check();
        let request = self.encode("restore check", request)?;
        self.decode("restore check", check(&self.engine, request, self.host.clone()))
    }

    /// Applies the stream entries of a backup.
    ///
    /// # Errors
    /// [`PluginError`].
    pub fn restore(
        &self,
        request: &RestoreRequest,
        reader: ReaderBox,
    ) -> Result<RestoreSummary, PluginError> {
        let run = self.role::<RestoreRole_Ref>()?.run();
        let request = self.encode("restore", request)?;
        self.decode("restore", run(&self.engine, request, reader, self.host.clone()))
    }

    /// Ends a restore after the file entries were extracted.
    ///
    /// # Errors
    /// [`PluginError`].
    pub fn finish_restore(&self, request: &RestoreRequest) -> Result<RestoreSummary, PluginError> {
        let finish = self.role::<RestoreRole_Ref>()?.finish();
        let request = self.encode("end of restore", request)?;
        self.decode("end of restore", finish(&self.engine, request, self.host.clone()))
    }

    /// Opens a target.
    ///
    /// # Errors
    /// [`PluginError`].
    pub fn open_target(&self, location: &TargetLocation) -> Result<TargetBox, PluginError> {
        let open = self.role::<TargetRole_Ref>()?.open();
        let location = self.encode("opening the target", location)?;
        let answer = open(&self.engine, location, self.host.clone());
        result(&self.manifest.id, "opening the target", answer)
    }

    /// Checks what only the engine understands in its backup.
    ///
    /// # Errors
    /// [`PluginError`].
    pub fn verify(
        &self,
        request: &VerifyRequest,
        reader: ReaderBox,
    ) -> Result<VerifyFindings, PluginError> {
        let run = self.role::<VerifyRole_Ref>()?.run();
        let request = self.encode("verify", request)?;
        self.decode("verify", run(&self.engine, request, reader, self.host.clone()))
    }

    /// What stands in the engine's way here, and which statement would mend it.
    ///
    /// # Errors
    /// [`PluginError`].
    pub fn doctor(&self, environment: &Environment) -> Result<DoctorFindings, PluginError> {
        let run = self.role::<DoctorRole_Ref>()?.run();
        let environment = self.encode("doctor", environment)?;
        self.decode("doctor", run(&self.engine, environment, self.host.clone()))
    }

    /// Undoes a journalled side effect.
    ///
    /// # Errors
    /// [`PluginError`]; the record stays in the journal then.
    pub fn undo(&self, request: &UndoRequest) -> Result<UndoOutcome, PluginError> {
        let run = self.role::<UndoRole_Ref>()?.run();
        let request = self.encode("undo", request)?;
        self.decode("undo", run(&self.engine, request, self.host.clone()))
    }

    /// Roles of ours that the manifest names must be there; vendors' own are their affair.
    fn check_promised_roles(&self) -> Result<(), PluginError> {
        for role in self.manifest.roles.iter().filter(|role| ALL_ROLES.contains(&role.as_str())) {
            let answer = self.engine.role(RStr::from_str(role));
            if answer.as_ref().map(RawCapability::id) != ROption::RSome(role.as_str()) {
                let what = format!("engine '{}' lacks the role {role}", self.manifest.id);
                return Err(self.refused(Reason::NoteContradicted { what }));
            }
        }
        Ok(())
    }

    fn refused(&self, reason: Reason) -> PluginError {
        let plugin = Some(self.plugin.clone());
        Arc::new(Refusal { path: self.path.clone(), plugin, reason }).into()
    }

    fn no_role(&self, role: &str) -> PluginError {
        PluginError::NoRole { engine: self.manifest.id.clone(), role: role.to_owned() }
    }

    fn encode<D: Document>(&self, step: &'static str, document: &D) -> Result<Doc, PluginError> {
        encode(&self.manifest.id, step, document)
    }

    fn decode<D: Document>(
        &self,
        step: &'static str,
        answer: AbiResult<Doc>,
    ) -> Result<D, PluginError> {
        decode(&self.manifest.id, step, answer)
    }
}

/// An engine's answer as the document that it should be.
pub(super) fn decode<D: Document>(
    engine: &str,
    step: &'static str,
    answer: AbiResult<Doc>,
) -> Result<D, PluginError> {
    let document = result(engine, step, answer)?;
    let engine = engine.to_owned();
    document.decode().map_err(|source| PluginError::Document { engine, step, source })
}

/// A document for an engine.
pub(super) fn encode<D: Document>(
    engine: &str,
    step: &'static str,
    document: &D,
) -> Result<Doc, PluginError> {
    let engine = engine.to_owned();
    Doc::encode(document).map_err(|source| PluginError::Document { engine, step, source })
}

/// An engine's answer as a Rust result.
pub(super) fn result<T>(
    engine: &str,
    step: &'static str,
    answer: AbiResult<T>,
) -> Result<T, PluginError> {
    let failed = |error: EngineError| PluginError::Engine {
        engine: engine.to_owned(),
        step,
        error: Box::new(error),
    };
    match answer {
        RResult::ROk(value) => Ok(value),
        RResult::RErr(error) => Err(failed(error)),
    }
}

/// The exit code of a run that ends with an engine's error.
pub fn exit_of(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::CANCELLED => Exit::Interrupted,
        ErrorCode::CONFIG => Exit::Configuration,
        ErrorCode::UNSUPPORTED | ErrorCode::PRECONDITION | ErrorCode::PRIVILEGE => {
            Exit::Precondition
        }
        ErrorCode::SAFETY => Exit::Refused,
        ErrorCode::CONNECT | ErrorCode::AUTH => Exit::Server,
        ErrorCode::LOCK_BUDGET => Exit::LockBudget,
        ErrorCode::LOCKED => Exit::Locked,
        ErrorCode::SINK_IO | ErrorCode::TARGET | ErrorCode::UNANSWERED => Exit::Target,
        ErrorCode::NO_SPACE => Exit::NoSpace,
        ErrorCode::INTEGRITY => Exit::VerificationFailed,
        ErrorCode::TIMEOUT => Exit::Timeout,
        ErrorCode::PANIC => Exit::Plugin,
        // SOURCE_IO, TOOL, INTERNAL, and codes of later versions.
        _ => Exit::Failed,
    }
}
