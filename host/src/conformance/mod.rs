//! The conformance kit behind `dbbackup engine test FILE`: what the contract asks of every engine,
//! tried on the library itself.
//!
//! Each check runs in a process of its own (this program again, with a hidden argument), through
//! the same loader as a backup, so that a check which crashes, hangs or spoils its process says
//! something about the plugin and nothing about the next check. What needs a server runs only where
//! the engine calls itself applicable; else the check is reported as not run, never as passed.
mod archive;
mod checks;
mod child;
mod contract;
mod data_path;
mod process_state;
mod report;
mod services;

pub use checks::{CHECKS, Check};
pub use child::{CHECK_ARGUMENT, run_as_check};
pub use report::{CheckOutcome, ConformanceReport, Verdict};

use crate::{
    plugin::{Plugin, PluginError, PluginSettings, Registry, TrustPolicy, check_options},
    supervisor::Secrets,
};
use child::{Order, Runner};
use dbbackup_plugin_api::document::environment::Environment;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What is tested, and with what.
#[derive(Clone, Debug)]
pub struct Kit {
    /// The `dbbackup` program that runs the checks; `/proc/self/exe` from within it.
    pub program: PathBuf,
    /// The plugin.
    pub file: PathBuf,
    /// Facts for `assess` and for backups; the default has no server.
    pub environment: Environment,
    /// The password of the connection, among others.
    pub secrets: Secrets,
    /// Options of the engines.
    pub options: Value,
    /// Longest time of one check.
    pub time_limit: Duration,
    /// Names of the checks to run; empty for all.
    pub only: Vec<String>,
}

impl Kit {
    /// A kit without a server and without options.
    pub fn new(program: impl Into<PathBuf>, file: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            file: file.into(),
            environment: Environment::default(),
            secrets: Secrets::new(),
            options: Value::Null,
            time_limit: Duration::from_secs(60),
            only: Vec::new(),
        }
    }

    /// Runs every check on every engine of the plugin.
    ///
    /// # Errors
    /// [`PluginError::Refused`] if the loader does not let the file in: there is nothing to test.
    pub fn run(&self) -> Result<ConformanceReport, PluginError> {
        let mut registry = open_registry();
        let plugin = registry.register(&self.file)?.clone();
        let mut outcomes = vec![check_manifest(&plugin, &self.options)];
        let runner = Runner { program: &self.program, time_limit: self.time_limit };
        for engine in plugin.note.iter().flat_map(|note| &note.plugin.engines) {
            for check in CHECKS.iter().filter(|check| self.wants(check.name)) {
                let order = Order {
                    check: check.name.to_owned(),
                    file: self.file.clone(),
                    engine: engine.id.clone(),
                    options: self.options.clone(),
                    environment: self.environment.clone(),
                    secrets: self.secrets.clone(),
                };
                outcomes.push(runner.run(check, &order));
            }
        }
        Ok(ConformanceReport { file: self.file.clone(), plugin: plugin.label(), outcomes })
    }
}

impl Kit {
    fn wants(&self, check: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == check)
    }
}

/// The loader that the checks use: the file is named by the operator, so that its place is not
/// what is tested.
fn open_registry() -> Registry {
    let settings = PluginSettings {
        trust: TrustPolicy::Dev,
        allow_shadowing: true,
        ..PluginSettings::only([])
    };
    Registry::discover(&settings)
}

fn check_manifest(plugin: &Plugin, options: &Value) -> CheckOutcome {
    let problem = plugin.note.as_ref().and_then(|note| {
        let manifest = &note.plugin;
        if manifest.summary.is_empty() || manifest.vendor.is_empty() {
            return Some("vendor and summary are what engine list shows; one is empty".to_owned());
        }
        manifest.engines.iter().find_map(|engine| {
            check_options(engine, options).err().map(|problems| {
                format!(
                    "options of '{}': {}",
                    engine.id,
                    problems.first().map_or_else(String::new, ToString::to_string)
                )
            })
        })
    });
    CheckOutcome {
        check: "manifest".to_owned(),
        promise: "the manifest is complete, and its schemas accept the options".to_owned(),
        engine: None,
        verdict: problem.map_or(Verdict::Passed, |why| Verdict::Failed { why }),
        milliseconds: 0,
    }
}

/// Loads the engine of an order.
fn load(
    order: &Order,
    services: &services::CheckServices,
) -> Result<crate::plugin::LoadedEngine, PluginError> {
    let mut registry = open_registry();
    registry.register(Path::new(&order.file))?;
    registry.load(&order.engine, services.host(), order.options.clone())
}
