//! What `engine add`, `remove`, `enable`, `disable` and `lock` do, as functions on a plugin
//! directory. Each answers what was done, ready for `--json`.
use super::{
    LOCK_FILE_NAME, LockEntry, LockFile, LockFileError, Origin, Plugin, PluginSettings, Reason,
    Refusal, Registry, Sha256, TrustPolicy,
    discover::Examiner,
    image,
    lockfile::{commit, modified_ns, sync_directory},
    settings::SearchDirectory,
    trust,
};
use crate::exit::{Classified, Exit};
use dbbackup_plugin_api::host::HostBox;
use semver::Version;
use serde::Serialize;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Mode of an installed library: all may read it, its owner may replace it.
const LIBRARY_MODE: u32 = 0o644;
/// Mode of a plugin directory that we make.
const DIRECTORY_MODE: u32 = 0o755;

/// Why a plugin directory was not changed as asked.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The file is refused, or its probe failed.
    #[error(transparent)]
    Refused(Arc<Refusal>),
    /// A file operation failed.
    #[error("{step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The lock file cannot be read or written.
    #[error(transparent)]
    Lock(#[from] LockFileError),
    /// No plugin of that id is known.
    #[error("unknown plugin '{id}'")]
    Unknown {
        /// What was asked for.
        id: String,
        /// The nearest id that exists.
        nearest: Option<String>,
    },
    /// The directory holds the id under another name, or the name for another id.
    #[error("{} is already the plugin '{id}'", path.display())]
    Occupied {
        /// The file that is there.
        path: PathBuf,
        /// Its id.
        id: String,
    },
}

impl Classified for InstallError {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused(refusal) => refusal.exit(),
            Self::Unknown { .. } => Exit::Precondition,
            Self::Occupied { .. } => Exit::Refused,
            Self::Io { .. } | Self::Lock(_) => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.mend()),
            Self::Unknown { nearest: Some(nearest), .. } => {
                Some(format!("did you mean '{nearest}'?"))
            }
            Self::Unknown { .. } => Some("dbbackup engine list shows all plugins".to_owned()),
            Self::Occupied { id, .. } => Some(format!("dbbackup engine remove {id}")),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as the owner of the plugin directory".to_owned())
            }
            Self::Io { .. } | Self::Lock(_) => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Io { .. } => "E-PLUGIN-INSTALL".to_owned(),
            Self::Lock(_) => "E-PLUGIN-LOCK".to_owned(),
            Self::Unknown { .. } => "E-PLUGIN-UNKNOWN".to_owned(),
            Self::Occupied { .. } => "E-PLUGIN-OCCUPIED".to_owned(),
        }
    }
}

/// What to install, and where.
#[derive(Clone, Debug)]
pub struct AddRequest<'a> {
    /// The library to install.
    pub source: &'a Path,
    /// The plugin directory; made if it is not there.
    pub directory: &'a Path,
    /// Digest that the library must have.
    pub sha256: Option<Sha256>,
}

/// What was installed.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    /// Id of the plugin.
    pub id: String,
    /// Its version.
    pub version: Version,
    /// Its engines.
    pub engines: Vec<String>,
    /// The installed file.
    pub path: PathBuf,
    /// Digest, as in the lock file.
    pub sha256: Sha256,
    /// The version that it took the place of.
    pub replaced: Option<Version>,
}

/// What was removed.
#[derive(Clone, Debug, Serialize)]
pub struct Removed {
    /// Id of the plugin.
    pub id: String,
    /// The file that is gone.
    pub path: PathBuf,
    /// True if the lock file knew it.
    pub was_locked: bool,
}

/// A plugin that was enabled or disabled.
#[derive(Clone, Debug, Serialize)]
pub struct EnabledChange {
    /// Id of the plugin.
    pub id: String,
    /// True if it is enabled now.
    pub enabled: bool,
    /// False if it was so before.
    pub changed: bool,
    /// The lock file that says so.
    pub lock_file: PathBuf,
}

/// Installs a library: pre-flight, copy, probe of the copy in a child process, rename, lock entry.
///
/// `probe` gets the path of the copy, which is not yet a plugin that anybody finds, and loads it in
/// a process of its own (see [`probe`](fn@probe)). An older version of the same plugin is replaced.
///
/// # Errors
/// [`InstallError`]; what was installed before is still there.
pub fn add(
    request: &AddRequest<'_>,
    probe: &dyn Fn(&Path) -> Result<(), Arc<Refusal>>,
) -> Result<Added, InstallError> {
    let directory = request.directory;
    make_directory(directory)?;
    trust::check_directory(directory).map_err(|reason| refused(directory, reason))?;
    let bytes = read_source(request)?;
    // A directory of its own: what is in there is neither found as a plugin nor held against the
    // lock entry of the version that it replaces.
    let staging = tempfile::Builder::new()
        .prefix(".installing-")
        .tempdir_in(directory)
        .map_err(io_error("write", directory))?;
    let copy = staging.path().join("plugin.so");
    fs::write(&copy, &bytes).map_err(io_error("write", &copy))?;
    let plugin = examine_new(request, &copy)?;
    probe(&copy).map_err(|refusal| of_source(request, &plugin, &refusal))?;

    let path = directory.join(installed_name(request.source, &plugin));
    let mut lock = LockFile::read(directory)?;
    let replaced = check_place(directory, &path, &plugin)?;
    commit(&copy, &path, LIBRARY_MODE).map_err(io_error("install", &path))?;
    let source = std::path::absolute(request.source).map_err(io_error("find", request.source))?;
    let entry = lock_entry(&plugin, &path, &bytes, source.display().to_string())?;
    let sha256 = entry.sha256;
    lock.replace(entry);
    lock.write(directory)?;
    let (id, version, engines) = names(&plugin);
    Ok(Added { id, version, engines, path, sha256, replaced })
}

/// Loads and initialises a plugin file, whatever its name, and creates nothing. For a process of
/// its own: a bad plugin may end it.
///
/// # Errors
/// The refusal.
pub fn probe(file: &Path, host: HostBox) -> Result<(), Arc<Refusal>> {
    let directory = file.parent().unwrap_or(Path::new("/")).to_owned();
    let settings = PluginSettings { trust: TrustPolicy::Dev, ..PluginSettings::only([]) };
    let directory = SearchDirectory { path: directory, origin: Origin::Registered };
    let plugin = Examiner::of_directory(&directory, &settings).examine(file);
    if let Some(refusal) = plugin.refusal {
        return Err(refusal);
    }
    image::initialised_root(&plugin, TrustPolicy::Dev, host).map(drop)
}

/// Removes a plugin: its file, then its lock entry.
///
/// # Errors
/// [`InstallError`]; after [`InstallError::Lock`] the file is gone and the entry is left, which
/// harms nothing.
pub fn remove(registry: &Registry, id: &str) -> Result<Removed, InstallError> {
    let plugin = known(registry, id)?;
    let directory = directory_of(plugin);
    let mut lock = LockFile::read(directory)?;
    fs::remove_file(&plugin.path).map_err(io_error("remove", &plugin.path))?;
    sync_directory(&plugin.path).map_err(io_error("sync", directory))?;
    let was_locked = lock.remove(id);
    if was_locked {
        lock.write(directory)?;
    }
    Ok(Removed { id: id.to_owned(), path: plugin.path.clone(), was_locked })
}

/// Enables or disables a plugin in the lock file of its directory, with or without an entry there.
///
/// # Errors
/// [`InstallError`]; nothing is changed.
pub fn set_enabled(
    registry: &Registry,
    id: &str,
    enabled: bool,
) -> Result<EnabledChange, InstallError> {
    let plugin = known(registry, id)?;
    // A plugin is disabled wherever any lock file says so; enabling must look at that one.
    let lock_file = match plugin.refusal.as_deref().map(|refusal| &refusal.reason) {
        Some(Reason::Disabled { lock_file }) => lock_file.clone(),
        _ => directory_of(plugin).join(LOCK_FILE_NAME),
    };
    let directory = lock_file.parent().unwrap_or(Path::new("/"));
    let mut lock = LockFile::read(directory)?;
    let changed = lock.set_enabled(id, enabled);
    if changed {
        lock.write(directory)?;
    }
    Ok(EnabledChange { id: id.to_owned(), enabled, changed, lock_file })
}

/// Pins plugins as they are now, in the lock files of their directories; all usable ones and those
/// that only their lock entry refuses if `ids` is empty.
///
/// # Errors
/// [`InstallError`] at the first; those before it are pinned.
pub fn lock(registry: &Registry, ids: &[String]) -> Result<Vec<LockEntry>, InstallError> {
    let chosen: Vec<&Plugin> = if ids.is_empty() {
        registry.plugins().iter().filter(|plugin| can_be_pinned(plugin)).collect()
    } else {
        ids.iter().map(|id| known(registry, id)).collect::<Result<_, _>>()?
    };
    chosen.into_iter().map(lock_one).collect()
}

fn lock_one(plugin: &Plugin) -> Result<LockEntry, InstallError> {
    if let Some(refusal) = plugin.refusal.as_ref().filter(|_| !can_be_pinned(plugin)) {
        return Err(InstallError::Refused(Arc::clone(refusal)));
    }
    let directory = directory_of(plugin);
    let mut lock = LockFile::read(directory)?;
    let bytes = fs::read(&plugin.path).map_err(io_error("read", &plugin.path))?;
    let source = match plugin.id().and_then(|id| lock.entry(id)) {
        Some(entry) if entry.sha256 == Sha256::of(&bytes) => entry.source.clone(),
        _ => "locked in place".to_owned(),
    };
    let is_disabled = plugin.id().is_some_and(|id| lock.is_disabled(id));
    let entry =
        LockEntry { enabled: !is_disabled, ..lock_entry(plugin, &plugin.path, &bytes, source)? };
    lock.replace(entry.clone());
    lock.write(directory)?;
    Ok(entry)
}

/// A changed or unpinned file is what pinning is for; a disabled one may be pinned too.
fn can_be_pinned(plugin: &Plugin) -> bool {
    plugin.refusal.as_ref().is_none_or(|refusal| {
        matches!(
            refusal.reason,
            Reason::Hash { .. } | Reason::NotLocked { .. } | Reason::Disabled { .. }
        )
    })
}

fn known<'r>(registry: &'r Registry, id: &str) -> Result<&'r Plugin, InstallError> {
    registry.plugin(id).ok_or_else(|| {
        let ids = registry.plugins().iter().filter_map(Plugin::id);
        let nearest = crate::nearest::nearest(id, ids).map(str::to_owned);
        InstallError::Unknown { id: id.to_owned(), nearest }
    })
}

fn make_directory(directory: &Path) -> Result<(), InstallError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)
        .map_err(io_error("create", directory))
}

fn read_source(request: &AddRequest<'_>) -> Result<Vec<u8>, InstallError> {
    let source = request.source;
    let bytes = fs::read(source).map_err(io_error("read", source))?;
    let found = Sha256::of(&bytes);
    match request.sha256 {
        Some(expected) if expected != found => {
            let expected_by = "--sha256".to_owned();
            Err(refused(source, Reason::Hash { found, expected, expected_by }))
        }
        _ => Ok(bytes),
    }
}

/// The pre-flight of the copy. Its owner and mode are ours already; ids are checked by the caller.
fn examine_new(request: &AddRequest<'_>, copy: &Path) -> Result<Plugin, InstallError> {
    let settings = PluginSettings { trust: TrustPolicy::Dev, ..PluginSettings::only([]) };
    let directory =
        SearchDirectory { path: request.directory.to_owned(), origin: Origin::Registered };
    let plugin = Examiner::of_directory(&directory, &settings).examine(copy);
    match &plugin.refusal {
        Some(refusal) => {
            let refusal = Refusal { path: request.source.to_owned(), ..(**refusal).clone() };
            Err(InstallError::Refused(Arc::new(refusal)))
        }
        None => Ok(plugin),
    }
}

/// A refusal of the copy, as one of the file that the operator named.
fn of_source(request: &AddRequest<'_>, plugin: &Plugin, refusal: &Refusal) -> InstallError {
    let path = request.source.to_owned();
    let reason = refusal.reason.clone();
    InstallError::Refused(Arc::new(Refusal { path, plugin: plugin.label(), reason }))
}

/// The name of the source if it is one that is found in a plugin directory, else one made of the id.
fn installed_name(source: &Path, plugin: &Plugin) -> String {
    let name = source.file_name().map(|name| name.to_string_lossy().into_owned());
    let id = plugin.id().unwrap_or_default().replace('-', "_");
    name.filter(|name| name.ends_with(".so") && !name.starts_with('.'))
        .unwrap_or_else(|| format!("lib{id}.so"))
}

/// The version that is replaced, if the place is free or taken by the same plugin.
fn check_place(
    directory: &Path,
    path: &Path,
    plugin: &Plugin,
) -> Result<Option<Version>, InstallError> {
    let settings =
        PluginSettings { trust: TrustPolicy::Dev, ..PluginSettings::only([directory.to_owned()]) };
    let present = Registry::discover(&settings);
    let mut replaced = None;
    for other in present.plugins() {
        let same_id = other.id() == plugin.id();
        if other.path == path && !same_id && other.id().is_some()
            || other.path != path && same_id && other.id().is_some()
        {
            let id = other.id().unwrap_or_default().to_owned();
            return Err(InstallError::Occupied { path: other.path.clone(), id });
        }
        if other.path == path {
            replaced = other.note.as_ref().map(|note| note.version.clone());
        }
    }
    Ok(replaced)
}

fn lock_entry(
    plugin: &Plugin,
    path: &Path,
    bytes: &[u8],
    source: String,
) -> Result<LockEntry, InstallError> {
    let metadata = path.metadata().map_err(io_error("read", path))?;
    let missing = || refused(path, Reason::BadNote { what: "it could not be read".to_owned() });
    let note = plugin.note.as_ref().ok_or_else(missing)?;
    Ok(LockEntry {
        id: note.plugin.id.clone(),
        file: path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
        version: note.version.clone(),
        api: note.api.clone(),
        sha256: Sha256::of(bytes),
        size_bytes: metadata.len(),
        modified_ns: modified_ns(&metadata),
        inode: metadata.ino(),
        source,
        enabled: true,
    })
}

fn names(plugin: &Plugin) -> (String, Version, Vec<String>) {
    let Some(note) = &plugin.note else {
        return (String::new(), Version::new(0, 0, 0), Vec::new());
    };
    let engines = note.plugin.engines.iter().map(|engine| engine.id.clone()).collect();
    (note.plugin.id.clone(), note.version.clone(), engines)
}

fn directory_of(plugin: &Plugin) -> &Path {
    plugin.path.parent().unwrap_or(Path::new("/"))
}

fn refused(path: &Path, reason: Reason) -> InstallError {
    InstallError::Refused(Arc::new(Refusal { path: path.to_owned(), plugin: None, reason }))
}

fn io_error(step: &'static str, path: &Path) -> impl Fn(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Io { step, path: path.clone(), source }
}
