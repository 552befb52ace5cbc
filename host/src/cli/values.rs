//! Values of flags, parsed once.
use crate::config::{ssl_mode_from, units};
use dbbackup_plugin_api::document::connection::SslMode;
use std::{num::NonZeroU64, time::Duration};

/// `KEY=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) value: String,
}

pub(crate) fn key_value(text: &str) -> Result<KeyValue, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok(KeyValue { key: key.to_owned(), value: value.to_owned() })
        }
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, units::UnitError> {
    units::parse_duration(text)
}

/// Bytes a second, with or without `/s`.
pub(crate) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let text = text.strip_suffix("/s").unwrap_or(text);
    let bytes = units::parse_size(text).map_err(|error| error.to_string())?;
    NonZeroU64::new(bytes).ok_or_else(|| "a rate of 0 would never end".to_owned())
}

/// Bytes, such as 20M or 20971520.
pub(crate) fn size(text: &str) -> Result<u64, units::UnitError> {
    units::parse_size(text)
}

pub(super) fn ssl_mode(text: &str) -> Result<SslMode, String> {
    ssl_mode_from(text).ok_or_else(|| {
        "expected DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY".to_owned()
    })
}
