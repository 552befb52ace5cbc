//! Looks through the plugin directories. No byte of a plugin runs here.
use super::{
    FIRST_PARTY_IDS, FIRST_PARTY_VENDOR, HostApi, LOCK_FILE_NAME, LockFile, PluginLabel,
    PluginSettings, Reason, Refusal, Sha256, TrustPolicy, negotiate, preflight,
    settings::SearchDirectory, trust,
};
use dbbackup_plugin_api::document::plugin::PluginNote;
use object::read::ReadCache;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where a plugin was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Registered by file, by an embedding program or a test.
    Registered,
    /// `--plugin-dir`.
    CommandLine,
    /// `$DBBACKUP_PLUGIN_PATH`.
    Environment,
    /// `plugins.dirs` of the configuration.
    Config,
    /// The user's data directory.
    User,
    /// Beside the binary.
    Bundled,
    /// A directory of the system.
    System,
}

/// What the lock file says of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockState {
    /// It has no entry.
    Unlocked,
    /// It has an entry, and the file is the one meant.
    Locked,
    /// It has an entry, and the file is another one.
    Mismatch,
}

/// A plugin file that was found, usable or refused.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// The file.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: Origin,
    /// What it says of itself; absent if that could not be read.
    pub note: Option<PluginNote>,
    /// Why it is not used; absent if it is.
    pub refusal: Option<Arc<Refusal>>,
    /// What the lock file says.
    pub lock: LockState,
    /// Length of the file, bytes.
    pub size_bytes: u64,
    pub(super) note_json: String,
    /// Digest that loading must find.
    pub(super) pinned: Option<Sha256>,
}

impl Plugin {
    /// True if its engines can be used.
    pub fn is_usable(&self) -> bool {
        self.refusal.is_none()
    }

    /// Id and version, once the note was readable.
    pub fn label(&self) -> Option<PluginLabel> {
        let note = self.note.as_ref()?;
        Some(PluginLabel { id: note.plugin.id.clone(), version: note.version.clone() })
    }

    /// The id, once the note was readable.
    pub fn id(&self) -> Option<&str> {
        self.note.as_ref().map(|note| note.plugin.id.as_str())
    }

    /// True if dbbackup itself ships it, by its own account.
    pub fn is_first_party(&self) -> bool {
        self.note.as_ref().is_some_and(|note| {
            note.plugin.vendor == FIRST_PARTY_VENDOR
                && FIRST_PARTY_IDS.contains(&note.plugin.id.as_str())
        })
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        let refusal = Refusal { path: self.path.clone(), plugin: self.label(), reason };
        self.refusal = Some(Arc::new(refusal));
    }
}

/// What a look through the directories brought.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    pub(super) plugins: Vec<Plugin>,
    pub(super) warnings: Vec<String>,
}

/// Looks through all directories of the settings, in their order.
pub(super) fn discover(settings: &PluginSettings) -> Discovery {
    let is_root = rustix::process::geteuid().is_root();
    let mut found = Discovery::default();
    let mut locks = Vec::new();
    for directory in settings.search_order(is_root) {
        let files = match plugin_files(&directory.path) {
            Ok(files) => files,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound || is_wished(directory.origin) {
                    let path = directory.path.display();
                    found.warnings.push(format!("plugin directory {path}: {error}"));
                }
                continue;
            }
        };
        let examiner = Examiner::of_directory(&directory, settings);
        found.plugins.extend(files.iter().map(|file| examiner.examine(file)));
        locks.push((directory.path.join(LOCK_FILE_NAME), examiner.lock));
    }
    refuse_disabled(&mut found.plugins, &locks);
    refuse_taken_ids(&mut found.plugins, settings);
    found
}

/// An absent directory is worth a word only where somebody asked for it.
fn is_wished(origin: Origin) -> bool {
    matches!(origin, Origin::CommandLine | Origin::Environment | Origin::Config)
}

/// The `.so` files of a directory, by name, hidden ones left out.
fn plugin_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in directory.read_dir()? {
        let path = entry?.path();
        let is_hidden =
            path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "so") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Looks at single files, knowing the directory that they are in.
pub(super) struct Examiner {
    origin: Origin,
    trust: TrustPolicy,
    safe_mode: bool,
    host: HostApi,
    directory: PathBuf,
    /// The plugin directory can be changed by others.
    untrusted: Option<Reason>,
    lock: Result<LockFile, String>,
}

impl Examiner {
    pub(super) fn of_directory(directory: &SearchDirectory, settings: &PluginSettings) -> Self {
        let is_dev = settings.trust == TrustPolicy::Dev;
        let untrusted = if is_dev { None } else { trust::check_directory(&directory.path).err() };
        Self {
            origin: directory.origin,
            trust: settings.trust,
            safe_mode: settings.safe_mode,
            host: HostApi::current(),
            directory: directory.path.clone(),
            untrusted,
            lock: LockFile::read(&directory.path).map_err(|error| one_line(&error)),
        }
    }

    /// What there is to say of one file.
    pub(super) fn examine(&self, path: &Path) -> Plugin {
        let mut plugin = Plugin {
            path: path.to_owned(),
            origin: self.origin,
            note: None,
            refusal: None,
            lock: LockState::Unlocked,
            size_bytes: 0,
            note_json: String::new(),
            pinned: None,
        };
        if let Err(reason) = self.check(&mut plugin) {
            plugin.refuse(reason);
        }
        plugin
    }

    fn check(&self, plugin: &mut Plugin) -> Result<(), Reason> {
        let (file, metadata) = trust::open_regular(&plugin.path)?;
        plugin.size_bytes = metadata.len();
        let data = ReadCache::new(&file);
        let preflight = preflight::inspect(&data)?;
        plugin.note_json = preflight.note_json;
        let note = plugin.note.insert(preflight.note);
        negotiate(note, &self.host)?;
        preflight::check_linkage(&data)?;
        if self.trust != TrustPolicy::Dev {
            self.untrusted.clone().map_or(Ok(()), Err)?;
            trust::check_file(&plugin.path, &metadata)?;
            self.check_lock(plugin, &file, &metadata)?;
        }
        if self.safe_mode && !(is_installed(self.origin) && plugin.is_first_party()) {
            return Err(Reason::SafeMode);
        }
        Ok(())
    }

    fn check_lock(
        &self,
        plugin: &mut Plugin,
        file: &File,
        metadata: &Metadata,
    ) -> Result<(), Reason> {
        let lock_file = self.directory.join(LOCK_FILE_NAME);
        let lock = match &self.lock {
            Ok(lock) => lock,
            Err(what) => {
                return Err(Reason::LockFileUnusable { lock_file, what: what.clone() });
            }
        };
        let Some(entry) = plugin.id().and_then(|id| lock.entry(id)) else {
            // Who registers a file has looked at the lock of the directory that it came from.
            let is_required =
                self.trust == TrustPolicy::Locked && self.origin != Origin::Registered;
            return if is_required { Err(Reason::NotLocked { lock_file }) } else { Ok(()) };
        };
        plugin.pinned = Some(entry.sha256);
        plugin.lock = LockState::Locked;
        if entry.looks_like(metadata) {
            return Ok(());
        }
        let found = digest(file)?;
        if found != entry.sha256 {
            plugin.lock = LockState::Mismatch;
            let expected_by = lock_file.display().to_string();
            return Err(Reason::Hash { found, expected: entry.sha256, expected_by });
        }
        Ok(())
    }
}

fn digest(mut file: &File) -> Result<Sha256, Reason> {
    io::Seek::rewind(&mut file).map_err(trust::unreadable)?;
    Sha256::of_reader(file).map_err(trust::unreadable)
}

fn is_installed(origin: Origin) -> bool {
    matches!(origin, Origin::Bundled | Origin::System)
}

/// A plugin disabled in any directory is disabled in all: another copy must not take its place.
fn refuse_disabled(plugins: &mut [Plugin], locks: &[(PathBuf, Result<LockFile, String>)]) {
    for plugin in plugins.iter_mut().filter(|plugin| plugin.is_usable()) {
        let id = plugin.id().unwrap_or_default();
        let disabling = locks
            .iter()
            .find(|(_, lock)| lock.as_ref().is_ok_and(|lock| lock.is_disabled(id)))
            .map(|(path, _)| path.clone());
        if let Some(lock_file) = disabling {
            plugin.refuse(Reason::Disabled { lock_file });
        }
    }
}

/// First id wins, and ids of ours are not for others.
pub(super) fn refuse_taken_ids(plugins: &mut [Plugin], settings: &PluginSettings) {
    let mut taken = TakenIds::default();
    for plugin in plugins.iter_mut().filter(|plugin| plugin.is_usable()) {
        let Some(note) = plugin.note.as_ref() else { continue };
        let claimed = if settings.allow_shadowing { None } else { claimed_first_party_id(note) };
        let outcome = match claimed {
            Some(id) => Err(Reason::FirstPartyId { id, vendor: note.plugin.vendor.clone() }),
            None => taken.take(note, &plugin.path),
        };
        if let Err(reason) = outcome {
            plugin.refuse(reason);
        }
    }
}

fn claimed_first_party_id(note: &PluginNote) -> Option<String> {
    if note.plugin.vendor == FIRST_PARTY_VENDOR {
        return None;
    }
    let ids = std::iter::once(&note.plugin.id).chain(note.plugin.engines.iter().map(|e| &e.id));
    ids.into_iter().find(|id| FIRST_PARTY_IDS.contains(&id.as_str())).cloned()
}

#[derive(Default)]
struct TakenIds {
    plugins: BTreeMap<String, PathBuf>,
    engines: BTreeMap<String, PathBuf>,
}

impl TakenIds {
    fn take(&mut self, note: &PluginNote, path: &Path) -> Result<(), Reason> {
        if let Some(by) = self.plugins.get(&note.plugin.id) {
            let by = by.clone();
            let is_same_directory = by.parent() == path.parent();
            return Err(if is_same_directory {
                Reason::Duplicate { by }
            } else {
                Reason::Shadowed { by }
            });
        }
        for engine in &note.plugin.engines {
            if let Some(by) = self.engines.get(&engine.id) {
                return Err(Reason::DuplicateEngine { engine: engine.id.clone(), by: by.clone() });
            }
        }
        self.plugins.insert(note.plugin.id.clone(), path.to_owned());
        let engines = note.plugin.engines.iter();
        self.engines.extend(engines.map(|engine| (engine.id.clone(), path.to_owned())));
        Ok(())
    }
}

/// An error and its causes in one line.
pub(super) fn one_line(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
