//! Which server starts on a clone: the rules that a server applies to a donor, before anything is
//! written.
//!
//! A clone is a data directory in the middle of its work: the first server that starts on it applies
//! the redo log, and refuses the log of another series. So the rules of a clone hold for its first
//! start, and an upgrade comes after it.

use dbbackup_sdk::document::restore::{RestoreRequest, TargetServer};

use crate::restore::RestoreError;

/// Page sizes that InnoDB knows.
const PAGE_SIZES: [&str; 5] = ["4096", "8192", "16384", "32768", "65536"];
/// The patch of 8.0 from which on patches may differ.
const FREE_PATCH_OF_80: u16 = 37;
/// The first series whose clones the next long-term series takes.
const FIRST_BRIDGED: (u16, u16) = (9, 7);
/// Minor version of long-term series from 9.7 on.
const LONG_TERM_MINOR: u16 = 7;

/// Checks what is known; answers what the operator should know.
pub(super) fn check(request: &RestoreRequest) -> Result<Vec<String>, RestoreError> {
    let source = &request.manifest.source;
    let page_size = fact(request, "innodb_page_size");
    if !PAGE_SIZES.contains(&page_size.as_str()) {
        return Err(RestoreError::Fact { what: "innodb_page_size", found: page_size });
    }
    let needed = needed_version(&source.version)?;
    let Some(server) = &request.server else {
        let mut warnings = vec![format!(
            "it is not known which server is to run on the directory: its first start needs {needed}"
        )];
        warnings.extend(other_platform(&source.platform).map(|platform| {
            format!("the clone is of {platform}: a server of another platform does not start on it")
        }));
        return Ok(warnings);
    };
    let refuse = |what: String, hint: String| {
        Err(RestoreError::Server { program: server.program.clone(), what, hint })
    };
    if !starts_on(&source.version, server) {
        return refuse(
            format!("is {}, the clone is of {}", server.version, source.version),
            format!("start {needed} on it first; upgrade afterwards"),
        );
    }
    if let Some(platform) = other_platform(&source.platform) {
        return refuse(
            format!("runs on this platform, the clone is of {platform}"),
            "restore it on a machine of that platform, or use a logical backup".to_owned(),
        );
    }
    for name in ["innodb_page_size", "lower_case_table_names"] {
        let wanted = fact(request, name);
        let found = server.variables.get(name).map(String::as_str).unwrap_or_default();
        // 2 is a value of other systems: a server says it here before it has looked at its files.
        let is_unknown = found.is_empty() || name == "lower_case_table_names" && found == "2";
        if !wanted.is_empty() && !is_unknown && found != wanted {
            return refuse(
                format!("is configured with {name}={found}, the clone has {wanted}"),
                format!("set {name}={wanted} in its configuration"),
            );
        }
    }
    Ok(Vec::new())
}

/// A fact of the source as text.
fn fact(request: &RestoreRequest, name: &str) -> String {
    match request.manifest.source.facts.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// The server of a first start, in words.
fn needed_version(version: &str) -> Result<String, RestoreError> {
    let [major, minor, patch] = numbers(version)
        .ok_or_else(|| RestoreError::Fact { what: "version", found: version.to_owned() })?;
    Ok(match (major, minor) {
        (8, 0) if patch < FREE_PATCH_OF_80 => format!("MySQL 8.0.{patch}"),
        (8, 0) => format!("MySQL 8.0.{FREE_PATCH_OF_80} or a later 8.0"),
        _ => format!("MySQL {major}.{minor}"),
    })
}

/// The rule that a server applies to a donor of another version.
fn starts_on(backup: &str, server: &TargetServer) -> bool {
    let (Some(backup), Some(found)) = (numbers(backup), numbers(&server.version)) else {
        return false;
    };
    if server.version.contains("MariaDB") {
        return false;
    }
    let series = |[major, minor, _]: [u16; 3]| (major, minor);
    if series(backup) == (8, 0) && series(found) == (8, 0) {
        let [_, _, backup_patch] = backup;
        let [_, _, found_patch] = found;
        let free = backup_patch >= FREE_PATCH_OF_80 && found_patch >= FREE_PATCH_OF_80;
        return free || backup_patch == found_patch;
    }
    series(backup) == series(found) || is_next_long_term(series(backup), series(found))
}

/// From 9.7 on, a clone of a long-term series starts on the next one.
fn is_next_long_term(backup: (u16, u16), found: (u16, u16)) -> bool {
    backup >= FIRST_BRIDGED
        && backup.1 == LONG_TERM_MINOR
        && found.1 == LONG_TERM_MINOR
        && found.0 == backup.0 + 1
}

/// Major, minor, patch at the beginning of `9.7.4-log` or of `9.7.4 for Linux on x86_64`.
fn numbers(version: &str) -> Option<[u16; 3]> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit());
    let mut next = || parts.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}

/// The platform of the clone, if it is known and not this machine's.
fn other_platform(platform: &str) -> Option<&str> {
    let found = platform.to_ascii_lowercase();
    let this = [std::env::consts::OS, std::env::consts::ARCH];
    let same = this.iter().all(|word| found.contains(word));
    (!platform.trim().is_empty() && !same).then_some(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(backup: &str, version: &str) -> bool {
        starts_on(backup, &TargetServer { version: version.to_owned(), ..Default::default() })
    }

    #[test]
    fn a_first_start_is_of_the_series_of_the_clone() {
        for (backup, server, expected) in [
            ("8.0.36", "8.0.36", true),
            ("8.0.36", "8.0.37", false),
            ("8.0.37", "8.0.42", true),
            ("8.0.42", "8.0.36", false),
            ("8.0.42", "8.4.3", false),
            ("8.4.0", "8.4.6", true),
            ("8.4.0", "9.7.0", false),
            ("9.7.4-2", "9.7.1 for Linux on x86_64 (MySQL Community Server)", true),
            ("9.6.0", "9.7.0", false),
            ("9.7.0", "10.7.0", true),
            ("9.7.0", "10.6.0", false),
            ("9.7.0", "9.7.0-MariaDB", false),
            ("9.7.0", "", false),
        ] {
            assert_eq!(starts(backup, server), expected, "{backup} on {server}");
        }
    }

    #[test]
    fn this_machine_is_its_own_platform() {
        let here = format!("{} {}", std::env::consts::OS.to_uppercase(), std::env::consts::ARCH);
        assert_eq!(other_platform(&here), None);
        assert_eq!(other_platform(""), None);
        assert!(other_platform("Win64 x86_64").is_some());
    }
}
