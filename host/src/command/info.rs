//! `dbbackup info ARTEFACT`: the whole manifest of one backup.
use super::{Context, backup::coordinates};
use crate::{
    artefact,
    config::units::format_size,
    coordinates::KnownCoordinates,
    output::{CommandResult, Report},
};
use clap::Args;
use dbbackup_plugin_api::document::manifest::Manifest;
use serde_json::json;
use std::path::PathBuf;

/// Show everything that is known about one backup.
#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The backup: a file or a directory.
    artefact: PathBuf,
}

/// The manifest, checked to belong to the artefact.
pub(super) fn run(args: &InfoArgs, context: &Context) -> CommandResult {
    context.doing(format!("info of {}", args.artefact.display()));
    let manifest = artefact::open_manifest(&args.artefact)?;
    let known = KnownCoordinates::read(&args.artefact, &manifest)?;
    let mut text = describe(&manifest);
    let mut data = serde_json::to_value(&manifest).unwrap_or_default();
    if let (Some(known), Some(fields)) = (known, data.as_object_mut()) {
        let exact = coordinates(&known.coordinates);
        text.push_str(&format!("Exact coordinates: {exact}, told by the first boot\n"));
        fields.insert("exact_coordinates".to_owned(), json!(known));
    }
    Ok(Report::new(&data, text))
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
