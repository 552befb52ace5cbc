//! What every command has at hand: configuration, flags, log, and what it says on the way.
use crate::{
    artefact::OpenArtefact,
    catalog::Catalog,
    cli::{ConnectionArgs, GlobalArgs, TargetArgs},
    config::{Config, ConfigError, TrustChoice},
    connection::Connection,
    env,
    exit::Failure,
    logging,
    output::Voice,
    plugin::{PluginSettings, Registry, TrustPolicy},
    progress::ProgressView,
    remote::{Place, is_url},
    supervisor::{CancelFlag, Limits, Runtime, StateDir, event::LogLevel},
};
use indicatif::MultiProgress;
use std::{cell::RefCell, ffi::OsString, path::PathBuf};

/// What every command has at hand.
pub(crate) struct Context {
    /// Options of every command.
    pub(crate) global: GlobalArgs,
    /// The configuration file's content, or the defaults.
    pub(crate) config: Config,
    /// Raised by SIGINT, SIGTERM and SIGHUP.
    pub(crate) cancel: CancelFlag,
    bars: MultiProgress,
    doing: RefCell<String>,
    warnings: RefCell<Vec<String>>,
}

/// Locations that were understood, and the plugins that serve them.
pub(crate) struct Places {
    /// The places, in the order of their texts.
    pub(crate) places: Vec<Place>,
    /// The plugins; none where all are paths.
    pub(crate) registry: Registry,
}

impl Context {
    /// Starts the log and reads the configuration.
    ///
    /// # Errors
    /// The configuration is wrong.
    pub(crate) fn new(global: GlobalArgs) -> Result<Self, Failure> {
        let bars = MultiProgress::new();
        logging::start(&global, &bars);
        // Safe mode is for a machine whose configuration may be part of the trouble: what it says
        // of plugins is ignored there, the rest holds.
        let config = Config::find(global.config.as_deref())?;
        let cancel = CancelFlag::raised_by_signals()?;
        let (doing, warnings) = (RefCell::default(), RefCell::default());
        let context = Self { global, config, cancel, bars, doing, warnings };
        context.config.warnings.iter().for_each(|warning| context.warn(warning.clone()));
        Ok(context)
    }

    /// Says what is being done, to what: the beginning of an error.
    pub(crate) fn doing(&self, what: impl Into<String>) {
        self.doing.replace(what.into());
    }

    /// Says that something is weaker than usual: in the log and in the JSON document.
    pub(crate) fn warn(&self, what: impl Into<String>) {
        let what = what.into();
        tracing::warn!("{what}");
        self.warnings.borrow_mut().push(what);
    }

    /// Who speaks in the end.
    pub(crate) fn voice(&self, command: &str) -> Voice {
        Voice {
            command: command.to_owned(),
            doing: self.doing.borrow().clone(),
            json: self.global.json,
            warnings: self.warnings.borrow().clone(),
        }
    }

    /// The connection that flags, environment, configuration and option files describe.
    ///
    /// # Errors
    /// As for [`Connection::resolve`].
    pub(crate) fn connection(&self, args: &ConnectionArgs) -> Result<Connection, ConfigError> {
        let (connection, warnings) = args.resolve(&self.config)?;
        warnings.into_iter().for_each(|warning| self.warn(warning));
        Ok(connection.cancelled_by(&self.cancel))
    }

    /// What locations mean: paths, or places that an engine serves. Plugins are looked for only where one
    /// is needed.
    ///
    /// # Errors
    /// No engine serves such a place, or its options are wrong.
    pub(crate) fn places(
        &self,
        texts: &[OsString],
        target: &TargetArgs,
    ) -> Result<Places, Failure> {
        let is_place = |text: &OsString| text.to_str().is_some_and(is_url);
        let registry =
            if texts.iter().any(is_place) { self.registry() } else { Registry::default() };
        let options = target.options(&self.config);
        let found = texts.iter().map(|text| Place::find(text, &registry, &options));
        let places = found.collect::<Result<_, _>>()?;
        Ok(Places { places, registry })
    }

    /// The backups at a place.
    ///
    /// # Errors
    /// It cannot be looked through.
    pub(crate) fn catalog(&self, place: &Place, registry: &Registry) -> Result<Catalog, Failure> {
        if let Place::Local(path) = place {
            return Ok(Catalog::scan(path)?);
        }
        let runtime = self.runtime(registry, Limits::default())?;
        Ok(Catalog::at(place, &runtime, &self.cancel)?)
    }

    /// An artefact that can be asked for its manifest.
    ///
    /// # Errors
    /// No worker can be started for the place that it lies at.
    pub(crate) fn open(&self, place: &Place, registry: &Registry) -> Result<OpenArtefact, Failure> {
        if let Place::Local(path) = place {
            return Ok(OpenArtefact::Local(path.clone()));
        }
        let runtime = self.runtime(registry, Limits::default())?;
        Ok(OpenArtefact::open(place, &runtime, &self.cancel)?)
    }

    /// The plugins of this run; runs no plugin code.
    pub(crate) fn registry(&self) -> Registry {
        let registry = Registry::discover(&self.plugin_settings());
        registry.warnings().iter().for_each(|warning| self.warn(warning.clone()));
        registry
    }

    fn plugin_settings(&self) -> PluginSettings {
        let config = &self.config.plugins;
        PluginSettings {
            command_line: self.global.plugin_dirs.clone(),
            environment: env::plugin_path(),
            environment_for_root: config.environment_for_root,
            config: config.dirs.clone(),
            user: env::user_data_dir().map(|data| data.join("plugins")),
            executable: env::executable(),
            trust: match config.trust {
                TrustChoice::Owner => TrustPolicy::Owner,
                TrustChoice::Locked => TrustPolicy::Locked,
                TrustChoice::Dev => TrustPolicy::Dev,
            },
            allow_shadowing: config.allow_shadowing,
            safe_mode: self.global.safe_mode,
            ..PluginSettings::default()
        }
    }

    /// Where journals, locks and scratch directories go.
    ///
    /// # Errors
    /// Neither a home nor `DBBACKUP_STATE_DIR` is known.
    pub(crate) fn state(&self) -> Result<StateDir, ConfigError> {
        env::state_dir().map(StateDir::new).ok_or_else(|| {
            let text = "there is no home directory for the state: set DBBACKUP_STATE_DIR";
            ConfigError::Contradiction(text.to_owned())
        })
    }

    /// Progress as the flags want it.
    pub(crate) fn progress(&self) -> ProgressView {
        ProgressView::new(&self.global, &self.bars)
    }

    /// Least severity of plugins' log events.
    pub(crate) fn log_level(&self) -> LogLevel {
        match logging::level(&self.global) {
            tracing::Level::ERROR => LogLevel::Error,
            tracing::Level::WARN => LogLevel::Warn,
            tracing::Level::INFO => LogLevel::Info,
            tracing::Level::DEBUG => LogLevel::Debug,
            tracing::Level::TRACE => LogLevel::Trace,
        }
    }

    /// How this process runs jobs.
    ///
    /// # Errors
    /// As for [`Context::state`].
    pub(crate) fn runtime<'r>(
        &self,
        registry: &'r Registry,
        limits: Limits,
    ) -> Result<Runtime<'r>, ConfigError> {
        let log_level = self.log_level();
        Ok(Runtime { limits, log_level, ..Runtime::new(registry, self.state()?) })
    }

    /// The directory that `engine add` installs into: the first of `--plugin-dir` and
    /// `plugins.dirs`, else the system's for root, the user's own otherwise.
    ///
    /// # Errors
    /// There is none: no home directory.
    pub(crate) fn install_directory(&self) -> Result<PathBuf, ConfigError> {
        let named = self.global.plugin_dirs.first().or(self.config.plugins.dirs.first());
        let system = env::is_root().then(|| PathBuf::from("/usr/local/lib/dbbackup/plugins"));
        let own = || env::user_data_dir().map(|data| data.join("plugins"));
        named.cloned().or(system).or_else(own).ok_or_else(|| {
            ConfigError::Contradiction("no plugin directory is known: give --plugin-dir".to_owned())
        })
    }
}
