//! Keys for encrypted tables.
use super::Server;
use anyhow::{Context, Result};
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Keys 1 and 2 of MariaDB's `file_key_management`; they protect nothing but test data.
const MARIADB_KEYS: &str = "\
1;4c6e1d1f0b1f4a7b9d2e8c3f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7
2;a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90
";

/// Writes what the server needs to find its keys, before it starts.
pub(super) fn provide(server: &Server) -> Result<()> {
    if !server.options.keyring {
        return Ok(());
    }
    if server.flavor().is_mariadb() {
        return fs::write(server.scratch.join("keys"), MARIADB_KEYS).context("write the keys");
    }
    allow_local_manifests(server.tree.plugin_dir().as_path())?;
    if let Some(other) = &server.options.keyring_of {
        fs::copy(other, server.keyring_path()).context("copy the keyring")?;
    }
    let keys = serde_json::json!({
        "path": server.keyring_path(),
        "read_only": false,
    });
    let manifest = serde_json::json!({ "components": "file://component_keyring_file" });
    let file = |name: &str| server.datadir.join(name);
    fs::write(file("component_keyring_file.cnf"), keys.to_string())?;
    fs::write(file("mysqld.my"), manifest.to_string()).context("write the manifest of components")
}

/// MySQL loads a keyring component only if a manifest beside the program allows one in the data
/// directory. The fetched tree is shared, so each file appears whole and stays; a server whose
/// data directory names no component starts as if they were not there.
fn allow_local_manifests(plugin_dir: &Path) -> Result<()> {
    let usr = plugin_dir.ancestors().nth(3).context("the plugin directory is too short")?;
    for (directory, name, text) in [
        (usr.join("sbin"), "mysqld.my", r#"{"read_local_manifest": true}"#),
        (plugin_dir.to_owned(), "component_keyring_file.cnf", r#"{"read_local_config": true}"#),
    ] {
        let mut file = tempfile::NamedTempFile::new_in(&directory)?;
        file.write_all(text.as_bytes())?;
        file.persist(directory.join(name)).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}

/// The options that name the keys.
pub(super) fn arguments(server: &Server) -> Vec<String> {
    if !server.options.keyring || !server.flavor().is_mariadb() {
        return Vec::new();
    }
    vec![
        "--plugin-load-add=file_key_management".to_owned(),
        format!("--file-key-management-filename={}", server.scratch.join("keys").display()),
    ]
}
