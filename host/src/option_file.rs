//! Option files (`my.cnf`) as the stock client reads them.
//!
//! Read in this order, later values winning: `/etc/my.cnf`, `/etc/mysql/my.cnf`,
//! `--defaults-extra-file`, `~/.my.cnf`; with `--defaults-file` that file alone; with
//! `--no-defaults` none. Groups: `[client]` and `[dbbackup]`, and both with the group suffix.
//! `!include` and `!includedir` (its `*.cnf`, by name), quotes, the escapes
//! `\b \t \n \r \\ \s`, comments, `-` and `_` as the same, `loose-` and `skip-ssl` work as there.
//! Of `[client]` only the options of [`OptionFileValues`] are looked at, because other clients have
//! theirs there; in `[dbbackup]` an unknown option is an error. Not supported: abbreviated option
//! names and the login path file. A file that everybody can write is ignored with a warning.
use crate::{
    config::{ConfigError, ssl_mode_from},
    nearest::nearest,
};
use dbbackup_plugin_api::document::connection::SslMode;
use std::{
    borrow::Cow,
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Deepest nesting of `!include`, as in the stock client.
const MAX_INCLUDE_DEPTH: usize = 10;

/// The files read without `--defaults-file`, before the user's own.
const GLOBAL_FILES: [&str; 2] = ["/etc/my.cnf", "/etc/mysql/my.cnf"];

/// Which files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionFileChoice {
    /// Read no file at all.
    pub none: bool,
    /// Read this file alone.
    pub only: Option<PathBuf>,
    /// Read this file after the global ones.
    pub extra: Option<PathBuf>,
    /// Read groups with this suffix too.
    pub group_suffix: Option<String>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
}

/// What option files say about the connection.
#[derive(Clone, Default)]
pub struct OptionFileValues {
    /// `host`.
    pub host: Option<String>,
    /// `port`.
    pub port: Option<u16>,
    /// `socket`.
    pub socket: Option<PathBuf>,
    /// `user`.
    pub user: Option<String>,
    /// `password`; an option without a value is an empty password.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// `ssl-mode`, `ssl`, `skip-ssl`, `ssl-verify-server-cert`.
    pub ssl_mode: Option<SslMode>,
    /// `ssl-ca`.
    pub ssl_ca: Option<PathBuf>,
    /// `ssl-capath`.
    pub ssl_capath: Option<PathBuf>,
    /// `ssl-cert`.
    pub ssl_cert: Option<PathBuf>,
    /// `ssl-key`.
    pub ssl_key: Option<PathBuf>,
}

const KNOWN: [&str; 13] = [
    "host",
    "port",
    "socket",
    "user",
    "password",
    "ssl-mode",
    "ssl",
    "skip-ssl",
    "ssl-verify-server-cert",
    "ssl-ca",
    "ssl-capath",
    "ssl-cert",
    "ssl-key",
];

/// Values from the files that were named on the command line, those from the others, and what was
/// ignored and why.
#[derive(Clone, Default)]
pub struct OptionFiles {
    /// From `--defaults-file` or `--defaults-extra-file`.
    pub named: OptionFileValues,
    /// From the files that are read anyway.
    pub usual: OptionFileValues,
    /// Files that were ignored, a clause each.
    pub warnings: Vec<String>,
}

impl OptionFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// [`ConfigError`]: a named file cannot be read, or a file is wrong, with the line.
    pub fn read(choice: &OptionFileChoice) -> Result<Self, ConfigError> {
        let mut files = Self::default();
        if choice.none {
            return Ok(files);
        }
        let mut reader =
            Reader { groups: groups(choice.group_suffix.as_deref()), warnings: vec![] };
        if let Some(only) = &choice.only {
            reader.file(only, Absent::IsError, 0, &mut files.named)?;
        } else {
            let own = choice.home.as_ref().map(|home| home.join(".my.cnf"));
            let usual = GLOBAL_FILES.iter().map(PathBuf::from).chain(own);
            for file in usual {
                reader.file(&file, Absent::IsFine, 0, &mut files.usual)?;
            }
            if let Some(extra) = &choice.extra {
                reader.file(extra, Absent::IsError, 0, &mut files.named)?;
            }
        }
        files.warnings = reader.warnings;
        Ok(files)
    }
}

fn groups(suffix: Option<&str>) -> Vec<String> {
    let base = ["client", "dbbackup"].map(str::to_owned);
    let suffixed =
        suffix.map(|suffix| ["client", "dbbackup"].map(|name| format!("{name}{suffix}")));
    base.into_iter().chain(suffixed.into_iter().flatten()).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    IsError,
    IsFine,
}

struct Reader {
    groups: Vec<String>,
    warnings: Vec<String>,
}

impl Reader {
    fn file(
        &mut self,
        file: &Path,
        absent: Absent,
        depth: usize,
        values: &mut OptionFileValues,
    ) -> Result<(), ConfigError> {
        let read = std::fs::metadata(file)
            .and_then(|metadata| Ok((metadata.mode(), Zeroizing::new(std::fs::read(file)?))));
        let (mode, bytes) = match read {
            Ok(read) => read,
            Err(error) if absent == Absent::IsFine && is_out_of_reach(&error) => return Ok(()),
            Err(source) => return Err(ConfigError::Read { file: file.to_owned(), source }),
        };
        if mode & 0o002 != 0 {
            let ignored =
                format!("option file {} is ignored: everybody can write it", file.display());
            self.warnings.push(ignored);
            return Ok(());
        }
        self.lines(file, &bytes, depth, values)
    }

    fn lines(
        &mut self,
        file: &Path,
        bytes: &[u8],
        depth: usize,
        values: &mut OptionFileValues,
    ) -> Result<(), ConfigError> {
        let mut group: Option<String> = None;
        for (number, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let wrong = |problem: String| ConfigError::OptionFile {
                file: file.to_owned(),
                line: number + 1,
                problem,
            };
            // Comments, and what other clients have in the file, may be in any encoding.
            let text = String::from_utf8_lossy(bytes);
            let line = text.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(directive) = line.strip_prefix('!') {
                self.include(file, directive, depth, values)?.map_err(wrong)?;
            } else if let Some(name) = line.strip_prefix('[') {
                let name = name.split(']').next().unwrap_or_default().trim();
                group = self.groups.iter().find(|group| *group == name).cloned();
                if !line.contains(']') {
                    return Err(wrong(format!("the group {line:?} has no ]")));
                }
            } else if let Some(group) = &group {
                let setting = Setting::parse(line);
                let is_damaged = matches!(text, Cow::Owned(_))
                    && without_comment(line).contains(char::REPLACEMENT_CHARACTER);
                if is_damaged && KNOWN.contains(&setting.name.as_str()) {
                    return Err(wrong(format!("the value of {} is not UTF-8", setting.name)));
                }
                apply(values, group, &setting).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// The inner result is what is wrong with the directive itself.
    fn include(
        &mut self,
        file: &Path,
        directive: &str,
        depth: usize,
        values: &mut OptionFileValues,
    ) -> Result<Result<(), String>, ConfigError> {
        let (word, argument) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
        let argument = argument.trim();
        if argument.is_empty() || !matches!(word, "include" | "includedir") {
            return Ok(Err(format!("!{directive} is neither !include FILE nor !includedir DIR")));
        }
        if depth >= MAX_INCLUDE_DEPTH {
            return Ok(Err(format!("files include each other more than {MAX_INCLUDE_DEPTH} deep")));
        }
        let path = file.parent().unwrap_or(Path::new(".")).join(argument);
        if word == "include" {
            self.file(&path, Absent::IsFine, depth + 1, values)?;
        } else {
            for file in fragments(&path)? {
                self.file(&file, Absent::IsFine, depth + 1, values)?;
            }
        }
        Ok(Ok(()))
    }
}

fn is_out_of_reach(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
}

/// The `*.cnf` files of a directory by name; none if there is no such directory.
fn fragments(directory: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { file: directory.to_owned(), source };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if is_out_of_reach(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "cnf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// One line: a name in its canonical form, and a value if there is one.
struct Setting {
    name: String,
    loose: bool,
    value: Option<Zeroizing<String>>,
}

impl Setting {
    fn parse(line: &str) -> Self {
        let line = without_comment(line);
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(Zeroizing::new(unquote(value.trim())))),
            None => (line, None),
        };
        let name = name.trim().replace('_', "-");
        let loose = name.strip_prefix("loose-").map(str::to_owned);
        Self { loose: loose.is_some(), name: loose.unwrap_or(name), value }
    }

    fn text(&self) -> Option<String> {
        self.value.as_ref().map(|value| value.to_string())
    }

    fn path(&self) -> Option<PathBuf> {
        self.value.as_ref().map(|value| PathBuf::from(value.as_str()))
    }

    /// The stock client's booleans: no value, `1`, `ON` and `TRUE` mean yes.
    fn switch(&self) -> bool {
        self.value.as_ref().is_none_or(|value| {
            matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "true" | "yes")
        })
    }
}

/// The part before a `#` that stands outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', Some(_)) => escaped = true,
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('#', None) => return line.get(..at).unwrap_or_default().trim_end(),
            _ => {}
        }
    }
    line
}

fn unquote(value: &str) -> String {
    let inner = ['\'', '"'].into_iter().find_map(|quote| {
        value.strip_prefix(quote)?.strip_suffix(quote).filter(|_| value.len() > 1)
    });
    let mut text = String::new();
    let mut characters = inner.unwrap_or(value).chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match characters.next() {
            Some('b') => text.push('\u{8}'),
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('s') => text.push(' '),
            Some('\\') | None => text.push('\\'),
            Some(quote @ ('\'' | '"')) => text.push(quote),
            Some(other) => text.extend(['\\', other]),
        }
    }
    text
}

fn apply(values: &mut OptionFileValues, group: &str, setting: &Setting) -> Result<(), String> {
    let bad = |expected: &str| format!("{} must be {expected}", setting.name);
    match setting.name.as_str() {
        "host" => values.host = setting.text(),
        "port" => {
            let port = setting.value.as_ref().and_then(|value| value.parse().ok());
            values.port = Some(port.ok_or_else(|| bad("a port number"))?).filter(|port| *port != 0);
        }
        "socket" => values.socket = setting.path(),
        "user" => values.user = setting.text(),
        "password" => {
            let bytes = setting.value.as_ref().map(|value| value.as_bytes().to_vec());
            values.password = Some(Zeroizing::new(bytes.unwrap_or_default()));
        }
        "ssl-mode" => {
            let mode = setting.value.as_ref().and_then(|value| ssl_mode_from(value));
            values.ssl_mode = Some(mode.ok_or_else(|| {
                bad("DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY")
            })?);
        }
        "ssl" if setting.switch() => values.ssl_mode = Some(SslMode::Required),
        "skip-ssl" | "ssl" => values.ssl_mode = Some(SslMode::Disabled),
        "ssl-verify-server-cert" if setting.switch() => {
            values.ssl_mode = Some(SslMode::VerifyIdentity);
        }
        "ssl-verify-server-cert" => {}
        "ssl-ca" => values.ssl_ca = setting.path(),
        "ssl-capath" => values.ssl_capath = setting.path(),
        "ssl-cert" => values.ssl_cert = setting.path(),
        "ssl-key" => values.ssl_key = setting.path(),
        unknown if group.starts_with("dbbackup") && !setting.loose => {
            let nearest = nearest(unknown, KNOWN).map(|name| format!("; did you mean {name}?"));
            return Err(format!("unknown option {unknown}{}", nearest.unwrap_or_default()));
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
