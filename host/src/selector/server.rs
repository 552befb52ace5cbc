//! What the server says of itself.
use super::{
    privileges, replica,
    unmeasured::{self, UNMEASURED},
};
use crate::connection::{ServerError, Session};
use dbbackup_plugin_api::document::environment::{ServerFacts, ServerFlavor, StorageEngineFacts};
use mysql_async::{Row, Value, from_value_opt};
use std::{collections::BTreeMap, time::Duration};

/// Schemas that no user's table lives in.
const SYSTEM_SCHEMAS: &str = "'mysql','information_schema','performance_schema','sys'";

/// Variables whose names hold one of these words may hold a secret, and are left out.
const SECRET_WORDS: [&str; 3] = ["password", "secret", "auth"];

/// Facts of the server, in a handful of statements.
pub(super) fn facts(session: &mut Session) -> Result<ServerFacts, ServerError> {
    let variables = variables(session)?;
    let account = account(session)?;
    let storage_engines = storage_engines(session, &variables)?;
    let unmeasured = unmeasured::look(session)?.map(|what| (UNMEASURED.to_owned(), what.into()));
    let text = |name: &str| variables.get(name).cloned().unwrap_or_default();
    let is_on = |name: &str| matches!(text(name).to_ascii_uppercase().as_str(), "ON" | "1");
    let version_text = text("version");
    let edition = text("version_comment");
    let flavor = flavor(&version_text, &edition);
    let binlog = is_on("log_bin");
    let gtid_mode = text("gtid_mode").to_ascii_uppercase();
    Ok(ServerFacts {
        flavor,
        version: version_numbers(&version_text),
        version_text,
        edition,
        uuid: variables.get("server_uuid").filter(|uuid| !uuid.is_empty()).cloned(),
        hostname: text("hostname"),
        port: text("port").parse().unwrap_or_default(),
        platform: format!("{} {}", text("version_compile_os"), text("version_compile_machine")),
        data_bytes: storage_engines.values().map(|engine| engine.bytes).sum(),
        storage_engines,
        plugins: plugins(session)?,
        binlog,
        gtid: match flavor {
            ServerFlavor::MariaDB => binlog,
            ServerFlavor::MySQL | ServerFlavor::Percona => gtid_mode == "ON",
        },
        privileges: privileges::of_account(session)?,
        account,
        replica: !replica::channels(session, flavor)?.is_empty(),
        encrypted: is_encrypted(session, &variables)?,
        variables,
        extra: unmeasured.into_iter().collect(),
    })
}

/// Time since the server started; unknown if it does not say.
pub(super) fn uptime(session: &mut Session) -> Result<Option<Duration>, ServerError> {
    let rows = session.rows("read the uptime", "SHOW GLOBAL STATUS LIKE 'Uptime'")?;
    let seconds = rows.first().and_then(|row| text_at(row, 1)).and_then(|text| text.parse().ok());
    Ok(seconds.map(Duration::from_secs))
}

fn variables(session: &mut Session) -> Result<BTreeMap<String, String>, ServerError> {
    let rows = session.rows("read the server's variables", "SHOW GLOBAL VARIABLES")?;
    let pairs = rows.iter().filter_map(|row| {
        let name = text_at(row, 0)?.to_ascii_lowercase();
        let is_secret = SECRET_WORDS.iter().any(|word| name.contains(word));
        (!is_secret).then_some((name, text_at(row, 1).unwrap_or_default()))
    });
    Ok(pairs.collect())
}

fn account(session: &mut Session) -> Result<String, ServerError> {
    let rows = session.rows("ask for the account", "SELECT CURRENT_USER()")?;
    Ok(rows.first().and_then(|row| text_at(row, 0)).unwrap_or_default())
}

/// User tables by storage engine. MySQL 8 keeps these numbers for a day unless told otherwise, and a
/// day-old size can choose the wrong engine.
fn storage_engines(
    session: &mut Session,
    variables: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, StorageEngineFacts>, ServerError> {
    if variables.contains_key("information_schema_stats_expiry") {
        let fresh = "SET SESSION information_schema_stats_expiry = 0";
        session.rows("ask for fresh table sizes", fresh)?;
    }
    let query = format!(
        "SELECT ENGINE, COUNT(*), COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN ({SYSTEM_SCHEMAS}) \
         AND TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW') AND ENGINE IS NOT NULL GROUP BY ENGINE"
    );
    let rows = session.rows("measure the tables", &query)?;
    let engines = rows.iter().filter_map(|row| {
        let facts = StorageEngineFacts { tables: number_at(row, 1)?, bytes: number_at(row, 2)? };
        Some((text_at(row, 0)?, facts))
    });
    Ok(engines.collect())
}

fn plugins(session: &mut Session) -> Result<Vec<String>, ServerError> {
    let query = "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_STATUS = 'ACTIVE'";
    let rows = session.rows("list the server's plugins", query)?;
    let mut names: Vec<String> =
        rows.iter().filter_map(|row| text_at(row, 0)).map(|name| name.to_lowercase()).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn is_encrypted(
    session: &mut Session,
    variables: &BTreeMap<String, String>,
) -> Result<bool, ServerError> {
    let switches = [
        "innodb_redo_log_encrypt",
        "innodb_undo_log_encrypt",
        "innodb_encrypt_tables",
        "innodb_encrypt_log",
    ];
    let is_on = |name: &&str| {
        variables.get(*name).is_some_and(|value| !matches!(value.as_str(), "OFF" | "0" | ""))
    };
    if switches.iter().any(is_on) {
        return Ok(true);
    }
    let questions = [
        "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES WHERE ENCRYPTION = 'Y'",
        "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
         WHERE ENCRYPTION_SCHEME > 0 AND CURRENT_KEY_VERSION > 0",
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE CREATE_OPTIONS LIKE '%ENCRYPT%Y%'",
    ];
    for question in questions {
        if let Some(rows) = session.rows_if_known("ask for encrypted tables", question)? {
            return Ok(rows.first().and_then(|row| number_at(row, 0)).is_some_and(|n| n > 0));
        }
    }
    Ok(false)
}

fn flavor(version: &str, edition: &str) -> ServerFlavor {
    if version.contains("MariaDB") {
        ServerFlavor::MariaDB
    } else if edition.contains("Percona") {
        ServerFlavor::Percona
    } else {
        ServerFlavor::MySQL
    }
}

/// `8.0.35-debug` -> 8, 0, 35. Old MariaDB put `5.5.5-` before its own version.
pub(crate) fn version_numbers(text: &str) -> [u16; 3] {
    let text = text.strip_prefix("5.5.5-").filter(|rest| rest.contains("MariaDB")).unwrap_or(text);
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// A column as text; none if it is NULL.
pub(super) fn text_at(row: &Row, column: usize) -> Option<String> {
    match row.as_ref(column)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        other => from_value_opt(other.clone()).ok(),
    }
}

/// A column by its name as text; none if there is no such column, or it is NULL.
pub(super) fn named_text(row: &Row, name: &str) -> Option<String> {
    let columns = row.columns_ref();
    let at = columns.iter().position(|column| column.name_str().eq_ignore_ascii_case(name))?;
    text_at(row, at)
}

/// A column as a whole number; sums come as decimals in text.
pub(super) fn number_at(row: &Row, column: usize) -> Option<u64> {
    match row.as_ref(column)? {
        Value::UInt(number) => Some(*number),
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => text_at(row, column)?.split('.').next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_kinds() {
        for (text, numbers) in [
            ("8.0.35", [8, 0, 35]),
            ("9.7.4", [9, 7, 4]),
            ("5.6.24-log", [5, 6, 24]),
            ("10.11.6-MariaDB-0+deb12u1-log", [10, 11, 6]),
            ("5.5.5-10.4.2-MariaDB", [10, 4, 2]),
            ("8.0.36-28", [8, 0, 36]),
            ("", [0, 0, 0]),
        ] {
            assert_eq!(version_numbers(text), numbers, "{text}");
        }
    }

    #[test]
    fn kinds_of_server() {
        assert_eq!(flavor("10.11.6-MariaDB", "Debian 12"), ServerFlavor::MariaDB);
        assert_eq!(flavor("8.0.36-28", "Percona Server (GPL)"), ServerFlavor::Percona);
        assert_eq!(flavor("9.7.4", "MySQL Community Server"), ServerFlavor::MySQL);
    }
}
