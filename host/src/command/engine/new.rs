//! `dbbackup engine new NAME`: the crate of a new engine, from a template.
use crate::{
    command::Context,
    exit::{Classified, Exit},
    output::{CommandResult, Report},
    plugin::FIRST_PARTY_IDS,
};
use clap::Args;
use serde_json::json;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The files of the template and the names that they get.
const TEMPLATE: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../../../templates/engine/Cargo.toml.in")),
    ("plugin.json", include_str!("../../../templates/engine/plugin.json.in")),
    (".gitignore", include_str!("../../../templates/engine/gitignore.in")),
    ("src/lib.rs", include_str!("../../../templates/engine/src/lib.rs.in")),
];

/// Major version of the sdk that the crate depends on.
const SDK_VERSION: &str = "1";

/// Longest id of an engine.
const LONGEST_ID: usize = 64;

/// Write the crate of a new engine.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Id of the engine: lower case letters, digits and `-`.
    name: String,
    /// Directory to make [default: ./NAME].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Checkout of the sdk, in place of the published one.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// Why the crate was not written.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error("{name:?} cannot be an engine's id: {why}")]
    Name { name: String, why: &'static str },
    #[error("{} exists already", directory.display())]
    Exists { directory: PathBuf },
    #[error("there is no crate in {}", sdk.display())]
    NoSdk { sdk: PathBuf },
    #[error("write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Writes the crate into a directory that does not exist yet.
pub(super) fn run(args: &NewArgs, context: &Context) -> CommandResult {
    context.doing(format!("new engine {}", args.name));
    check_name(&args.name)?;
    let sdk = sdk_dependency(args.sdk.as_deref())?;
    let directory = args.directory.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    make(&directory)?;
    for (name, text) in TEMPLATE {
        write(&directory.join(name), &fill(text, &args.name, &sdk))?;
    }
    let files: Vec<&str> = TEMPLATE.iter().map(|(name, _)| *name).collect();
    let text = format!(
        "engine {} is in {}\nnext: cd {0} && cargo build --release, then dbbackup engine test \
         target/release/lib{}.so\n",
        args.name,
        directory.display(),
        crate_name(&args.name)
    );
    let directory = directory.display().to_string();
    Ok(Report::new(&json!({"id": args.name, "directory": directory, "files": files}), text))
}

fn check_name(name: &str) -> Result<(), NewError> {
    let wrong = |why| Err(NewError::Name { name: name.to_owned(), why });
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.chars().all(is_allowed) {
        return wrong("only lower case letters, digits and - are allowed");
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.ends_with('-') {
        return wrong("it must start with a letter and not end with -");
    }
    if name.len() > LONGEST_ID {
        return wrong("it is longer than 64 characters");
    }
    if FIRST_PARTY_IDS.contains(&name) || matches!(name, "auto" | "snapshot") {
        return wrong("dbbackup itself uses it");
    }
    Ok(())
}

fn sdk_dependency(checkout: Option<&Path>) -> Result<String, NewError> {
    let Some(checkout) = checkout else {
        return Ok(format!("{{ version = {SDK_VERSION:?}, default-features = false }}"));
    };
    let no_sdk = || NewError::NoSdk { sdk: checkout.to_owned() };
    let absolute = checkout.canonicalize().map_err(|_| no_sdk())?;
    if !absolute.join("Cargo.toml").is_file() {
        return Err(no_sdk());
    }
    // A path in TOML is a string: JSON's quoting is valid there.
    let path = serde_json::Value::from(absolute.to_string_lossy()).to_string();
    Ok(format!("{{ path = {path}, default-features = false }}"))
}

fn make(directory: &Path) -> Result<(), NewError> {
    match fs::create_dir(directory) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(NewError::Exists { directory: directory.to_owned() })
        }
        Err(source) => Err(NewError::Write { path: directory.to_owned(), source }),
    }
}

fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    parent
        .and_then(|()| fs::write(path, text))
        .map_err(|source| NewError::Write { path: path.to_owned(), source })
}

fn fill(text: &str, name: &str, sdk: &str) -> String {
    text.replace("{{name}}", name)
        .replace("{{crate}}", &crate_name(name))
        .replace("{{Type}}", &type_name(name))
        .replace("{{sdk}}", sdk)
}

fn crate_name(name: &str) -> String {
    name.replace('-', "_")
}

/// `acme-snap` -> `AcmeSnap`.
fn type_name(name: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(capital).collect()
}

impl Classified for NewError {
    fn exit(&self) -> Exit {
        match self {
            Self::Name { .. } | Self::NoSdk { .. } => Exit::Usage,
            Self::Exists { .. } => Exit::Refused,
            Self::Write { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Name { .. } => Some("for example: dbbackup engine new acme-snap".to_owned()),
            Self::Exists { .. } => Some("give another --directory".to_owned()),
            Self::NoSdk { .. } => Some("--sdk wants the sdk directory of a checkout".to_owned()),
            Self::Write { .. } => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Name { .. } => "E-ENGINE-NAME",
            Self::Exists { .. } => "E-ENGINE-EXISTS",
            Self::NoSdk { .. } => "E-ENGINE-SDK",
            Self::Write { .. } => "E-ENGINE-WRITE",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_turned() {
        for name in ["acme", "acme-snap", "a1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "Acme", "1a", "a-", "-a", "a_b", "a/b", "../x", "clone", "auto"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert_eq!(type_name("acme-snap"), "AcmeSnap");
        assert_eq!(crate_name("acme-snap"), "acme_snap");
    }

    #[test]
    fn nothing_of_the_template_is_left_over() {
        for (name, text) in TEMPLATE {
            assert!(!fill(text, "acme", "\"1\"").contains("{{"), "{name}");
        }
    }
}
