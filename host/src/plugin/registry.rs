//! The plugins of this run: found, checked, listed; engines looked up by id, family and scheme.
use super::{
    LoadedEngine, Origin, Plugin, PluginError, PluginSettings, Refusal, Sha256, check_options,
    discover::{self, Examiner},
    session,
    settings::SearchDirectory,
};
use crate::nearest::nearest;
use dbbackup_plugin_api::{
    document::{Doc, plugin::EngineManifest},
    engine::EngineBox,
    error::AbiResult,
    host::HostBox,
    role::TARGET_ROLE,
};
use serde_json::Value;
use std::{path::Path, sync::Arc};

/// All plugins that were found, in the order of search. Making one runs no plugin code.
#[derive(Debug, Default)]
pub struct Registry {
    settings: PluginSettings,
    plugins: Vec<Plugin>,
    warnings: Vec<String>,
}

/// An engine and the usable plugin that offers it.
#[derive(Clone, Copy, Debug)]
pub struct EngineRef<'r> {
    /// The plugin.
    pub plugin: &'r Plugin,
    /// The engine.
    pub engine: &'r EngineManifest,
}

impl Registry {
    /// Looks through the plugin directories. One bad plugin never stops the others: it is listed
    /// with its refusal.
    pub fn discover(settings: &PluginSettings) -> Self {
        let found = discover::discover(settings);
        Self { settings: settings.clone(), plugins: found.plugins, warnings: found.warnings }
    }

    /// Adds one file, whatever its name, after those that are known: for embedding programs,
    /// probes and tests.
    ///
    /// # Errors
    /// The refusal; the file is listed with it all the same.
    pub fn register(&mut self, file: &Path) -> Result<&Plugin, PluginError> {
        self.register_pinned(file, None)
    }

    /// As [`register`](Self::register), and loading must find this digest.
    ///
    /// # Errors
    /// As for [`register`](Self::register); another content is refused when it is loaded.
    pub fn register_pinned(
        &mut self,
        file: &Path,
        digest: Option<Sha256>,
    ) -> Result<&Plugin, PluginError> {
        let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let directory = SearchDirectory { path: directory, origin: Origin::Registered };
        let mut plugin = Examiner::of_directory(&directory, &self.settings).examine(&path);
        plugin.pinned = digest.or(plugin.pinned);
        self.plugins.push(plugin);
        discover::refuse_taken_ids(&mut self.plugins, &self.settings);
        match self.plugins.last() {
            Some(Plugin { refusal: Some(refusal), .. }) => Err(Arc::clone(refusal).into()),
            Some(plugin) => Ok(plugin),
            None => Err(self.unknown_engine("")),
        }
    }

    /// All plugins, usable and refused, in the order of search.
    pub fn plugins(&self) -> &[Plugin] {
        &self.plugins
    }

    /// What was odd about the directories, a line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &PluginSettings {
        &self.settings
    }

    /// Every refused plugin.
    pub fn refusals(&self) -> impl Iterator<Item = &Arc<Refusal>> {
        self.plugins.iter().filter_map(|plugin| plugin.refusal.as_ref())
    }

    /// A plugin by its id: the usable one, else a refused one.
    pub fn plugin(&self, id: &str) -> Option<&Plugin> {
        let with_id = || self.plugins.iter().filter(|plugin| plugin.id() == Some(id));
        with_id().find(|plugin| plugin.is_usable()).or_else(|| with_id().next())
    }

    /// Every usable engine, in the order of search.
    pub fn engines(&self) -> impl Iterator<Item = EngineRef<'_>> {
        self.plugins.iter().filter(|plugin| plugin.is_usable()).flat_map(engines_of)
    }

    /// A usable engine by its id.
    ///
    /// # Errors
    /// [`PluginError::Refused`] if a refused plugin has it, else [`PluginError::UnknownEngine`]
    /// with the nearest name.
    pub fn engine(&self, id: &str) -> Result<EngineRef<'_>, PluginError> {
        if let Some(found) = self.engines().find(|found| found.engine.id == id) {
            return Ok(found);
        }
        let refused = self.plugins.iter().flat_map(engines_of).find(|found| found.engine.id == id);
        match refused.and_then(|found| found.plugin.refusal.clone()) {
            Some(refusal) => Err(refusal.into()),
            None => Err(self.unknown_engine(id)),
        }
    }

    /// The usable members of a family, or the one of a backend.
    ///
    /// # Errors
    /// [`PluginError::UnknownEngine`] if there is no such family, [`PluginError::UnknownBackend`]
    /// if it has no such member.
    pub fn family(
        &self,
        family: &str,
        backend: Option<&str>,
    ) -> Result<Vec<EngineRef<'_>>, PluginError> {
        let members: Vec<_> = self.engines().filter(|e| e.engine.family == family).collect();
        if members.is_empty() {
            return Err(self.unknown_engine(family));
        }
        let Some(backend) = backend else { return Ok(members) };
        let has_backend = |e: &EngineRef<'_>| e.engine.backend.as_deref() == Some(backend);
        let of_backend: Vec<_> = members.iter().copied().filter(has_backend).collect();
        if of_backend.is_empty() {
            let known = members.iter().filter_map(|e| e.engine.backend.clone()).collect();
            let (family, backend) = (family.to_owned(), backend.to_owned());
            return Err(PluginError::UnknownBackend { family, backend, known });
        }
        Ok(of_backend)
    }

    /// What `--engine NAME` means: the engine of that id, else the members of that family.
    ///
    /// # Errors
    /// As for [`engine`](Self::engine) and [`family`](Self::family).
    pub fn engine_or_family(
        &self,
        name: &str,
        backend: Option<&str>,
    ) -> Result<Vec<EngineRef<'_>>, PluginError> {
        let is_family = self.engines().any(|e| e.engine.family == name);
        let is_engine = self.engines().any(|e| e.engine.id == name);
        if is_family && (backend.is_some() || !is_engine) {
            return self.family(name, backend);
        }
        self.engine(name).map(|found| vec![found])
    }

    /// The engine whose target role serves `scheme://` locations.
    ///
    /// # Errors
    /// [`PluginError::UnknownScheme`], or the refusal of the plugin that would serve it.
    pub fn for_scheme(&self, scheme: &str) -> Result<EngineRef<'_>, PluginError> {
        let serves = |e: &EngineRef<'_>| {
            e.engine.roles.iter().any(|role| role == TARGET_ROLE)
                && e.engine.schemes.iter().any(|s| s == scheme)
        };
        if let Some(found) = self.engines().find(serves) {
            return Ok(found);
        }
        let refused = self.plugins.iter().flat_map(engines_of).find(serves);
        if let Some(refusal) = refused.and_then(|found| found.plugin.refusal.clone()) {
            return Err(refusal.into());
        }
        let known = self.engines().flat_map(|e| e.engine.schemes.iter().map(String::as_str));
        Err(PluginError::UnknownScheme {
            scheme: scheme.to_owned(),
            nearest: nearest(scheme, known).map(str::to_owned),
        })
    }

    /// Checks options of an engine against the schema in its manifest.
    ///
    /// # Errors
    /// [`PluginError::Options`] with everything that is wrong, and as [`engine`](Self::engine).
    pub fn check_options(&self, engine: &str, options: &Value) -> Result<(), PluginError> {
        check_options(self.engine(engine)?.engine, options)
            .map_err(|problems| PluginError::Options { engine: engine.to_owned(), problems })
    }

    /// Loads the plugin of an engine, if this process has not loaded it before, and makes the
    /// engine. For the worker process alone: a bad plugin may end the process here.
    ///
    /// # Errors
    /// [`PluginError`]: unknown, refused, wrong options, or the plugin's own answer.
    pub fn load(
        &self,
        engine: &str,
        host: HostBox,
        options: Value,
    ) -> Result<LoadedEngine, PluginError> {
        let found = self.engine(engine)?;
        self.check_options(engine, &options)?;
        session::load(found, self.settings.trust, host, options)
    }

    /// Asks the plugin of `engine` for an engine that it may not have, with options that nobody
    /// checked: for the conformance kit.
    pub(crate) fn create_unchecked(
        &self,
        engine: &str,
        id: &str,
        config: Doc,
        host: HostBox,
    ) -> Result<AbiResult<EngineBox>, PluginError> {
        session::create_unchecked(self.engine(engine)?, self.settings.trust, id, config, host)
    }

    fn unknown_engine(&self, name: &str) -> PluginError {
        let mut known: Vec<String> =
            self.engines().flat_map(|e| [e.engine.id.clone(), e.engine.family.clone()]).collect();
        known.sort();
        known.dedup();
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        PluginError::UnknownEngine { name: name.to_owned(), nearest, known }
    }
}

fn engines_of(plugin: &Plugin) -> impl Iterator<Item = EngineRef<'_>> {
    let engines = plugin.note.iter().flat_map(|note| &note.plugin.engines);
    engines.map(move |engine| EngineRef { plugin, engine })
}
