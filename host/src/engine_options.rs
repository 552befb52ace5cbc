//! Options of engines, from the configuration and from flags, in the types that the schema in the
//! engine's manifest asks for.
use crate::{
    config::Config,
    plugin::{OptionProblem, PluginError, check_options},
};
use dbbackup_plugin_api::document::plugin::EngineManifest;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::PathBuf};

/// Options before it is known which engine gets them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineOptions {
    /// `engines.<id>` of the configuration.
    pub by_engine: BTreeMap<String, Map<String, Value>>,
    /// `--engine-option KEY=VALUE` in their order; a key may come again for a list.
    pub given: Vec<(String, String)>,
    /// Options of this run that must be there in the engine's schema: `databases`, `exclude`.
    pub required: Vec<(&'static str, Value)>,
}

impl EngineOptions {
    /// Those of the configuration alone.
    ///
    /// The handbook's keys of `backup.clone`, `backup.snapshot` and `backup.streaming` are options of their
    /// engines; one that is given as `engines.<id>.<option>` too is taken from there.
    pub fn of_config(config: &Config) -> Self {
        let mut by_engine = config.engines.clone();
        let (snapshot, streaming) = (&config.backup.snapshot, &config.backup.streaming);
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let path = |value: &Option<PathBuf>| {
            value.as_ref().map(|path| Value::from(path.display().to_string()))
        };
        let keys = [
            // The methods that have no use for one leave it alone.
            ("clone", "data_dir", path(&config.backup.clone.data_dir)),
            ("btrfs-snapshot", "subvolume", path(&snapshot.btrfs_subvolume)),
            ("lvm-snapshot", "volume_group", text(&snapshot.lvm_volume_group)),
            ("lvm-snapshot", "snapshot_bytes", snapshot.lvm_snapshot_bytes.map(Value::from)),
            ("zfs-snapshot", "dataset", text(&snapshot.zfs_dataset)),
            ("s3-stream", "part_size", Some(streaming.part_bytes.into())),
            ("s3-stream", "workers", Some(streaming.workers.into())),
            ("s3-stream", "checksum", Some(streaming.checksum.into())),
        ];
        for (engine, option, value) in keys {
            if let Some(value) = value {
                let options = by_engine.entry(engine.to_owned()).or_default();
                options.entry(option).or_insert(value);
            }
        }
        Self { by_engine, ..Self::default() }
    }

    /// The options of one engine, checked against its schema.
    ///
    /// # Errors
    /// [`PluginError::Options`] with everything that is wrong.
    pub fn of(&self, engine: &EngineManifest) -> Result<Value, PluginError> {
        let mut options = self.by_engine.get(&engine.id).cloned().unwrap_or_default();
        for (name, value) in &mut options {
            if let Value::String(text) = value {
                *value = typed(engine, name, text);
            }
        }
        let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (name, text) in &self.given {
            if kind(engine, name) == Some("array") {
                let items = text.split(',').map(|item| Value::from(item.trim()));
                lists.entry(name).or_default().extend(items);
            } else {
                options.insert(name.clone(), typed(engine, name, text));
            }
        }
        options.extend(lists.into_iter().map(|(name, items)| (name.to_owned(), items.into())));
        options.extend(self.required.iter().map(|(name, v)| ((*name).to_owned(), v.clone())));
        let options = Value::Object(options);
        let problems = check_options(engine, &options).err();
        match problems.or_else(|| self.missing(engine)) {
            None => Ok(options),
            Some(problems) => Err(PluginError::Options { engine: engine.id.clone(), problems }),
        }
    }

    /// A schema that allows any further option would silently ignore what this run requires.
    fn missing(&self, engine: &EngineManifest) -> Option<Vec<OptionProblem>> {
        let lacking = self.required.iter().filter(|(name, _)| property(engine, name).is_none());
        let problems: Vec<_> = lacking
            .map(|(name, _)| OptionProblem::Unknown { name: (*name).to_owned(), nearest: None })
            .collect();
        (!problems.is_empty()).then_some(problems)
    }
}

fn property<'m>(engine: &'m EngineManifest, name: &str) -> Option<&'m Value> {
    engine.options_schema.get("properties")?.get(name)
}

fn kind<'m>(engine: &'m EngineManifest, name: &str) -> Option<&'m str> {
    property(engine, name)?.get("type")?.as_str()
}

/// Text as the type that the schema asks for; text where it cannot be that type, so that the check
/// names the mistake.
fn typed(engine: &EngineManifest, name: &str, text: &str) -> Value {
    let parsed = match kind(engine, name) {
        Some("integer") => text.parse::<i64>().ok().map(Value::from),
        Some("number") => text.parse::<f64>().ok().map(Value::from),
        Some("boolean") => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests;
