//! The table of checks.
use super::{Verdict, child::Order, contract, data_path, process_state};

/// One check: a promise of the contract, and the function that tries it in its own process.
#[derive(Clone, Copy)]
pub struct Check {
    /// Name, as in reports.
    pub name: &'static str,
    /// The promise.
    pub promise: &'static str,
    pub(super) run: fn(&Order) -> Result<Verdict, String>,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every check that runs on an engine, in order.
pub const CHECKS: &[Check] = &[
    Check {
        name: "load",
        promise: "loads, agrees with its note, plays every role that it promises",
        run: contract::loads,
    },
    Check {
        name: "assess",
        promise: "assess answers within 5 seconds and leaves no trace",
        run: contract::assesses,
    },
    Check {
        name: "unknown-fields",
        promise: "fields of later versions in a document are tolerated",
        run: contract::tolerates_unknown_fields,
    },
    Check {
        name: "bad-input",
        promise: "wrong documents, options, engines and roles are errors",
        run: contract::refuses_bad_input,
    },
    Check {
        name: "panic",
        promise: "a panic inside becomes an error",
        run: contract::turns_panic_into_error,
    },
    Check {
        name: "process",
        promise: "environment, directory, umask and signals stay as they are",
        run: process_state::is_left_alone,
    },
    Check {
        name: "leaks",
        promise: "repeated use leaves no descriptor and no thread behind",
        run: process_state::leaks_nothing,
    },
    Check {
        name: "backup",
        promise: "a backup ends well, its entries finished, its journal balanced",
        run: data_path::backs_up,
    },
    Check {
        name: "sink-error",
        promise: "an error of the sink ends the backup with an error",
        run: data_path::reports_sink_errors,
    },
    Check {
        name: "cancel",
        promise: "ends within 2 seconds of a cancellation, at ten random moments",
        run: data_path::obeys_cancellation,
    },
    Check {
        name: "round-trip",
        promise: "what backup wrote, restore takes",
        run: data_path::restores_what_it_wrote,
    },
];
