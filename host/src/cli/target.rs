//! Flags for places that an engine serves, such as `s3://bucket/path`.
use super::{KeyValue, key_value};
use crate::{config::Config, engine_options::EngineOptions};
use clap::Args;
use std::path::PathBuf;

/// How a place such as s3://bucket/path is reached; paths of this machine need none of it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Places such as s3://bucket/path")]
pub(crate) struct TargetArgs {
    /// Address of the store, where it is not the one of the region.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Region of the bucket.
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Put the bucket into the path, not into the host name; the default with an address of its own.
    #[arg(long, value_name = "BOOL")]
    path_style: Option<bool>,
    /// File with the authorities that the store's certificate is checked against.
    #[arg(long, value_name = "FILE")]
    target_ca: Option<PathBuf>,
    /// Option of the engine that serves the place, as `engine info` lists them; may be given several
    /// times.
    #[arg(long = "target-option", value_name = "KEY=VALUE", value_parser = key_value)]
    target_options: Vec<KeyValue>,
}

impl TargetArgs {
    /// The options of the engine that serves the place: of the configuration and of the flags.
    pub(crate) fn options(&self, config: &Config) -> EngineOptions {
        let ca = self.target_ca.as_ref().map(|path| path.display().to_string());
        let flags = [
            ("endpoint", self.endpoint_url.clone()),
            ("region", self.region.clone()),
            ("path_style", self.path_style.map(|choice| choice.to_string())),
            ("ca_file", ca),
        ];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        let given = self.target_options.iter().cloned().map(|option| (option.key, option.value));
        EngineOptions { given: flags.chain(given).collect(), ..EngineOptions::of_config(config) }
    }
}
