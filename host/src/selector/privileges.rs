//! Privileges of the account on all schemas, read from its grants.
use super::server::text_at;
use crate::connection::{ServerError, Session};

/// What `ALL PRIVILEGES ON *.*` stands for, as far as a backup or restore asks for it.
const ALL: [&str; 24] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "RELOAD",
    "PROCESS",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "SHOW DATABASES",
    "SUPER",
    "LOCK TABLES",
    "REPLICATION SLAVE",
    "REPLICATION CLIENT",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "EVENT",
    "TRIGGER",
    "BINLOG MONITOR",
    "SLAVE MONITOR",
];

/// Privileges on `*.*`, upper case, sorted; those of the active roles included.
pub(super) fn of_account(session: &mut Session) -> Result<Vec<String>, ServerError> {
    let step = "read the account's grants";
    let mut grants = lines(&session.rows(step, "SHOW GRANTS")?);
    // Only MySQL needs to be asked for what its roles add; MariaDB lists it at once.
    let role = session.rows_if_known(step, "SELECT CURRENT_ROLE()")?;
    let role = role.and_then(|rows| text_at(rows.first()?, 0)).filter(|role| role != "NONE");
    if let Some(roles) = role {
        // The server's own text, which it has quoted itself.
        let query = format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}");
        grants.extend(session.rows_if_known(step, &query)?.iter().flat_map(|rows| lines(rows)));
    }
    let mut privileges: Vec<String> = grants.iter().flat_map(|grant| global(grant)).collect();
    privileges.sort();
    privileges.dedup();
    Ok(privileges)
}

fn lines(rows: &[mysql_async::Row]) -> Vec<String> {
    rows.iter().filter_map(|row| text_at(row, 0)).collect()
}

/// The privileges of one `GRANT … ON *.* TO …`; none for any other grant.
fn global(grant: &str) -> Vec<String> {
    let listed = grant.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON *.* TO "));
    let Some((listed, _)) = listed else { return Vec::new() };
    let names = listed.split(',').map(|name| name.trim().to_ascii_uppercase());
    names
        .flat_map(|name| match name.as_str() {
            "ALL PRIVILEGES" | "ALL" => ALL.map(str::to_owned).to_vec(),
            "USAGE" => Vec::new(),
            // MariaDB's newer names for what MySQL calls otherwise.
            "BINLOG MONITOR" => vec!["REPLICATION CLIENT".to_owned(), name],
            "REPLICA MONITOR" => vec!["SLAVE MONITOR".to_owned(), name],
            _ => vec![name],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::global;

    #[test]
    fn only_grants_on_everything_count() {
        assert_eq!(
            global("GRANT SELECT, LOCK TABLES ON *.* TO `b`@`%` WITH GRANT OPTION"),
            ["SELECT", "LOCK TABLES"]
        );
        assert_eq!(
            global("GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* TO `b`@`%`"),
            ["BACKUP_ADMIN", "CLONE_ADMIN"]
        );
        assert!(global("GRANT SELECT ON `shop`.* TO `b`@`%`").is_empty());
        assert!(global("GRANT USAGE ON *.* TO `b`@`%`").is_empty());
        assert!(global("GRANT `role`@`%` TO `b`@`%`").is_empty());
        let all = global("GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION");
        assert!(all.contains(&"RELOAD".to_owned()));
    }
}
