//! Where a backup goes and how its bytes are written, from flags and configuration.
use super::BackupArgs;
use crate::{
    cli::UsageError, command::Context, connection::Connection, engine_options::EngineOptions,
    exit::Failure, pipeline::Encoding, plugin::Registry, remote::Place, target::OutputLocation,
};
use jiff::Timestamp;
use std::ffi::OsStr;

/// Ending of the name that a backup gets where none is given.
const DEFAULT_ENDING: &str = "tar.gz";

/// Where to, and how.
pub(super) struct Output {
    pub(super) location: OutputLocation,
    pub(super) encoding: Encoding,
}

/// What the flags say about where to.
pub(super) struct Destination<'a> {
    /// The location as it was typed; the default if not given.
    pub(super) given: Option<&'a OsStr>,
    /// The plugins that may serve it.
    pub(super) registry: &'a Registry,
    /// Options of the one that does.
    pub(super) options: EngineOptions,
}

impl Destination<'_> {
    /// Resolves and checks everything against each other.
    pub(super) fn resolve(
        &self,
        args: &BackupArgs,
        context: &Context,
        connection: &Connection,
    ) -> Result<Output, Failure> {
        let wants_key = !args.writing.encrypt_to.is_empty();
        let location = self.location(args, context, connection)?;
        check_manifest_flags(args, &location)?;
        let name = match (&args.format, &location) {
            (Some(ending), _) => format!("backup.{}", ending.trim_start_matches('.')),
            (None, OutputLocation::Stdout) => format!("backup.{DEFAULT_ENDING}"),
            (None, named) => named.to_string(),
        };
        let encoding = Encoding::from_output_name(&name)?;
        if encoding.is_encrypted() && !wants_key {
            let text = "an output that ends in .age needs a key: give --encrypt-to";
            return Err(contradiction(text));
        }
        let encoding = if wants_key { encoding.encrypted() } else { encoding };
        Ok(Output { location, encoding })
    }

    fn location(
        &self,
        args: &BackupArgs,
        context: &Context,
        connection: &Connection,
    ) -> Result<OutputLocation, Failure> {
        let Some(given) = self.given else {
            let name = default_name(args, connection);
            return Ok(OutputLocation::File(context.config.backup.output_dir.join(name)));
        };
        match Place::find(given, self.registry, &self.options)? {
            Place::Local(_) => Ok(OutputLocation::from(given)),
            Place::Target(place) if place.name.is_empty() => {
                let place = place.named(default_name(args, connection));
                Ok(OutputLocation::Target(Box::new(place)))
            }
            Place::Target(place) => Ok(OutputLocation::Target(place)),
        }
    }
}

/// `<host>-<UTC>.tar.gz`, with `.age` where it is encrypted.
fn default_name(args: &BackupArgs, connection: &Connection) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let host: String =
        connection.host_label().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let ending = args.format.as_deref().unwrap_or(DEFAULT_ENDING).trim_start_matches('.');
    let encrypted = !args.writing.encrypt_to.is_empty() && !ending.ends_with(".age");
    let age = if encrypted { ".age" } else { "" };
    format!("{host}-{time}.{ending}{age}")
}

/// Bytes on standard output have no neighbour: their manifest needs a place, or a conscious no.
fn check_manifest_flags(args: &BackupArgs, location: &OutputLocation) -> Result<(), Failure> {
    let says = args.writing.manifest.is_some() || args.writing.no_manifest;
    match (location, says) {
        (OutputLocation::Stdout, false) => Err(contradiction(
            "--output - needs --manifest FILE, or --no-manifest for a backup that nothing can verify",
        )),
        (
            OutputLocation::File(_) | OutputLocation::Directory(_) | OutputLocation::Target(_),
            true,
        ) => Err(contradiction(
            "--manifest and --no-manifest are for --output -; elsewhere the manifest is beside the \
             backup",
        )),
        _ => Ok(()),
    }
}

fn contradiction(text: &str) -> Failure {
    UsageError::Contradiction(text.to_owned()).into()
}
