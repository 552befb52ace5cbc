//! The guard around every call from the host: no panic crosses the boundary.
use crate::failure::Failure;
use abi_stable::std_types::RResult;
use dbbackup_plugin_api::error::{AbiResult, EngineError, ErrorCode};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a body; a failure crosses as it is, a panic as an error with code `PANIC`.
pub fn guard<T>(body: impl FnOnce() -> Result<T, Failure>) -> AbiResult<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => RResult::ROk(value),
        Ok(Err(failure)) => RResult::RErr(failure.into_inner()),
        Err(panic) => RResult::RErr(panicked(panic.as_ref())),
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> EngineError {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a text".to_owned());
    EngineError::new(ErrorCode::PANIC, format!("the plugin panicked: {text}"))
        .with_hint("this is a defect of the plugin: report it to its vendor with the log")
}
