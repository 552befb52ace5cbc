//! Chooses the engine: facts are gathered once, every engine is asked, and the host ranks the
//! answers by its own formula (see [`rank`]). Same facts, same choice.
//!
//! ```no_run
//! # fn main() -> Result<(), dbbackup::exit::Failure> {
//! use dbbackup::{
//!     Connection, Registry, Runtime, Selector, SelectorConfig, StateDir, WorkerCommand,
//!     supervisor::{CancelFlag, Silent},
//! };
//! let registry = Registry::discover(&Default::default());
//! let worker = WorkerCommand::program("/usr/bin/dbbackup");
//! let runtime =
//!     Runtime { worker, ..Runtime::new(&registry, StateDir::new("/var/lib/dbbackup")) };
//! let config = SelectorConfig { prefer_physical: true, ..SelectorConfig::default() };
//! let cancel = CancelFlag::new();
//! let selector = Selector::new(&runtime, &Silent, &cancel, config);
//! let connection = Connection::default();
//! let environment = selector.gather_info(&connection, "/backups/db.tar.gz")?;
//! let choice = selector.select_best(&connection, &environment)?;
//! assert!(!choice.reason.is_empty());
//! # Ok(())
//! # }
//! ```
mod ask;
pub mod environment;
mod error;
pub mod explain;
mod local;
mod mounts;
mod paths;
mod privileges;
pub mod rank;
mod replica;
mod server;
mod unmeasured;

pub(crate) use ask::Asking;
pub use environment::GatherError;
pub use error::SelectError;
pub use rank::{Candidate, Ranking, Rules, Verdict};
pub(crate) use replica::{ChannelFacts, stopped_channels};
pub(crate) use server::version_numbers;

use crate::{
    connection::Connection,
    engine_options::EngineOptions,
    exit::Failure,
    plugin::{EngineRef, PluginError, Registry},
    supervisor::{CancelFlag, Observer, Runtime},
};
use dbbackup_plugin_api::{document::environment::Environment, role::BACKUP_ROLE};

/// Family of the engines that copy out of a snapshot of file system or volume.
pub const SNAPSHOT_FAMILY: &str = "snapshot";

/// How engines are chosen.
#[derive(Clone, Debug, Default)]
pub struct SelectorConfig {
    /// Prefer engines that copy the server's files, whatever the size.
    pub prefer_physical: bool,
    /// Engines of others may be chosen without being named.
    pub auto_select_third_party: bool,
    /// Member of the family `snapshot` that is meant, such as `zfs`; in an automatic choice the
    /// others are left out.
    pub backend: Option<String>,
    /// Longest time that commits may wait, milliseconds, if there is a limit.
    pub max_lock_ms: Option<u64>,
    /// Weaker promises that the operator accepts, by name.
    pub accept_degraded: Vec<String>,
    /// The output holds one SQL text: engines that copy files are out.
    pub into_sql: bool,
    /// Options of engines.
    pub options: EngineOptions,
}

/// The engine that was chosen, and why.
#[derive(Clone, Debug)]
pub struct Choice<'r> {
    /// The engine and its plugin.
    pub engine: EngineRef<'r>,
    /// Its options, complete and checked.
    pub options: serde_json::Value,
    /// Why this one: goes into the manifest.
    pub reason: String,
    /// Every engine that was asked.
    pub ranking: Ranking,
}

/// Chooses engines out of a registry.
pub struct Selector<'r> {
    registry: &'r Registry,
    asking: Asking<'r>,
    config: SelectorConfig,
}

impl<'r> Selector<'r> {
    /// A selector; nothing is asked yet.
    pub fn new(
        runtime: &'r Runtime<'r>,
        observer: &'r dyn Observer,
        cancel: &'r CancelFlag,
        config: SelectorConfig,
    ) -> Self {
        Self { registry: runtime.plugins, asking: Asking { runtime, observer, cancel }, config }
    }

    /// Gathers the facts of a server and of a destination.
    ///
    /// # Errors
    /// [`GatherError`]: the server cannot be reached or asked.
    pub fn gather_info(
        &self,
        connection: &Connection,
        destination: &str,
    ) -> Result<Environment, GatherError> {
        environment::gather(connection, environment::destination(destination))
    }

    /// The best of all engines.
    ///
    /// # Errors
    /// [`SelectError::NoneFits`] with what stands in the way of each, or that the engines could not
    /// be asked.
    pub fn select_best(
        &self,
        connection: &Connection,
        environment: &Environment,
    ) -> Result<Choice<'r>, Failure> {
        self.select("auto", connection, environment)
    }

    /// The engine that `name` means here: `auto`, an engine, or the best of a family.
    ///
    /// # Errors
    /// As for [`Selector::select_best`]; [`PluginError`] for a name that means nothing, or options
    /// that do not fit.
    pub fn select(
        &self,
        name: &str,
        connection: &Connection,
        environment: &Environment,
    ) -> Result<Choice<'r>, Failure> {
        let ranking = self.rank(name, connection, environment)?;
        let Some(chosen) = ranking.chosen() else {
            return Err(SelectError::none_fits(name, &ranking).into());
        };
        let engine = self.registry.engine(&chosen.engine)?;
        let options = self.config.options.of(engine.engine)?;
        let reason = ranking.reason(name, environment);
        Ok(Choice { engine, options, reason, ranking })
    }

    /// Asks all engines that `name` may mean, and ranks them; the first is the best.
    ///
    /// # Errors
    /// [`PluginError`] for a name that means nothing or options that do not fit, and the
    /// supervisor's errors.
    pub fn rank(
        &self,
        name: &str,
        connection: &Connection,
        environment: &Environment,
    ) -> Result<Ranking, Failure> {
        let is_automatic = name == "auto";
        let engines = self.meant(name)?;
        let mut asked = Vec::new();
        for engine in engines {
            // In an automatic choice, an engine that lacks an option is not meant by it.
            match self.config.options.of(engine.engine) {
                Ok(options) => asked.push((engine, options)),
                Err(PluginError::Options { .. }) if is_automatic => {}
                Err(error) => return Err(error.into()),
            }
        }
        let answers = self.asking.assess(connection, environment, &asked)?;
        let rules = rank::Rules {
            prefer_physical: self.config.prefer_physical,
            third_parties: self.config.auto_select_third_party || !is_automatic,
            max_lock_ms: self.config.max_lock_ms,
            accepted: self.config.accept_degraded.clone(),
            into_sql: self.config.into_sql,
        };
        let candidates = asked.iter().zip(answers);
        let candidates =
            candidates.map(|((engine, _), answer)| Candidate::new(*engine, answer)).collect();
        Ok(Ranking::of(candidates, environment, &rules))
    }

    /// The answers of a whole family, whichever backend is meant: those in `ranking` if they are
    /// there, else its members are asked.
    ///
    /// # Errors
    /// As for [`Selector::rank`]; a family without members gives an empty ranking.
    pub(crate) fn family_answers(
        &self,
        family: &str,
        ranking: &Ranking,
        connection: &Connection,
        environment: &Environment,
    ) -> Result<Ranking, Failure> {
        let members: Vec<_> = self.registry.family(family, None).unwrap_or_default();
        let is_there = |member: &EngineRef<'_>| {
            ranking.candidates.iter().any(|candidate| candidate.engine == member.engine.id)
        };
        if members.iter().all(is_there) {
            return Ok(ranking.clone());
        }
        let config = SelectorConfig { backend: None, ..self.config.clone() };
        let whole = Self { registry: self.registry, asking: self.asking, config };
        whole.rank(family, connection, environment)
    }

    fn meant(&self, name: &str) -> Result<Vec<EngineRef<'r>>, PluginError> {
        let backend = self.config.backend.as_deref();
        let is_meant = |found: &EngineRef<'_>| {
            let engine = found.engine;
            engine.family != SNAPSHOT_FAMILY
                || backend.is_none_or(|backend| engine.backend.as_deref() == Some(backend))
        };
        let named = match name {
            "auto" => {
                // A backend that nothing has is a mistake, unless there are no snapshots at all.
                if self.registry.family(SNAPSHOT_FAMILY, None).is_ok() {
                    self.registry.family(SNAPSHOT_FAMILY, backend)?;
                }
                self.registry.engines().filter(is_meant).collect()
            }
            SNAPSHOT_FAMILY => self.registry.family(name, backend)?,
            name => self.registry.engine_or_family(name, None)?,
        };
        let makes_backups =
            |found: &EngineRef<'_>| found.engine.roles.iter().any(|role| role == BACKUP_ROLE);
        let able: Vec<_> = named.into_iter().filter(makes_backups).collect();
        if able.is_empty() && name != "auto" {
            let engine = name.to_owned();
            return Err(PluginError::NoRole { engine, role: BACKUP_ROLE.to_owned() });
        }
        Ok(able)
    }
}
