//! Tables that could not be measured, because others make or change them at the moment: a statement
//! such as `CREATE TABLE … ENGINE=MyISAM AS SELECT` holds its table until it has ended. Servers leave
//! out what they waited for in vain, and warn; nobody would notice otherwise.
use super::server::{number_at, text_at};
use crate::connection::{LOCK_WAIT_TIMEOUT, ServerError, Session};

/// Key in the facts of a server: what was in the way of a complete answer.
pub(super) const UNMEASURED: &str = "unmeasured";
/// The oldest DDL that waits for nobody itself; of those sessions that the account sees.
const RUNNING_DDL: &str = "SELECT ID, INFO FROM information_schema.PROCESSLIST \
     WHERE ID <> CONNECTION_ID() AND COALESCE(STATE, '') NOT LIKE 'Waiting for %' \
     AND (INFO LIKE 'CREATE %' OR INFO LIKE 'ALTER %' OR INFO LIKE 'DROP %' OR INFO LIKE 'RENAME %' \
     OR INFO LIKE 'TRUNCATE %' OR INFO LIKE 'OPTIMIZE %' OR INFO LIKE 'REPAIR %') \
     ORDER BY TIME DESC LIMIT 1";

/// What was in the way of the last statement; nothing if it is answered completely.
pub(super) fn look(session: &mut Session) -> Result<Option<String>, ServerError> {
    let warnings = session.rows("read the server's warnings", "SHOW WARNINGS")?;
    let is_wait = |code: Option<u64>| code == Some(u64::from(LOCK_WAIT_TIMEOUT));
    if !warnings.iter().any(|row| is_wait(number_at(row, 1))) {
        return Ok(None);
    }
    let found = session.rows("look for running DDL", RUNNING_DDL)?;
    let shown = found.first().and_then(|row| {
        let (session, statement) = (number_at(row, 0)?, text_at(row, 1)?);
        Some(format!("session {session}: {}", beginning(&statement)))
    });
    let in_the_way = shown.unwrap_or_else(|| "DDL that this account does not see".to_owned());
    tracing::warn!(
        %in_the_way,
        "a table that is being made or changed could not be measured"
    );
    Ok(Some(in_the_way))
}

/// The beginning of a DDL statement: what it does, and to what. Further words may hold secrets.
fn beginning(statement: &str) -> String {
    const MOST_WORDS: usize = 6;
    const ENDS: [&str; 6] = ["AS", "SELECT", "ENGINE", "CONNECTION", "COMMENT", "LIKE"];
    let is_object = |word: &&str| {
        let upper = word.to_ascii_uppercase();
        !ENDS.iter().any(|end| upper.starts_with(&format!("{end}=")) || upper == *end)
    };
    let object = statement.split(['(', '\'', '"', ';']).next().unwrap_or_default();
    let words: Vec<&str> =
        object.split_whitespace().take(MOST_WORDS).take_while(is_object).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn of_a_statement_only_what_it_does_and_to_what_is_shown() {
        for (statement, shown) in [
            ("CREATE TABLE shop.`a b` ENGINE=MyISAM AS SELECT 'secret'", "CREATE TABLE shop.`a b`"),
            (
                "CREATE TABLE IF NOT EXISTS t (c CHAR(9) DEFAULT 'secret')",
                "CREATE TABLE IF NOT EXISTS t",
            ),
            ("ALTER TABLE t CONNECTION='mysql://u:secret@h/d'", "ALTER TABLE t"),
            ("TRUNCATE t", "TRUNCATE t"),
            ("", ""),
        ] {
            assert_eq!(beginning(statement), shown);
        }
    }
}
