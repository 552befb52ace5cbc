//! `dbbackup info ARTEFACT`: the whole manifest of one backup, or how to attach a replica made of it.
use super::{Context, backup::coordinates};
use crate::{
    cli::TargetArgs,
    config::units::format_size,
    coordinates::KnownCoordinates,
    output::{CommandResult, Report},
    replica_statement,
};
use clap::Args;
use dbbackup_plugin_api::document::manifest::{Manifest, ReplicaSourceRecord};
use serde_json::json;
use std::ffi::OsString;

/// Show everything that is known about one backup.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The backup: a file, a directory, or a name such as s3://bucket/path/backup.tar.gz.
    artefact: OsString,
    /// Print the statements that attach a server restored from it as a replica of its source, and
    /// of its source's sources if that was a replica. They run nowhere.
    #[arg(long)]
    replica_statement: bool,
    #[command(flatten)]
    target: TargetArgs,
}

/// The manifest, checked to belong to the artefact.
pub(super) fn run(args: &InfoArgs, context: &Context) -> CommandResult {
    context.doing(format!("info of {}", args.artefact.display()));
    let found = context.places(std::slice::from_ref(&args.artefact), &args.target)?;
    let place = found.places.first().cloned().unwrap_or_default();
    let artefact = context.open(&place, &found.registry)?;
    let manifest = artefact.manifest()?;
    let known = KnownCoordinates::read(&artefact, &manifest)?;
    if args.replica_statement {
        return replica_statements(&manifest, known);
    }
    let mut text = describe(&manifest);
    let mut data = serde_json::to_value(&manifest).unwrap_or_default();
    if let (Some(known), Some(fields)) = (known, data.as_object_mut()) {
        let exact = coordinates(&known.coordinates);
        text.push_str(&format!("Exact coordinates: {exact}, told by the first boot\n"));
        fields.insert("exact_coordinates".to_owned(), json!(known));
    }
    Ok(Report::new(&data, text))
}

/// The statements alone, from the exact coordinates where a first boot has told them.
fn replica_statements(manifest: &Manifest, known: Option<KnownCoordinates>) -> CommandResult {
    let coordinates = known.map(|known| known.coordinates);
    let attachments = replica_statement::attachments_at(manifest, coordinates)?;
    let script = replica_statement::script(&attachments);
    Ok(Report::new(&json!({"id": manifest.id, "attachments": attachments}), script))
}

fn describe(manifest: &Manifest) -> String {
    let bytes: u64 = manifest.files.iter().map(|file| file.size_bytes).sum();
    let stored: u64 = manifest.objects.iter().map(|object| object.size_bytes).sum();
    let (source, encoding) = (&manifest.source, &manifest.encoding);
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("{name}: {value}\n"));
        }
    };
    line("Backup", manifest.id.clone());
    line("State", format!("{:?}", manifest.state).to_lowercase());
    line("Engine", format!("{} ({})", manifest.engine.id, manifest.engine.reason));
    line("Plugin", format!("{} {}", manifest.engine.plugin, manifest.engine.plugin_version));
    line("Source", format!("{} ({} {})", source.address, source.flavor, source.version));
    line("Started", manifest.times.started.clone());
    line("Consistent at", manifest.times.consistent.clone().unwrap_or_default());
    line("Ended", manifest.times.ended.clone());
    line("Coordinates", coordinates(&manifest.coordinates));
    manifest.replica_sources.iter().for_each(|source| line("Replica of", replica_of(source)));
    line(
        "Encoding",
        format!(
            "{}, {}, encryption {}",
            encoding.container, encoding.compression, encoding.encryption
        ),
    );
    line("Content", format!("{} members, {}", manifest.files.len(), format_size(bytes)));
    line("Size", format_size(stored));
    for object in &manifest.objects {
        line("Object", format!("{} sha256 {}", object.name, object.sha256));
    }
    for (root, path) in &manifest.roots {
        line("Root", format!("{root} from {path}"));
    }
    let pages = &manifest.pages;
    if pages.checked + pages.unchecked > 0 {
        line("Pages", format!("{} checked, {} bad", pages.checked, pages.bad));
    }
    manifest.degraded.iter().for_each(|promise| line("Degraded", promise.clone()));
    for excluded in &manifest.excluded {
        line("Excluded", format!("{}: {}", excluded.what, excluded.why));
    }
    manifest.restore_needs.iter().for_each(|need| line("Restore needs", need.clone()));
    text
}

/// Source, channel and positions of a replica that was backed up.
fn replica_of(source: &ReplicaSourceRecord) -> String {
    let channel = match source.channel.as_str() {
        "" => String::new(),
        name => format!(", channel {name}"),
    };
    let binlog = source.binlog.as_ref().map(|at| format!(", at {at}")).unwrap_or_default();
    let gtid = source.gtid.as_ref().map(|gtid| format!(", GTID {gtid}")).unwrap_or_default();
    format!("{}{channel}{binlog}{gtid}", source.source)
}
