//! One tokio runtime per plugin, made when first needed: every cdylib has its own statics, so a
//! runtime of the host would not be found.
use crate::failure::Classify;
use dbbackup_plugin_api::error::ErrorCode;
use std::{future::Future, sync::OnceLock};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The runtime could not be made.
#[derive(Debug, thiserror::Error)]
#[error("start the plugin's runtime")]
pub struct RuntimeError(#[from] std::io::Error);

impl Classify for RuntimeError {
    fn code(&self) -> ErrorCode {
        ErrorCode::INTERNAL
    }
}

/// Runs a future to its end on the plugin's runtime. Not to be called from inside it.
///
/// # Errors
/// [`RuntimeError`] if threads cannot be started.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, RuntimeError> {
    Ok(runtime()?.block_on(future))
}

/// The plugin's runtime.
///
/// # Errors
/// [`RuntimeError`] if threads cannot be started.
pub fn runtime() -> Result<&'static Runtime, RuntimeError> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("dbbackup-plugin")
        .enable_all()
        .build()?;
    Ok(RUNTIME.get_or_init(|| made))
}
