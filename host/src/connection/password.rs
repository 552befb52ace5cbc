//! Where the password comes from: never from an argument, which every user of the machine can read.
use super::ConnectionFlags;
use crate::{
    config::{ConfigError, ConnectionConfig},
    env,
    option_file::OptionFiles,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Longest password that is read from a file or standard input, bytes.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// How standard input is named in errors.
const STDIN: &str = "standard input";
/// What is wrong with bytes that are no text, and what mends it.
const NOT_UTF8: &str = "it is not UTF-8: write it in UTF-8, and set the account's password anew if it was set in another encoding";

/// What the flags say about the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordSource {
    /// Nothing: the environment, the configuration and the option files are asked.
    #[default]
    Unsaid,
    /// `--password-file`: the first line of a file.
    File(PathBuf),
    /// `--password-stdin`: the first line of standard input.
    Stdin,
}

/// The first of: flag, option file named by a flag, `MYSQL_PWD`, configuration, usual option files.
pub(super) fn resolve(
    flags: &ConnectionFlags,
    files: &OptionFiles,
    config: &ConnectionConfig,
) -> Result<Option<Zeroizing<Vec<u8>>>, ConfigError> {
    let of_file = |file: &Path| text(from_file(file)?, &file.display().to_string()).map(Some);
    match &flags.password {
        PasswordSource::File(file) => return of_file(file),
        PasswordSource::Stdin => return text(from_stdin()?, STDIN).map(Some),
        PasswordSource::Unsaid => {}
    }
    // Option files are looked through for what is no UTF-8 where they are read, with the line.
    if let Some(password) = files.named.password.clone() {
        return Ok(Some(password));
    }
    if let Some(password) = env::password() {
        return text(password, "MYSQL_PWD").map(Some);
    }
    match &config.password_file {
        Some(file) => of_file(file),
        None => Ok(files.usual.password.clone()),
    }
}

/// A password as servers compare it: sessions of the host speak UTF-8 alone, and other bytes would be
/// replaced and refused as a wrong password.
fn text(password: Zeroizing<Vec<u8>>, from: &str) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    if std::str::from_utf8(&password).is_ok() {
        return Ok(password);
    }
    let source = io::Error::new(io::ErrorKind::InvalidData, NOT_UTF8);
    Err(ConfigError::Password { from: from.to_owned(), source })
}

/// The first line of a file.
///
/// # Errors
/// [`ConfigError::Password`] if it cannot be read.
pub(crate) fn from_file(file: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let read = File::open(file).and_then(first_line);
    read.map_err(|source| ConfigError::Password { from: file.display().to_string(), source })
}

fn from_stdin() -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    first_line(io::stdin().lock())
        .map_err(|source| ConfigError::Password { from: STDIN.to_owned(), source })
}

fn first_line(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(MAX_PASSWORD_BYTES + 1).read_to_end(&mut bytes)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() as u64 > MAX_PASSWORD_BYTES {
        return Err(io::Error::other("its first line is longer than 4096 bytes"));
    }
    Ok(Zeroizing::new(line.to_vec()))
}
