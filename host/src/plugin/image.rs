//! From a listed plugin to its initialised root: the bytes that are hashed are the bytes that run.
use super::{Plugin, Reason, Refusal, Sha256, TrustPolicy, library, note, preflight, trust};
use dbbackup_plugin_api::{abi_stable::std_types::RResult, host::HostBox, root::PluginRoot_Ref};
use std::{
    collections::BTreeMap,
    io::Read,
    sync::{Arc, Mutex, PoisonError},
};

/// Longest library that is read into memory, bytes.
const LONGEST_LIBRARY_BYTES: u64 = 1 << 30;

/// Loads a plugin and initialises it, once a process; later calls answer the same root.
///
/// # Errors
/// The refusal of the file.
pub(super) fn initialised_root(
    plugin: &Plugin,
    policy: TrustPolicy,
    host: HostBox,
) -> Result<PluginRoot_Ref, Arc<Refusal>> {
    let refuse =
        |reason| Arc::new(Refusal { path: plugin.path.clone(), plugin: plugin.label(), reason });
    initialise(plugin, policy, host).map_err(refuse)
}

/// Roots by the digest of their file. A library that is loaded stays, even if `init` failed.
static INITIALISED: Mutex<BTreeMap<Sha256, PluginRoot_Ref>> = Mutex::new(BTreeMap::new());

fn initialise(
    plugin: &Plugin,
    policy: TrustPolicy,
    host: HostBox,
) -> Result<PluginRoot_Ref, Reason> {
    let note =
        plugin.note.as_ref().ok_or(Reason::BadNote { what: "it could not be read".to_owned() })?;
    let (mut file, metadata) = trust::open_regular(&plugin.path)?;
    if policy != TrustPolicy::Dev {
        trust::check_owner(&plugin.path, &metadata)?;
    }
    let mut bytes = Vec::new();
    let mut limited = (&mut file).take(LONGEST_LIBRARY_BYTES);
    limited.read_to_end(&mut bytes).map_err(trust::unreadable)?;
    let digest = check_content(plugin, &bytes)?;

    // Held across the load: two threads must not initialise one plugin twice.
    let mut initialised = INITIALISED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(root) = initialised.get(&digest) {
        return Ok(*root);
    }
    let image = library::Image { file: &file, bytes: &bytes, api: &note.api };
    let root = library::load_root(&image)?;
    check_manifest(plugin, root)?;
    if let RResult::RErr(error) = root.init()(host) {
        return Err(Reason::Init { error: Box::new(error) });
    }
    initialised.insert(digest, root);
    Ok(root)
}

/// Everything is checked again on the bytes that will run: the file may have changed since it was
/// listed.
fn check_content(plugin: &Plugin, bytes: &[u8]) -> Result<Sha256, Reason> {
    let found = Sha256::of(bytes);
    if let Some(expected) = plugin.pinned.filter(|pinned| *pinned != found) {
        let expected_by = super::LOCK_FILE_NAME.to_owned();
        return Err(Reason::Hash { found, expected, expected_by });
    }
    let preflight = preflight::inspect(bytes)?;
    preflight::check_linkage(bytes)?;
    if preflight.note_json != plugin.note_json {
        let what = "the file changed after it was listed".to_owned();
        return Err(Reason::NoteContradicted { what });
    }
    Ok(found)
}

fn check_manifest(plugin: &Plugin, root: PluginRoot_Ref) -> Result<(), Reason> {
    let running = root.manifest()();
    if note::without_padding(running.as_str()) != plugin.note_json {
        let what = "the running code has another manifest".to_owned();
        return Err(Reason::NoteContradicted { what });
    }
    Ok(())
}
