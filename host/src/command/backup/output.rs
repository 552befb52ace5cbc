//! Where a backup goes and how its bytes are written, from flags and configuration.
use super::PhysicalBackupArgs;
use crate::{
    cli::UsageError, command::Context, connection::Connection, exit::Failure, pipeline::Encoding,
    target::OutputLocation,
};
use jiff::Timestamp;

/// Ending of the name that a backup gets where none is given.
const DEFAULT_ENDING: &str = "tar.gz";

/// Where to, and how.
pub(super) struct Output {
    pub(super) location: OutputLocation,
    pub(super) encoding: Encoding,
}

/// Resolves and checks them against each other.
pub(super) fn resolve(
    args: &PhysicalBackupArgs,
    context: &Context,
    connection: &Connection,
) -> Result<Output, Failure> {
    let wants_key = !args.writing.encrypt_to.is_empty();
    let location = match &args.output {
        Some(given) => OutputLocation::from(given.as_os_str()),
        None => OutputLocation::File(default_path(args, context, connection)),
    };
    check_manifest_flags(args, &location)?;
    let name = match (&args.format, &location) {
        (Some(ending), _) => format!("backup.{}", ending.trim_start_matches('.')),
        (None, OutputLocation::Stdout) => format!("backup.{DEFAULT_ENDING}"),
        (None, named) => named.to_string(),
    };
    let encoding = Encoding::from_output_name(&name)?;
    if encoding.is_encrypted() && !wants_key {
        return Err(contradiction("an output that ends in .age needs a key: give --encrypt-to"));
    }
    let encoding = if wants_key { encoding.encrypted() } else { encoding };
    Ok(Output { location, encoding })
}

/// `<output_dir>/<host>-<UTC>.tar.gz`, with `.age` where it is encrypted.
fn default_path(
    args: &PhysicalBackupArgs,
    context: &Context,
    connection: &Connection,
) -> std::path::PathBuf {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let host: String =
        connection.host_label().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let ending = args.format.as_deref().unwrap_or(DEFAULT_ENDING).trim_start_matches('.');
    let encrypted = !args.writing.encrypt_to.is_empty() && !ending.ends_with(".age");
    let age = if encrypted { ".age" } else { "" };
    context.config.backup.output_dir.join(format!("{host}-{time}.{ending}{age}"))
}

/// Bytes on standard output have no neighbour: their manifest needs a place, or a conscious no.
fn check_manifest_flags(
    args: &PhysicalBackupArgs,
    location: &OutputLocation,
) -> Result<(), Failure> {
    let says = args.writing.manifest.is_some() || args.writing.no_manifest;
    match (location, says) {
        (OutputLocation::Stdout, false) => Err(contradiction(
            "--output - needs --manifest FILE, or --no-manifest for a backup that nothing can verify",
        )),
        (OutputLocation::File(_) | OutputLocation::Directory(_), true) => Err(contradiction(
            "--manifest and --no-manifest are for --output -; elsewhere the manifest is beside the \
             backup",
        )),
        _ => Ok(()),
    }
}

fn contradiction(text: &str) -> Failure {
    UsageError::Contradiction(text.to_owned()).into()
}
