//! The files of the system tablespace. A server is told of them by their full paths where they do not
//! all lie in one directory, and started with the paths of the source it would open the live files.
use super::{Layout, RestoreError};
use dbbackup_plugin_api::document::manifest::Manifest;
use std::path::Path;

/// The setting that names them.
const FILE_PATH: &str = "innodb_data_file_path";
/// What a server has if it is not told.
const USUAL: &str = "ibdata1:12M:autoextend";

impl Layout {
    /// The options that name the files where they are now, if a server has to be told.
    ///
    /// # Errors
    /// [`RestoreError::SystemFile`]: one of them is in no root of the backup.
    pub(super) fn system_files(&self, manifest: &Manifest) -> Result<Vec<String>, RestoreError> {
        let value = manifest.source.facts.get(FILE_PATH).and_then(|value| value.as_str());
        let Some(value) = value.filter(|value| *value != USUAL) else { return Ok(Vec::new()) };
        let mut has_full_path = false;
        let mut files = Vec::new();
        // `/srv/one/ibdata1:12M;ibdata2:12M:autoextend`
        for file in value.split(';') {
            let (name, size) = file.split_once(':').unwrap_or((file, ""));
            let path = Path::new(name.trim());
            if !path.is_absolute() {
                files.push(file.to_owned());
                continue;
            }
            has_full_path = true;
            let moved = self
                .moved(path, manifest)
                .ok_or_else(|| RestoreError::SystemFile { path: path.to_owned() })?;
            files.push(format!("{}:{size}", moved.display()));
        }
        let mut options = vec![format!("--innodb-data-file-path={}", files.join(";"))];
        if has_full_path {
            // Full paths are taken as such only where no directory is put before them.
            options.push("--innodb-data-home-dir=".to_owned());
        }
        Ok(options)
    }
}
