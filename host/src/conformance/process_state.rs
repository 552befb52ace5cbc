//! Checks of the process: what a plugin shares with the host and must leave alone.
use super::{
    Verdict,
    child::Order,
    contract::text,
    data_path::{self, Readiness},
    load,
    services::CheckServices,
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;
/// Threads that were told to end need a moment.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);
const SETTLE_POLL: Duration = Duration::from_millis(20);

pub(super) fn is_left_alone(order: &Order) -> Result<Verdict, String> {
    let before = Shared::now()?;
    use_once(order)?;
    before.compare(&Shared::now()?)?;
    Ok(Verdict::Passed)
}

pub(super) fn leaks_nothing(order: &Order) -> Result<Verdict, String> {
    // A runtime that is made once and kept is no leak, so that the first rounds do not count.
    use_once(order)?;
    use_once(order)?;
    let before = Counts::settled(Counts { descriptors: 0, threads: 0 })?;
    for _ in 0..ROUNDS {
        use_once(order)?;
    }
    let after = Counts::settled(before)?;
    if after.descriptors > before.descriptors {
        let more = after.descriptors - before.descriptors;
        return Err(format!("{more} more descriptors after {ROUNDS} uses"));
    }
    if after.threads > before.threads {
        let more = after.threads - before.threads;
        return Err(format!("{more} more threads after {ROUNDS} uses"));
    }
    Ok(Verdict::Passed)
}

/// Makes the engine, assesses, backs up where it can, and drops it.
fn use_once(order: &Order) -> Result<(), String> {
    let services = CheckServices::new(order.secrets.clone())?;
    if let Readiness::Ready(engine) = data_path::readiness(order, &services)? {
        data_path::back_up(&engine, order, &super::archive::CheckArchive::new(&services))
            .map_err(|error| text(&error))?;
    } else {
        let engine = load(order, &services).map_err(|error| text(&error))?;
        engine.assess(&order.environment).map_err(|error| text(&error))?;
    }
    Ok(())
}

/// What every thread of a process shares.
#[derive(Debug, PartialEq, Eq)]
struct Shared {
    environment: BTreeMap<OsString, OsString>,
    directory: PathBuf,
    /// Umask and signal sets, as the kernel prints them.
    status: BTreeMap<String, String>,
}

impl Shared {
    fn now() -> Result<Self, String> {
        let say = |error: io::Error| format!("read the state of the process: {error}");
        let status = fs::read_to_string("/proc/self/status").map_err(say)?;
        let watched = ["Umask", "SigBlk", "SigIgn", "SigCgt"];
        let fields = status.lines().filter_map(|line| line.split_once(':'));
        let fields = fields.filter(|(name, _)| watched.contains(name));
        Ok(Self {
            environment: std::env::vars_os().collect(),
            directory: std::env::current_dir().map_err(say)?,
            status: fields.map(|(name, set)| (name.to_owned(), set.trim().to_owned())).collect(),
        })
    }

    fn compare(&self, after: &Self) -> Result<(), String> {
        if self.environment != after.environment {
            let changed =
                after.environment.iter().find(|(n, v)| self.environment.get(*n) != Some(v));
            let name = changed.map_or_else(String::new, |(name, _)| name.display().to_string());
            return Err(format!("changed the environment {name}"));
        }
        if self.directory != after.directory {
            return Err(format!("changed the directory to {}", after.directory.display()));
        }
        for (name, set) in &self.status {
            let now = after.status.get(name).map_or("", String::as_str);
            if now != set {
                return Err(format!("changed {name} from {set} to {now}"));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    descriptors: usize,
    threads: usize,
}

impl Counts {
    fn now() -> Result<Self, String> {
        let count = |directory: &str| {
            fs::read_dir(directory)
                .map(Iterator::count)
                .map_err(|error| format!("read {directory}: {error}"))
        };
        Ok(Self { descriptors: count("/proc/self/fd")?, threads: count("/proc/self/task")? })
    }

    /// The counts once they are no higher than `base`, or after a while.
    fn settled(base: Self) -> Result<Self, String> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            let now = Self::now()?;
            let is_settled = now.descriptors <= base.descriptors && now.threads <= base.threads;
            if is_settled || Instant::now() >= deadline {
                return Ok(now);
            }
            std::thread::park_timeout(SETTLE_POLL);
        }
    }
}
