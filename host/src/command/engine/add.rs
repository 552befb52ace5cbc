//! `dbbackup engine add FILE`: checked, probed in a process of its own, installed, pinned.
use crate::{
    command::Context,
    exit::Failure,
    output::{CommandResult, Report},
    plugin::{self, AddRequest, PluginCode, Reason, Refusal, Registry, Sha256},
    supervisor::{
        Limits, Secrets,
        job::{EnginePin, Task},
        runtime::new_run_id,
    },
};
use clap::Args;
use jiff::Timestamp;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Longest time that a plugin may take to load.
const PROBE_STALL: Duration = Duration::from_secs(30);

/// Install a plugin.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The plugin file.
    file: PathBuf,
    /// Digest that the file must have.
    #[arg(long, value_name = "HEX")]
    sha256: Option<Sha256>,
}

/// Installs into the first of --plugin-dir and `plugins.dirs`, else the usual directory.
pub(super) fn run(args: &AddArgs, context: &Context) -> CommandResult {
    context.doing(format!("install {}", args.file.display()));
    let directory = context.install_directory()?;
    let registry = context.registry();
    let request = AddRequest { source: &args.file, directory: &directory, sha256: args.sha256 };
    let added = plugin::add(&request, &|file| probe(file, &registry, context))?;
    let replaced = added.replaced.as_ref().map(|version| format!(", in place of {version}"));
    let text = format!(
        "installed {} {} ({}{})\nsha256 {}\n",
        added.id,
        added.version,
        added.path.display(),
        replaced.unwrap_or_default(),
        added.sha256
    );
    Ok(Report::new(&added, text))
}

/// Loads the file in a worker: whatever it does there, this process goes on.
fn probe(file: &Path, registry: &Registry, context: &Context) -> Result<(), Arc<Refusal>> {
    let outcome = run_probe(file, registry, context);
    outcome.map_err(|failure| {
        let what = failure.to_string();
        let what = what.lines().next().unwrap_or_default().to_owned();
        let code = PluginCode::named(&failure.code()).unwrap_or(PluginCode::Crashed);
        let reason = Reason::Probe { code, what };
        Arc::new(Refusal { path: file.to_owned(), plugin: None, reason })
    })
}

fn run_probe(file: &Path, registry: &Registry, context: &Context) -> Result<(), Failure> {
    let plugin = EnginePin {
        plugin: String::new(),
        engine: String::new(),
        path: file.to_owned(),
        sha256: String::new(),
        environment: Vec::new(),
    };
    let limits = Limits { stall: PROBE_STALL, ..Limits::default() };
    let runtime = context.runtime(registry, limits)?;
    let run_id = new_run_id(Timestamp::now());
    let job = runtime.job(&run_id, &Secrets::new(), Task::Probe { plugin });
    runtime.supervisor(&context.progress(), &context.cancel).run(job)?;
    Ok(())
}
