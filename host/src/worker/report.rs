//! Errors as they go to the supervisor, and those of the host as they go to plugins and come back.
use super::error::WorkerError;
use crate::{exit::Exit, plugin::PluginError, supervisor::job::ErrorReport};
use dbbackup_plugin_api::{
    abi_stable::std_types::{RResult, RString},
    error::{AbiResult, EngineError, ErrorCode},
};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Refusals that are remembered: the last ones.
const REMEMBERED: usize = 16;

/// An error on its way to a plugin.
pub(super) type Refused = Box<EngineError>;

/// A result as it crosses the boundary.
pub(super) fn answer<T>(result: Result<T, Refused>) -> AbiResult<T> {
    match result {
        Ok(value) => RResult::ROk(value),
        Err(error) => RResult::RErr(*error),
    }
}

/// What the host has refused to plugins. A plugin's error has a class and no code: where one hands
/// on what it was refused, the host's own code is found here.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<VecDeque<Told>>);

#[derive(Debug)]
struct Told {
    class: ErrorCode,
    text: String,
    code: String,
}

impl Refusals {
    /// An error of the host as a plugin gets it: class, causes and hint.
    pub(super) fn refuse(&self, report: &ErrorReport) -> Refused {
        let class = class_of(report);
        let mut error = EngineError::new(class, report.message.as_str());
        error.causes = report.causes.iter().map(|cause| RString::from(cause.as_str())).collect();
        error.retryable = report.retryable;
        error.hint = RString::from(report.hint.as_deref().unwrap_or_default());
        let mut told = self.told();
        if told.len() == REMEMBERED {
            told.pop_front();
        }
        told.push_back(Told { class, text: error.to_string(), code: report.code.clone() });
        Box::new(error)
    }

    /// The report of an error, with the host's own code where it is the host's own error.
    pub(super) fn report(&self, error: &WorkerError) -> ErrorReport {
        let mut report = ErrorReport::of(error);
        if let WorkerError::Plugin(plugin) = error
            && let PluginError::Engine { error, .. } = plugin.as_ref()
            && let Some(code) = self.code_behind(error)
        {
            report.code = code;
        }
        report
    }

    fn code_behind(&self, error: &EngineError) -> Option<String> {
        let (told, whole) = (self.told(), error.to_string());
        let is_it = |told: &&Told| {
            let is_cause = || error.causes.iter().any(|cause| cause.as_str() == told.text);
            told.class == error.code && (whole == told.text || is_cause())
        };
        told.iter().find(is_it).map(|told| told.code.clone())
    }

    /// Whole whoever panicked while holding it.
    fn told(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The class whose exit code is that of the error.
fn class_of(report: &ErrorReport) -> ErrorCode {
    match Exit::from_code(report.exit) {
        Some(Exit::Usage | Exit::Configuration) => ErrorCode::CONFIG,
        Some(Exit::Precondition) => ErrorCode::PRECONDITION,
        Some(Exit::Refused) => ErrorCode::SAFETY,
        Some(Exit::Server) => ErrorCode::CONNECT,
        Some(Exit::Target) => ErrorCode::SINK_IO,
        Some(Exit::NoSpace) => ErrorCode::NO_SPACE,
        Some(Exit::Timeout) => ErrorCode::TIMEOUT,
        _ => ErrorCode::INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::journal::JournalError;
    use dbbackup_plugin_api::abi_stable::std_types::RVec;

    /// What an engine makes of an error of the host, as the sdk does.
    fn handed_on(error: &EngineError) -> WorkerError {
        let message = RString::from(error.to_string());
        let error = Box::new(EngineError { causes: RVec::new(), message, ..error.clone() });
        PluginError::Engine { engine: "acme".to_owned(), step: "backup", error }.into()
    }

    #[test]
    fn a_refusal_that_an_engine_hands_on_keeps_its_code_and_class() {
        let refusals = Refusals::default();
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let full = JournalError::Io { path: "/var/lib/j".into(), source };
        for (refused, class) in
            [(full, ErrorCode::NO_SPACE), (JournalError::TooMany, ErrorCode::INTERNAL)]
        {
            let refused = ErrorReport::of(&refused);
            let error = refusals.refuse(&refused);
            assert_eq!(error.code, class);
            assert_eq!(refusals.report(&handed_on(&error)).code, refused.code);
        }
    }

    #[test]
    fn an_error_of_the_engines_own_keeps_its_own_code() {
        let refusals = Refusals::default();
        let refused = refusals.refuse(&ErrorReport::of(&JournalError::TooMany));
        let own = EngineError::new(refused.code, "something else");
        assert_eq!(refusals.report(&handed_on(&own)).code, "E-ENGINE-99");
        let other = EngineError { code: ErrorCode::TOOL, ..*refused };
        assert_eq!(refusals.report(&handed_on(&other)).code, "E-ENGINE-40");
    }
}
