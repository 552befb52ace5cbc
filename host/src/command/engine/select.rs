//! `dbbackup engine select`: what is known, and which engine fits best.
use crate::{
    cli::ConnectionArgs,
    command::Context,
    engine_options::EngineOptions,
    output::{CommandResult, Report},
    pipeline::{Container, Encoding},
    plugin::{PluginError, Registry},
    selector::{SNAPSHOT_FAMILY, SelectError, Selector, SelectorConfig, explain},
    supervisor::Limits,
};
use clap::Args;

/// Show what is known of server and storage, and which engine fits best.
#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// Engine, engine family, or `auto` [default: `backup.engine` of the configuration].
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Member of the family `snapshot`, such as lvm, zfs or btrfs [default:
    /// `backup.snapshot.backend` of the configuration].
    #[arg(long, value_name = "NAME")]
    snapshot_backend: Option<String>,
    /// Where the backup would go [default: `backup.output_dir`].
    #[arg(long, value_name = "LOCATION")]
    output: Option<String>,
    /// Prefer engines that copy the server's files, whatever the size.
    #[arg(long)]
    prefer_physical: bool,
    /// Every engine with its points, reasons, and what would unlock it.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// The two blocks of the handbook; the choice is the one that `physical-backup` would make.
pub(super) fn run(args: &SelectArgs, context: &Context) -> CommandResult {
    let connection = context.connection(&args.connection)?;
    context.doing(format!("engine select for {}", connection.address()));
    let registry = context.registry();
    refuse_other_backend(&registry, args.engine.as_deref(), args.snapshot_backend.as_deref())?;
    let config = SelectorConfig {
        prefer_physical: args.prefer_physical,
        into_sql: args.output.as_deref().is_some_and(holds_sql),
        options: EngineOptions::of_config(&context.config),
        ..selector_config(context, args.snapshot_backend.as_ref())
    };
    let runtime = context.runtime(&registry, Limits::default())?;
    let progress = context.progress();
    let selector = Selector::new(&runtime, &progress, &context.cancel, config);
    let output_dir = context.config.backup.output_dir.display().to_string();
    let destination = args.output.as_ref().unwrap_or(&output_dir);
    let environment = selector.gather_info(&connection, destination)?;
    let name = args.engine.as_ref().unwrap_or(&context.config.backup.engine);
    let ranking = selector.rank(name, &connection, &environment)?;
    let reason = ranking.reason(name, &environment);
    // What the storage can do is a fact of the server, whichever engine was named.
    let family = selector.family_answers(SNAPSHOT_FAMILY, &ranking, &connection, &environment)?;
    let snapshots = explain::has_snapshots(&family);
    drop(progress);

    let mut text = explain::database_information(&environment, snapshots);
    let chosen = ranking.chosen().map(|chosen| chosen.engine.clone());
    let engine = chosen.as_deref().unwrap_or("none");
    let why = if chosen.is_some() { reason.as_str() } else { "no engine fits; see --explain" };
    text.push_str(&explain::recommendation(engine, why));
    if args.explain {
        text.push_str(&explain::explanation(&ranking));
    }
    let data = explain::data(&environment, &ranking, snapshots, &reason);
    let report = Report::new(&data, text);
    Ok(match chosen {
        Some(_) => report,
        None => report.failing(SelectError::none_fits(name, &ranking)),
    })
}

/// True for an output whose name says that it holds SQL text.
fn holds_sql(output: &str) -> bool {
    Encoding::from_output_name(output).is_ok_and(|encoding| encoding.container() == Container::Sql)
}

/// What the configuration says about choosing, and `--snapshot-backend`, which comes before it.
pub(crate) fn selector_config(context: &Context, backend: Option<&String>) -> SelectorConfig {
    let configured = context.config.backup.snapshot.backend;
    SelectorConfig {
        auto_select_third_party: context.config.plugins.auto_select_third_party,
        backend: backend.cloned().or(configured.map(|backend| backend.name().to_owned())),
        ..SelectorConfig::default()
    }
}

/// Refuses `--engine` and `--snapshot-backend` that contradict each other. A backend of the
/// configuration gives way to an engine that is named.
pub(crate) fn refuse_other_backend(
    registry: &Registry,
    engine: Option<&str>,
    backend: Option<&str>,
) -> Result<(), PluginError> {
    let (Some(engine), Some(backend)) = (engine, backend) else { return Ok(()) };
    if matches!(engine, "auto" | SNAPSHOT_FAMILY) {
        return Ok(());
    }
    let named = registry.engine_or_family(engine, None)?;
    let is_of_it = named.iter().any(|found| found.engine.backend.as_deref() == Some(backend));
    if is_of_it {
        return Ok(());
    }
    Err(PluginError::OtherBackend { engine: engine.to_owned(), backend: backend.to_owned() })
}
