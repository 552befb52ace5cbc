//! Where a backup goes and how its bytes are written, from flags and configuration.
use super::BackupArgs;
use crate::{
    cli::UsageError,
    command::Context,
    connection::Connection,
    engine_options::EngineOptions,
    exit::Failure,
    pipeline::{Container, Encoding},
    plugin::Registry,
    remote::Place,
    target::OutputLocation,
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
        let encoding = encoding(args.format.as_deref(), &location, wants_key)?;
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

/// How the bytes are written, as the name of the output and `--format` agree on it.
fn encoding(
    format: Option<&str>,
    location: &OutputLocation,
    wants_key: bool,
) -> Result<Encoding, Failure> {
    let name = match (format, location) {
        (Some(ending), _) => format!("backup.{}", ending.trim_start_matches('.')),
        (None, OutputLocation::Stdout) => format!("backup.{DEFAULT_ENDING}"),
        (None, named) => named.to_string(),
    };
    let encoding = Encoding::from_output_name(&name)?;
    if let Some(format) = format {
        check_format(format, encoding, location, wants_key)?;
    }
    if wants_key && encoding.container() == Container::Directory {
        return Err(contradiction(&format!(
            "the output {location} is a directory, which --encrypt-to cannot encrypt: give a file such \
             as x.tar.gz.age, or leave --encrypt-to out"
        )));
    }
    if encoding.is_encrypted() && !wants_key {
        let text = "an output that ends in .age needs a key: give --encrypt-to";
        return Err(contradiction(text));
    }
    Ok(with_key(encoding, wants_key))
}

/// An ending that is given must not say other than the name of the output does.
fn check_format(
    format: &str,
    encoding: Encoding,
    location: &OutputLocation,
    wants_key: bool,
) -> Result<(), Failure> {
    let into_directory = matches!(location, OutputLocation::Directory(_));
    let as_directory = encoding.container() == Container::Directory;
    if into_directory && !as_directory {
        return Err(contradiction(&format!(
            "the output {location} is a directory, and --format {format} is of a file: leave --format \
             out, or give the name of a file"
        )));
    }
    if as_directory && !into_directory {
        return Err(contradiction(&format!(
            "--format {format} is of a directory, and the output is {location}: leave --format out, or \
             give a directory, ending in /"
        )));
    }
    // A name without an ending of ours says nothing, and contradicts nothing.
    let named = Encoding::from_output_name(&location.to_string());
    match named.map(|named| with_key(named, wants_key)) {
        Ok(named) if named != with_key(encoding, wants_key) => Err(contradiction(&format!(
            "the output {location} and --format {format} say two things: leave --format out, or give \
             a name that ends so"
        ))),
        _ => Ok(()),
    }
}

/// A key encrypts, whatever the name says.
fn with_key(encoding: Encoding, wants_key: bool) -> Encoding {
    if wants_key { encoding.encrypted() } else { encoding }
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

#[cfg(test)]
mod tests;
